import { gateWord, none, slotState, slotWord } from '../state/layout.ts'
import { lock, unlock } from '../state/lock.ts'
import { mail } from '../state/mailbox.ts'
import type { SharedStore } from '../state/shared-store.ts'
import type { Admission, Gate, GateLimits, GateObserver, GateRefusal, Permit, Room, Waiter } from './gate.ts'
import type { GateParts } from './local-gate.ts'

/** Fractions of a millisecond in the mean time between two releases, and how much the newest one weighs. */
const intervalUnit = 256
const intervalShift = 3
const longestIntervalMs = 60_000

/**
 * A gate whose truth lies in memory that all threads share: exact over all of them, first come first served over all of
 * them. One of these stands in each thread for the one record.
 *
 * Everything happens under the record's lock, for some dozen stores. Within it the words that are the truth change
 * first (a thread's own count of its permits, the state of a slot), the counts and links made from them afterwards: a
 * thread may die between any two stores, and whoever clears up after it makes the latter anew from the former.
 */
export class SharedGate implements Gate {
  readonly id: string
  readonly record: number
  admission: Admission | undefined
  readonly #store: SharedStore
  readonly #words: Int32Array
  readonly #at: number
  readonly #held: number
  readonly #owner: number
  readonly #parts: GateParts
  readonly #observer: GateObserver | undefined
  /** Threads whose waiters were granted inside the lock, to be woken outside of it. */
  readonly #toWake: number[] = []
  /** This thread's waiters that were granted inside the lock, to be told outside of it: what they meet may throw. */
  #toTell: { readonly slot: number; readonly room: Room | undefined }[] = []

  constructor(id: string, record: number, store: SharedStore, parts: GateParts) {
    this.id = id
    this.record = record
    this.#store = store
    this.#words = store.words
    this.#at = store.layout.gates + record * store.layout.gateWords
    this.#held = this.#at + gateWord.held + store.thread
    this.#owner = store.thread + 1
    this.#parts = parts
    this.admission = parts.admission
    this.#observer = parts.observer
  }

  get limits(): GateLimits {
    return this.#store.readLimits(this.record)
  }

  get running(): number {
    return Atomics.load(this.#words, this.#at + gateWord.running)
  }

  get waiting(): number {
    return Atomics.load(this.#words, this.#at + gateWord.waiting)
  }

  get oldestWaitMs(): number {
    return this.#store.waitedMs(Atomics.load(this.#words, this.#at + gateWord.oldest))
  }

  get estimatedWaitMs(): number {
    return (this.#get(gateWord.releaseInterval) / intervalUnit) * (this.waiting + 1)
  }

  tryAcquire(permit: Permit): boolean {
    const words = this.#words
    const at = this.#at
    lock(words, at, this.#owner)
    const running = words[at + gateWord.running]!
    const full = running >= words[at + gateWord.limit]!
    if ((full && words[at + gateWord.dryRun] === 0) || words[at + gateWord.oldest] !== none) {
      unlock(words, at)
      return false
    }
    let room: Room | undefined
    if (this.#needsRoom) {
      room = this.#takeRoom()
      if (room === undefined) {
        unlock(words, at)
        return false
      }
      room.hold(1)
    }
    words[this.#held] = words[this.#held]! + 1
    words[at + gateWord.running] = running + 1
    unlock(words, at)
    permit.gate = this
    permit.room = room
    if (full) this.#countDryRun(running)
    return true
  }

  enqueue(waiter: Waiter): boolean {
    const words = this.#words
    const at = this.#at
    const slot = this.#store.slots.take()
    if (slot < 0) return false
    waiter.waitingSince = this.#parts.clock()
    lock(words, at, this.#owner)
    const waiting = words[at + gateWord.waiting]!
    if (waiting >= words[at + gateWord.queue]!) {
      unlock(words, at)
      this.#store.slots.giveBack(slot)
      return false
    }
    this.#link(slot)
    if (waiting === 0) words[at + gateWord.releasedAt] = this.#store.now()
    waiter.waiterState = 'waiting'
    waiter.slot = slot
    this.#store.waiters.set(slot, waiter)
    // What came free since `tryAcquire` said no would otherwise be given to nobody.
    try {
      this.#admitLocked()
    } catch (fault) {
      this.leave(waiter)
      throw fault
    }
    unlock(words, at)
    this.#tellGranted()
    return true
  }

  leave(waiter: Waiter): void {
    switch (waiter.waiterState) {
      case 'outside':
        return
      case 'waiting':
        waiter.waiterState = 'outside'
        this.#leaveQueue(waiter)
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
    const words = this.#words
    const at = this.#at
    lock(words, at, this.#owner)
    words[this.#held] = words[this.#held]! - 1
    words[at + gateWord.running] = words[at + gateWord.running]! - 1
    if (room !== undefined) {
      room.hold(-1)
      room.leave()
    }
    if (words[at + gateWord.oldest] === none) {
      unlock(words, at)
      return
    }
    this.#keepPace()
    this.#admitLocked()
    unlock(words, at)
    this.#tellGranted()
  }

  setLimits(limits: GateLimits): void {
    this.#store.writeLimits(this.record, limits)
    this.admitWaiting()
  }

  admitWaiting(): void {
    if (this.waiting === 0) return
    lock(this.#words, this.#at, this.#owner)
    this.#admitLocked()
    unlock(this.#words, this.#at)
    this.#tellGranted()
  }

  exclusively(action: () => void): void {
    lock(this.#words, this.#at, this.#owner)
    try {
      action()
    } finally {
      unlock(this.#words, this.#at)
    }
  }

  /** Takes up what another thread has granted to a waiter of this one, or clears up after one that left meanwhile. */
  takeUp(slot: number): void {
    const words = this.#words
    const place = this.#store.placeOf(slot)
    lock(words, this.#at, this.#owner)
    const state = words[place + slotWord.state]!
    const granted = state === slotState.granted
    let room: Room | undefined
    if (granted) {
      const record = words[place + slotWord.room]!
      room = this.#store.roomOf(record)
      if (room === undefined && record !== none) {
        unlock(words, this.#at)
        this.#store.putOff(slot)
        return
      }
      words[this.#held] = words[this.#held]! + 1
      room?.hold(1)
    }
    // From here on the permit is counted for the thread, no longer for the slot.
    if (granted || state === slotState.left) words[place + slotWord.state] = slotState.free
    unlock(words, this.#at)
    this.#store.settled(slot)
    if (granted || state === slotState.left) this.#store.slots.giveBack(slot)
    if (granted) this.#tell(slot, room)
  }

  #get(word: number): number {
    return this.#words[this.#at + word]!
  }

  /** A thread that has not got a gate's endpoints yet lets nobody through, not those of other threads either. */
  get #needsRoom(): boolean {
    return this.admission !== undefined || this.#words[this.#at + gateWord.rooms] !== 0
  }

  /** A bug in an admission must not leave the lock taken for all threads, nor those asleep that were let through. */
  #takeRoom(): Room | undefined {
    try {
      return this.admission?.take()
    } catch (fault) {
      unlock(this.#words, this.#at)
      this.#tellGranted()
      throw fault
    }
  }

  #countDryRun(running: number): void {
    const { limit, queue } = this.limits
    if (running >= limit + queue) this.#observer?.wouldRefuse?.('queueFull')
  }

  /** Puts a slot at the end of the queue. */
  #link(slot: number): void {
    const words = this.#words
    const at = this.#at
    const place = this.#store.placeOf(slot)
    const newest = words[at + gateWord.newest]!
    words[place + slotWord.gate] = this.record
    words[place + slotWord.thread] = this.#store.thread
    const ticket = words[at + gateWord.ticket]!
    words[at + gateWord.ticket] = (ticket + 1) | 0
    words[place + slotWord.ticket] = ticket
    words[place + slotWord.next] = none
    words[place + slotWord.previous] = newest
    words[place + slotWord.room] = none
    words[place + slotWord.since] = this.#store.now()
    words[place + slotWord.state] = slotState.waiting
    if (newest === none) words[at + gateWord.oldest] = slot
    else words[this.#store.placeOf(newest) + slotWord.next] = slot
    words[at + gateWord.newest] = slot
    words[at + gateWord.waiting] = words[at + gateWord.waiting]! + 1
  }

  #unlink(place: number): void {
    const words = this.#words
    const at = this.#at
    const next = words[place + slotWord.next]!
    const previous = words[place + slotWord.previous]!
    if (previous === none) words[at + gateWord.oldest] = next
    else words[this.#store.placeOf(previous) + slotWord.next] = next
    if (next === none) words[at + gateWord.newest] = previous
    else words[this.#store.placeOf(next) + slotWord.previous] = previous
    words[at + gateWord.waiting] = words[at + gateWord.waiting]! - 1
  }

  #leaveQueue(waiter: Waiter): void {
    const words = this.#words
    const { slot } = waiter
    const place = this.#store.placeOf(slot)
    this.#store.waiters.delete(slot)
    waiter.slot = -1
    lock(words, this.#at, this.#owner)
    if (words[place + slotWord.state] === slotState.waiting) {
      words[place + slotWord.state] = slotState.free
      this.#unlink(place)
      unlock(words, this.#at)
      this.#store.slots.giveBack(slot)
      return
    }
    // Granted by another thread, and not taken up: the slot is in this thread's list still, and is freed from there.
    words[place + slotWord.state] = slotState.left
    words[this.#at + gateWord.running] = words[this.#at + gateWord.running]! - 1
    const record = words[place + slotWord.room]!
    if (record !== none) this.#store.cellsOf(record).leave()
    this.#admitLocked()
    unlock(words, this.#at)
    this.#tellGranted()
  }

  #keepPace(): void {
    const words = this.#words
    const at = this.#at
    const now = this.#store.now()
    const elapsed =
      Math.min(Math.max((now - words[at + gateWord.releasedAt]!) | 0, 0), longestIntervalMs) * intervalUnit
    words[at + gateWord.releasedAt] = now
    const mean = words[at + gateWord.releaseInterval]!
    words[at + gateWord.releaseInterval] = mean === 0 ? elapsed : mean + ((elapsed - mean) >> intervalShift)
  }

  /** Lets through the oldest waiters that fit, whichever thread's they are. */
  #admitLocked(): void {
    const words = this.#words
    const at = this.#at
    for (;;) {
      const slot = words[at + gateWord.oldest]!
      if (slot === none) return
      if (words[at + gateWord.running]! >= words[at + gateWord.limit]! && words[at + gateWord.dryRun] === 0) return
      let room: Room | undefined
      if (this.#needsRoom) {
        room = this.#takeRoom()
        if (room === undefined) return
      }
      this.#grant(slot, room)
    }
  }

  #grant(slot: number, room: Room | undefined): void {
    const words = this.#words
    const place = this.#store.placeOf(slot)
    const thread = words[place + slotWord.thread]!
    if (thread === this.#store.thread) {
      words[place + slotWord.state] = slotState.free
      words[this.#held] = words[this.#held]! + 1
      room?.hold(1)
      this.#unlink(place)
      words[this.#at + gateWord.running] = words[this.#at + gateWord.running]! + 1
      this.#toTell.push({ slot, room })
      return
    }
    words[place + slotWord.room] = room?.record ?? none
    words[place + slotWord.state] = slotState.granted
    this.#unlink(place)
    words[this.#at + gateWord.running] = words[this.#at + gateWord.running]! + 1
    this.#store.pushGranted(thread, slot)
    if (!this.#toWake.includes(thread)) this.#toWake.push(thread)
  }

  /** The waiter of this thread in that slot has its permit; it hears of it at the end of the turn. */
  #tell(slot: number, room: Room | undefined): void {
    const waiter = this.#store.waiters.get(slot)!
    this.#store.waiters.delete(slot)
    waiter.slot = -1
    waiter.permit.gate = this
    waiter.permit.room = room
    waiter.waiterState = 'granted'
    this.#parts.turn.put(waiter)
    this.#observer?.waited(this.#parts.clock() - waiter.waitingSince)
  }

  /** Everybody who was granted something inside the lock hears of it. */
  #tellGranted(): void {
    for (let thread = this.#toWake.pop(); thread !== undefined; thread = this.#toWake.pop()) {
      this.#store.mailbox.post(thread, mail.granted)
    }
    if (this.#toTell.length > 0) this.#tellOwn()
  }

  #tellOwn(): void {
    const granted = this.#toTell
    this.#toTell = []
    let told = 0
    try {
      for (const { slot, room } of granted) {
        told++
        this.#store.slots.giveBack(slot)
        this.#tell(slot, room)
      }
    } finally {
      // A bug met with one of them must not keep the others asleep.
      this.#toTell = granted.slice(told)
      if (this.#toTell.length > 0) this.#tellOwn()
    }
  }
}
