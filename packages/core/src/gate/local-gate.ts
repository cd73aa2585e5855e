import type { Clock } from '../timers/wheel.ts'
import type { Turn } from '../turn.ts'
import type { Gate, GateLimits, GateRefusal, Permit, Waiter } from './gate.ts'

/**
 * What else must be free for a unit to be let through, such as an endpoint. `admit` takes it and notes it in the
 * permit, or is false and changes nothing.
 */
export interface Admission {
  admit(permit: Permit): boolean
}

/** What a gate tells whoever measures it. */
export interface GateObserver {
  waited(ms: number): void
  refused(reason: GateRefusal): void
}

const openToAll: Admission = { admit: () => true }

/** A gate whose truth lies in plain numbers: exact within one thread. */
export class LocalGate implements Gate {
  readonly id: string
  readonly #admission: Admission
  readonly #turn: Turn
  readonly #clock: Clock
  readonly #observer: GateObserver | undefined
  #limits: GateLimits
  #running = 0
  #waiting = 0
  #oldest: Waiter | undefined
  #newest: Waiter | undefined

  constructor(
    id: string,
    limits: GateLimits,
    options: { turn: Turn; clock: Clock; admission?: Admission; observer?: GateObserver },
  ) {
    this.id = id
    this.#limits = limits
    this.#turn = options.turn
    this.#clock = options.clock
    this.#admission = options.admission ?? openToAll
    this.#observer = options.observer
  }

  get limits(): GateLimits {
    return this.#limits
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting
  }

  /** How long the oldest waiter has waited, in milliseconds; 0 when nobody waits. */
  get oldestWaitMs(): number {
    return this.#oldest === undefined ? 0 : this.#clock() - this.#oldest.waitingSince
  }

  tryAcquire(permit: Permit): boolean {
    if (this.#running >= this.#limits.limit || this.#oldest !== undefined || !this.#admission.admit(permit))
      return false
    this.#running++
    permit.gate = this
    return true
  }

  enqueue(waiter: Waiter): boolean {
    if (this.#waiting >= this.#limits.queue) return false
    waiter.waiterState = 'waiting'
    waiter.waitingSince = this.#clock()
    waiter.previousWaiter = this.#newest
    if (this.#newest === undefined) this.#oldest = waiter
    else this.#newest.nextWaiter = waiter
    this.#newest = waiter
    this.#waiting++
    return true
  }

  leave(waiter: Waiter): void {
    switch (waiter.waiterState) {
      case 'outside':
        return
      case 'waiting':
        this.#unlink(waiter)
        waiter.waiterState = 'outside'
        return
      case 'granted':
        waiter.waiterState = 'outside'
        waiter.permit.release()
        return
    }
  }

  refused(reason: GateRefusal): void {
    this.#observer?.refused(reason)
  }

  giveBack(): void {
    this.#running--
    this.admitWaiting()
  }

  /** Changes the limits in place. A lowered limit takes nobody's permit, it only stops admitting. */
  setLimits(limits: GateLimits): void {
    this.#limits = limits
    this.admitWaiting()
  }

  /** Lets through the oldest waiters that fit. Called when a permit, or what the admission rests on, came free. */
  admitWaiting(): void {
    while (this.#oldest !== undefined && this.#running < this.#limits.limit) {
      const waiter = this.#oldest
      if (!this.#admission.admit(waiter.permit)) return
      this.#unlink(waiter)
      this.#running++
      waiter.permit.gate = this
      waiter.waiterState = 'granted'
      this.#observer?.waited(this.#clock() - waiter.waitingSince)
      this.#turn.put(waiter)
    }
  }

  #unlink(waiter: Waiter): void {
    const { nextWaiter: next, previousWaiter: previous } = waiter
    if (previous === undefined) this.#oldest = next
    else previous.nextWaiter = next
    if (next === undefined) this.#newest = previous
    else next.previousWaiter = previous
    waiter.nextWaiter = undefined
    waiter.previousWaiter = undefined
    this.#waiting--
  }
}
