import type { BindAddress } from './config/address.ts'

/** Accepts connections of one protocol and makes exchanges of what comes over them. */
export interface Listener {
  readonly name: string
  /** Open client connections. */
  readonly connections: number
  /** Binds one address; what is bound is told, since port 0 asks for any. */
  listen(bind: BindAddress): Promise<BindAddress>
  /** Stops accepting and closes what is idle; what is under way is served. */
  drain(): void
  /** Ends everything at once. */
  close(): void
}
