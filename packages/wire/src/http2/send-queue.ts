import { copyBytes } from '../http1/bytes.ts'
import type { ByteAccount } from '../link/index.ts'

const minBlockBytes = 1_024
const maxBlockBytes = 16_384

/** What a stream has to send and may not send yet: copies, in blocks that grow with what is queued. */
export class SendQueue {
  bytes = 0
  readonly #blocks: Buffer[] = []
  /** Where the first block's unsent bytes begin, and where the last block's bytes end. */
  #start = 0
  #end = 0

  push(bytes: Buffer, start: number, end: number, account: ByteAccount | undefined): void {
    let at = start
    const last = this.#blocks.at(-1)
    if (last !== undefined) {
      at += Math.min(end - start, last.length - this.#end)
      this.#end = copyBytes(last, this.#end, bytes, start, at)
    }
    if (at < end) {
      const room = Math.max(minBlockBytes, Math.min(maxBlockBytes, this.bytes))
      const block = Buffer.allocUnsafeSlow(Math.max(end - at, room))
      this.#end = copyBytes(block, 0, bytes, at, end)
      this.#blocks.push(block)
    }
    this.bytes += end - start
    account?.add(end - start)
  }

  /** Moves the first `length` bytes, which must be there, to `out` at `pos`. */
  moveTo(out: Buffer, pos: number, length: number, account: ByteAccount | undefined): void {
    let to = pos
    let left = length
    while (left > 0) {
      const block = this.#blocks[0]!
      const blockEnd = this.#blocks.length === 1 ? this.#end : block.length
      const end = Math.min(blockEnd, this.#start + left)
      left -= end - this.#start
      to = copyBytes(out, to, block, this.#start, end)
      this.#start = end
      if (end === blockEnd) {
        this.#blocks.shift()
        this.#start = 0
      }
    }
    this.bytes -= length
    account?.add(-length)
  }

  clear(account: ByteAccount | undefined): void {
    if (this.bytes > 0) account?.add(-this.bytes)
    this.bytes = 0
    this.#blocks.length = 0
    this.#start = 0
    this.#end = 0
  }
}
