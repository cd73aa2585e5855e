import type { EndpointConfig, UpstreamConfig } from '../config/config.ts'
import { endpointThreadWord, endpointThreadWords, endpointWord, unlimited } from './layout.ts'
import { ThreadCount } from './thread-count.ts'

/** How much one endpoint may carry; Infinity for no bound. */
export interface EndpointLimits {
  /** Units at once. */
  readonly limit: number
  readonly maxConnections: number
  /** Units that a connection is taken to carry at once, until one has said how many it does. Default: 1. */
  readonly concurrency?: number
}

/** How much an endpoint of that upstream may carry. */
export function endpointLimits({ limit }: EndpointConfig, { protocol, pool }: UpstreamConfig): EndpointLimits {
  const { maxConnections, maxStreams } = pool
  return { limit, maxConnections, concurrency: protocol === 'http2' ? maxStreams : 1 }
}

/**
 * What is known of one endpoint over all threads: how many run there, its health, its connections.
 *
 * The words lie in memory of one thread or of all. They are changed under the lock of its upstream's gate, but for what
 * checks say and for failures in a row.
 */
export class EndpointCells {
  /** Its number, by which threads speak of it. */
  readonly record: number
  readonly connections: ThreadCount
  readonly idle: ThreadCount
  readonly connecting: ThreadCount
  /** Lessees that want a connection and found the bound reached. */
  readonly starved: ThreadCount
  readonly #words: Int32Array
  readonly #ownRunning: number

  /** `words`: its record. `thread`: who asks, of `holders`. */
  constructor(words: Int32Array, place: { record: number; thread: number; holders: number }) {
    const { record, thread, holders } = place
    this.record = record
    this.#words = words
    const count = (which: number) => new ThreadCount(words, thread, endpointWord.perThread + which * holders, holders)
    this.#ownRunning = endpointWord.perThread + endpointThreadWord.running * holders + thread
    this.connections = count(endpointThreadWord.connections)
    this.idle = count(endpointThreadWord.idle)
    this.connecting = count(endpointThreadWord.connecting)
    this.starved = count(endpointThreadWord.starved)
  }

  /** In memory of this thread alone. */
  static local(limits: EndpointLimits): EndpointCells {
    const words = new Int32Array(endpointWord.perThread + endpointThreadWords)
    const cells = new EndpointCells(words, { record: 0, thread: 0, holders: 1 })
    cells.setLimits(limits)
    return cells
  }

  /** Units that run there. */
  get running(): number {
    return this.#words[endpointWord.running]!
  }

  get hasRoom(): boolean {
    const words = this.#words
    const running = words[endpointWord.running]!
    const { maxConnections, concurrency } = endpointWord
    return running < words[endpointWord.limit]! && running < words[maxConnections]! * words[concurrency]!
  }

  get hasConnectionRoom(): boolean {
    return this.connections.total < this.#words[endpointWord.maxConnections]!
  }

  /** Exchanges that a connection is taken to carry. */
  get concurrency(): number {
    return this.#words[endpointWord.concurrency]!
  }

  /** A connection carries so many, and the next ones are taken to do so too. True when there is more room than before. */
  learn(concurrency: number): boolean {
    return Atomics.exchange(this.#words, endpointWord.concurrency, Math.min(concurrency, unlimited)) < concurrency
  }

  setLimits({ limit, maxConnections, concurrency = 1 }: EndpointLimits): void {
    this.#words[endpointWord.limit] = Math.min(limit, unlimited)
    this.#words[endpointWord.maxConnections] = Math.min(maxConnections, unlimited)
    // What connections have said holds on, until something else is written.
    if (this.#words[endpointWord.configuredConcurrency] === concurrency) return
    this.#words[endpointWord.configuredConcurrency] = concurrency
    this.#words[endpointWord.concurrency] = concurrency
  }

  /** A unit more runs there, of whichever thread. */
  enter(): void {
    this.#words[endpointWord.running] = this.#words[endpointWord.running]! + 1
  }

  leave(): void {
    this.#words[endpointWord.running] = this.#words[endpointWord.running]! - 1
  }

  /** So many units more of those that run there are this thread's. */
  hold(change: number): void {
    this.#words[this.#ownRunning] = this.#words[this.#ownRunning]! + change
  }

  /** Counts one more failure in a row; returns how many there are. */
  countFailure(): number {
    return Atomics.add(this.#words, endpointWord.failures, 1) + 1
  }

  forgetFailures(): void {
    // Read first: on the way of every good answer, where a store would take the line from the other threads.
    if (this.#words[endpointWord.failures] !== 0) Atomics.store(this.#words, endpointWord.failures, 0)
  }

  get ejected(): boolean {
    return this.#words[endpointWord.ejected] !== 0
  }

  get ejectedUntil(): number {
    return this.#words[endpointWord.ejectedUntil]!
  }

  /** Leaves it out; false when it is already. `until`: shared milliseconds. Called under the lock. */
  eject(until: number): boolean {
    if (this.ejected) return false
    // First: whoever sees without the lock that it is left out may end that by the time of the ejection before.
    this.#words[endpointWord.ejectedUntil] = until | 0
    Atomics.store(this.#words, endpointWord.ejected, 1)
    return true
  }

  /** Takes it in again; false when it was in. */
  restore(): boolean {
    return Atomics.exchange(this.#words, endpointWord.ejected, 0) !== 0
  }

  get probedUp(): boolean {
    return this.#words[endpointWord.probedDown] === 0
  }

  /** What the active check says; false when it has said so before. */
  probe(up: boolean): boolean {
    const down = up ? 0 : 1
    return Atomics.exchange(this.#words, endpointWord.probedDown, down) !== down
  }

  get credit(): number {
    return this.#words[endpointWord.credit]!
  }

  set credit(value: number) {
    this.#words[endpointWord.credit] = value
  }
}
