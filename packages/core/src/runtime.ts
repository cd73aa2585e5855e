import type { Exchange } from './exchange.ts'
import { LocalStore } from './state/local-store.ts'
import type { StateStore } from './state/store.ts'
import { type Clock, TimerWheel } from './timers/wheel.ts'
import { Turn } from './turn.ts'

/** Reads every finished exchange once: metrics, access log. The exchange is lent until the call returns. */
export interface Accountant {
  account(exchange: Exchange): void
}

/** From here on a second more or less does not matter. */
const fineBelowMs = 3_000

/** What one thread's engine rests on: its clock, its timers, its turn, and who is told what happened. */
export class Runtime {
  readonly clock: Clock
  readonly turn = new Turn()
  /** What is exact, or summed, over all threads. */
  readonly store: StateStore
  /** Deadlines and waits, to 10 ms. */
  readonly fine: TimerWheel
  /** Idle timeouts, to 1 s. */
  readonly coarse: TimerWheel
  readonly #accountants: Accountant[] = []
  readonly #faulted: (fault: unknown) => void

  constructor(options: { clock?: Clock; store?: StateStore; faulted: (fault: unknown) => void }) {
    this.clock = options.clock ?? (() => performance.now())
    this.store = options.store ?? new LocalStore(this.clock)
    this.fine = new TimerWheel({ tickMs: 10, clock: this.clock })
    this.coarse = new TimerWheel({ tickMs: 1_000, clock: this.clock })
    this.#faulted = options.faulted
  }

  /** The number of the configuration by which this thread works. */
  generation = 0
  /** A newer one holds: works by it from now on. */
  onPublished: () => void = () => {}

  /** Called as a unit begins: every thread works by a new configuration from the same moment on. */
  catchUp(): void {
    if (this.store.published !== this.generation) this.onPublished()
  }

  /** Units under way in this thread. */
  get exchanges(): number {
    return this.store.units.own
  }

  /** The wheel for deadlines of which this is the shortest. */
  wheelFor(shortestMs: number): TimerWheel {
    return shortestMs < fineBelowMs ? this.fine : this.coarse
  }

  /** Has every finished exchange read by `accountant` from now on. */
  accountTo(accountant: Accountant): void {
    this.#accountants.push(accountant)
  }

  account(exchange: Exchange): void {
    for (const accountant of this.#accountants) {
      try {
        accountant.account(exchange)
      } catch (fault) {
        // The unit is over and everything it held is back: a reader's bug must not stop what comes after it.
        this.faulted(fault)
      }
    }
  }

  /** A bug of ours was met; it has cost one unit. */
  faulted(fault: unknown): void {
    this.#faulted(fault)
  }

  stop(): void {
    this.fine.stop()
    this.coarse.stop()
  }
}
