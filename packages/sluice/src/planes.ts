import {
  type BindAddress,
  ClientTable,
  type Config,
  EventLoopDelay,
  HeldBytes,
  LocalStore,
  type MetricsBlock,
  type MetricsSum,
  type SharedControl,
  type StateControl,
} from '@sluice/core'
import { maxConnectionsOfProcess } from './descriptors.ts'
import type { DataPlane } from './engine/data-plane.ts'
import { Engine } from './engine/engine.ts'
import type { ExchangeRecord } from './engine/exchange-record.ts'
import type { ProxyLogs } from './proxy-options.ts'
import type { ThreadStats } from './stats.ts'
import { ThreadDied } from './threads/thread.ts'
import { type DeathBounds, Threads, type ThreadsObserver } from './threads/threads.ts'

/** The data planes of a proxy, in whichever threads they are. */
export interface Planes {
  /** Those that live. */
  readonly all: readonly DataPlane[]
  /** The one of the calling thread. */
  readonly engine: Engine | undefined
  readonly control: StateControl
  readonly threads: readonly ThreadStats[]
  /** Timers armed for units and their connections. */
  readonly timers: number
  /** What is held in memory, as `maxBuffered` counts it. */
  readonly bufferedBytes: number
  /** Whether several planes bind the same ports. */
  readonly sharePorts: boolean
  /** For tests: ends a thread at once. False: there is none of that number. */
  kill(thread: number): Promise<boolean>
  start(config: Config): void
  /** Which of these addresses a plane binds. */
  bindsOf(plane: DataPlane, binds: ReadonlyMap<string, BindAddress>): ReadonlyMap<string, BindAddress>
  /** Whether that error says no more than that a plane has died. */
  hasDied(error: unknown): boolean
  /** One that dies from here on has no successor. */
  stopReplacing(): void
  end(withinMs: number): Promise<void>
}

/** What the planes need from their proxy. */
export interface PlanesParts {
  readonly config: Config
  readonly metrics: MetricsSum
  /** The figures of the calling thread. */
  readonly own: MetricsBlock
  readonly logs: ProxyLogs | undefined
  readonly pseudonym: string
  readonly onExchange: ((record: ExchangeRecord) => void) | undefined
  readonly observer: ThreadsObserver
  readonly deaths?: DeathBounds | undefined
}

/** `threads` data planes in threads of their own, or for 0 one in the calling thread. */
export function planesFor(threads: number, parts: PlanesParts): Planes {
  return threads === 0 ? new OwnPlane(parts) : new ThreadPlanes(threads, parts)
}

/** The one data plane of the calling thread. */
class OwnPlane implements Planes {
  readonly control: LocalStore
  readonly all: readonly DataPlane[]
  readonly sharePorts = false
  readonly engine: Engine
  readonly #delay: EventLoopDelay | undefined

  constructor({ config, own, logs, pseudonym, onExchange, observer }: PlanesParts) {
    const store = new LocalStore(() => performance.now())
    this.control = store
    this.engine = new Engine({
      store,
      metrics: own,
      logs: logs?.logs,
      faulted: (fault) => observer.fault(fault),
      onExchange,
      probing: true,
      reusePort: false,
      pseudonym,
      maxAllConnections: maxConnectionsOfProcess(),
      clients: new ClientTable(ClientTable.create(1), 0),
      held: new HeldBytes(store.bufferedKiB, Infinity),
    })
    this.all = [this.engine]
    if (config.admin !== undefined) this.#delay = new EventLoopDelay(own, '0')
  }

  get threads(): readonly ThreadStats[] {
    const { store } = this.engine.runtime
    const { generations } = this.engine.facts
    const { allConnections, units } = store
    const counts = { connections: allConnections.total, exchanges: units.own, served: units.endedOf(0) }
    return [{ thread: 0, ...counts, generations, heartbeatAgeMs: 0, restarts: 0 }]
  }

  get bufferedBytes(): number {
    return this.control.bufferedKiB.total * 1_024
  }

  get timers(): number {
    return this.engine.runtime.fine.count + this.engine.runtime.coarse.count
  }

  async kill(): Promise<boolean> {
    return false
  }

  start(): void {
    this.#delay?.start()
  }

  bindsOf(_plane: DataPlane, binds: ReadonlyMap<string, BindAddress>): ReadonlyMap<string, BindAddress> {
    return binds
  }

  hasDied(): boolean {
    return false
  }

  stopReplacing(): void {}

  async end(): Promise<void> {
    this.#delay?.stop()
    await this.engine.end()
  }
}

/** Data planes in threads of their own. */
class ThreadPlanes implements Planes {
  readonly engine = undefined
  readonly #threads: Threads
  readonly #count: number

  constructor(count: number, parts: PlanesParts) {
    this.#count = count
    this.#threads = new Threads({
      count,
      config: parts.config,
      metrics: parts.metrics,
      collector: parts.logs?.collector,
      pseudonym: parts.pseudonym,
      maxAllConnections: maxConnectionsOfProcess(),
      onExchange: parts.onExchange,
      observer: parts.observer,
      deaths: parts.deaths,
    })
  }

  kill(thread: number): Promise<boolean> {
    return this.#threads.kill(thread)
  }

  get control(): SharedControl {
    return this.#threads.control
  }

  get all(): readonly DataPlane[] {
    return this.#threads.living
  }

  get threads(): readonly ThreadStats[] {
    return this.#threads.stats
  }

  get timers(): number {
    return this.#threads.timers
  }

  get bufferedBytes(): number {
    return this.control.memory.threadCount('bufferedKiB', 0).total * 1_024
  }

  get sharePorts(): boolean {
    return this.#count > 1
  }

  start(config: Config): void {
    this.#threads.control.prepare(config)
    this.#threads.start()
  }

  /** A unix socket cannot be shared: the first thread has it. */
  bindsOf(plane: DataPlane, binds: ReadonlyMap<string, BindAddress>): ReadonlyMap<string, BindAddress> {
    if (this.#threads.numberOf(plane) === 0) return binds
    return new Map([...binds].filter(([, bind]) => !('path' in bind)))
  }

  hasDied(error: unknown): boolean {
    return error instanceof ThreadDied
  }

  stopReplacing(): void {
    this.#threads.stopReplacing()
  }

  async end(withinMs: number): Promise<void> {
    await this.#threads.end(withinMs)
  }
}
