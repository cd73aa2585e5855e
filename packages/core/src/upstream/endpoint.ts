import { type EndpointAddress, formatAddress } from '../config/address.ts'
import type { EndpointConfig } from '../config/config.ts'
import type { ProxyError } from '../errors.ts'
import type { Room } from '../gate/gate.ts'
import type { EndpointCells } from '../state/endpoint-cells.ts'
import type { Connector } from './connector.ts'
import type { EndpointHealth } from './health.ts'
import { Pool } from './pool.ts'
import type { Upstream } from './upstream.ts'

/** What an endpoint is made from. */
export interface EndpointParts {
  readonly upstream: Upstream
  /** What is known of it over all threads. */
  readonly cells: EndpointCells
  readonly health: EndpointHealth
  /** TLS, in the terms of whoever connects; `undefined`: in the clear. */
  readonly tls: unknown
}

/**
 * One address that can do an upstream's work: its room, its health and this thread's connections to it.
 *
 * As a `Room` it is what an upstream's permit holds besides the gate.
 */
export class Endpoint implements Room {
  readonly upstream: Upstream
  /** As configured: its identity within the upstream. */
  readonly name: string
  readonly health: EndpointHealth
  readonly cells: EndpointCells
  /** TLS, in the terms of whoever connects; `undefined`: in the clear. */
  readonly tls: unknown
  /** What the name resolves to; empty until it has been resolved. */
  addresses: readonly EndpointAddress[] = []
  /** The address that answered last. */
  preferredAddress = 0
  /** As the newest configuration has it. */
  config: EndpointConfig
  /** The configuration has it no more: its connections end with the exchanges that they carry. */
  retired = false
  readonly #pools = new Map<Connector, Pool>()
  /** Some pool's connections carry one exchange each: room for more would let those wait past the queue of the gate. */
  #carriesOne = false
  #connections = 0
  /** Counted in `cells.starved`. */
  #starved = false

  constructor(config: EndpointConfig, parts: EndpointParts) {
    this.upstream = parts.upstream
    this.name = formatAddress(config.address)
    this.config = config
    this.cells = parts.cells
    this.health = parts.health
    this.tls = parts.tls
  }

  get record(): number {
    return this.cells.record
  }

  /** What Host calls it where a request does not say (RFC 9110 §7.2). */
  get authority(): string {
    return 'path' in this.config.address ? 'localhost' : this.name
  }

  get weight(): number {
    return this.config.weight
  }

  /** Units that run here, over all threads. */
  get running(): number {
    return this.cells.running
  }

  /** Whether it should get work. */
  get usable(): boolean {
    return this.addresses.length > 0 && this.health.usable
  }

  get hasRoom(): boolean {
    return this.cells.hasRoom && this.addresses.length > 0
  }

  /** Connections of this thread. */
  get connections(): number {
    return this.#connections
  }

  /** Whether this thread has connections or waits for one. */
  get busy(): boolean {
    return this.#connections > 0 || [...this.#pools.values()].some(({ lessees }) => lessees > 0)
  }

  /** The pool of the connections that `connector` makes. */
  pool(connector: Connector): Pool {
    let pool = this.#pools.get(connector)
    if (pool === undefined) {
      pool = new Pool(this, connector)
      this.#pools.set(connector, pool)
      if (connector.concurrency(pool) === 1) {
        this.#carriesOne = true
        if (this.cells.concurrency > 1) this.cells.learn(1)
      }
    }
    return pool
  }

  enter(): void {
    this.cells.enter()
  }

  leave(): void {
    this.cells.leave()
  }

  hold(change: number): void {
    this.cells.hold(change)
  }

  /**
   * Counts a connection in, or is false at the bound. Then room is made where a connection is idle, in a pool of another
   * protocol or in another thread, and `connectAsNeeded` is called once there is some.
   *
   * Whoever finds the bound reached says so and looks again; whoever drops a connection counts it out and then looks who
   * has said so. Both atomically: one of them sees the other, whatever the order.
   */
  takeConnection(): boolean {
    if (this.addresses.length === 0) return false
    const { cells } = this
    let taken = false
    this.upstream.gate.exclusively(() => {
      taken = cells.hasConnectionRoom
      if (!taken) {
        this.#setStarved(true)
        taken = cells.hasConnectionRoom
      }
      if (taken) cells.connections.add(1)
    })
    if (taken) {
      this.#connections++
      return true
    }
    if (!this.closeOldestIdle()) this.upstream.runtime.store.wantConnection(this)
    return false
  }

  /** Closes a connection that is idle in this thread; false when there is none. */
  closeOldestIdle(): boolean {
    for (const pool of this.#pools.values()) if (pool.closeOldestIdle()) return true
    return false
  }

  /** One waits less for a connection, or one more is being made. */
  lesseeServed(): void {
    if (!this.#starved) return
    for (const pool of this.#pools.values()) if (pool.starving) return
    // Else connections would be closed for nobody.
    this.#setStarved(false)
  }

  #setStarved(starved: boolean): void {
    if (this.#starved === starved) return
    this.#starved = starved
    this.cells.starved.add(starved ? 1 : -1)
  }

  /** A connection has become idle, for which its own pool has no use at the moment; somebody else may. */
  idled(pool: Pool): void {
    if (this.cells.starved.total > 0) pool.closeOldestIdle()
  }

  /** A connection less stands. */
  dropConnection(): void {
    this.#connections--
    this.cells.connections.add(-1)
    this.connectAsNeeded()
    if (this.cells.starved.total > 0) this.upstream.runtime.store.connectionFreed(this)
  }

  /** Begins the connections that are waited for, as far as there is room. */
  connectAsNeeded(): void {
    for (const pool of this.#pools.values()) pool.connectAsNeeded()
  }

  /** Another thread wants a connection to this endpoint: closes one that is idle here. */
  neighbourStarved(): void {
    const { starved } = this.cells
    if (starved.total > starved.own) this.closeOldestIdle()
  }

  /** Another thread has died, and with it its connections and its timers. */
  neighbourDied(): void {
    this.connectAsNeeded()
    this.health.watch()
  }

  /** Its name resolves to other addresses than before: connections to those that are gone take nothing new. */
  moved(addresses: readonly EndpointAddress[]): void {
    this.addresses = addresses
    this.preferredAddress = 0
    const left = new Set(addresses.map((address) => formatAddress(address)))
    for (const pool of this.#pools.values()) pool.outdate(({ address }) => !left.has(formatAddress(address)))
  }

  /** A connection stands: this address is the one to try first. */
  reached(address: EndpointAddress): void {
    this.preferredAddress = Math.max(0, this.addresses.indexOf(address))
  }

  /** A connection has said how many exchanges it may carry: so many more units, or fewer, have room here. */
  learnt(concurrency: number): void {
    if (this.cells.learn(this.#carriesOne ? 1 : concurrency)) this.upstream.refresh()
  }

  /** A connection could not be made or broke before an answer. */
  failed(error: ProxyError): void {
    this.health.failed(error)
  }

  /** The configuration has it no more. Its room stays counted until what runs here has ended. */
  retire(): void {
    this.retired = true
    this.health.close()
    this.close('idle')
  }

  close(which: 'idle' | 'all'): void {
    for (const pool of this.#pools.values()) pool.close(which)
  }
}

/** Connections to an endpoint by state, over all threads. */
export function connectionStates(cells: EndpointCells): { connecting: number; idle: number; busy: number } {
  const connecting = cells.connecting.total
  const idle = cells.idle.total
  return { connecting, idle, busy: cells.connections.total - connecting - idle }
}
