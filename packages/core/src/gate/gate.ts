import type { Task } from '../turn.ts'

/** How much a gate lets through and how many may wait. */
export interface GateLimits {
  /** Units running at once; Infinity lets everything through and still counts. */
  readonly limit: number
  /** Units waiting at once, at most. */
  readonly queue: number
  /** How long a unit may wait, in milliseconds. */
  readonly timeoutMs: number
  /** Lets everything through and only counts what it would refuse. Default: false. */
  readonly dryRun?: boolean
}

/** Why a gate turned a unit away. */
export type GateRefusal = 'queueFull' | 'queueTimeout'

/**
 * What a permit holds besides its gate's count: room at an endpoint. Given back with the permit.
 *
 * All of it happens inside the gate, so that nobody sees the one without the other.
 */
export interface Room {
  /** Its number, by which threads speak of it. */
  readonly record: number
  /** A unit more has this room, of whichever thread. */
  enter(): void
  leave(): void
  /** So many more of the units in it are this thread's. */
  hold(change: number): void
}

/**
 * What else must be free for a unit to be let through, such as an endpoint. Asked inside the gate, when nothing else
 * stands in the way.
 */
export interface Admission {
  /** Takes room for one unit: it is entered, and held by nobody yet. Undefined: there is none. */
  take(): Room | undefined
}

/** What a gate tells whoever measures it. */
export interface GateObserver {
  waited(ms: number): void
  refused(reason: GateRefusal): void
  /** A gate with `dryRun` has let through what it would have refused. */
  wouldRefuse?(reason: GateRefusal): void
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
    gate.giveBack(room)
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
  /** Where it stands in memory that threads share; -1 outside of it. */
  slot = -1
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
  /** What else must be free for a unit to be let through. A reload may put another one in its place. */
  admission: Admission | undefined
  readonly limits: GateLimits
  readonly running: number
  readonly waiting: number
  /** How long the oldest waiter has waited, in milliseconds; 0 when nobody waits. */
  readonly oldestWaitMs: number
  /** How long whoever came now would wait, judged by how fast permits have come back lately; 0 when that is not known. */
  readonly estimatedWaitMs: number
  /** Fills the permit and is true, or changes nothing. */
  tryAcquire(permit: Permit): boolean
  /** Puts the waiter last, or is false when the queue is full. */
  enqueue(waiter: Waiter): boolean
  /** Takes a waiter out, wherever it stands; a permit that was just granted goes on to the next. O(1). */
  leave(waiter: Waiter): void
  /** Notes that a unit was turned away here, for the metrics. */
  refused(reason: GateRefusal): void
  /** Counts a unit out. Called by `Permit.release` alone. */
  giveBack(room: Room | undefined): void
  /** Changes the limits in place. A lowered limit takes nobody's permit, it only stops admitting. */
  setLimits(limits: GateLimits): void
  /** Lets through the oldest waiters that fit. Called when what the admission rests on came free. */
  admitWaiting(): void
  /** Does something that must not meet a grant or a release, such as to move a unit to another room. */
  exclusively(action: () => void): void
}
