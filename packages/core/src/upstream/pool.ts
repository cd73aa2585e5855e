import type { EndpointAddress } from '../config/address.ts'
import type { PoolConfig } from '../config/config.ts'
import { ProxyError, refusals } from '../errors.ts'
import { type Expirable, Timer } from '../timers/wheel.ts'
import type { Connection, Lessee } from './connection.ts'
import type { Endpoint } from './endpoint.ts'

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

/**
 * The connections of one protocol to one endpoint.
 *
 * It counts what it lends itself, at once: two callers in one tick never get the same connection. A connect in
 * progress belongs to the pool, not to the exchange that asked first: whichever connection stands first goes to
 * whoever has waited longest.
 */
export class Pool implements Expirable {
  readonly endpoint: Endpoint
  readonly #connector: Connector
  /** In order of use. The newest is taken first: it is the likeliest to be alive, and the others can time out. */
  #newestIdle: Connection | undefined
  #oldestIdle: Connection | undefined
  #idle = 0
  #connecting = 0
  readonly #connections = new Set<Connection>()
  /** With the time when each began to wait. */
  readonly #lessees = new Map<Lessee, number>()
  /** For those for whom no connect could be begun; whoever connects keeps the time itself. */
  #patience: Timer | undefined

  constructor(endpoint: Endpoint, connector: Connector) {
    this.endpoint = endpoint
    this.#connector = connector
  }

  /** As the newest configuration has it. */
  get options(): PoolConfig {
    return this.endpoint.upstream.config.pool
  }

  /** Connections that carry nothing. */
  get idle(): number {
    return this.#idle
  }

  /** Connections being made. */
  get connecting(): number {
    return this.#connecting
  }

  /** Who waits for a connection. */
  get lessees(): number {
    return this.#lessees.size
  }

  /** More wait than connections are being made for. */
  get starving(): boolean {
    return this.#lessees.size > this.#connecting
  }

  /** All connections, those being made included. */
  get size(): number {
    return this.#connections.size
  }

  /** Leases a connection: at once when one is idle, else when one stands. `now`: the clock's milliseconds. */
  lease(lessee: Lessee, now: number): void {
    const connection = this.#newestIdle
    if (connection !== undefined && connection.idleUntil > now) {
      this.#unlinkIdle(connection)
      this.#lend(connection, lessee)
      return
    }
    // When the newest is too old all are; the timers that close them are only that exact.
    while (this.closeOldestIdle());
    this.#lessees.set(lessee, now)
    this.connectAsNeeded()
    // Picked in a thread that knew an address, and this one knows none.
    if (this.endpoint.addresses.length === 0 && this.#serve(lessee)) lessee.connectFailed(refusals.noEndpoint)
  }

  /** Whoever waits for a connection wants it no more. A connect in progress goes on, for the next one. */
  forget(lessee: Lessee): void {
    this.#serve(lessee)
  }

  /** Begins as many connects as there are lessees without one, within the endpoint's bound. */
  connectAsNeeded(): void {
    while (this.starving && this.endpoint.takeConnection()) this.#connect(0)
    this.#endpointServed()
    if (this.starving) this.#waitForRoom()
  }

  /** Nobody has made room for so long as a connect may take: those who wait longest hear of it. */
  expired(): void {
    const { connectMs } = this.endpoint.upstream.config.timeouts
    const { runtime } = this.endpoint.upstream
    const late: Lessee[] = []
    for (const [lessee, since] of this.#lessees) {
      if (this.#lessees.size - late.length <= this.#connecting || runtime.clock() - since < connectMs) break
      late.push(lessee)
    }
    for (const lessee of late) this.#serve(lessee)
    if (this.starving) this.#waitForRoom()
    const why = `no connection could be begun within ${connectMs} ms: as many stand as \`maxConnections\` allows`
    for (const lessee of late) {
      try {
        lessee.connectFailed(new ProxyError('connectTimeout', why))
      } catch (fault) {
        runtime.faulted(fault)
      }
    }
  }

  fault(fault: unknown): void {
    this.endpoint.upstream.runtime.faulted(fault)
  }

  /** The connection stands. */
  opened(connection: Connection): void {
    this.#countConnecting(-1)
    connection.state = 'idle'
    this.endpoint.reached(connection.address)
    this.#offer(connection)
  }

  /** The connection could not be made. `elsewhere`: another address of the endpoint may still answer. */
  failed(connection: Connection, error: ProxyError, elsewhere: boolean): void {
    this.#countConnecting(-1)
    connection.state = 'closed'
    this.#connections.delete(connection)
    const next = connection.attempt + 1
    if (elsewhere && next < this.endpoint.addresses.length && this.starving) {
      this.#connect(next)
      return
    }
    this.endpoint.failed(error)
    // While as many connects are under way as there are lessees, nobody needs to hear of this failure. Whoever does is
    // taken out first: the room that came free would else be used to connect for it again, for ever.
    const [oldest] = this.starving ? this.#lessees.keys() : []
    if (oldest !== undefined) this.#serve(oldest)
    this.endpoint.dropConnection()
    oldest?.connectFailed(error)
  }

  /**
   * The exchange has ended and the connection can carry another one. It may be lent anew before this returns, so it
   * is the last thing that a protocol does with an exchange.
   */
  giveBack(connection: Connection): void {
    connection.carrying--
    if (connection.state !== 'leased') return
    if (connection.concurrency === 0) {
      connection.close()
      return
    }
    if (connection.carrying === 0) connection.state = 'idle'
    this.#offer(connection)
  }

  /** The connection is about to be closed: from now on nobody may lease it, though its socket lives on for a moment. */
  retire(connection: Connection): void {
    if (connection.state !== 'idle') return
    this.#unlinkIdle(connection)
    connection.state = 'closing'
  }

  /** The connection's socket is closed, whoever closed it. */
  gone(connection: Connection): void {
    if (connection.state === 'closed') return
    if (connection.state === 'idle') this.#unlinkIdle(connection)
    if (connection.state === 'connecting') this.#countConnecting(-1)
    connection.state = 'closed'
    this.#connections.delete(connection)
    this.endpoint.dropConnection()
  }

  /** Closes the connection that has been idle longest; false when there is none. */
  closeOldestIdle(): boolean {
    const oldest = this.#oldestIdle
    if (oldest === undefined) return false
    this.retire(oldest)
    oldest.close()
    return true
  }

  /** Closes what is idle (`drain`), or everything. */
  close(which: 'idle' | 'all'): void {
    // What is begun meanwhile, for those who still wait, is not closed.
    const connections = [...this.#connections]
    for (const connection of connections) {
      if (which === 'all' || connection.state === 'idle') connection.close()
    }
  }

  #connect(attempt: number): void {
    this.#countConnecting(1)
    const { endpoint } = this
    const address = endpoint.addresses[(endpoint.preferredAddress + attempt) % endpoint.addresses.length]!
    const connection = this.#connector.connect(this, address)
    connection.attempt = attempt
    this.#connections.add(connection)
  }

  #lend(connection: Connection, lessee: Lessee): void {
    connection.state = 'leased'
    connection.carrying++
    connection.leases++
    lessee.connected(connection)
  }

  #offer(connection: Connection): void {
    if (this.#lessees.size > 0) {
      const [lessee] = this.#lessees.keys()
      this.#serve(lessee!)
      this.#lend(connection, lessee!)
    } else if (connection.state === 'idle') {
      this.#linkIdle(connection)
      connection.idled()
      if (this.#idle > this.options.maxIdle || this.endpoint.retired) this.closeOldestIdle()
      else this.endpoint.idled(this)
    }
  }

  /** It waits no more; false when it has not waited. */
  #serve(lessee: Lessee): boolean {
    if (!this.#lessees.delete(lessee)) return false
    this.#endpointServed()
    return true
  }

  #endpointServed(): void {
    if (this.starving) return
    this.#patience?.disarm()
    this.endpoint.lesseeServed()
  }

  #waitForRoom(): void {
    const { runtime, config } = this.endpoint.upstream
    const { connectMs } = config.timeouts
    this.#patience ??= new Timer(this, runtime.wheelFor(connectMs))
    if (this.#patience.armed) return
    const [since] = this.#lessees.values()
    const now = runtime.clock()
    this.#patience.arm(Math.max(0, since! + connectMs - now), now)
  }

  #linkIdle(connection: Connection): void {
    connection.olderIdle = this.#newestIdle
    if (this.#newestIdle === undefined) this.#oldestIdle = connection
    else this.#newestIdle.newerIdle = connection
    this.#newestIdle = connection
    this.#countIdle(1)
  }

  #unlinkIdle(connection: Connection): void {
    const { newerIdle, olderIdle } = connection
    if (newerIdle === undefined) {
      // A connection that just opened is idle for a moment without being in the list.
      if (this.#newestIdle !== connection) return
      this.#newestIdle = olderIdle
    } else newerIdle.olderIdle = olderIdle
    if (olderIdle === undefined) this.#oldestIdle = newerIdle
    else olderIdle.newerIdle = newerIdle
    connection.newerIdle = undefined
    connection.olderIdle = undefined
    this.#countIdle(-1)
  }

  #countConnecting(change: number): void {
    this.#connecting += change
    this.endpoint.cells.connecting.add(change)
  }

  #countIdle(change: number): void {
    this.#idle += change
    this.endpoint.cells.idle.add(change)
  }
}
