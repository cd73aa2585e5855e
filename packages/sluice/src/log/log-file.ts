import { closeSync, openSync } from 'node:fs'
import { destination } from 'pino'
import { StartError } from '../start-error.ts'

/** What may wait to be written, in bytes: a reader that is slower than the traffic costs lines, never memory. */
const maxWaitingBytes = 4 * 1_024 * 1_024

/** What is written at once, in bytes, when batches have piled up. */
const maxWriteBytes = 1_024 * 1_024

/**
 * Where log lines go: a file or standard output, written asynchronously, in order, one write at a time.
 *
 * What the writer cannot keep up with is dropped and counted. The destination is pino's (sonic-boom).
 */
export class LogFile {
  /** Hears how many lines were dropped. */
  onDropped: (lines: number) => void = () => {}
  readonly #file: string | undefined
  readonly #destination: ReturnType<typeof destination>
  #broken = false

  /** `file` undefined: standard output. Throws a `StartError` when the file cannot be opened. */
  constructor(file: string | undefined) {
    this.#file = file
    if (file !== undefined) probe(file)
    this.#destination = destination({
      dest: file ?? 1,
      sync: false,
      append: true,
      maxLength: maxWaitingBytes,
      maxWrite: maxWriteBytes,
      contentMode: 'buffer',
    } as Parameters<typeof destination>[0])
    this.#destination.on('drop', (batch: Buffer) => this.onDropped(countLines(batch)))
    this.#destination.on('error', (error: NodeJS.ErrnoException) => {
      // The reader of a pipe has gone for good. Anything else, such as a full disk, may pass: what waits is tried again.
      if (error.code === 'EPIPE' || error.code === 'EIO') this.#broken = true
    })
  }

  /** Appends whole lines. */
  write(lines: string): void {
    const batch = Buffer.from(lines)
    if (this.#broken) this.onDropped(countLines(batch))
    // In this mode sonic-boom takes buffers; its types know of strings alone.
    else this.#destination.write(batch as unknown as string)
  }

  /** Opens the file anew, after it has been moved away. */
  reopen(): void {
    if (this.#file !== undefined) this.#destination.reopen()
  }

  /** Writes what waits, now. For the end of the process. */
  flushSync(): void {
    if (this.#broken) return
    try {
      this.#destination.flushSync()
    } catch {
      // There is nowhere left to say it.
    }
  }

  /** Writes what waits and closes. Resolves when that is done, or cannot be. */
  async close(): Promise<void> {
    this.flushSync()
    if (this.#file === undefined || this.#broken) return
    await new Promise<void>((resolve) => {
      this.#destination.once('close', resolve)
      this.#destination.once('error', () => resolve())
      this.#destination.end()
    })
  }
}

function countLines(batch: Buffer): number {
  let lines = 0
  for (let at = batch.indexOf(0x0a); at >= 0; at = batch.indexOf(0x0a, at + 1)) lines++
  return lines
}

/** sonic-boom tells of a file that cannot be opened only later, when nobody asks any more. */
function probe(file: string): void {
  try {
    closeSync(openSync(file, 'a'))
  } catch (error) {
    throw new StartError(`log.file: ${file} cannot be written: ${(error as Error).message}`, 1, ['log', 'file'])
  }
}
