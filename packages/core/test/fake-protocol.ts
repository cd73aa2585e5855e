import { FakeClock, startUpstream, upstreamConfig, type UpstreamInput } from '../../testkit/src/index.ts'
import type { EndpointAddress } from '../src/config/address.ts'
import { ProxyError } from '../src/errors.ts'
import { Exchange } from '../src/exchange.ts'
import type { Route } from '../src/route.ts'
import type { GateLimits } from '../src/gate/gate.ts'
import { LocalGate } from '../src/gate/local-gate.ts'
import { Runtime } from '../src/runtime.ts'
import { Connection } from '../src/upstream/connection.ts'
import type { Connector, Pool } from '../src/upstream/pool.ts'
import type { Upstream } from '../src/upstream/upstream.ts'

/** A connection without a socket: the test says what becomes of it. */
export class FakeConnection extends Connection {
  /** Whether it serves another exchange than the first. */
  readonly reusable: boolean
  closeCalls = 0
  idledCalls = 0
  exchange: FakeExchange | undefined
  #concurrency: number

  constructor(pool: Pool, address: EndpointAddress, { reusable, most }: { reusable: boolean; most: number }) {
    super(pool, address)
    this.reusable = reusable
    this.#concurrency = most
  }

  get concurrency(): number {
    return this.reusable || this.leases === 0 ? this.#concurrency : 0
  }

  set concurrency(concurrency: number) {
    this.#concurrency = concurrency
  }

  idled(): void {
    this.idledCalls++
    if (!this.reusable) this.close()
  }

  close(): void {
    this.closeCalls++
    this.pool.retire(this)
  }

  /** The socket stands. */
  open(): void {
    this.pool.opened(this)
  }

  /** The socket stands, and it was agreed to speak a protocol that carries so many exchanges. */
  openAs(most: number): FakeConnection {
    const as = new FakeConnection(this.pool, this.address, { reusable: this.reusable, most })
    this.pool.opened(this, as)
    return as
  }

  /** Its peer allows so many exchanges from now on. */
  allow(concurrency: number): void {
    this.concurrency = concurrency
    this.pool.concurrencyChanged(this)
  }

  /** The socket could not be made. */
  refuse(elsewhere = false): void {
    this.pool.failed(this, new ProxyError('connectFailed', 'refused'), elsewhere)
  }

  /** The socket is closed; who it carried is not told. */
  gone(): void {
    this.pool.gone(this)
  }
}

/** Makes fake connections, and keeps them in the order in which they were begun. */
export class FakeConnector implements Connector {
  readonly reusable: boolean
  most: number
  expected: number | undefined
  readonly connections: FakeConnection[] = []

  /** `most`: how many exchanges its connections carry at once. `expected`: how many it says that they will. */
  constructor(reusable = true, most = 1, expected: number | undefined = most) {
    this.reusable = reusable
    this.most = most
    this.expected = expected
  }

  concurrency(): number | undefined {
    return this.expected
  }

  connect(pool: Pool, address: EndpointAddress): FakeConnection {
    const connection = new FakeConnection(pool, address, this)
    this.connections.push(connection)
    return connection
  }

  get last(): FakeConnection {
    return this.connections.at(-1)!
  }
}

/** A unit of a protocol without bytes: it notes what the kernel asks of it, and the test answers. */
export class FakeExchange extends Exchange {
  readonly protocol = 'fake'
  readonly status = '-'
  readonly said: string[] = []
  idempotent = true
  replayable = true
  /** Whether the client takes a refusal at once. */
  refusedAtOnce = true
  /** Whether the upstream half closes in the very call that aborts it. */
  abortedAtOnce = false
  settledCalls = 0
  whenForwarded: (connection: FakeConnection) => void = () => {}
  whenSettled: () => void = () => {}
  protected readonly connector: FakeConnector

  constructor(runtime: Runtime, connector: FakeConnector) {
    super(runtime)
    this.connector = connector
  }

  start(route: Route): this {
    this.open()
    this.begin(route)
    return this
  }

  /** Its head is not known yet. */
  accept(): this {
    this.open()
    return this
  }

  get fake(): FakeConnection {
    return this.connection as FakeConnection
  }

  protected forward(connection: Connection): void {
    this.said.push('forward')
    const fake = connection as FakeConnection
    fake.exchange = this
    this.whenForwarded(fake)
  }

  protected refuse(error: ProxyError): void {
    this.said.push(`refuse ${error.code}`)
    if (this.refusedAtOnce) this.downstreamEnded()
  }

  protected abort(connection: Connection): void {
    this.said.push('abort')
    if (this.abortedAtOnce) this.abortDone(connection as FakeConnection)
  }

  /** The socket of an aborted upstream half has closed. */
  abortDone(connection: FakeConnection): void {
    connection.gone()
    this.upstreamEnded(false)
  }

  protected answer(): void {
    this.said.push('answer')
  }

  protected retain(): void {
    if (!this.said.includes('retain')) this.said.push('retain')
  }

  protected settled(): void {
    this.settledCalls++
    this.whenSettled()
  }
}

/** A runtime, one upstream and a route to it, all by a clock that stands still. */
export class FakeEngine {
  readonly clock = new FakeClock()
  readonly faults: unknown[] = []
  readonly runtime = new Runtime({ clock: this.clock.read, faulted: (fault) => void this.faults.push(fault) })
  readonly upstream: Upstream

  constructor(input: UpstreamInput = { endpoints: ['127.0.0.1:3001'] }) {
    this.upstream = startUpstream(upstreamConfig(input), this.runtime)
  }

  gate(id: string, limits: Partial<GateLimits>): LocalGate {
    const { turn, clock } = this.runtime
    return new LocalGate(id, { limit: 1, queue: 10, timeoutMs: 5_000, ...limits }, { turn, clock })
  }

  route(gates: { listener?: LocalGate; route?: LocalGate; upstream?: Upstream | undefined } = {}): Route {
    const upstream = 'upstream' in gates ? gates.upstream : this.upstream
    return { id: 'web/', listener: 'web', listenerGate: gates.listener, gate: gates.route, upstream }
  }

  pass(ms: number): void {
    this.clock.pass(ms, this.runtime.fine, this.runtime.coarse)
  }

  stop(): void {
    this.upstream.close('all')
    this.runtime.stop()
  }
}

/** Waits until the turn is over: waiters that were granted have been told. */
export async function turnOver(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve()
}
