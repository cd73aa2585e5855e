import type { Task } from '../turn.ts'

/** How much a gate lets through and how many may wait. */
export interface GateLimits {
  /** Units running at once; Infinity lets everything through and still counts. */
  readonly limit: number
  /** Units waiting at once, at most. */
  readonly queue: number
  /** How long a unit may wait, in milliseconds. */
  readonly timeoutMs: number
}

/** Why a gate turned a unit away. */
export type GateRefusal = 'queueFull' | 'queueTimeout'

/** What a permit holds besides its gate's count, such as room at an endpoint. Given back with the permit. */
export interface Room {
  leave(): void
}

/**
 * The right to run, held or not. One object serves one unit after another: `release` counts once however often it is
 * called, since only a held permit is given back.
 */
export class Permit {
  gate: Gate | undefined
  room: Room | undefined

  get held(): boolean {
    return this.gate !== undefined
  }

  release(): void {
    const gate = this.gate
    if (gate === undefined) return
    this.gate = undefined
    const room = this.room
    this.room = undefined
    room?.leave()
    gate.giveBack()
  }
}

/** Where a waiter stands. */
export type WaiterState =
  | 'outside' // in no queue
  | 'waiting' // in a queue
  | 'granted' // has its permit and is about to be told

/** Who waits at a gate: in one queue at a time, told once. */
export abstract class Waiter implements Task {
  /** The permit that a grant fills. */
  abstract readonly permit: Permit
  waiterState: WaiterState = 'outside'
  nextWaiter: Waiter | undefined
  previousWaiter: Waiter | undefined
  /** When the present wait began, in the clock's milliseconds. */
  waitingSince = 0

  /** The permit is held. Called once, at the end of the turn that freed it, and not after `leave`. */
  protected abstract granted(): void
  /** `granted` threw. */
  abstract fault(fault: unknown): void

  /** The turn's end: tells a waiter that was granted, unless it has left in the same turn. */
  run(): void {
    if (this.waiterState !== 'granted') return
    this.waiterState = 'outside'
    this.granted()
  }
}

/**
 * An exact semaphore with a bounded first-in-first-out queue.
 *
 * At no instant do more than `limit` units hold a permit. Whoever asks while others wait does not overtake them.
 */
export interface Gate {
  /** Outlives a reload; label of metrics and key of `/state`. */
  readonly id: string
  readonly limits: GateLimits
  readonly running: number
  readonly waiting: number
  /** Fills the permit and is true, or changes nothing. */
  tryAcquire(permit: Permit): boolean
  /** Puts the waiter last, or is false when the queue is full. */
  enqueue(waiter: Waiter): boolean
  /** Takes a waiter out, wherever it stands; a permit that was just granted goes on to the next. O(1). */
  leave(waiter: Waiter): void
  /** Notes that a unit was turned away here, for the metrics. */
  refused(reason: GateRefusal): void
  /** Counts a unit out. Called by `Permit.release` alone. */
  giveBack(): void
}
