import type { PassiveHealthConfig } from '../config/config.ts'
import type { ProxyError } from '../errors.ts'
import { type Expirable, Timer, type TimerWheel } from '../timers/wheel.ts'

/** What an endpoint's health tells its upstream. */
export interface HealthObserver {
  /** Whether one more endpoint may be left out. */
  mayEject(): boolean
  /** Usable or not has changed. */
  changed(): void
  /** `changed` threw as an ejection ended: a bug of ours. */
  faulted(fault: unknown): void
}

/**
 * Whether an endpoint should get work, from what its units and its probes met.
 *
 * `failed` and `succeeded` are facts of use (passive), `probed` of active checks. Either can leave it out.
 */
export class EndpointHealth implements Expirable {
  readonly #options: PassiveHealthConfig
  readonly #observer: HealthObserver
  readonly #restore: Timer
  #failuresInARow = 0
  #ejected = false
  #probedUp = true
  /** Why it is not usable, for `/state` and the log. */
  lastFailure: string | undefined

  constructor(options: PassiveHealthConfig, wheel: TimerWheel, observer: HealthObserver) {
    this.#options = options
    this.#observer = observer
    this.#restore = new Timer(this, wheel)
  }

  get usable(): boolean {
    return this.#probedUp && !this.#ejected
  }

  get ejected(): boolean {
    return this.#ejected
  }

  /** What the active check says; true where there is none. */
  get probedUp(): boolean {
    return this.#probedUp
  }

  failed(error: ProxyError): void {
    if (!this.#options.on.includes('connectFailure') || !isConnectFailure(error)) return
    this.lastFailure = error.message
    this.#countFailure()
  }

  /** An answer came. Its status counts only where the configuration says that a 5xx is a failure. */
  answered(status: number): void {
    if (status < 500 || !this.#options.on.includes('5xx')) {
      this.succeeded()
      return
    }
    this.lastFailure = `answered ${status}`
    this.#countFailure()
  }

  /** It did what it is there for: failures are counted in a row. */
  succeeded(): void {
    this.#failuresInARow = 0
  }

  /** The active check has changed its mind. */
  probed(up: boolean, why?: string): void {
    if (this.#probedUp === up) return
    this.#probedUp = up
    if (!up) this.lastFailure = why
    this.#observer.changed()
  }

  expired(): void {
    this.#ejected = false
    this.#failuresInARow = 0
    this.#observer.changed()
  }

  fault(fault: unknown): void {
    this.#observer.faulted(fault)
  }

  /** Ends its timer. */
  close(): void {
    this.#restore.disarm()
  }

  #countFailure(): void {
    this.#failuresInARow++
    if (this.#ejected || this.#failuresInARow < this.#options.failures || !this.#observer.mayEject()) return
    this.#ejected = true
    this.#restore.arm(this.#options.ejectMs)
    this.#observer.changed()
  }
}

/** No connection, or none that lived until the answer began. A client that leaves, or our own bounds, say nothing. */
function isConnectFailure({ code, progress }: ProxyError): boolean {
  return (
    code === 'connectFailed' || code === 'connectTimeout' || (code === 'upstreamReset' && progress !== 'responseBegun')
  )
}
