import { randomBytes } from 'node:crypto'
import type { Accountant, Exchange } from '@sluice/core'
import type { LogSink } from './log-sink.ts'
import type { AccessFormat, LoggedExchange } from './logged-exchange.ts'

/** A batch is handed over when it is as long as this, in characters, */
const flushLength = 65_536
/** or as old as this, in milliseconds. */
const flushAfterMs = 100

/**
 * The access log: one line for every exchange, appended to a batch in memory.
 *
 * The exchange pays for making its line and for nothing else: batches leave by themselves, written asynchronously.
 */
export class AccessLog implements Accountant {
  readonly #format: AccessFormat
  readonly #sink: LogSink
  /** Tells the exchanges of one thread from those of any other one, of this process or another. */
  readonly #prefix = `${randomBytes(4).toString('hex')}-`
  #count = 0
  #batch = ''
  #timer: NodeJS.Timeout | undefined
  /** What turns the engine's clock into the wall's; taken anew with each batch, since the wall's may be set. */
  #wallOffsetMs = 0
  readonly #flush = () => this.flush()

  constructor(format: AccessFormat, sink: LogSink) {
    this.#format = format
    this.#sink = sink
  }

  account(exchange: Exchange): void {
    if (this.#timer === undefined) {
      this.#timer = setTimeout(this.#flush, flushAfterMs)
      this.#timer.unref()
      this.#wallOffsetMs = Date.now() - exchange.runtime.clock()
    }
    const id = this.#prefix + (++this.#count).toString(36)
    this.#batch += this.#format.line(exchange as LoggedExchange, id, this.#wallOffsetMs)
    if (this.#batch.length >= flushLength) this.flush()
  }

  /** Hands over what there is. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#batch === '') return
    const batch = this.#batch
    this.#batch = ''
    this.#sink.write(batch)
  }
}
