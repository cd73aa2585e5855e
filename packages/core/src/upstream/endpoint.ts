import { type EndpointAddress, formatAddress } from '../config/address.ts'
import type { EndpointConfig, PoolConfig } from '../config/config.ts'
import type { ProxyError } from '../errors.ts'
import type { Room } from '../gate/gate.ts'
import { type Connector, Pool } from './pool.ts'
import type { EndpointHealth } from './health.ts'
import type { Upstream } from './upstream.ts'

/**
 * One address that can do an upstream's work: its room, its health and its connections.
 *
 * As a `Room` it is what an upstream's permit holds besides the gate.
 */
export class Endpoint implements Room {
  readonly upstream: Upstream
  /** As configured: its identity within the upstream. */
  readonly name: string
  readonly config: EndpointConfig
  readonly health: EndpointHealth
  /** TLS, in the terms of whoever connects; `undefined`: in the clear. */
  readonly tls: unknown
  /** What the name resolves to; empty until it has been resolved. */
  addresses: readonly EndpointAddress[] = []
  /** The address that answered last. */
  preferredAddress = 0
  /** Units running here. */
  running = 0
  readonly #poolConfig: PoolConfig
  readonly #pools = new Map<Connector, Pool>()
  #connections = 0
  /** A pool wants a connection, found the bound reached, and nothing idle to close for it. */
  #starved = false

  constructor(config: EndpointConfig, upstream: Upstream, health: EndpointHealth, tls: unknown) {
    this.upstream = upstream
    this.name = formatAddress(config.address)
    this.config = config
    this.health = health
    this.tls = tls
    this.#poolConfig = upstream.config.pool
  }

  /** What Host calls it where a request does not say (RFC 9110 §7.2). */
  get authority(): string {
    return 'path' in this.config.address ? 'localhost' : this.name
  }

  get weight(): number {
    return this.config.weight
  }

  get hasRoom(): boolean {
    return (
      this.running < this.config.limit && this.running < this.#poolConfig.maxConnections && this.addresses.length > 0
    )
  }

  get connections(): number {
    return this.#connections
  }

  get pools(): Iterable<Pool> {
    return this.#pools.values()
  }

  /** The pool of the connections that `connector` makes. */
  pool(connector: Connector): Pool {
    let pool = this.#pools.get(connector)
    if (pool === undefined) {
      pool = new Pool(this, connector, this.#poolConfig)
      this.#pools.set(connector, pool)
    }
    return pool
  }

  /** A unit less runs here. */
  leave(): void {
    this.running--
  }

  /** Counts a connection in, or is false at the bound; then an idle one of another protocol is closed to make room. */
  takeConnection(): boolean {
    if (this.addresses.length === 0) return false
    if (this.#connections >= this.#poolConfig.maxConnections) {
      for (const pool of this.#pools.values()) if (pool.closeOldestIdle()) return false
      this.#starved = true
      return false
    }
    this.#connections++
    return true
  }

  /** A connection has become idle, for which its own pool has no use at the moment. */
  idled(pool: Pool): void {
    if (!this.#starved) return
    this.#starved = false
    pool.closeOldestIdle()
  }

  dropConnection(): void {
    this.#connections--
    this.#starved = false
    for (const pool of this.#pools.values()) pool.connectAsNeeded()
  }

  /** A connection stands: this address is the one to try first. */
  reached(address: EndpointAddress): void {
    this.preferredAddress = Math.max(0, this.addresses.indexOf(address))
  }

  /** A connection could not be made or broke before an answer. */
  failed(error: ProxyError): void {
    this.health.failed(error)
  }

  /** Its connections of all protocols, by state. */
  connectionStates(): { connecting: number; idle: number; busy: number } {
    let connecting = 0
    let idle = 0
    for (const pool of this.#pools.values()) {
      connecting += pool.connecting
      idle += pool.idle
    }
    return { connecting, idle, busy: this.#connections - connecting - idle }
  }

  close(which: 'idle' | 'all'): void {
    for (const pool of this.#pools.values()) pool.close(which)
  }
}
