import { openSync } from 'node:fs'
import { destination } from 'pino'
import { StartError } from '../start-error.ts'
import { countLines, type LogSink } from './log-sink.ts'

/** What may wait to be written, in bytes: a reader that is slower than the traffic costs lines, never memory. */
const maxWaitingBytes = 4 * 1_024 * 1_024

/** What is written at once, in bytes, when batches have piled up. */
const maxWriteBytes = 1_024 * 1_024

/** How long the last lines may take to be written, in milliseconds. */
const closeTimeoutMs = 1_000

/**
 * Where log lines go: a file or standard output, written asynchronously, in order, one write at a time.
 *
 * What the writer cannot keep up with is dropped and counted. The destination is pino's (sonic-boom).
 */
export class LogFile implements LogSink {
  /** Hears how many lines were dropped. */
  onDropped: (lines: number) => void = () => {}
  readonly #file: string | undefined
  readonly #destination: ReturnType<typeof destination>
  #broken = false
  #closing: Promise<void> | undefined
  /** Something has been handed over that may not be written yet. */
  #writing = false

  /** `file` undefined: standard output. Throws a `StartError` when the file cannot be opened. */
  constructor(file: string | undefined) {
    this.#file = file
    this.#destination = destination({
      dest: file === undefined ? 1 : open(file),
      sync: false,
      maxLength: maxWaitingBytes,
      maxWrite: maxWriteBytes,
      contentMode: 'buffer',
    } as Parameters<typeof destination>[0])
    // Opened by us, so that a failure is known at once; sonic-boom wants the name for `reopen`.
    if (file !== undefined) Object.assign(this.#destination, { file })
    this.#destination.on('drop', (batch: Buffer) => this.onDropped(countLines(batch)))
    this.#destination.on('drain', () => {
      this.#writing = false
    })
    this.#destination.on('error', (error: NodeJS.ErrnoException) => {
      // The reader of a pipe has gone for good. Anything else, such as a full disk, may pass: what waits is tried again.
      if (error.code === 'EPIPE' || error.code === 'EIO') this.#broken = true
    })
  }

  /** Appends whole lines. Bytes are kept until they are written. */
  write(lines: string | Buffer): void {
    const batch = typeof lines === 'string' ? Buffer.from(lines) : lines
    if (this.#broken || this.#closing !== undefined) {
      this.onDropped(countLines(batch))
      return
    }
    this.#writing = true
    // In this mode sonic-boom takes buffers; its types know of strings alone.
    this.#destination.write(batch as unknown as string)
  }

  reopen(): void {
    if (this.#file !== undefined && this.#closing === undefined) this.#destination.reopen()
  }

  flushSync(): void {
    if (this.#broken) return
    try {
      this.#destination.flushSync()
    } catch {
      // There is nowhere left to say it.
    }
  }

  /** Writes what waits and closes. Resolves when that is done, or cannot be: a reader that has stopped is not waited for. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    if (this.#broken || (this.#file === undefined && !this.#writing)) return
    const ended = new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#broken = true
        done()
      }, closeTimeoutMs)
      this.#destination.once('error', done)
      this.#destination.once(this.#file === undefined ? 'drain' : 'close', done)
    })
    // Standard output stays open: it is the process'.
    if (this.#file !== undefined) this.#destination.end()
    await ended
  }
}

function open(file: string): number {
  try {
    return openSync(file, 'a')
  } catch (error) {
    throw new StartError(`log.file: ${file} cannot be written: ${(error as Error).message}`, 1, ['log', 'file'])
  }
}
