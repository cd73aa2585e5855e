import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { ConnectionEnded, RawConnection, type RawConnectionOptions } from './raw-connection.ts'

/** What a raw server does with each connection; `index` counts them from 0. */
export type RawScript = (connection: RawConnection, index: number) => void | Promise<void>

/** Where a raw server listens. */
export interface RawServerOptions extends RawConnectionOptions {
  /** Default: `127.0.0.1`. */
  readonly host?: string
  /** Default: 0, a free port. */
  readonly port?: number
  /** Speaks TLS. Default: plain TCP. */
  readonly tls?: TlsOptions
}

/**
 * A server that speaks raw bytes by a script. A connection stays open after its script has ended, until it is closed
 * by a verb of the script, by the peer's RST or by `close()`.
 */
export class RawServer {
  readonly host: string
  readonly port: number
  /** All connections accepted so far, in their order. */
  readonly connections: RawConnection[] = []
  readonly #server: Server
  readonly #script: RawScript | undefined
  readonly #options: RawServerOptions
  /** The TCP sockets, by their peer, which a TLS socket does not give away. */
  readonly #transports = new Map<string, Socket>()
  readonly #waiting: ((connection: RawConnection) => void)[] = []
  #handedOut = 0
  #open = 0
  #failure: { readonly error: unknown } | undefined

  private constructor(server: Server, script: RawScript | undefined, options: RawServerOptions) {
    this.#server = server
    this.#script = script
    this.#options = options
    const address = server.address() as AddressInfo
    this.host = address.address
    this.port = address.port
    server.on('connection', (socket: Socket) => {
      const peer = peerOf(socket)
      this.#transports.set(peer, socket)
      socket.once('close', () => this.#transports.delete(peer))
      if (options.tls === undefined) this.#accept(socket, socket)
    })
    server.on('secureConnection', (socket: Socket) =>
      this.#accept(socket, this.#transports.get(peerOf(socket)) ?? socket),
    )
  }

  /** Resolves when the server listens. Without a script its connections are taken with `accept()`. */
  static async start(script?: RawScript, options: RawServerOptions = {}): Promise<RawServer> {
    const shared = { allowHalfOpen: true, noDelay: true }
    const server = options.tls === undefined ? createServer(shared) : createTlsServer({ ...options.tls, ...shared })
    server.on('tlsClientError', () => undefined) // the client's test sees its own side of it
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0, backlog: 4096 }, resolve)
    })
    return new RawServer(server, script, options)
  }

  /** How many connections were accepted. */
  get accepted(): number {
    return this.connections.length
  }

  /** How many of them are open. */
  get open(): number {
    return this.#open
  }

  /** The next connection that `accept` has not given yet, as soon as it is there. */
  accept(): Promise<RawConnection> {
    const index = this.#handedOut++
    const connection = this.connections[index]
    if (connection !== undefined) return Promise.resolve(connection)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /**
   * Drops all connections and stops listening. Rejects with the first error that a script threw, so that an assertion
   * in a script fails its test; that the peer left in the middle of a script is no error.
   */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#transports.values()) socket.destroy()
    await Promise.all(this.connections.map((connection) => connection.close()))
    await closed
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #accept(socket: Socket, transport: Socket): void {
    const connection = new RawConnection(socket, this.#options, transport)
    const index = this.connections.push(connection) - 1
    this.#open++
    void connection.closed.then(() => this.#open--)
    this.#waiting.shift()?.(connection)
    if (this.#script !== undefined) void this.#run(this.#script, connection, index)
  }

  async #run(script: RawScript, connection: RawConnection, index: number): Promise<void> {
    try {
      await script(connection, index)
    } catch (error) {
      if (error instanceof ConnectionEnded) return
      this.#failure ??= { error }
      connection.rst()
    }
  }
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}
