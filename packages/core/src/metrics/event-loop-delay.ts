import { createHistogram } from 'node:perf_hooks'
import type { MetricsBlock } from './block.ts'
import { families } from './families.ts'

/** Between two looks at how late the event loop is, in milliseconds. */
const lookEveryMs = 50

/** The figures are written at every so manyth look: once a second. */
const looksPerWriting = 20

/** A microsecond to a minute, to a hundredth. */
const range = { lowest: 1, highest: 60_000_000, figures: 2 }

/**
 * How late the event loop of the calling thread is, since somebody last read the block: as gauges, by quantile.
 *
 * The reader may be another thread, so it cannot reset what it has read. What is newer than the last writing is
 * therefore kept apart: a delay between the writing and the scrape is in the next scrape, and never lost.
 * It looks itself, since what `monitorEventLoopDelay` has seen cannot be added to another histogram, and the first look
 * after its reset is not counted.
 */
export class EventLoopDelay {
  readonly #block: MetricsBlock
  readonly #quantiles: ReadonlyArray<readonly [percentile: number, place: number]>
  readonly #newest = createHistogram(range)
  readonly #sinceReading = createHistogram(range)
  #readings: number
  #looks = 0
  #lookedAt = 0
  #timer: NodeJS.Timeout | undefined

  constructor(block: MetricsBlock, thread: string) {
    this.#block = block
    this.#readings = block.readings
    this.#quantiles = [50, 99, 100].map((percentile) => [
      percentile,
      block.place(families.eventLoopDelay, { thread, quantile: String(percentile / 100) }),
    ])
  }

  /** Begins to look. An event loop that has nothing else to do ends nevertheless. */
  start(): void {
    if (this.#timer !== undefined) return
    this.#lookedAt = performance.now()
    this.#timer = setInterval(() => this.#look(), lookEveryMs)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Writes the figures into the block. Happens by itself every second. */
  write(): void {
    const { readings } = this.#block
    if (readings !== this.#readings) this.#sinceReading.reset()
    this.#readings = readings
    if (this.#newest.count > 0) this.#sinceReading.add(this.#newest)
    this.#newest.reset()
    const seen = this.#sinceReading.count > 0
    for (const [percentile, place] of this.#quantiles) {
      this.#block.set(place, seen ? this.#sinceReading.percentile(percentile) / 1e6 : 0)
    }
  }

  #look(): void {
    const now = performance.now()
    const lateUs = Math.round((now - this.#lookedAt - lookEveryMs) * 1e3)
    this.#lookedAt = now
    this.#newest.record(Math.min(range.highest, Math.max(range.lowest, lateUs)))
    if (++this.#looks % looksPerWriting === 0) this.write()
  }
}
