import {
  chunkSlots,
  endpointThreadWord,
  endpointThreadWords,
  endpointWord,
  gateWord,
  none,
  slotState,
  slotWord,
  threadWord,
} from './layout.ts'
import { unlock } from './lock.ts'
import { Mailbox, mail } from './mailbox.ts'
import type { SharedMemory } from './shared-memory.ts'

/** How often a lock is tried before whoever recovers lets other things happen. */
const tries = 10_000

/** Which records are in use: those of endpoints by the record of their upstream's gate. */
export interface RecordsInUse {
  readonly gates: Iterable<number>
  endpointsOf(gate: number): readonly number[]
}

/** Permits of a dead thread that stay taken for a while: nobody knows when the upstream is done (`abandoned: wait`). */
export interface Abandoned {
  readonly gate: number
  readonly permits: number
  readonly rooms: ReadonlyMap<number, number>
  readonly keepMs: number
}

/**
 * Clears up after threads that have died, from the main thread. On a thread's exit and not before: only then have its
 * sockets closed, and what it ran runs no more.
 *
 * It may have died between any two stores. So whatever it may have touched is locked, and queue and counts are made anew
 * from the truth: the states of slots, and the living threads' own counts.
 */
export class Recovery {
  readonly #memory: SharedMemory
  readonly #words: Int32Array
  /** The main thread's number among the holders. */
  readonly #main: number
  readonly #mailbox: Mailbox

  constructor(memory: SharedMemory) {
    this.#memory = memory
    this.#words = memory.words
    this.#main = memory.layout.capacity.threads
    this.#mailbox = new Mailbox(memory, this.#main)
  }

  /** Resolves when everything is as if the thread had never been, and its number may be used anew. */
  async recover(dead: number, records: RecordsInUse, kept: (abandoned: Abandoned) => void): Promise<void> {
    const slots = this.#slotsOwnedBy(dead)
    const touched = new Set(
      slots
        .filter((place) => this.#words[place] !== slotState.free)
        .map((place) => this.#words[place + slotWord.gate]!),
    )
    for (const gate of records.gates) {
      const at = this.#memory.gatePlace(gate)
      const died = Atomics.load(this.#words, at + gateWord.lock) === dead + 1
      const held = this.#words[this.#memory.heldPlace(gate, dead)]! !== 0
      if (!died && !held && !touched.has(gate)) continue
      while (!this.#lock(at, dead)) await new Promise((resolve) => setTimeout(resolve, 1))
      const endpoints = records.endpointsOf(gate)
      const abandoned = this.#take(gate, dead, endpoints)
      for (const place of slots) {
        if (this.#words[place + slotWord.gate] === gate) this.#words[place + slotWord.state] = slotState.free
      }
      this.#rebuild(gate, endpoints)
      unlock(this.#words, at)
      if (abandoned !== undefined) kept(abandoned)
    }
    this.#forget(dead)
    this.#tellAll(mail.recover)
  }

  /** Gives back what was kept for a dead thread. */
  async giveBack({ gate, permits, rooms }: Abandoned, records: RecordsInUse): Promise<void> {
    const at = this.#memory.gatePlace(gate)
    while (!this.#lock(at, this.#main)) await new Promise((resolve) => setTimeout(resolve, 1))
    this.#change(this.#memory.heldPlace(gate, this.#main), -permits)
    for (const [endpoint, units] of rooms) this.#change(this.#runningPlace(endpoint, this.#main), -units)
    this.#rebuild(gate, records.endpointsOf(gate))
    unlock(this.#words, at)
    this.#tellAll(mail.admit)
  }

  /** Locks a gate: one that the dead thread has locked is ours from now on. */
  #lock(at: number, dead: number): boolean {
    const own = this.#main + 1
    for (let i = 0; i < tries; i++) {
      const before = Atomics.load(this.#words, at)
      const ours = before === 0 || before === dead + 1
      if (ours && Atomics.compareExchange(this.#words, at, before, own) === before) return true
    }
    return false
  }

  /** Takes the dead thread's permits from it; those of a service that cannot cancel are ours for a while. */
  #take(gate: number, dead: number, endpoints: readonly number[]): Abandoned | undefined {
    const keepMs = this.#words[this.#memory.gatePlace(gate) + gateWord.abandonedMs]!
    const permits = this.#words[this.#memory.heldPlace(gate, dead)]!
    const keep = keepMs > 0 && permits > 0
    const rooms = new Map<number, number>()
    for (const endpoint of endpoints) {
      const at = this.#runningPlace(endpoint, dead)
      const units = this.#words[at]!
      this.#words[at] = 0
      if (!keep || units === 0) continue
      rooms.set(endpoint, units)
      this.#change(this.#runningPlace(endpoint, this.#main), units)
    }
    this.#words[this.#memory.heldPlace(gate, dead)] = 0
    if (!keep) return undefined
    this.#change(this.#memory.heldPlace(gate, this.#main), permits)
    return { gate, permits, rooms, keepMs }
  }

  /** Makes a locked gate's queue and counts, and those of its endpoints, anew. */
  #rebuild(gate: number, endpoints: readonly number[]): void {
    const words = this.#words
    const at = this.#memory.gatePlace(gate)
    const waiting: number[] = []
    const rooms = new Map<number, number>()
    let running = this.#sum(this.#memory.heldPlace(gate, 0))
    for (const slot of this.#slotsInUse()) {
      const place = this.#memory.slotPlace(slot)
      // The state before the gate: the slot of another gate may begin to wait there while we look. Read the other way
      // round, it would be one that has been here and waits.
      const state = Atomics.load(words, place + slotWord.state)
      if (Atomics.load(words, place + slotWord.gate) !== gate) continue
      if (state === slotState.waiting) waiting.push(slot)
      if (state !== slotState.granted) continue
      running++
      const room = words[place + slotWord.room]!
      rooms.set(room, (rooms.get(room) ?? 0) + 1)
    }
    // Tickets wrap around: only their differences mean anything.
    const ticket = (slot: number) => words[this.#memory.slotPlace(slot) + slotWord.ticket]!
    waiting.sort((a, b) => (ticket(a) - ticket(b)) | 0)
    for (const [i, slot] of waiting.entries()) {
      words[this.#memory.slotPlace(slot) + slotWord.previous] = waiting[i - 1] ?? none
      words[this.#memory.slotPlace(slot) + slotWord.next] = waiting[i + 1] ?? none
    }
    words[at + gateWord.oldest] = waiting[0] ?? none
    words[at + gateWord.newest] = waiting.at(-1) ?? none
    words[at + gateWord.waiting] = waiting.length
    words[at + gateWord.running] = running
    for (const endpoint of endpoints) {
      const held = this.#sum(this.#runningPlace(endpoint, 0))
      words[this.#endpointPlace(endpoint) + endpointWord.running] = held + (rooms.get(endpoint) ?? 0)
    }
  }

  /** Frees what else the dead thread had: chunks of slots, connections, its own words. */
  #forget(dead: number): void {
    const words = this.#words
    const { chunks, chunkCount, capacity } = this.#memory.layout
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      if (words[chunks + chunk] === dead + 1) Atomics.store(words, chunks + chunk, 0)
    }
    for (const word of Object.keys(threadWord) as (keyof typeof threadWord)[]) {
      words[this.#memory.threadPlace(dead, word)] = word === 'granted' ? none : 0
    }
    for (let listener = 0; listener < capacity.listeners; listener++) {
      this.#memory.listenerCount(listener, dead).forget(dead)
    }
    const holders = capacity.threads + 1
    for (let endpoint = 0; endpoint < capacity.endpoints; endpoint++) {
      const first = this.#endpointPlace(endpoint) + endpointWord.perThread
      for (let which = endpointThreadWord.connections; which < endpointThreadWords; which++) {
        words[first + which * holders + dead] = 0
      }
    }
  }

  #tellAll(what: number): void {
    for (let thread = 0; thread < this.#main; thread++) this.#mailbox.postAndWake(thread, what)
  }

  #slotsOwnedBy(thread: number): number[] {
    return [...this.#slotsInUse(thread + 1)].map((slot) => this.#memory.slotPlace(slot))
  }

  /** The slots of all chunks that some thread, or that owner, has taken. */
  *#slotsInUse(owner?: number): Generator<number> {
    const { chunks, chunkCount } = this.#memory.layout
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      const by = Atomics.load(this.#words, chunks + chunk)
      if (by === 0 || (owner !== undefined && by !== owner)) continue
      for (let i = 0; i < chunkSlots; i++) yield chunk * chunkSlots + i
    }
  }

  #endpointPlace(endpoint: number): number {
    return this.#memory.layout.endpoints + endpoint * this.#memory.layout.endpointWords
  }

  #runningPlace(endpoint: number, thread: number): number {
    const holders = this.#main + 1
    return this.#endpointPlace(endpoint) + endpointWord.perThread + endpointThreadWord.running * holders + thread
  }

  #sum(first: number): number {
    let sum = 0
    for (let thread = 0; thread <= this.#main; thread++) sum += this.#words[first + thread]!
    return sum
  }

  #change(at: number, by: number): void {
    this.#words[at] = this.#words[at]! + by
  }
}
