import type { ThreadCount } from './thread-count.ts'

/** Units over all threads: how many were begun and how many have ended, which also says how many are under way. */
export class UnitCount {
  readonly #begun: ThreadCount
  readonly #ended: ThreadCount

  constructor(begun: ThreadCount, ended: ThreadCount) {
    this.#begun = begun
    this.#ended = ended
  }

  begin(): void {
    this.#begun.add(1)
  }

  end(): void {
    this.#ended.add(1)
  }

  /** This thread's that are under way. */
  get own(): number {
    return (this.#begun.own - this.#ended.own) | 0
  }

  /** One thread's that are under way. */
  of(thread: number): number {
    // What has ended is read first: a unit that begins meanwhile may be counted, never one less than none.
    const ended = this.#ended.of(thread)
    return (this.#begun.of(thread) - ended) | 0
  }

  /** How many one thread has ended so far; after some two thousand millions they are counted anew. */
  endedOf(thread: number): number {
    return this.#ended.of(thread) >>> 0
  }
}
