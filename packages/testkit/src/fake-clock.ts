import type { Clock, TimerWheel } from '@sluice/core'

/** A clock that stands still until a test moves it, and the timer wheels that run by it. */
export class FakeClock {
  /** Milliseconds since it was made. */
  nowMs = 0
  /** What a `Runtime` or `TimerWheel` takes for its clock. */
  readonly read: Clock = () => this.nowMs

  /** Lets time pass tick by tick, as the wheels' own intervals would. */
  pass(ms: number, ...wheels: TimerWheel[]): void {
    const end = this.nowMs + ms
    const tickMs = Math.min(...wheels.map((wheel) => wheel.tickMs))
    while (this.nowMs < end) {
      this.nowMs = Math.min(end, this.nowMs + tickMs)
      for (const wheel of wheels) wheel.advance()
    }
  }

  /** Lets time pass at once, as when the thread was held up: the wheels find out afterwards. */
  jump(ms: number, ...wheels: TimerWheel[]): void {
    this.nowMs += ms
    for (const wheel of wheels) wheel.advance()
  }
}
