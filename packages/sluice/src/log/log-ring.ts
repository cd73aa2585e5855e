import { setImmediate } from 'node:timers/promises'
import { countLines, type LogSink } from './log-sink.ts'

/** What of a thread's lines may wait for the thread that writes the file, in bytes. */
const defaultCapacity = 1_024 * 1_024

/**
 * The words before the bytes. `written` and `taken` count bytes from the beginning and wrap around together: since the
 * capacity is a power of two, their difference is what waits and their lower bits are the place.
 */
const word = { written: 0, taken: 1, dropped: 2 } as const
const headerBytes = 64

/** Bytes that one unit of a string takes in UTF-8, at most. */
const maxBytesPerUnit = 3

/** The memory of a ring, to be handed to both of its ends. `capacity` is a power of two. */
export function logRingMemory(capacity = defaultCapacity): SharedArrayBuffer {
  return new SharedArrayBuffer(headerBytes + capacity)
}

class LogRing {
  readonly words: Int32Array
  readonly bytes: Buffer

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, headerBytes / Int32Array.BYTES_PER_ELEMENT)
    this.bytes = Buffer.from(memory, headerBytes)
  }

  at(count: number): number {
    return count & (this.bytes.length - 1)
  }
}

/**
 * The end of the thread that logs. It alone moves `written`, after the bytes have been laid down: a thread that dies in
 * between leaves nothing that its reader would see.
 */
export class LogRingWriter implements LogSink {
  /** Is never called: the reader hears of it, since it counts for all threads. */
  onDropped: (lines: number) => void = () => {}
  readonly #ring: LogRing

  constructor(memory: SharedArrayBuffer) {
    this.#ring = new LogRing(memory)
  }

  /** Appends whole lines, all or none: false when there is no room, and they are dropped and counted. */
  write(lines: string): boolean {
    const { words, bytes } = this.#ring
    const written = Atomics.load(words, word.written)
    const waiting = (written - Atomics.load(words, word.taken)) | 0
    const room = bytes.length - waiting
    const at = this.#ring.at(written)
    // Where it fits in one piece at its longest it is encoded in place, which costs a tenth of making a copy.
    if (lines.length * maxBytesPerUnit <= Math.min(room, bytes.length - at)) {
      const length = bytes.write(lines, at)
      Atomics.store(words, word.written, (written + length) | 0)
      Atomics.notify(words, word.written)
      return true
    }
    const batch = Buffer.from(lines)
    const fits = batch.length <= room
    if (fits) {
      const first = Math.min(batch.length, bytes.length - at)
      bytes.set(batch.subarray(0, first), at)
      bytes.set(batch.subarray(first), 0)
      Atomics.store(words, word.written, (written + batch.length) | 0)
    } else {
      Atomics.add(words, word.dropped, countLines(batch))
    }
    // Also when something waited already: whether the reader has seen that before it went to sleep cannot be told from
    // here, and where nobody sleeps it costs nothing.
    Atomics.notify(words, word.written)
    return fits
  }

  /** Nothing to do: the file belongs to the reader's thread. */
  reopen(): void {}

  /** Nothing to do: what has been written is in the reader's hands. */
  flushSync(): void {}

  async close(): Promise<void> {}
}

/** The end of the thread that writes the file. */
export class LogRingReader {
  readonly #ring: LogRing

  constructor(memory: SharedArrayBuffer) {
    this.#ring = new LogRing(memory)
  }

  /** Gives what waits, in one piece that is the receiver's to keep: whole lines in the order of their writing. */
  drain(into: (lines: Buffer) => void): void {
    const { words, bytes } = this.#ring
    const taken = Atomics.load(words, word.taken)
    const written = Atomics.load(words, word.written)
    const waiting = (written - taken) | 0
    if (waiting === 0) return
    const lines = Buffer.allocUnsafe(waiting)
    const at = this.#ring.at(taken)
    const first = Math.min(waiting, bytes.length - at)
    bytes.copy(lines, 0, at, at + first)
    bytes.copy(lines, first, 0, waiting - first)
    Atomics.store(words, word.taken, written)
    into(lines)
  }

  /** How many lines had no room since it was last asked. */
  takeDropped(): number {
    return Atomics.exchange(this.#ring.words, word.dropped, 0)
  }

  /**
   * Resolves when something has been written since the last `drain`, or at `wake`. The event loop of a waiting thread
   * sleeps, and ends when it has nothing else to do.
   */
  async more(): Promise<void> {
    const { words } = this.#ring
    const wait = Atomics.waitAsync(words, word.written, Atomics.load(words, word.taken))
    // A turn of its own, or a writer that is never slower than we would keep this thread from everything else.
    await (wait.async ? wait.value : setImmediate())
  }

  /** Ends a `more` that waits. */
  wake(): void {
    Atomics.notify(this.#ring.words, word.written)
  }
}
