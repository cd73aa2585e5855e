import { SeededRandom } from '../../../testkit/src/index.ts'
import type { ProxyError } from '../../src/errors.ts'
import type { Lessee } from '../../src/upstream/connection.ts'
import type { Pool } from '../../src/upstream/pool.ts'
import { type FakeConnection, FakeConnector, FakeEngine } from '../fake-protocol.ts'

/** What a run has seen. */
export interface PoolModelReport {
  readonly lent: number
  readonly waited: number
  readonly refused: number
  readonly connects: number
  readonly most: number
}

/** Who leases, and what the model knows of him. */
class Client implements Lessee {
  readonly run: PoolRun
  readonly name: number
  /** Gives back, or asks again, the moment that he is told. */
  readonly hasty: boolean

  constructor(run: PoolRun, name: number, hasty: boolean) {
    this.run = run
    this.name = name
    this.hasty = hasty
  }

  connected(connection: FakeConnection): void {
    this.run.connected(this, connection)
  }

  connectFailed(error: ProxyError): void {
    this.run.connectFailed(this, error)
  }
}

/**
 * Random steps of callers, peers and sockets, and a book of its own in which everything is looked up by walking through
 * all there is. Throws as soon as the pool breaks one of its rules, naming step and seed.
 */
class PoolRun {
  readonly random: SeededRandom
  readonly seed: number
  readonly engine: FakeEngine
  readonly connector: FakeConnector
  readonly pool: Pool
  /** In the order in which they came. */
  waiting: Client[] = []
  /** Who is carried, and on which connection. */
  carried: { client: Client; connection: FakeConnection }[] = []
  /** Who is leasing at the moment. */
  asking: Client | undefined
  readonly old = new Set<FakeConnection>()
  readonly report = { lent: 0, waited: 0, refused: 0, connects: 0, most: 0 }
  maxConnections: number
  step = 0
  #names = 0

  constructor(seed: number) {
    this.seed = seed
    this.random = new SeededRandom(seed)
    const { random } = this
    this.maxConnections = 1 + random.below(6)
    this.engine = new FakeEngine({
      endpoints: ['127.0.0.1:3001'],
      pool: { maxConnections: this.maxConnections, maxIdle: random.below(4) },
    })
    const most = random.pick([1, 2, 5, 20])
    this.connector = new FakeConnector(true, most, random.pick([1, most, 10]))
    if (random.chance(0.3)) this.connector.expected = undefined
    this.pool = this.engine.upstream.endpoints[0]!.pool(this.connector)
  }

  fail(what: string): never {
    throw new Error(`step ${this.step} of seed ${this.seed}: ${what}`)
  }

  load(connection: FakeConnection): number {
    return this.carried.filter((one) => one.connection === connection).length
  }

  /** Those that may be lent at this moment. */
  get free(): FakeConnection[] {
    return this.connector.connections.filter(
      (one) => (one.state === 'idle' || one.state === 'leased') && this.load(one) < one.concurrency,
    )
  }

  /** Whether another connection may be made. */
  get bounded(): boolean {
    return this.pool.size >= this.maxConnections
  }

  connected(client: Client, connection: FakeConnection): void {
    const turn = this.asking === client ? client : this.waiting[0]
    if (client !== turn) this.fail(`${client.name} is served, and ${turn?.name} was next`)
    if (this.asking === client && this.waiting.length > 0)
      this.fail(`${client.name} overtakes ${this.waiting[0]!.name}`)
    if (!this.free.includes(connection)) this.fail(`a connection is lent that is ${connection.state} or full`)
    if (this.old.has(connection) && !this.bounded) this.fail('a connection is lent that is too old')
    const busy = this.free.some((one) => this.load(one) > 0 && !this.old.has(one))
    if (this.asking === client && busy && this.load(connection) === 0)
      this.fail('an idle one is lent before a busy one')
    if (this.asking === client) this.asking = undefined
    else this.waiting.shift()
    this.carried.push({ client, connection })
    this.report.lent++
    this.report.most = Math.max(this.report.most, this.load(connection))
    if (client.hasty) this.giveBack(this.carried.length - 1)
  }

  connectFailed(client: Client, error: ProxyError): void {
    const at = this.waiting.indexOf(client)
    if (at < 0) this.fail(`${client.name} hears of ${error.code} and does not wait`)
    this.waiting.splice(at, 1)
    this.report.refused++
    if (client.hasty) this.lease(false)
  }

  lease(hasty: boolean): void {
    const client = new Client(this, this.#names++, hasty)
    const before = this.connector.connections.length
    const outer = this.asking
    this.asking = client
    const free = this.free.filter((one) => !this.old.has(one)).length
    this.pool.lease(client, this.engine.clock.nowMs)
    if (this.asking === client) {
      // He is not served: he waits behind the others.
      this.waiting.push(client)
      this.report.waited++
      if (free > 0 && this.waiting.length === 1) this.fail('a connection has room and is not lent')
    } else if (free > 0 && this.connector.connections.length > before) this.fail('a connect while another has room')
    this.asking = outer
  }

  giveBack(at: number): void {
    const [one] = this.carried.splice(at, 1)
    if (one !== undefined) this.pool.giveBack(one.connection)
  }

  /** The socket of a connection is closed, and all that it carried with it. */
  gone(connection: FakeConnection): void {
    this.carried = this.carried.filter((one) => one.connection !== connection)
    connection.gone()
  }

  any(...states: FakeConnection['state'][]): FakeConnection | undefined {
    const among = this.connector.connections.filter(({ state }) => states.includes(state))
    return among.length === 0 ? undefined : this.random.pick(among)
  }

  act(): void {
    const { random } = this
    const what = random.next()
    // Rush and quiet take turns, so that both idle connections and waiters are there at times.
    if (what < (this.step % 300 < 150 ? 0.45 : 0.2)) this.lease(random.chance(0.2))
    else if (what < 0.7) this.giveBack(random.below(this.carried.length))
    else if (what < 0.75) {
      const [left] = this.waiting.splice(random.below(this.waiting.length), 1)
      if (left !== undefined) this.pool.forget(left)
    } else if (what < 0.85) this.any('connecting')?.open()
    else if (what < 0.88) this.any('connecting')?.refuse()
    else if (what < 0.93) this.any('idle', 'leased')?.allow(random.below(1 + this.connector.most))
    else if (what < 0.94) this.any('idle', 'leased')?.close()
    else if (what < 0.95) this.grow()
    else if (what < 0.96) this.any('connecting')?.gone()
    else {
      const closed = this.any('closing') ?? (random.chance(0.2) ? this.any('idle', 'leased') : undefined)
      if (closed !== undefined) this.gone(closed)
    }
  }

  /** A connection has become too old. */
  grow(): void {
    const connection = this.any('idle', 'leased')
    if (connection === undefined) return
    connection.freshUntil = 0
    this.old.add(connection)
  }

  check(): void {
    const { pool, waiting, engine } = this
    if (engine.faults.length > 0) throw engine.faults[0]
    const open = this.connector.connections.filter(({ state }) => state !== 'closed')
    const connecting = open.filter(({ state }) => state === 'connecting').length
    if (pool.size !== open.length || pool.endpoint.connections !== open.length) this.fail('connections are miscounted')
    if (pool.size > this.maxConnections) this.fail(`${pool.size} connections, at most ${this.maxConnections}`)
    if (pool.connecting !== connecting) this.fail(`${pool.connecting} are said to be made, ${connecting} are`)
    if (pool.lessees !== waiting.length) this.fail(`${pool.lessees} are said to wait, ${waiting.length} do`)
    let idle = 0
    for (const one of open) {
      const load = this.load(one)
      if (one.carrying !== load) this.fail(`${one.carrying} counted on a connection that carries ${load}`)
      if (load === 0 && one.state === 'leased') this.fail('a connection carries nothing and is not idle')
      if (load > 0 && one.state === 'idle') this.fail('a connection is idle and carries something')
      if (one.state === 'idle') idle++
      if (one.state === 'idle' && one.concurrency === 0) this.fail('a connection is kept that takes nothing')
    }
    const { cells } = pool.endpoint
    if (pool.idle !== idle || cells.idle.total !== idle) this.fail(`${pool.idle} are said to be idle, ${idle} are`)
    if (pool.idle > pool.options.maxIdle) this.fail(`${pool.idle} are kept idle`)
    if (waiting.length === 0) return
    if (this.free.some((one) => !this.old.has(one))) this.fail('somebody waits while a connection has room')
    if (connecting === 0 && !this.bounded) this.fail('somebody waits without a connect')
    if (pool.starving !== cells.starved.total > 0 && pool.starving) this.fail('nobody knows that somebody starves')
  }

  end(): void {
    for (let round = 0; this.waiting.length > 0 || this.pool.connecting > 0; round++) {
      if (round > 10_000) this.fail('somebody waits for ever')
      for (const one of this.connector.connections) {
        if (one.state === 'connecting') one.open()
        else if (one.state === 'closing') this.gone(one)
      }
      this.giveBack(0)
    }
    while (this.carried.length > 0) this.giveBack(0)
    this.pool.close('all')
    for (const one of this.connector.connections) if (one.state !== 'closed') this.gone(one)
    this.check()
    if (this.pool.size !== 0) this.fail('connections are left')
    if (this.engine.runtime.fine.count + this.engine.runtime.coarse.count !== 0) this.fail('timers are left')
    this.report.connects = this.connector.connections.length
    this.engine.stop()
  }
}

/** Runs so many random steps on a pool; throws when one of its rules is broken. */
export function runPoolModel({ seed, steps }: { seed: number; steps: number }): PoolModelReport {
  const run = new PoolRun(seed)
  for (; run.step < steps; run.step++) {
    run.act()
    run.check()
  }
  run.end()
  return run.report
}
