import type { TcpBehaviour } from './tcp-behaviours.ts'

/** What a backend speaks. */
export type BackendKind = 'http' | 'websocket' | 'tcp' | 'grpc' | 'http2'

/** The name of one of the test backends. */
export type BackendName =
  | `http-${1 | 2 | 3}`
  | `websocket-${1 | 2}`
  | `tcp-${TcpBehaviour}`
  | `grpc-${1 | 2}`
  | 'http2-1'

/** What there is to know about a backend before it runs. */
export interface BackendPlan {
  readonly name: BackendName
  readonly kind: BackendKind
  /** The port of `startBackends()`; 0 means that it stands nowhere unless a port is given. */
  readonly port: number
  readonly what: string
  /** One line to try, for where it listens. */
  readonly tryIt: (host: string, port: number) => string
}

const websocketClient = (host: string, port: number, path: string): string =>
  `npx --yes wscat@6 -c ws://${host}:${port}${path}`

/** Node, since no option of `nc` to send a FIN at the end of its input is understood by all the programs of that name. */
const halfClosing = (host: string, port: number): string =>
  `node -e "net.connect(${port}, '${host}').end('hello').pipe(process.stdout)"`

/** grpcurl learns the services by reflection. */
const grpcClient = (host: string, port: number, method: string): string =>
  `grpcurl -plaintext -d '{"text":"hello"}' ${host}:${port} sluice.test.v1.Echo/${method}`

/** All test backends, in the order of their ports. */
export const plans: readonly BackendPlan[] = [
  {
    name: 'http-1',
    kind: 'http',
    port: 3001,
    what: 'HTTP: echo, and what http-answers.ts lists',
    tryIt: (host, port) => `curl -i http://${host}:${port}/hello`,
  },
  {
    name: 'http-2',
    kind: 'http',
    port: 3002,
    what: 'HTTP: the same, to see balancing in x-backend',
    tryIt: (host, port) => `curl -N 'http://${host}:${port}/sse?n=3'`,
  },
  {
    name: 'http-3',
    kind: 'http',
    port: 3003,
    what: 'HTTP: the same; /max tells the most requests at once',
    tryIt: (host, port) => `curl http://${host}:${port}/max`,
  },
  {
    name: 'websocket-1',
    kind: 'websocket',
    port: 3004,
    what: 'WebSocket: echo; /broadcast, /close?code=4001, /refuse?status=403',
    tryIt: (host, port) => websocketClient(host, port, '/'),
  },
  {
    name: 'websocket-2',
    kind: 'websocket',
    port: 3005,
    what: 'WebSocket: the same, to see balancing in x-backend',
    tryIt: (host, port) => websocketClient(host, port, '/broadcast'),
  },
  {
    name: 'tcp-echo',
    kind: 'tcp',
    port: 3006,
    what: 'TCP: every byte comes back',
    tryIt: (host, port) => `echo hello | nc -w 1 ${host} ${port}`,
  },
  {
    name: 'tcp-sink',
    kind: 'tcp',
    port: 3007,
    what: 'TCP: takes all, answers the FIN with length and SHA-256',
    tryIt: halfClosing,
  },
  {
    name: 'tcp-source',
    kind: 'tcp',
    port: 3008,
    what: 'TCP: sends as many bytes as the first line says',
    tryIt: (host, port) => `echo 1000000 | nc -w 1 ${host} ${port} | wc -c`,
  },
  {
    name: 'tcp-reset',
    kind: 'tcp',
    port: 3009,
    what: 'TCP: sends as many bytes as the first line says, then RST',
    tryIt: (host, port) => `echo 100 | nc -w 1 ${host} ${port} | wc -c`,
  },
  {
    name: 'grpc-1',
    kind: 'grpc',
    port: 3010,
    what: 'gRPC: echo of four call kinds, orders, health, reflection',
    tryIt: (host, port) => grpcClient(host, port, 'Unary'),
  },
  {
    name: 'grpc-2',
    kind: 'grpc',
    port: 3011,
    what: 'gRPC: the same, to see balancing in `backend`',
    tryIt: (host, port) => grpcClient(host, port, 'ServerStream'),
  },
  {
    name: 'http2-1',
    kind: 'http2',
    port: 3012,
    what: 'HTTP/2 in the clear: echo, and what http2-answers.ts lists',
    tryIt: (host, port) => `curl -i --http2-prior-knowledge http://${host}:${port}/hello`,
  },
  {
    name: 'tcp-silent',
    kind: 'tcp',
    port: 0,
    what: 'TCP: accepts, reads and never answers',
    tryIt: (host, port) => `echo hello | nc -w 1 ${host} ${port}`,
  },
  {
    name: 'tcp-half',
    kind: 'tcp',
    port: 0,
    what: 'TCP: echoes after the FIN',
    tryIt: halfClosing,
  },
]
