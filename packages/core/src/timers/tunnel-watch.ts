import type { MinRate } from '../config/config.ts'
import type { Runtime } from '../runtime.ts'
import { RateWatch } from './rate-watch.ts'
import { type Expirable, Timer } from './wheel.ts'

/** How long a tunnel may stand still, in milliseconds, and how slow its client may be. */
export interface TunnelTimeouts {
  /** Without a byte either way. */
  readonly idleMs: number
  /** Without progress in sending to a client that does not keep up. */
  readonly sendMs: number
  /** In taking what waits for it; a tunnel in which nothing waits may be as slow as it likes. */
  readonly minRate: MinRate
}

/** The tunnel that is watched. */
export interface WatchedTunnel {
  /** Bytes that the client has not taken yet. */
  readonly unsentBytes: number
  /** Bytes that it has taken. */
  readonly takenBytes: number
  /** Nothing has passed for too long. */
  idled(): void
  /** The client takes nothing, or too little. */
  stuck(): void
  fault(fault: unknown): void
}

/** The clocks of a running tunnel, of whatever protocol. */
export class TunnelWatch implements Expirable {
  readonly #runtime: Runtime
  readonly #tunnel: WatchedTunnel
  readonly #timeouts: TunnelTimeouts
  readonly #idle: Timer
  readonly #send: Timer
  /** Made for a client that must be waited for; most never are. */
  #rate: RateWatch | undefined
  #unsentBytes = 0

  constructor(runtime: Runtime, timeouts: TunnelTimeouts, tunnel: WatchedTunnel) {
    this.#runtime = runtime
    this.#tunnel = tunnel
    this.#timeouts = timeouts
    this.#idle = new Timer(this, runtime.wheelFor(timeouts.idleMs))
    this.#send = new Timer(this, runtime.wheelFor(timeouts.sendMs))
    this.#idle.arm(timeouts.idleMs)
  }

  /** Bytes have passed. */
  passed(): void {
    this.#idle.arm(this.#timeouts.idleMs)
  }

  /** So much waits for the client that its peer is not read from. */
  congested(): void {
    this.#unsentBytes = this.#tunnel.unsentBytes
    this.#send.arm(this.#timeouts.sendMs)
    this.#rate ??= this.#makeRateWatch()
    this.#rate.begin()
  }

  #makeRateWatch(): RateWatch {
    const tunnel = this.#tunnel
    return new RateWatch(this.#runtime, this.#timeouts.minRate, {
      get movedBytes() {
        return tunnel.takenBytes
      },
      tooSlow: () => tunnel.stuck(),
      fault: (fault) => tunnel.fault(fault),
    })
  }

  /** The client has taken everything. */
  drained(): void {
    this.#send.disarm()
    this.#rate?.end()
    this.passed()
  }

  end(): void {
    this.#idle.disarm()
    this.#send.disarm()
    this.#rate?.end()
  }

  expired(timer: Timer): void {
    if (timer === this.#idle) {
      this.#tunnel.idled()
      return
    }
    const { unsentBytes } = this.#tunnel
    if (unsentBytes >= this.#unsentBytes) {
      this.#tunnel.stuck()
      return
    }
    this.#unsentBytes = unsentBytes
    this.#send.arm(this.#timeouts.sendMs)
  }

  fault(fault: unknown): void {
    this.#tunnel.fault(fault)
  }
}
