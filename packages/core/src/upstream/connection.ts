import type { EndpointAddress } from '../config/address.ts'
import type { ProxyError } from '../errors.ts'
import type { ConnectionList } from './connection-list.ts'
import type { Pool } from './pool.ts'

/** Where a connection stands in its pool. */
export type ConnectionState =
  | 'connecting'
  | 'idle' // open, carrying nothing
  | 'leased' // open, carrying at least one exchange
  | 'closing' // taken out of the pool, its socket not closed yet
  | 'closed'

/** Who waits for a connection of a pool. */
export interface Lessee {
  /** The connection is leased to it: called synchronously when one is idle, else when one stands. */
  connected(connection: Connection): void
  /** No connection could be had. */
  connectFailed(error: ProxyError): void
}

/**
 * One connection to an endpoint. Protocols extend it; the pool keeps its book.
 *
 * The protocol tells the pool: `opened` or `failed` once, `giveBack` after each exchange, `concurrencyChanged` when its
 * peer allows more or less, `gone` when the socket is closed.
 */
export abstract class Connection {
  readonly pool: Pool
  readonly address: EndpointAddress
  state: ConnectionState = 'connecting'
  /** How many addresses of the endpoint were tried before this one. */
  attempt = 0
  /** Exchanges it carries at the moment. Counted by the pool alone, at the lease. */
  carrying = 0
  /** Exchanges it was leased to so far. Above one, its peer may have closed it unseen. */
  leases = 0
  /** Until when it may be leased again, in the clock's milliseconds: its peer may close it soon after. */
  idleUntil = Infinity
  /** From when on it takes no new exchange, in the clock's milliseconds: nobody uses one connection for ever. */
  freshUntil = Infinity
  /** Where it stands in its pool. */
  list: ConnectionList | undefined
  newer: Connection | undefined
  older: Connection | undefined

  constructor(pool: Pool, address: EndpointAddress) {
    this.pool = pool
    this.address = address
  }

  /** How many exchanges it may carry at once at the moment; 0 once it takes no more. */
  abstract readonly concurrency: number

  /** Whether it stands and may carry one exchange more. */
  get hasRoom(): boolean {
    return (this.state === 'idle' || this.state === 'leased') && this.carrying < this.concurrency
  }

  /** It carries nothing from now on, until it is leased again. */
  abstract idled(): void
  /** Closes at once: `retire`, and `gone` when the socket is closed. */
  abstract close(): void
}
