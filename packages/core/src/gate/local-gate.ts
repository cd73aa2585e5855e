import type { Clock } from '../timers/wheel.ts'
import type { Turn } from '../turn.ts'
import type { Admission, Gate, GateLimits, GateObserver, GateRefusal, Permit, Room, Waiter } from './gate.ts'
import { ReleasePace } from './release-pace.ts'

/** What a gate is made from. */
export interface GateParts {
  readonly turn: Turn
  readonly clock: Clock
  readonly admission?: Admission
  readonly observer?: GateObserver
}

/** A gate whose truth lies in plain numbers: exact within one thread. */
export class LocalGate implements Gate {
  readonly id: string
  admission: Admission | undefined
  readonly #turn: Turn
  readonly #clock: Clock
  readonly #observer: GateObserver | undefined
  #limits: GateLimits
  #running = 0
  #waiting = 0
  #oldest: Waiter | undefined
  #newest: Waiter | undefined
  readonly #pace = new ReleasePace()

  constructor(id: string, limits: GateLimits, parts: GateParts) {
    this.id = id
    this.#limits = limits
    this.#turn = parts.turn
    this.#clock = parts.clock
    this.admission = parts.admission
    this.#observer = parts.observer
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

  get oldestWaitMs(): number {
    return this.#oldest === undefined ? 0 : this.#clock() - this.#oldest.waitingSince
  }

  get estimatedWaitMs(): number {
    return this.#pace.estimate(this.#waiting)
  }

  tryAcquire(permit: Permit): boolean {
    const { limit, queue, dryRun } = this.#limits
    const full = this.#running >= limit
    if ((full && dryRun !== true) || this.#oldest !== undefined || !this.#admit(permit)) return false
    if (full && this.#running > limit + queue) this.#observer?.wouldRefuse?.('queueFull')
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
    if (this.#waiting++ === 0) this.#pace.begin(waiter.waitingSince)
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

  giveBack(room: Room | undefined): void {
    room?.hold(-1)
    room?.leave()
    this.#running--
    if (this.#oldest === undefined) return
    this.#pace.released(this.#clock())
    this.admitWaiting()
  }

  exclusively(action: () => void): void {
    action()
  }

  setLimits(limits: GateLimits): void {
    this.#limits = limits
    this.admitWaiting()
  }

  admitWaiting(): void {
    while (this.#oldest !== undefined && (this.#running < this.#limits.limit || this.#limits.dryRun === true)) {
      const waiter = this.#oldest
      if (!this.#admit(waiter.permit)) return
      this.#unlink(waiter)
      waiter.waiterState = 'granted'
      this.#turn.put(waiter)
      // Last: a bug in it must not keep asleep who has been let through.
      this.#observer?.waited(this.#clock() - waiter.waitingSince)
    }
  }

  #admit(permit: Permit): boolean {
    if (this.admission !== undefined) {
      const room = this.admission.take()
      if (room === undefined) return false
      room.hold(1)
      permit.room = room
    }
    this.#running++
    permit.gate = this
    return true
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
