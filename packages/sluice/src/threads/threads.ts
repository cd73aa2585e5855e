import { ClientTable, type Config, defaultCapacity, MetricsReader, type MetricsSum, SharedControl } from '@sluice/core'
import type { DataPlane } from '../engine/data-plane.ts'
import type { ExchangeRecord } from '../engine/exchange-record.ts'
import type { LogCollector } from '../log/log-collector.ts'
import { EndingError } from '../start-error.ts'
import type { ThreadStats } from '../stats.ts'
import type { ThreadData } from './messages.ts'
import { Thread, ThreadDied } from './thread.ts'

/** What becomes of threads that die. */
export interface DeathBounds {
  /** How long a thread that has died is waited for with its replacement: the first time, and at most. */
  readonly firstMs: number
  readonly maxMs: number
  /** More deaths than this in a minute are no accident. */
  readonly maxDeaths: number
}

const deathBounds: DeathBounds = { firstMs: 1_000, maxMs: 30_000, maxDeaths: 5 }

/** A thread that has lived so long begins with the first back-off again, in milliseconds. */
const goodLifeMs = 60_000

const deathsWithinMs = 60_000

/** A thread that has not said for so long that it lives is stuck, in milliseconds. */
const silentMs = 10_000
const lookEveryMs = 5_000

/** What the data-plane threads need from whoever runs them. */
export interface ThreadsParts {
  readonly count: number
  readonly config: Config
  readonly metrics: MetricsSum
  /** Undefined: nothing is logged. */
  readonly collector: LogCollector | undefined
  readonly pseudonym: string
  readonly maxAllConnections: number
  readonly onExchange: ((record: ExchangeRecord) => void) | undefined
  readonly observer: ThreadsObserver
  /** Other than the usual ones, for tests. */
  readonly deaths?: DeathBounds | undefined
}

/** Who hears of the data-plane threads. */
export interface ThreadsObserver {
  fault(fault: unknown): void
  /** A thread has died; another one takes its place in so long. */
  died(thread: number, why: string, replacedInMs: number): void
  /** Another one has taken its place and works. */
  replaced(thread: number): void
  /** A thread says nothing any more, though it lives. */
  silent(thread: number, forMs: number): void
  /** Brings a replacement up to the configuration that holds. Rejects when it cannot. */
  bringUp(thread: Thread): Promise<void>
  /** They die too often: nothing is replaced any more. */
  hopeless(why: string): void
}

/** The data-plane threads, and what they share. A thread that dies is cleared up after and replaced. */
export class Threads {
  readonly control: SharedControl
  readonly #parts: ThreadsParts
  readonly #clients: Int32Array
  readonly #living = new Map<number, Thread>()
  /** All that have not ended, those among them that are still being brought up. */
  readonly #running = new Set<Thread>()
  readonly #rings = new Map<Thread, SharedArrayBuffer>()
  /** How often each was replaced. */
  readonly #restarts = new Map<number, number>()
  readonly #bornAt = new Map<number, number>()
  readonly #backOffMs = new Map<number, number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #silent = new Set<number>()
  #deaths: number[] = []
  #watch: NodeJS.Timeout | undefined
  /** Replacements that could not be brought up, and why not. */
  readonly #unfit = new Map<Thread, string>()
  #replacing = true
  #ending = false

  constructor(parts: ThreadsParts) {
    const { count } = parts
    this.#parts = parts
    this.control = new SharedControl({ ...defaultCapacity, waiters: parts.config.maxWaiting, threads: count })
    this.#clients = ClientTable.create(count)
  }

  /** The threads that live, by number. */
  get living(): readonly Thread[] {
    return [...this.#living.values()].toSorted((a, b) => a.number - b.number)
  }

  get stats(): ThreadStats[] {
    const { memory } = this.control
    const units = memory.unitCount(0)
    return this.living.map(({ number, facts }) => ({
      thread: number,
      connections: memory.threadCount('connections', 0).of(number),
      exchanges: units.of(number),
      served: units.endedOf(number),
      generations: facts.generations,
      heartbeatAgeMs: Math.max(0, this.control.heartbeatAgeMs(number)),
      restarts: this.#restarts.get(number) ?? 0,
    }))
  }

  /** Timers armed in all of them, a second ago at most. */
  get timers(): number {
    return this.control.memory.threadCount('timers', 0).total
  }

  /** For tests: ends a thread at once, wherever it is, as a crash would. False: it does not live. */
  async kill(number: number): Promise<boolean> {
    const thread = this.#living.get(number)
    await thread?.kill()
    return thread !== undefined
  }

  /** Which of the threads that is. */
  numberOf(plane: DataPlane): number | undefined {
    return plane instanceof Thread ? plane.number : undefined
  }

  /** Starts all of them. They do nothing yet. */
  start(): void {
    if (this.#ending) return
    for (let number = 0; number < this.#parts.count; number++) this.#living.set(number, this.#make(number))
    this.#watch = setInterval(() => this.#look(), lookEveryMs)
    this.#watch.unref()
  }

  /** Who dies from here on has no successor, and who was to be one ends: what is left to do, the living do. */
  stopReplacing(): void {
    this.#replacing = false
    for (const timer of this.#timers) clearTimeout(timer)
    for (const thread of this.#running) if (this.#living.get(thread.number) !== thread) void thread.kill()
  }

  /** Ends all of them, those that do not end by themselves by force. */
  async end(withinMs: number): Promise<void> {
    this.#ending = true
    this.stopReplacing()
    clearInterval(this.#watch)
    await Promise.all([...this.#running].map((thread) => this.#end(thread, withinMs)))
    this.control.close()
  }

  async #end(thread: Thread, withinMs: number): Promise<void> {
    // What it does after it has answered may keep it alive still.
    const timer = setTimeout(() => void thread.kill(), withinMs)
    // A thread that dies meanwhile has ended, too.
    await thread.end().catch(() => {})
    await thread.exited
    clearTimeout(timer)
  }

  #make(number: number): Thread {
    const { config, collector, pseudonym, maxAllConnections, onExchange, observer, metrics, count } = this.#parts
    const ring = collector?.open()
    const data: ThreadData = {
      thread: number,
      capacity: this.control.memory.handle.capacity,
      memory: this.control.memory.handle,
      clients: this.#clients,
      records: this.control.records,
      log: config.log,
      logRing: ring,
      pseudonym,
      reusePort: count > 1,
      maxAllConnections,
      recording: onExchange !== undefined,
      measuring: config.admin !== undefined,
    }
    const reader = new MetricsReader()
    const thread = new Thread(data, {
      metrics: reader,
      records: () => this.control.records,
      observer: {
        exchanges: (records) => records.forEach((record) => onExchange?.(record)),
        fault: (error) => observer.fault(error),
        exited: (exited, why) => void this.#exited(exited, why),
      },
    })
    this.#running.add(thread)
    metrics.add(reader)
    if (ring !== undefined) this.#rings.set(thread, ring)
    this.#bornAt.set(number, performance.now())
    return thread
  }

  async #exited(thread: Thread, why: string): Promise<void> {
    const { number } = thread
    this.#running.delete(thread)
    if (this.#living.get(number) === thread) this.#living.delete(number)
    this.#parts.metrics.retire(thread.metrics)
    const ring = this.#rings.get(thread)
    this.#rings.delete(thread)
    if (ring !== undefined) this.#parts.collector?.retire(ring)
    await this.control.recover(number)
    new ClientTable(this.#clients, number).forget(number)
    if (!this.#replacing) return
    const now = performance.now()
    const unfit = this.#unfit.get(thread)
    this.#unfit.delete(thread)
    // That a replacement cannot be brought up is no death of its own, as long as others serve.
    if (unfit === undefined || this.#living.size === 0) {
      this.#deaths = [...this.#deaths.filter((at) => now - at < deathsWithinMs), now]
    }
    const { firstMs, maxMs, maxDeaths } = this.#parts.deaths ?? deathBounds
    const cause = unfit ?? why
    if (this.#deaths.length >= maxDeaths) {
      this.#parts.observer.hopeless(`${maxDeaths} data-plane threads have died within a minute, the last one: ${cause}`)
      return
    }
    const goodLife = now - this.#bornAt.get(number)! >= goodLifeMs
    const afterMs = goodLife ? firstMs : (this.#backOffMs.get(number) ?? firstMs)
    this.#backOffMs.set(number, Math.min(afterMs * 2, maxMs))
    this.#parts.observer.died(number, cause, afterMs)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      void this.#replace(number)
    }, afterMs)
    this.#timers.add(timer)
  }

  async #replace(number: number): Promise<void> {
    const thread = this.#make(number)
    try {
      await this.#parts.observer.bringUp(thread)
      // It was killed in the moment in which it was ready.
      if (!this.#replacing) return
      this.#restarts.set(number, (this.#restarts.get(number) ?? 0) + 1)
      this.#living.set(number, thread)
      this.#parts.observer.replaced(number)
    } catch (error) {
      if (error instanceof ThreadDied || error instanceof EndingError || !this.#replacing) return
      this.#unfit.set(thread, (error as Error).message)
      this.#parts.observer.fault(error as Error)
      await thread.kill()
    }
  }

  #look(): void {
    for (const { number } of this.#living.values()) {
      const ageMs = this.control.heartbeatAgeMs(number)
      if (ageMs < silentMs) this.#silent.delete(number)
      else if (!this.#silent.has(number)) {
        this.#silent.add(number)
        this.#parts.observer.silent(number, ageMs)
      }
    }
  }
}
