import type { MinRate } from '../config/config.ts'
import type { Runtime } from '../runtime.ts'
import { type Expirable, Timer } from './wheel.ts'

/** Whose rate is watched. */
export interface RatedPeer {
  /** Bytes that it has moved so far. */
  readonly movedBytes: number
  /** It has moved too few in a whole window. */
  tooSlow(): void
  fault(fault: unknown): void
}

/** Looks once a window whether a peer has kept up the least rate, for as long as it is its turn to move bytes. */
export class RateWatch implements Expirable {
  readonly #peer: RatedPeer
  readonly #timer: Timer
  #rate: MinRate
  #movedBefore = 0

  constructor(runtime: Runtime, rate: MinRate, peer: RatedPeer) {
    this.#peer = peer
    this.#rate = rate
    this.#timer = new Timer(this, runtime.wheelFor(rate.windowMs))
  }

  /** It is the peer's turn. A window that runs already runs on. */
  begin(rate: MinRate = this.#rate): void {
    if (this.#timer.armed || rate.bytesPerSecond === 0) return
    this.#rate = rate
    this.#movedBefore = this.#peer.movedBytes
    this.#timer.arm(rate.windowMs)
  }

  /** It is not the peer's turn any more. */
  end(): void {
    this.#timer.disarm()
  }

  expired(): void {
    const { bytesPerSecond, windowMs } = this.#rate
    const moved = this.#peer.movedBytes - this.#movedBefore
    if (moved * 1_000 < bytesPerSecond * windowMs) this.#peer.tooSlow()
    else this.begin()
  }

  fault(fault: unknown): void {
    this.#peer.fault(fault)
  }
}
