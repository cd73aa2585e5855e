import type { LogFile } from './log-file.ts'
import { LogRingReader, logRingMemory } from './log-ring.ts'
import type { LogSink } from './log-sink.ts'

/**
 * The one writer of a log that several threads write: reads the ring of each into the file, beside the lines of its own
 * thread. Two threads that write to one pipe would tear each other's lines.
 */
export class LogCollector implements LogSink {
  /** Hears how many lines were dropped, by full rings and by the file. */
  onDropped: (lines: number) => void = () => {}
  readonly #file: LogFile
  readonly #rings = new Map<SharedArrayBuffer, LogRingReader>()

  constructor(file: LogFile) {
    this.#file = file
    file.onDropped = (lines) => this.onDropped(lines)
  }

  /** The memory of a ring for one more thread, which writes to it through a `LogRingWriter`. */
  open(): SharedArrayBuffer {
    const memory = logRingMemory()
    const ring = new LogRingReader(memory)
    this.#rings.set(memory, ring)
    void this.#follow(memory, ring)
    return memory
  }

  /** The thread has ended: takes what it has left behind, and waits for nothing more of it. */
  retire(memory: SharedArrayBuffer): void {
    const ring = this.#rings.get(memory)
    if (ring === undefined) return
    this.#drain(ring)
    this.#rings.delete(memory)
    ring.wake()
  }

  write(lines: string): void {
    // What waits in the rings is older.
    this.#drainAll()
    this.#file.write(lines)
  }

  reopen(): void {
    this.#drainAll()
    this.#file.reopen()
  }

  flushSync(): void {
    this.#drainAll()
    this.#file.flushSync()
  }

  /** Threads that still live are not heard any more. */
  async close(): Promise<void> {
    for (const memory of this.#rings.keys()) this.retire(memory)
    await this.#file.close()
  }

  async #follow(memory: SharedArrayBuffer, ring: LogRingReader): Promise<void> {
    while (this.#rings.has(memory)) {
      this.#drain(ring)
      await ring.more()
    }
  }

  #drainAll(): void {
    for (const ring of this.#rings.values()) this.#drain(ring)
  }

  #drain(ring: LogRingReader): void {
    ring.drain((lines) => this.#file.write(lines))
    const dropped = ring.takeDropped()
    if (dropped > 0) this.onDropped(dropped)
  }
}
