import type { SharedMemory } from '@sluice/core'

/** What `state/layout.ts` of the core says of where words lie, as far as it is needed here. */
export interface LayoutWords {
  readonly gateWord: Readonly<
    Record<'lock' | 'limit' | 'running' | 'waiting' | 'oldest' | 'newest' | 'ticket' | 'held', number>
  >
  readonly slotWord: Readonly<Record<'state' | 'gate' | 'thread' | 'ticket' | 'next' | 'previous' | 'room', number>>
  readonly slotState: Readonly<Record<'free' | 'waiting' | 'granted' | 'left', number>>
  readonly endpointWord: Readonly<Record<'running' | 'limit' | 'perThread', number>>
  readonly endpointThreadWord: Readonly<Record<'running', number>>
  readonly slotWords: number
  readonly chunkSlots: number
  readonly none: number
}

// As it is before anybody makes `Atomics` see more than words: see `seeThrough`.
const { load } = Atomics

/** A waiter's slot as it stands in memory. */
export interface SlotView {
  readonly slot: number
  readonly place: number
  readonly state: number
  readonly ticket: number
  readonly room: number
  readonly thread: number
}

/**
 * The shared state recounted from the words that are the truth: each thread's own counts, and the states of slots.
 *
 * It is exact for a gate that nobody is inside of, and whose lock no dead thread has left taken.
 */
export class SharedTruth {
  readonly #memory: SharedMemory
  readonly #at: LayoutWords

  constructor(memory: SharedMemory, layout: LayoutWords) {
    this.#memory = memory
    this.#at = layout
  }

  /** The slots that are not free, of one gate or of all. */
  slots(gate?: number): SlotView[] {
    const { layout } = this.#memory
    const { slotWord, slotState, slotWords, chunkSlots } = this.#at
    const found: SlotView[] = []
    for (let chunk = 0; chunk < layout.chunkCount; chunk++) {
      if (this.#load(layout.chunks + chunk) === 0) continue
      for (let slot = chunk * chunkSlots; slot < (chunk + 1) * chunkSlots; slot++) {
        const place = layout.slots + slot * slotWords
        // The state first: while a gate's lock is held, only the gate of a slot of another gate changes.
        const state = this.#load(place + slotWord.state)
        if (state === slotState.free) continue
        if (gate !== undefined && this.#load(place + slotWord.gate) !== gate) continue
        const [ticket, room] = [this.#load(place + slotWord.ticket), this.#load(place + slotWord.room)]
        found.push({ slot, place, state, ticket, room, thread: this.#load(place + slotWord.thread) })
      }
    }
    return found
  }

  stateOf(slot: number): number {
    return this.#load(this.#memory.layout.slots + slot * this.#at.slotWords + this.#at.slotWord.state)
  }

  roomOf(slot: number): number {
    return this.#load(this.#memory.layout.slots + slot * this.#at.slotWords + this.#at.slotWord.room)
  }

  /** Who is inside a gate: 0, or a thread's number plus 1. */
  owner(gate: number): number {
    return this.#load(this.#memory.gatePlace(gate) + this.#at.gateWord.lock)
  }

  /** What is wrong with a gate and its endpoints; undefined when the counts and the queue agree with the truth. */
  problemOf(gate: number, endpoints: readonly number[]): string | undefined {
    const { gateWord, slotWord, slotState, none } = this.#at
    const at = this.#memory.gatePlace(gate)
    const slots = this.slots(gate)
    const granted = slots.filter(({ state }) => state === slotState.granted)
    const waiting = slots.filter(({ state }) => state === slotState.waiting)
    const held = this.#sum(at + gateWord.held)
    const running = this.#load(at + gateWord.running)
    if (running !== held + granted.length) {
      return `it counts ${running} permits; ${held} are held and ${granted.length} under way`
    }
    const count = this.#load(at + gateWord.waiting)
    if (count !== waiting.length) return `it counts ${count} waiters, ${waiting.length} wait`
    waiting.sort((a, b) => (a.ticket - b.ticket) | 0)
    const places = waiting.map(({ slot }) => slot)
    if (this.#load(at + gateWord.oldest) !== (places[0] ?? none)) return 'its oldest waiter is another one'
    if (this.#load(at + gateWord.newest) !== (places.at(-1) ?? none)) return 'its newest waiter is another one'
    for (const [i, { place }] of waiting.entries()) {
      const linked =
        this.#load(place + slotWord.next) === (places[i + 1] ?? none) &&
        this.#load(place + slotWord.previous) === (places[i - 1] ?? none)
      if (!linked) return `waiter ${i} of ${waiting.length} is not linked by the order of tickets`
    }
    for (const endpoint of endpoints) {
      const runs = this.runningAt(endpoint)
      const owned = this.#heldAt(endpoint)
      const coming = granted.filter(({ room }) => room === endpoint).length
      if (runs !== owned + coming) return `endpoint ${endpoint} counts ${runs}; ${owned} are there and ${coming} come`
    }
    return undefined
  }

  runningAt(endpoint: number): number {
    return this.#load(this.#endpointPlace(endpoint) + this.#at.endpointWord.running)
  }

  limitAt(endpoint: number): number {
    return this.#load(this.#endpointPlace(endpoint) + this.#at.endpointWord.limit)
  }

  #heldAt(endpoint: number): number {
    const holders = this.#memory.layout.capacity.threads + 1
    const { endpointWord, endpointThreadWord } = this.#at
    return this.#sum(this.#endpointPlace(endpoint) + endpointWord.perThread + endpointThreadWord.running * holders)
  }

  #endpointPlace(endpoint: number): number {
    return this.#memory.layout.endpoints + endpoint * this.#memory.layout.endpointWords
  }

  #sum(first: number): number {
    let sum = 0
    for (let i = 0; i <= this.#memory.layout.capacity.threads; i++) sum += this.#load(first + i)
    return sum
  }

  #load(at: number): number {
    return load(this.#memory.words, at)
  }
}
