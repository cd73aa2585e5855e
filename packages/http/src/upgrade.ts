import type { RequestHead } from '@sluice/wire'
import type { HttpExchange } from './exchange.ts'
import type { Http1Session } from './http1/session.ts'

/**
 * Who takes requests that ask to leave HTTP. Another package registers it with the listener, so that this one need not
 * know what it becomes.
 */
export interface UpgradeHandler {
  /** Whether it takes a request that asks for an upgrade. */
  when(head: RequestHead): boolean
  /** Makes the exchange for one such request. Refused, it is an ordinary one. */
  start(session: Http1Session): HttpExchange
}
