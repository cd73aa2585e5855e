import { createProxy, type ConfigInput, type Proxy } from '../../sluice/src/index.ts'
import {
  eventually,
  parseResponses,
  type ParsedResponse,
  RawClient,
  type RawScript,
  RawServer,
} from '../../testkit/src/raw/index.ts'

/** Parts of a configuration over the usual one: a listener `web` of HTTP before the upstream `up`. */
export interface Proxied {
  readonly listener?: Record<string, unknown>
  readonly upstream?: Record<string, unknown>
  readonly more?: Record<string, unknown>
  readonly timeoutMs?: number
}

/** A proxy before one upstream that speaks raw bytes. */
export class Through {
  readonly proxy: Proxy
  readonly upstream: RawServer
  readonly faults: unknown[]
  readonly #clients: RawClient[] = []
  readonly #timeoutMs: number

  private constructor(proxy: Proxy, upstream: RawServer, faults: unknown[], timeoutMs: number) {
    this.proxy = proxy
    this.upstream = upstream
    this.faults = faults
    this.#timeoutMs = timeoutMs
  }

  static async start(script?: RawScript, options: Proxied = {}): Promise<Through> {
    const timeoutMs = options.timeoutMs ?? 10_000
    const upstream = await RawServer.start(script, { timeoutMs })
    const faults: unknown[] = []
    const config = {
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', ...options.listener } },
      upstreams: { up: { endpoints: [`127.0.0.1:${upstream.port}`], ...options.upstream } },
      ...options.more,
    } as unknown as ConfigInput
    const proxy = await createProxy(config, { onFault: (fault) => faults.push(fault) })
    await proxy.listen()
    return new Through(proxy, upstream, faults, timeoutMs)
  }

  get port(): number {
    const address = this.proxy.addresses['web']
    if (address === undefined || !('port' in address)) throw new Error('the listener is not bound to a port')
    return address.port
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.connect({ port: this.port, timeoutMs: this.#timeoutMs })
    this.#clients.push(client)
    return client
  }

  /** Sends bytes on a connection of their own and gives back everything up to the end of it. */
  async whole(bytes: string): Promise<string> {
    const client = await this.client()
    await client.write(bytes)
    const text = (await client.readToEnd()).toString('latin1')
    await client.close()
    return text
  }

  /** Closes everything, and proves that nothing is left and no fault of ours was met. */
  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    try {
      await eventually(() => this.settled, { what: 'everything is settled' })
    } finally {
      await this.proxy.close()
      await this.upstream.close()
    }
    if (this.faults.length > 0) throw new Error('a handler threw', { cause: this.faults[0] })
  }

  /** Whether no exchange runs and no client connection is open. */
  get settled(): boolean {
    const { exchanges, listeners, gates, upstreams } = this.proxy.stats()
    return (
      exchanges === 0 &&
      listeners.every((one) => one.connections === 0) &&
      gates.every((one) => one.running === 0 && one.waiting === 0) &&
      upstreams.every((one) => one.running === 0 && one.waiting === 0)
    )
  }
}

/** A request of the client, with what it does not say filled in. */
export function request(line: string, ...fields: string[]): string {
  return `${line} HTTP/1.1\r\n${['Host: a.test', ...fields].join('\r\n')}\r\n\r\n`
}

/** The only response in these bytes. */
export function onlyResponse(bytes: Uint8Array, methods: readonly string[] = ['GET']): ParsedResponse {
  const responses = parseResponses(bytes, { methods })
  if (responses.length !== 1) throw new Error(`${responses.length} responses where one was expected`)
  return responses[0]!
}

/** The fields of a head as text, without its start line and the empty line. */
export function fieldsOf(head: string): string[] {
  return head.trimEnd().split('\r\n').slice(1)
}

/** A script for an upstream that answers every head (of requests without a body) with the same bytes. */
export function answering(answer: string | ((head: string, index: number) => string)): RawScript {
  return async (connection) => {
    for (let index = 0; ; index++) {
      const head = await connection.readHead()
      await connection.write(typeof answer === 'string' ? answer : answer(head, index))
    }
  }
}

/** `HTTP/1.1 200 OK` with a body by its length. */
export function ok(body: string, ...fields: string[]): string {
  return ['HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n')
}
