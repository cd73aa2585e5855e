import type { PassiveHealthConfig } from '../config/config.ts'
import type { ProxyError } from '../errors.ts'
import type { EndpointCells } from '../state/endpoint-cells.ts'
import { type Clock, type Expirable, Timer, type TimerWheel } from '../timers/wheel.ts'

/** What an endpoint's health tells its upstream. */
export interface HealthObserver {
  /** Does something while no thread ejects or restores another endpoint of the upstream. */
  exclusively(action: () => void): void
  /** Whether one more endpoint may be left out. Asked exclusively. */
  mayEject(): boolean
  /** Usable or not has changed. */
  changed(): void
  /** `changed` threw as an ejection ended: a bug of ours. */
  faulted(fault: unknown): void
}

/**
 * Whether an endpoint should get work, from what its units and its probes met in all threads.
 *
 * `failed` and `succeeded` are facts of use (passive), `probed` of active checks. Either can leave it out.
 */
export class EndpointHealth implements Expirable {
  readonly #cells: EndpointCells
  readonly #now: Clock
  readonly #observer: HealthObserver
  readonly #restore: Timer
  #closed = false
  #options: PassiveHealthConfig
  /** Why it is not usable, for `/state` and the log. */
  lastFailure: string | undefined

  /** `now`: milliseconds that mean the same in all threads. */
  constructor(
    options: PassiveHealthConfig,
    parts: { cells: EndpointCells; wheel: TimerWheel; now: Clock; observer: HealthObserver },
  ) {
    this.#options = options
    this.#cells = parts.cells
    this.#now = parts.now
    this.#observer = parts.observer
    this.#restore = new Timer(this, parts.wheel)
    this.watch()
  }

  get usable(): boolean {
    return this.#cells.probedUp && !this.#cells.ejected
  }

  get ejected(): boolean {
    return this.#cells.ejected
  }

  /** What the active check says; true where there is none. */
  get probedUp(): boolean {
    return this.#cells.probedUp
  }

  /** A new configuration judges otherwise. */
  configure(options: PassiveHealthConfig): void {
    this.#options = options
  }

  /** Sees to it that an ejection ends: that of a thread which has died would last for ever. */
  watch(): void {
    if (this.#closed || !this.#cells.ejected || this.#restore.armed) return
    this.#restore.arm(Math.max(0, this.#leftMs))
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
    this.#cells.forgetFailures()
  }

  /** The active check has changed its mind. */
  probed(up: boolean, why?: string): void {
    if (!this.#cells.probe(up)) return
    if (!up) this.lastFailure = why
    this.#observer.changed()
  }

  expired(): void {
    // Another thread's timer may have ended the ejection that this one was armed for, and begun a newer one.
    let restored = false
    this.#observer.exclusively(() => {
      if (this.#cells.ejected && this.#leftMs > 0) return
      this.#cells.forgetFailures()
      restored = this.#cells.restore()
    })
    if (restored) this.#observer.changed()
    else this.watch()
  }

  fault(fault: unknown): void {
    this.#observer.faulted(fault)
  }

  /** Ends its timer. What its units meet from now on says nothing any more. */
  close(): void {
    this.#closed = true
    this.#restore.disarm()
  }

  get #leftMs(): number {
    return (this.#cells.ejectedUntil - this.#now()) | 0
  }

  #countFailure(): void {
    if (this.#closed) return
    const { failures, ejectMs } = this.#options
    if (this.#cells.countFailure() < failures || this.#cells.ejected) return
    let ejected = false
    this.#observer.exclusively(() => {
      ejected = this.#observer.mayEject() && this.#cells.eject(this.#now() + ejectMs)
    })
    if (!ejected) return
    this.#restore.arm(ejectMs)
    this.#observer.changed()
  }
}

/**
 * No connection, or none that lived until the answer began. A client that leaves, or our own bounds, say nothing; nor does
 * an upstream that refuses a stream in an orderly way, because it drains or has its hands full.
 */
function isConnectFailure({ code, progress, refused }: ProxyError): boolean {
  if (code === 'connectFailed' || code === 'connectTimeout') return true
  return code === 'upstreamReset' && progress !== 'responseBegun' && !refused
}
