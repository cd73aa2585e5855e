import { createServer } from 'node:net'
import { type Backend, type BackendOptions, bind, shut, trackSockets } from './backend.ts'
import { type BackendStats, Tally } from './tally.ts'
import { behaviours, type TcpBehaviour } from './tcp-behaviours.ts'

/** How a TCP backend is started. */
export interface TcpBackendOptions extends BackendOptions {
  /** What it does with every connection. Default: `echo`. */
  readonly behaviour?: TcpBehaviour
}

/** The counts of a TCP backend; a unit is a connection, and it ends when both directions have. */
export interface TcpBackendStats extends BackendStats {
  /** Bytes read from all connections. */
  readonly received: number
  /** Bytes handed to the kernel for all connections. */
  readonly sent: number
}

/** A running TCP backend. */
export interface TcpBackend extends Backend {
  stats(): TcpBackendStats
}

/** Starts a TCP backend; tcp-behaviours.ts says what each behaviour does. */
export async function startTcpBackend(options: TcpBackendOptions = {}): Promise<TcpBackend> {
  const behaviour = options.behaviour ?? 'echo'
  const tally = options.tally ?? new Tally()
  let received = 0
  let sent = 0
  const meter = {
    received: (bytes: number): void => void (received += bytes),
    sent: (bytes: number): void => void (sent += bytes),
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true })
  const sockets = trackSockets(server)
  server.on('connection', (socket) => {
    const leave = tally.enter()
    // 'close' comes at the end of the turn, after connections that this departure made room for; these come at once.
    socket.on('error', () => leave({ byPeer: true, aborted: true }))
    socket.once('end', () => {
      if (socket.writableFinished) leave({ byPeer: true, aborted: false })
    })
    socket.once('finish', () => {
      if (socket.readableEnded) leave({ byPeer: false, aborted: false })
    })
    socket.once('close', () => leave({ byPeer: true, aborted: false }))
    socket.once('data', (chunk) => {
      const unit = /^unit ([\w-]+)\n/.exec(chunk.toString('latin1', 0, 80))?.[1]
      if (unit !== undefined) tally.name(unit, leave)
    })
    behaviours[behaviour](socket, meter)
  })

  const address = await bind(server, options)
  return {
    name: options.name ?? `tcp-${behaviour}`,
    address,
    stats: () => ({ ...tally.stats(), received, sent }),
    resetStats: () => {
      tally.reset()
      received = sent = 0
    },
    close: () => shut(server, sockets),
  }
}
