import type { AddressInfo, Server, Socket } from 'node:net'
import type { BackendStats, Tally } from './tally.ts'

/** Where a backend listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** What every backend can be started with. */
export interface BackendOptions {
  /** The instance's name, as `x-backend` and `/max` show it. */
  readonly name?: string
  /** Default: `127.0.0.1`. */
  readonly host?: string
  /** Default: 0, a free port. */
  readonly port?: number
  /** Counts units, together with those of the other backends that have it. Default: one of its own. */
  readonly tally?: Tally
}

/** A running test backend. */
export interface Backend {
  readonly name: string
  readonly address: Address
  stats(): BackendStats
  /** Starts `max`, `total` and `aborted` anew. */
  resetStats(): void
  /** Ends everything at once; resolves when the port and all sockets are gone. */
  close(): Promise<void>
}

/** The counts of the backends beside this one, by name, for `/max?backend=`. */
export type Neighbours = () => ReadonlyMap<string, Backend>

/** Resolves when `server` is bound, with the port it got; rejects with Node's own error (EADDRINUSE and the like). */
export async function bind(server: Server, options: BackendOptions): Promise<Address> {
  const host = options.host ?? '127.0.0.1'
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // The backlog is far above the default of 511: a test opens thousands of connections at once.
    server.listen({ host, port: options.port ?? 0, backlog: 8192 }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
  return { host, port: (server.address() as AddressInfo).port }
}

/** The sockets of `server` that are open; it must be called before the server listens. */
export function trackSockets(server: Server): ReadonlySet<Socket> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return open
}

/** Stops listening and destroys `sockets`; resolves when all of them have closed. */
export async function shut(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  // Server.close counts only what it accepted and knows nothing of sockets handed over by an upgrade.
  const gone = [...sockets].map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())))
  for (const socket of sockets) socket.destroy()
  await Promise.all([closed, ...gone])
}
