import type { EndpointAddress } from '../config/address.ts'
import type { Connection } from './connection.ts'
import type { Pool } from './pool.ts'

/** How one protocol connects. */
export interface Connector {
  /** Whether a connection can serve another exchange than the one that it was made for. */
  readonly reusable: boolean
  /**
   * How many exchanges at once a connection that is about to be made to this pool's endpoint will carry, as far as can be
   * said; undefined: it turns out as the connection stands.
   */
  concurrency(pool: Pool): number | undefined
  /** Begins a connection to one address of the pool's endpoint. */
  connect(pool: Pool, address: EndpointAddress): Connection
}
