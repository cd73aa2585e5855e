import type { ListenerConfig, Route } from '@sluice/core'
import type { AcceptTls } from '@sluice/wire'

/** What a TCP listener is made from. */
export interface TcpListenerOptions {
  readonly config: ListenerConfig
  /** All connections take it. */
  readonly route: Route
  readonly tls: AcceptTls | undefined
}

/** Bytes of a waiting client that are read and kept. Beyond them reading stops, and its departure is seen late. */
export const maxStoredBytes = 65_536
