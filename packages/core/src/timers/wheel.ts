/** Milliseconds of a clock that never goes back. */
export type Clock = () => number

/** What a timer does when its time has come. */
export interface Expirable {
  expired(timer: Timer): void
  /** `expired` threw: a bug of ours, which must cost this owner's unit only. */
  fault(fault: unknown): void
}

/** A place in a circular list; an empty list's head points to itself. */
class Place {
  next: Place = this
  previous: Place = this

  insertBefore(place: Place): void {
    this.previous = place.previous
    this.next = place
    place.previous.next = this
    place.previous = this
  }

  leave(): void {
    this.previous.next = this.next
    this.next.previous = this.previous
    this.next = this
    this.previous = this
  }
}

/**
 * One deadline of one owner, made once and armed as often as needed.
 *
 * Pushing a deadline back costs one store: the timer stays in its slot and is moved when the slot comes up. So every
 * byte may push an idle timeout back.
 */
export class Timer extends Place {
  readonly owner: Expirable
  wheel: TimerWheel
  /** When it expires, in the wheel's milliseconds. */
  deadline = 0
  /** The tick of the slot it is in, or -1. */
  tick = -1

  constructor(owner: Expirable, wheel: TimerWheel) {
    super()
    this.owner = owner
    this.wheel = wheel
  }

  get armed(): boolean {
    return this.tick >= 0
  }

  /** Expires `delayMs` after `now`; an earlier deadline is forgotten. Infinity disarms. */
  arm(delayMs: number, now: number = this.wheel.clock()): void {
    const { wheel } = this
    this.deadline = now + delayMs
    if (delayMs === Infinity) return this.disarm()
    if (this.tick >= 0) {
      if (this.tick * wheel.tickMs <= this.deadline) return
      wheel.remove(this)
    }
    wheel.insert(this)
  }

  disarm(): void {
    if (this.tick >= 0) this.wheel.remove(this)
  }

  /** Goes by another wheel of the same clock from now on; a deadline that runs is kept. */
  moveTo(wheel: TimerWheel): void {
    if (wheel === this.wheel) return
    const { armed } = this
    this.disarm()
    this.wheel = wheel
    if (armed) wheel.insert(this)
  }
}

/** A hashed timer wheel: arming and disarming are O(1), and the wheel sleeps while it is empty. */
export class TimerWheel {
  readonly clock: Clock
  readonly tickMs: number
  readonly #slots: Place[]
  /** Timers whose slot has come up and that have not been seen to yet. */
  readonly #due = new Place()
  #count = 0
  #lastTick = 0
  #interval: NodeJS.Timeout | undefined

  /** A deadline is kept to within one `tickMs`, never early. */
  constructor(options: { tickMs: number; slots?: number; clock: Clock }) {
    this.tickMs = options.tickMs
    this.clock = options.clock
    this.#slots = Array.from({ length: options.slots ?? 512 }, () => new Place())
  }

  /** Timers armed at the moment. */
  get count(): number {
    return this.#count
  }

  insert(timer: Timer): void {
    if (this.#interval === undefined) this.#wake()
    // Never early: the first tick that is not before the deadline.
    timer.tick = Math.max(Math.ceil(timer.deadline / this.tickMs), this.#lastTick + 1)
    timer.insertBefore(this.#slots[timer.tick % this.#slots.length]!)
    this.#count++
  }

  remove(timer: Timer): void {
    timer.leave()
    timer.tick = -1
    this.#count--
  }

  /** Expires what is due. Called by the wheel's own interval; tests with a clock of their own call it. */
  advance(): void {
    const now = this.clock()
    const tick = Math.floor(now / this.tickMs)
    const steps = Math.min(tick - this.#lastTick, this.#slots.length)
    for (let i = 1; i <= steps; i++) this.#collect(this.#slots[(this.#lastTick + i) % this.#slots.length]!, tick)
    if (tick > this.#lastTick) this.#lastTick = tick
    // Owners may arm and disarm any timer meanwhile, the waiting ones included: the list is read anew each time.
    for (let place = this.#due.next; place !== this.#due; place = this.#due.next) {
      const timer = place as Timer
      this.remove(timer)
      if (timer.deadline > now) this.insert(timer)
      else this.#expire(timer)
    }
    // Asleep only after a whole tick without a timer: under light load the wheel is empty between any two requests.
    if (this.#count === 0) this.#sleep()
  }

  /** Stops for good, at the end of a process or test. */
  stop(): void {
    for (const slot of this.#slots) while (slot.next !== slot) this.remove(slot.next as Timer)
    this.#sleep()
  }

  #collect(slot: Place, tick: number): void {
    for (let place = slot.next; place !== slot; ) {
      const timer = place as Timer
      place = place.next
      if (timer.tick > tick) continue
      timer.leave()
      timer.insertBefore(this.#due)
    }
  }

  #expire(timer: Timer): void {
    try {
      timer.owner.expired(timer)
    } catch (fault) {
      timer.owner.fault(fault)
    }
  }

  #wake(): void {
    this.#lastTick = Math.floor(this.clock() / this.tickMs)
    this.#interval = setInterval(() => this.advance(), this.tickMs)
  }

  #sleep(): void {
    clearInterval(this.#interval)
    this.#interval = undefined
  }
}
