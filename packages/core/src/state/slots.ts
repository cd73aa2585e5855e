import { chunkSlots, type Layout, slotState, slotWord, slotWords } from './layout.ts'

/** Free slots beyond which a thread gives whole chunks back. */
const hoardedSlots = 4 * chunkSlots

/**
 * The waiters' slots of one thread. It takes them out of the shared slab a chunk at a time, by one compare-and-swap on
 * the chunk's owner, and has them for itself from then on: so taking a slot costs nothing, and all that a dead thread
 * had is found by its name on the chunks.
 */
export class Slots {
  readonly #words: Int32Array
  readonly #layout: Layout
  readonly #owner: number
  #free: number[] = []
  /** Slots in use, by chunk. */
  readonly #used = new Map<number, number>()

  constructor(words: Int32Array, layout: Layout, owner: number) {
    this.#words = words
    this.#layout = layout
    this.#owner = owner
  }

  /** A slot, or -1 when all are taken. */
  take(): number {
    const slot = this.#free.pop() ?? this.#claim()
    if (slot >= 0) {
      const chunk = Math.floor(slot / chunkSlots)
      this.#used.set(chunk, (this.#used.get(chunk) ?? 0) + 1)
    }
    return slot
  }

  /** The slot's waiter is gone. */
  giveBack(slot: number): void {
    this.#words[this.#layout.slots + slot * slotWords + slotWord.state] = slotState.free
    this.#free.push(slot)
    const chunk = Math.floor(slot / chunkSlots)
    const used = this.#used.get(chunk)! - 1
    this.#used.set(chunk, used)
    if (used === 0 && this.#free.length > hoardedSlots) this.#returnChunk(chunk)
  }

  /** The slots of this thread that were granted by others and not taken up, those that have left since included. */
  granted(): number[] {
    const found: number[] = []
    for (const [chunk, used] of this.#used) {
      if (used === 0) continue
      for (let slot = chunk * chunkSlots; slot < (chunk + 1) * chunkSlots; slot++) {
        const state = this.#words[this.#layout.slots + slot * slotWords + slotWord.state]!
        if (state === slotState.granted || state === slotState.left) found.push(slot)
      }
    }
    return found
  }

  #claim(): number {
    const { chunks, chunkCount } = this.#layout
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      if (this.#words[chunks + chunk] !== 0) continue
      if (Atomics.compareExchange(this.#words, chunks + chunk, 0, this.#owner) !== 0) continue
      for (let slot = (chunk + 1) * chunkSlots - 1; slot > chunk * chunkSlots; slot--) this.#free.push(slot)
      return chunk * chunkSlots
    }
    return -1
  }

  #returnChunk(chunk: number): void {
    this.#used.delete(chunk)
    this.#free = this.#free.filter((slot) => Math.floor(slot / chunkSlots) !== chunk)
    Atomics.store(this.#words, this.#layout.chunks + chunk, 0)
  }
}
