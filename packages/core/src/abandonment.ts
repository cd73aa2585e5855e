import { type Expirable, Timer, type TimerWheel } from './timers/wheel.ts'

/** Whose upstream half runs on although nobody expects anything of it any more. */
export interface Abandoning {
  /** It has run on for as long as it may. */
  abandonedTooLong(): void
  fault(fault: unknown): void
}

/** The time that the upstream half of a unit that was cut gets to end by itself (`abandoned: wait`). */
export class Abandonment implements Expirable {
  readonly #owner: Abandoning
  readonly #timer: Timer

  constructor(owner: Abandoning, wheel: TimerWheel) {
    this.#owner = owner
    this.#timer = new Timer(this, wheel)
  }

  begin(forMs: number): void {
    this.#timer.arm(forMs)
  }

  end(): void {
    this.#timer.disarm()
  }

  expired(): void {
    this.#owner.abandonedTooLong()
  }

  fault(fault: unknown): void {
    this.#owner.fault(fault)
  }
}
