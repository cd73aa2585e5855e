/** How much the newest interval weighs in the mean. */
const weight = 1 / 8

/** A permit that came back after a longer pause says no more than this, in milliseconds. */
const longestMs = 60_000

/** How fast permits come back while somebody waits: what an estimate of the wait rests on. */
export class ReleasePace {
  #last = 0
  /** Mean time between two releases, in milliseconds. */
  #interval = 0

  /** The first waiter has come. */
  begin(now: number): void {
    this.#last = now
  }

  released(now: number): void {
    const interval = Math.min(now - this.#last, longestMs)
    this.#last = now
    this.#interval += (interval - this.#interval) * (this.#interval === 0 ? 1 : weight)
  }

  /** How long whoever came after so many waiters would wait, in milliseconds. */
  estimate(waiting: number): number {
    return this.#interval * (waiting + 1)
  }
}
