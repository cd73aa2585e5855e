import type { ActiveHealthConfig } from '../config/config.ts'
import { type Expirable, Timer, type TimerWheel } from '../timers/wheel.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * Asks an endpoint once whether it is well. Protocols register theirs by name; this package only keeps the schedule.
 * Calls `done` once, with what is wrong or with nothing; the returned function gives up early and silently.
 */
export type Probe = (endpoint: Endpoint, options: ActiveHealthConfig, done: (failure?: string) => void) => () => void

/** Probes one endpoint again and again, and tells its health when the answers have turned. */
export class ActiveCheck implements Expirable {
  readonly #endpoint: Endpoint
  readonly #options: ActiveHealthConfig
  readonly #probe: Probe
  readonly #timer: Timer
  #giveUp: (() => void) | undefined
  /** Counts probes and their ends: an answer belongs to one probe. */
  #round = 0
  #inARow = 0
  #lastGood: boolean | undefined

  constructor(endpoint: Endpoint, options: ActiveHealthConfig, probe: Probe, wheel: TimerWheel) {
    this.#endpoint = endpoint
    this.#options = options
    this.#probe = probe
    this.#timer = new Timer(this, wheel)
  }

  /** Probes at once, then every interval. */
  start(): void {
    try {
      this.expired()
    } catch (fault) {
      this.fault(fault)
    }
  }

  close(): void {
    this.#round++
    this.#timer.disarm()
    this.#giveUp?.()
    this.#giveUp = undefined
  }

  expired(): void {
    if (this.#giveUp !== undefined) {
      this.#giveUp()
      this.#answered(`no answer within ${this.#options.timeoutMs} ms`)
      return
    }
    this.#timer.arm(this.#options.timeoutMs)
    const round = ++this.#round
    const giveUp = this.#probe(this.#endpoint, this.#options, (failure) => {
      // What comes once the probe was given up, or a second time, is no answer to this round.
      if (round === this.#round) this.#answered(failure)
    })
    // A probe may know its answer at once.
    if (round === this.#round) this.#giveUp = giveUp
  }

  fault(fault: unknown): void {
    this.#answered(String(fault))
  }

  #answered(failure: string | undefined): void {
    this.#round++
    this.#giveUp = undefined
    const good = failure === undefined
    this.#inARow = good === this.#lastGood ? this.#inARow + 1 : 1
    this.#lastGood = good
    if (this.#inARow >= (good ? this.#options.rise : this.#options.fall)) this.#endpoint.health.probed(good, failure)
    this.#timer.disarm()
    this.#timer.arm(this.#options.intervalMs)
  }
}
