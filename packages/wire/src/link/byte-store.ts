import { copyBytes } from '../http1/bytes.ts'

const none = Buffer.alloc(0)
const firstBytes = 1_024

/** Where bytes are counted that are held in memory. */
export interface ByteAccount {
  /** So many more are held; below zero, fewer. */
  add(bytes: number): void
}

/**
 * Memory for what a client sends before its unit may go on. One buffer that doubles: a client that sends byte by byte
 * must not cost more than what it has sent.
 */
export class ByteStore {
  readonly #account: ByteAccount | undefined
  #bytes: Buffer = none
  length = 0

  constructor(account?: ByteAccount) {
    this.#account = account
  }

  /** Appends a copy of lent bytes. */
  write(bytes: Buffer, start: number, end: number): void {
    const needed = this.length + end - start
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2, firstBytes))
      this.#bytes.copy(larger, 0, 0, this.length)
      this.#bytes = larger
    }
    this.length = copyBytes(this.#bytes, this.length, bytes, start, end)
    this.#account?.add(end - start)
  }

  /** What is stored. The buffer is given away: the store is empty afterwards and never writes into it again. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.length)
    this.clear()
    return taken
  }

  /** Keeps the rest of what was taken, without a copy. Only while nothing else has been written. */
  giveBack(taken: Buffer, start: number): void {
    this.#bytes = taken.subarray(start)
    this.length = this.#bytes.length
    this.#account?.add(this.length)
  }

  clear(): void {
    if (this.length === 0) return
    this.#account?.add(-this.length)
    this.#bytes = none
    this.length = 0
  }
}
