import type { PoolConfig } from '../config/config.ts'
import { ProxyError, refusals } from '../errors.ts'
import { type Expirable, Timer } from '../timers/wheel.ts'
import type { Connection, Lessee } from './connection.ts'
import { ConnectionList } from './connection-list.ts'
import type { Connector } from './connector.ts'
import type { Endpoint } from './endpoint.ts'
import { Lessees } from './lessees.ts'

export type { Connector } from './connector.ts'

/**
 * The connections of one protocol to one endpoint.
 *
 * It counts what it lends itself, at once: two callers in one tick never get the same connection. A connect in
 * progress belongs to the pool, not to the exchange that asked first: whichever connection stands first goes to
 * whoever has waited longest, and to as many as it carries at once.
 */
export class Pool implements Expirable {
  readonly endpoint: Endpoint
  readonly #connector: Connector
  /** Those that carry something and may carry more. The newest is filled first, so that the others fall idle. */
  readonly #roomy = new ConnectionList()
  /** In order of use. The newest is taken first: it is the likeliest to be alive, and the others can time out. */
  readonly #resting = new ConnectionList()
  #connecting = 0
  readonly #connections = new Set<Connection>()
  readonly #lessees = new Lessees(this)
  /** Some connection could carry more than one exchange: only then is it asked each time whether it has room. */
  #multiplexes = false
  /** How many exchanges the last connection could carry, where its connector cannot tell for sure. */
  #learnt: number | undefined
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
    return this.#resting.size
  }

  /** Connections being made. */
  get connecting(): number {
    return this.#connecting
  }

  /** Who waits for a connection. */
  get lessees(): number {
    return this.#lessees.size
  }

  /** More wait than the connections that are being made will carry. */
  get starving(): boolean {
    return this.#unserved > 0
  }

  /** All connections, those being made included. */
  get size(): number {
    return this.#connections.size
  }

  /**
   * Leases a connection: at once when one has room, and rather one that carries something than an idle one; else when one
   * stands. `now`: the clock's milliseconds.
   */
  lease(lessee: Lessee, now: number): void {
    const connection = (this.#multiplexes ? this.#withRoom(now) : undefined) ?? this.#rested(now)
    if (connection !== undefined && this.#lessees.size === 0) {
      this.#lend(connection, lessee)
      return
    }
    this.#lessees.add(lessee, now)
    // One has room and others wait: they are being served, in their order, by whoever has called us.
    if (connection !== undefined) return
    this.connectAsNeeded()
    // Picked in a thread that knew an address, and this one knows none.
    if (this.endpoint.addresses.length === 0 && this.#leave(lessee)) lessee.connectFailed(refusals.noEndpoint)
  }

  /** Whoever waits for a connection wants it no more. A connect in progress goes on, for the next one. */
  forget(lessee: Lessee): void {
    this.#leave(lessee)
  }

  /** Begins as many connects as it takes to serve all lessees, within the endpoint's bound. */
  connectAsNeeded(): void {
    while (this.starving && this.endpoint.takeConnection()) this.#connect(0)
    this.#lesseeServed()
    if (this.starving) this.#waitForRoom()
  }

  /** Nobody has made room for so long as a connect may take: those who wait longest hear of it. */
  expired(): void {
    const { connectMs } = this.endpoint.upstream.config.timeouts
    const { runtime } = this.endpoint.upstream
    const why = `no connection could be begun within ${connectMs} ms: as many stand as \`maxConnections\` allows`
    this.#lessees.refuse(this.#unserved, new ProxyError('connectTimeout', why), runtime.clock() - connectMs)
    this.#lesseeServed()
    if (this.starving) this.#waitForRoom()
    this.#lessees.tell()
  }

  fault(fault: unknown): void {
    this.endpoint.upstream.runtime.faulted(fault)
  }

  /**
   * The connection stands, and serves as many as it can carry. `as`: what it has turned out to be, once the protocol was
   * agreed upon; takes its place in the book.
   */
  opened(connection: Connection, as: Connection = connection): void {
    const expected = this.#expected
    this.#countConnecting(-1)
    if (as !== connection) this.#replace(connection, as)
    as.state = 'idle'
    this.endpoint.reached(as.address)
    const { concurrency } = as
    this.#learn(concurrency)
    if (concurrency > 1) this.#age(as)
    if (concurrency === 0) {
      // Else it would be made again and again, for those who wait for it.
      this.#refuse(expected, new ProxyError('connectFailed', 'a new connection takes no exchange'))
      as.close()
      this.#lessees.tell()
      return
    }
    this.#offer(as)
    if (concurrency < expected && this.starving) this.connectAsNeeded()
  }

  /**
   * The connection could not be made: as many hear of it as it would have carried, if no other one is being made for
   * them. `elsewhere`: another address of the endpoint may still answer.
   */
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
    // While connects are under way for all lessees, nobody needs to hear of this failure. Whoever does is taken out
    // first: the room that came free would else be used to connect for it again, for ever.
    this.#refuse(this.#expected, error)
    this.endpoint.dropConnection()
    this.#lessees.tell()
  }

  /**
   * The exchange has ended and the connection can carry another one. It may be lent anew before this returns, so it
   * is the last thing that a protocol does with an exchange.
   */
  giveBack(connection: Connection): void {
    connection.carrying--
    if (connection.state !== 'leased') return
    if (this.#ends(connection)) return
    if (connection.carrying === 0) {
      this.#roomy.remove(connection)
      connection.state = 'idle'
    }
    this.#offer(connection)
  }

  /** The connection's peer allows more or fewer exchanges than before, or (0) no new ones: what it carries goes on. */
  concurrencyChanged(connection: Connection): void {
    if (connection.state !== 'idle' && connection.state !== 'leased') return
    this.#learn(connection.concurrency)
    if (!this.#ends(connection)) this.#offer(connection)
    if (this.starving) this.connectAsNeeded()
  }

  /** Such connections that carry many exchanges take no new one as soon as another connection can be made. */
  outdate(old: (connection: Connection) => boolean): void {
    for (const connection of this.#connections) if (old(connection)) connection.freshUntil = 0
  }

  /** The connection is about to be closed: from now on nobody may lease it, though its socket lives on for a moment. */
  retire(connection: Connection): void {
    if (connection.state !== 'idle' && connection.state !== 'leased') return
    this.#unlist(connection)
    connection.state = 'closing'
  }

  /** The connection's socket is closed, whoever closed it. */
  gone(connection: Connection): void {
    if (connection.state === 'closed') return
    this.#unlist(connection)
    if (connection.state === 'connecting') this.#countConnecting(-1)
    connection.state = 'closed'
    this.#connections.delete(connection)
    this.endpoint.dropConnection()
  }

  /** Closes the connection that has been idle longest; false when there is none. */
  closeOldestIdle(): boolean {
    const { oldest } = this.#resting
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

  #replace(connection: Connection, by: Connection): void {
    connection.state = 'closed'
    this.#connections.delete(connection)
    by.attempt = connection.attempt
    this.#connections.add(by)
  }

  /** How many a connection that is being made will carry. Unknown, it serves all: its kind decides how many more it takes. */
  get #expected(): number {
    return this.#learnt ?? this.#connector.concurrency(this) ?? Infinity
  }

  /** Lessees for whom no connection is being made. */
  get #unserved(): number {
    if (this.#connecting === 0) return this.#lessees.size
    return Math.max(0, this.#lessees.size - this.#connecting * this.#expected)
  }

  #learn(concurrency: number): void {
    if (concurrency > 1) this.#multiplexes = true
    // A connector that always makes one for one has nothing to say about what those of another protocol carry.
    if (concurrency === 0 || this.#connector.concurrency(this) === 1) return
    this.#learnt = concurrency
    this.endpoint.learnt(concurrency)
  }

  /** It ends some day, and not when those end that were begun with it. */
  #age(connection: Connection): void {
    const { runtime } = this.endpoint.upstream
    connection.freshUntil = runtime.clock() + this.options.maxAgeMs * (0.9 + 0.2 * Math.random())
  }

  /** One that carries something and may carry more. */
  #withRoom(now: number): Connection | undefined {
    for (;;) {
      const { newest } = this.#roomy
      if (newest === undefined) return undefined
      if (newest.hasRoom && !this.#replaceable(newest, now)) return newest
      this.#roomy.remove(newest)
    }
  }

  /** One that carries nothing. */
  #rested(now: number): Connection | undefined {
    for (;;) {
      const { newest } = this.#resting
      if (newest === undefined) return undefined
      if (newest.idleUntil <= now) {
        // When the newest is too long idle all are; the timers that close them are only that exact.
        while (this.closeOldestIdle());
        return undefined
      }
      if (newest.freshUntil > now) return newest
      this.retire(newest)
      newest.close()
    }
  }

  /** Whether it is too old, and another one may be made in its place while it carries on: else it must do. */
  #replaceable(connection: Connection, now: number): boolean {
    return connection.freshUntil <= now && this.endpoint.cells.hasConnectionRoom
  }

  /** Whether it takes no new exchange: then it is closed as soon as it carries nothing. */
  #ends(connection: Connection): boolean {
    if (connection.concurrency > 0 && !this.#outlived(connection)) return false
    if (connection.carrying === 0) connection.close()
    else this.#roomy.remove(connection)
    return true
  }

  #outlived(connection: Connection): boolean {
    if (connection.freshUntil === Infinity) return false
    // Looked at by the next lease.
    if (connection.carrying > 0 && this.#lessees.size === 0) return false
    const now = this.endpoint.upstream.runtime.clock()
    return connection.carrying === 0 ? connection.freshUntil <= now : this.#replaceable(connection, now)
  }

  #lend(connection: Connection, lessee: Lessee): void {
    this.#unrest(connection)
    connection.state = 'leased'
    connection.carrying++
    connection.leases++
    if (this.#multiplexes) this.#listRoomy(connection)
    lessee.connected(connection)
  }

  #listRoomy(connection: Connection): void {
    if (!connection.hasRoom) this.#roomy.remove(connection)
    else if (connection.list === undefined) this.#roomy.add(connection)
  }

  /** Lends what a connection has room for to those who wait longest; then it waits for others. */
  #offer(connection: Connection): void {
    // Whoever is served may do anything meanwhile: close it, give it back, lease again.
    while (this.#lessees.size > 0 && connection.hasRoom) {
      const lessee = this.#lessees.next()!
      this.#lesseeServed()
      try {
        this.#lend(connection, lessee)
      } catch (fault) {
        this.fault(fault)
      }
    }
    if (connection.state === 'leased') {
      if (this.#multiplexes) this.#listRoomy(connection)
    } else if (connection.state === 'idle' && connection.list === undefined) {
      this.#rest(connection)
    }
  }

  #rest(connection: Connection): void {
    this.#resting.add(connection)
    this.endpoint.cells.idle.add(1)
    connection.idled()
    if (this.idle > this.options.maxIdle || this.endpoint.retired) this.closeOldestIdle()
    else this.endpoint.idled(this)
  }

  #unrest(connection: Connection): void {
    if (this.#resting.remove(connection)) this.endpoint.cells.idle.add(-1)
  }

  #unlist(connection: Connection): void {
    this.#unrest(connection)
    this.#roomy.remove(connection)
  }

  /** So many of those who wait longest, and for whom no connection is being made, will hear of an error. */
  #refuse(most: number, error: ProxyError): void {
    this.#lessees.refuse(Math.min(most, this.#unserved), error)
    this.#lesseeServed()
  }

  #leave(lessee: Lessee): boolean {
    const left = this.#lessees.leave(lessee)
    if (left) this.#lesseeServed()
    return left
  }

  /** Fewer wait than before, or one more is being made for them. */
  #lesseeServed(): void {
    if (this.starving) return
    this.#patience?.disarm()
    this.endpoint.lesseeServed()
  }

  #waitForRoom(): void {
    const { runtime, config } = this.endpoint.upstream
    const { connectMs } = config.timeouts
    this.#patience ??= new Timer(this, runtime.wheelFor(connectMs))
    if (this.#patience.armed) return
    const now = runtime.clock()
    this.#patience.arm(Math.max(0, this.#lessees.since! + connectMs - now), now)
  }

  #countConnecting(change: number): void {
    this.#connecting += change
    this.endpoint.cells.connecting.add(change)
  }
}
