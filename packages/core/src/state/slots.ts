import { chunkSlots, type Layout, slotState, slotWord, slotWords } from './layout.ts'

/**
 * The waiters' slots of one thread. It takes them out of the shared slab a chunk at a time, by one compare-and-swap on
 * the chunk's owner, and has them for itself from then on: so taking a slot costs nothing, and all that a dead thread
 * had is found by its name on the chunks.
 *
 * The first chunks are kept for one thread each, so that some may wait in a thread whatever the others have taken. Of the
 * others it keeps none that is empty, while it has free slots elsewhere: they belong to whoever needs them.
 */
export class Slots {
  readonly #words: Int32Array
  readonly #layout: Layout
  readonly #owner: number
  /** The free slots of each chunk that this thread has. */
  readonly #chunks = new Map<number, number[]>()
  /** Those of them that have any. */
  readonly #open = new Set<number>()
  /** One of these, or -1. */
  #current = -1

  constructor(words: Int32Array, layout: Layout, owner: number) {
    this.#words = words
    this.#layout = layout
    this.#owner = owner
  }

  /** A slot, or -1 when all are taken. */
  take(): number {
    if (this.#current < 0 && !this.#claim()) return -1
    const free = this.#chunks.get(this.#current)!
    const slot = free.pop()!
    if (free.length === 0) {
      this.#open.delete(this.#current)
      this.#goOn()
    }
    return slot
  }

  /** The slot's waiter is gone. */
  giveBack(slot: number): void {
    this.#words[this.#layout.slots + slot * slotWords + slotWord.state] = slotState.free
    const chunk = Math.floor(slot / chunkSlots)
    const free = this.#chunks.get(chunk)!
    free.push(slot)
    this.#open.add(chunk)
    if (this.#current < 0) this.#current = chunk
    // Empty is this one, or the current one, that was kept for want of another one.
    if (this.#open.size > 1 && !this.#returnIfEmpty(chunk)) this.#returnIfEmpty(this.#current)
  }

  /** The slots of this thread that were granted by others and not taken up, those that have left since included. */
  granted(): number[] {
    const found: number[] = []
    for (const [chunk, free] of this.#chunks) {
      if (free.length === chunkSlots) continue
      for (let slot = chunk * chunkSlots; slot < (chunk + 1) * chunkSlots; slot++) {
        const state = this.#words[this.#layout.slots + slot * slotWords + slotWord.state]!
        if (state === slotState.granted || state === slotState.left) found.push(slot)
      }
    }
    return found
  }

  /** The chunk that is kept for this thread. */
  get #own(): number {
    return this.#owner - 1
  }

  #claim(): boolean {
    const { chunkCount, capacity } = this.#layout
    if (this.#claimOne(this.#own)) return true
    for (let chunk = capacity.threads; chunk < chunkCount; chunk++) if (this.#claimOne(chunk)) return true
    return false
  }

  #claimOne(chunk: number): boolean {
    const at = this.#layout.chunks + chunk
    if (this.#words[at] !== 0 || Atomics.compareExchange(this.#words, at, 0, this.#owner) !== 0) return false
    // The last is taken first.
    this.#chunks.set(
      chunk,
      Array.from({ length: chunkSlots }, (_, i) => (chunk + 1) * chunkSlots - 1 - i),
    )
    this.#open.add(chunk)
    this.#current = chunk
    return true
  }

  #returnIfEmpty(chunk: number): boolean {
    if (chunk === this.#own || this.#chunks.get(chunk)!.length < chunkSlots) return false
    this.#chunks.delete(chunk)
    this.#open.delete(chunk)
    if (this.#current === chunk) this.#goOn()
    Atomics.store(this.#words, this.#layout.chunks + chunk, 0)
    return true
  }

  #goOn(): void {
    const [next = -1] = this.#open
    this.#current = next
  }
}
