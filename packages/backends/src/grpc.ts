import type { Http2Session, ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:net'
import {
  type Responder,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
} from '@grpc/grpc-js'
import { type Backend, type BackendOptions, bind, shut, trackSockets } from './backend.ts'
import { insideOf } from './grpc-call.ts'
import { echoService } from './grpc-echo.ts'
import { Health, type ServingStatus } from './grpc-health.ts'
import { interopService } from './grpc-interop.ts'
import { misbehave, misbehaveKey, type MisbehaviourScope } from './grpc-misbehaviour.ts'
import { ordersService } from './grpc-orders.ts'
import { serviceDefinition, type ServiceName } from './grpc-protos.ts'
import { reflectionService } from './grpc-reflection.ts'
import { type Departure, Tally } from './tally.ts'

/** How a gRPC backend is started. */
export interface GrpcBackendOptions extends BackendOptions {
  /** With these, in PEM, it speaks TLS; otherwise HTTP/2 in the clear. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** SETTINGS_MAX_CONCURRENT_STREAMS of each connection. Default: no bound. */
  readonly maxStreams?: number
  /** A connection is told GOAWAY with its call of this number, which is still served. Default: never. */
  readonly goawayAfter?: number
}

/** A running gRPC backend. */
export interface GrpcBackend extends Backend {
  /** What grpc.health.v1 says of a service from now on; the empty name is the server as a whole. */
  setHealth(service: string, status: ServingStatus): void
  /** GOAWAY on every connection: what runs is served, and new calls need a new connection. */
  goAway(): void
}

const services: readonly ServiceName[] = ['sluice.test.v1.Echo', 'shop.v1.Orders', 'grpc.testing.TestService']
const listed: readonly ServiceName[] = [...services, 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection']

/** The metadata that names a call, for `Tally.cut`. */
const unitKey = 'x-unit'
/** As long as a timer can be. */
const forEver = 2_147_483_647

/**
 * Starts a gRPC backend: `sluice.test.v1.Echo`, `shop.v1.Orders`, gRPC's own interop service, health and reflection.
 * Metadata `x-misbehave` makes a call go wrong, as grpc-misbehaviour.ts says. A unit is a call of a method that exists,
 * but for those of health.
 */
export async function startGrpcBackend(options: GrpcBackendOptions = {}): Promise<GrpcBackend> {
  const name = options.name ?? 'grpc'
  const tally = options.tally ?? new Tally()
  const health = new Health(services)
  const callsOf = new WeakMap<Http2Session, number>()
  const scope: MisbehaviourScope = {
    seen: new Set(),
    socketOf: ({ session }) => [...sockets].find((socket) => socket.remotePort === session?.socket.remotePort),
  }

  const grpc = new Server({
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
    'grpc.max_metadata_size': 1_048_576,
    'grpc.enable_channelz': 0,
    ...(options.maxStreams === undefined ? {} : { 'grpc.max_concurrent_streams': options.maxStreams }),
    interceptors: [
      ({ path }, call) => {
        if (path.startsWith('/grpc.health.')) return new ServerInterceptingCall(call)
        const { stream, metadata } = insideOf(call)
        const { session } = stream
        if (options.goawayAfter !== undefined && session !== undefined) {
          const calls = (callsOf.get(session) ?? 0) + 1
          callsOf.set(session, calls)
          if (calls === options.goawayAfter) session.close()
        }
        const leave = count(stream, tally, metadata.get(unitKey)[0])
        const wish = metadata.get(misbehaveKey)[0]
        const responder = wish === undefined ? undefined : misbehave(String(wish), call, scope)
        return new ServerInterceptingCall(leavingWithStatus(call, stream, leave), responder)
      },
    ],
  })
  grpc.addService(serviceDefinition('sluice.test.v1.Echo'), echoService(name))
  grpc.addService(serviceDefinition('shop.v1.Orders'), ordersService())
  grpc.addService(serviceDefinition('grpc.testing.TestService'), interopService())
  grpc.addService(serviceDefinition('grpc.health.v1.Health'), health.implementation)
  grpc.addService(serviceDefinition('grpc.reflection.v1.ServerReflection'), reflectionService(listed))

  // grpc-js is handed the connections: a listener of its own would know neither our backlog nor our way to close.
  const injector = grpc.createConnectionInjector(credentials(options.tls))
  const server = createServer({ noDelay: true })
  const sockets = trackSockets(server)
  server.on('connection', (socket) => injector.injectConnection(socket))

  const address = await bind(server, options)
  return {
    name,
    address,
    stats: () => tally.stats(),
    resetStats: () => tally.reset(),
    setHealth: (service, status) => health.set(service, status),
    goAway: () => injector.drain(forEver),
    close: async () => {
      const closed = shut(server, sockets)
      injector.destroy()
      grpc.forceShutdown()
      await closed
    },
  }
}

function credentials(tls: GrpcBackendOptions['tls']): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure()
  return ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }])
}

type Leave = (departure: Departure) => void

/** Counts a call in; out with its trailers, with the client's reset, or with the connection. */
function count(stream: ServerHttp2Stream, tally: Tally, unit: string | Buffer | undefined): Leave {
  const leave = tally.enter()
  if (unit !== undefined) tally.name(String(unit), leave)
  stream.once('aborted', () => leave({ byPeer: true, aborted: true }))
  stream.once('wantTrailers', () => leave({ byPeer: false, aborted: false }))
  stream.once('close', () => leave({ byPeer: true, aborted: stream.rstCode !== 0 }))
  return leave
}

/** A status without anything before it has no trailers that could be waited for. */
function leavingWithStatus(
  call: ServerInterceptingCallInterface,
  stream: ServerHttp2Stream,
  leave: Leave,
): ServerInterceptingCallInterface {
  const responder: Responder = {
    sendStatus: (status, next) => {
      const alone = !stream.headersSent
      next(status)
      if (alone) leave({ byPeer: false, aborted: false })
    },
  }
  return new ServerInterceptingCall(call, responder)
}
