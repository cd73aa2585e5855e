import type { ThreadCount } from './thread-count.ts'

const kibibyte = 1_024

/**
 * Bytes that are held in memory for peers that wait or are slow: what came of units that are not let through yet, and
 * what links have not got rid of. All threads count together, in KiB, since a word of theirs holds no more.
 */
export class HeldBytes {
  /** Beyond it new units are refused. */
  maxBytes: number
  readonly #heldKiB: ThreadCount
  #bytes = 0
  #toldKiB = 0

  constructor(heldKiB: ThreadCount, maxBytes: number) {
    this.#heldKiB = heldKiB
    this.maxBytes = maxBytes
  }

  /** Whether all threads together hold as much as they may. */
  get exceeded(): boolean {
    return this.#heldKiB.total * kibibyte >= this.maxBytes
  }

  /** So many more are held here; below zero, fewer. */
  add(bytes: number): void {
    this.#bytes += bytes
    const kiB = Math.floor(this.#bytes / kibibyte)
    if (kiB === this.#toldKiB) return
    this.#heldKiB.add(kiB - this.#toldKiB)
    this.#toldKiB = kiB
  }
}
