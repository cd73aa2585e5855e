import type { SharedMemory } from '@sluice/core'
import { type LayoutWords, SharedTruth } from './shared-truth.ts'

/** What threads are to do. */
export const phase = { work: 0, home: 1 } as const

/** What a thread is given so that it sees the same witness. Can be posted. */
export interface WitnessHandle {
  readonly buffer: SharedArrayBuffer
  readonly threads: number
}

/** Gates and endpoints that are watched, at most; gates are numbered by their records. */
const places = 8
/** Microseconds between a release and whom it let through being told: by octaves in eighths. */
const buckets = 200
const bucketsPerOctave = 8

const word = {
  phase: 0,
  /** By place: who is in there, four bits for each thread. */
  holders: 16,
  /** By place: how many may be. */
  ceiling: 32,
  /** By gate: the newest ticket that any thread has seen. */
  newest: 48,
  /** By gate: how many were granted out of the queue. */
  grants: 64,
  /** By thread. */
  steps: 80,
  idleSame: 96,
  idleOther: 96 + buckets,
  /** By slot: when the release that reached it happened, in shared microseconds, and in which thread. */
  slots: 96 + 2 * buckets,
} as const

const maxSlots = 4_096

/**
 * What is true of gates beside what they say themselves: how many units hold a permit at this instant in which thread.
 *
 * The permits of all threads at one gate, or at one endpoint, are counted in one word, four bits for each thread: so
 * whoever adds his own sees all of them at that instant, and those of a dead thread can be taken out. A unit is counted
 * after it was let through and until before it is released: what is counted here is never more than what there is.
 */
export class GateWitness {
  readonly handle: WitnessHandle
  readonly #words: Int32Array
  readonly #memory: SharedMemory
  readonly #at: LayoutWords
  readonly #truth: SharedTruth
  readonly #clockOffset: number

  constructor(handle: WitnessHandle, memory: SharedMemory, layout: LayoutWords) {
    this.handle = handle
    this.#words = new Int32Array(handle.buffer)
    this.#memory = memory
    this.#at = layout
    this.#truth = new SharedTruth(memory, layout)
    // A thread that is put aside between the two readings has too small an offset.
    const offset = () => Number(process.hrtime.bigint() / 1_000n) - performance.now() * 1_000
    this.#clockOffset = Math.max(...Array.from({ length: 5 }, offset))
  }

  static create(threads: number): WitnessHandle {
    if (threads > 8) throw new Error(`there are four bits for each of 8 threads, not ${threads}`)
    const length = word.slots + 2 * maxSlots
    const buffer = new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT)
    // The first ticket is 0.
    new Int32Array(buffer).fill(-1, word.newest, word.newest + places)
    return { buffer, threads }
  }

  get phase(): number {
    return Atomics.load(this.#words, word.phase)
  }

  set phase(value: number) {
    Atomics.store(this.#words, word.phase, value)
  }

  get steps(): number {
    let steps = 0
    for (let thread = 0; thread < this.handle.threads; thread++) steps += this.stepsOf(thread)
    return steps
  }

  get grants(): number {
    return this.#idle(word.idleSame).total + this.#idle(word.idleOther).total
  }

  /** Microseconds that mean the same in all threads. */
  now(): number {
    return (performance.now() * 1_000 + this.#clockOffset) | 0
  }

  stepsOf(thread: number): number {
    return Atomics.load(this.#words, word.steps + thread)
  }

  countSteps(thread: number, steps: number): void {
    Atomics.add(this.#words, word.steps + thread, steps)
  }

  setCeiling(place: number, units: number): void {
    Atomics.store(this.#words, word.ceiling + place, units)
  }

  /** A unit holds its permit; returns what is wrong with that. `room`: the endpoint's record, or -1. */
  enter(thread: number, gate: number, room: number): string | undefined {
    const one = 1 << (4 * thread)
    const there = holders(Atomics.add(this.#words, word.holders + gate, one) + one)
    const ceiling = Atomics.load(this.#words, word.ceiling + gate)
    if (there > ceiling) return `${there} hold a permit of gate ${gate} under a limit of ${ceiling}`
    if (room < 0) return gate === 2 ? 'a unit has a permit of the gate before endpoints, and no endpoint' : undefined
    const place = endpointPlace(room)
    const atEndpoint = holders(Atomics.add(this.#words, word.holders + place, one) + one)
    const bound = Atomics.load(this.#words, word.ceiling + place)
    return atEndpoint > bound ? `${atEndpoint} run at endpoint ${room} under a limit of ${bound}` : undefined
  }

  leave(thread: number, gate: number, room: number): void {
    const one = 1 << (4 * thread)
    Atomics.sub(this.#words, word.holders + gate, one)
    if (room >= 0) Atomics.sub(this.#words, word.holders + endpointPlace(room), one)
  }

  /** A thread has died, and so has what it held. */
  forget(thread: number): void {
    for (let place = 0; place < places; place++) {
      Atomics.and(this.#words, word.holders + place, ~(0xf << (4 * thread)))
    }
  }

  /** How many hold a permit there. */
  holding(place: number): number {
    return holders(Atomics.load(this.#words, word.holders + place))
  }

  newestTicket(gate: number): number {
    return Atomics.load(this.#words, word.newest + gate)
  }

  ticketOf(slot: number): number {
    return Atomics.load(this.#memory.words, this.#place(slot) + this.#at.slotWord.ticket)
  }

  /** Notes a ticket; false when it is not later than one that had been given before. */
  isLater(gate: number, ticket: number, before: number): boolean {
    for (;;) {
      const newest = this.newestTicket(gate)
      if (((ticket - newest) | 0) <= 0) break
      if (Atomics.compareExchange(this.#words, word.newest + gate, newest, ticket) === newest) break
    }
    return ((ticket - before) | 0) > 0
  }

  /** Says who waits still though he came before that ticket, whose turn has come. */
  overtaken(gate: number, ticket: number): string | undefined {
    for (const slot of this.#truth.slots(gate)) {
      if (slot.state !== this.#at.slotState.waiting || ((ticket - slot.ticket) | 0) <= 0) continue
      // A slot is not read at once: it counts only when it is the same waiter still.
      const again = this.#truth.slots(gate).find((one) => one.slot === slot.slot)
      if (again?.state !== this.#at.slotState.waiting || again.ticket !== slot.ticket) continue
      return `ticket ${slot.ticket} of gate ${gate} waits, and ${ticket} was let through`
    }
    return undefined
  }

  /** A release is about to reach whoever waits longest. */
  noteRelease(gate: number, thread: number): void {
    const { gateWord, none } = this.#at
    const oldest = Atomics.load(this.#memory.words, this.#memory.gatePlace(gate) + gateWord.oldest)
    if (oldest === none || oldest >= maxSlots) return
    Atomics.store(this.#words, word.slots + 2 * oldest, this.now())
    Atomics.store(this.#words, word.slots + 2 * oldest + 1, thread + 1)
  }

  /** A waiter has been told. */
  countGrant({ slot, since }: { readonly slot: number; readonly since: number }, thread: number): void {
    const at = word.slots + 2 * slot
    const by = Atomics.exchange(this.#words, at + 1, 0)
    const released = Atomics.load(this.#words, at)
    // Not by a release, but by a raised limit or a dead thread's permit.
    const reached = by !== 0 && ((released - since) | 0) >= 0
    const us = reached ? Math.max(1, (this.now() - released) | 0) : 1
    const bucket = Math.min(buckets - 1, Math.floor(Math.log2(us) * bucketsPerOctave))
    if (reached) Atomics.add(this.#words, (by === thread + 1 ? word.idleSame : word.idleOther) + bucket, 1)
  }

  /** How long permits were idle after a release that somebody waited for, in microseconds: in the same thread or not. */
  idle(which: 'same' | 'other'): { readonly count: number; readonly p50: number; readonly p99: number } {
    const { total, at } = this.#idle(which === 'same' ? word.idleSame : word.idleOther)
    return { count: total, p50: at(0.5), p99: at(0.99) }
  }

  #idle(first: number): { total: number; at(share: number): number } {
    const counts = Array.from({ length: buckets }, (_, i) => Atomics.load(this.#words, first + i))
    const total = counts.reduce((sum, count) => sum + count, 0)
    const at = (share: number) => {
      let below = 0
      const bucket = counts.findIndex((count) => (below += count) >= share * total)
      return total === 0 ? Number.NaN : Math.round(2 ** ((bucket + 0.5) / bucketsPerOctave))
    }
    return { total, at }
  }

  #place(slot: number): number {
    return this.#memory.layout.slots + slot * this.#at.slotWords
  }
}

/** Where the units at an endpoint are counted. */
export function endpointPlace(record: number): number {
  return 4 + record
}

/** The sum of eight times four bits. */
function holders(word: number): number {
  const pairs = (word & 0x0f0f0f0f) + ((word >>> 4) & 0x0f0f0f0f)
  return Math.imul(pairs, 0x01010101) >>> 24
}
