import type { ClientTable } from './state/client-table.ts'
import type { HeldBytes } from './state/held-bytes.ts'

/** Makes exchanges of one protocol of the connections that come to it; who binds and accepts is not its business. */
export interface Listener {
  readonly name: string
  /** Open client connections. */
  readonly connections: number
  /** Closes what is idle; what is under way is served. Nobody is accepted any more when it is called. */
  drain(): void
  /** Ends everything at once. */
  close(): void
}

/** What a listener shares with others, beyond its runtime. */
export interface ListenerParts {
  /** Hears of every connection that is turned away before it is served. */
  refused(): void
  /** Connections of all listeners at once, over all threads. Default: no limit. */
  readonly maxAllConnections?: number
  /** Connections of each client. Without it `perClient` does nothing. */
  readonly clients?: ClientTable
  /** What is held in memory, over all threads. Without it nothing is counted. */
  readonly held?: HeldBytes
}
