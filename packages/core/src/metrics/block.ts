import { familyNamed } from './families.ts'

/** What a family of series measures. */
export type MetricType = 'counter' | 'gauge' | 'histogram'

/** A name with its meaning; its series differ in their labels. */
export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: MetricType
  /** Upper bounds of a histogram's buckets, in ascending order, without +Inf. */
  readonly buckets?: readonly number[]
}

export type Labels = Readonly<Record<string, string>>

/** One series of a family, as a scrape reads it. */
export interface Series {
  readonly family: MetricFamily
  readonly labels: Labels
  /** The value; of a histogram: the count of each bucket (not cumulated, the last one +Inf), then the sum. */
  readonly values: readonly number[]
}

/** Where figures can be read. */
export interface MetricsSource {
  /** All series at this moment. */
  read(): Series[]
}

/** Where the figures of one series lie. */
export interface Place {
  readonly family: MetricFamily
  readonly labels: Labels
  readonly at: number
  readonly length: number
}

/** What a thread tells of its block to whoever reads it: plain data, made to be posted. */
export interface MetricsAnnouncement {
  /** Where the figures lie from now on; absent when they have not moved. */
  readonly buffer?: SharedArrayBuffer
  /** New series, their families by name. */
  readonly series: ReadonlyArray<Omit<Place, 'family'> & { readonly family: string }>
}

/** A block that other threads read. */
export interface SharedMetrics {
  readonly shared: true
  /** Is told of new series and of a larger buffer, once for all of one turn. */
  readonly announce: (announcement: MetricsAnnouncement) => void
}

/** Where a block counts how often it has been read: the one figure that the reader writes and not the thread. */
const readingsAt = 0

const firstLength = 256

/**
 * The figures of one thread: numbers in one block that this thread alone writes. Whoever counts asks once for its
 * place and adds to it from then on; a scrape reads all.
 */
export class MetricsBlock implements MetricsSource {
  readonly #places = new Map<string, Place>()
  readonly #shared: SharedMetrics | undefined
  #values: Float64Array
  #used = readingsAt + 1
  #unannounced: Place[] = []
  #announcedValues: Float64Array | undefined

  /** Without `shared` the block is read in its own thread. */
  constructor(shared?: SharedMetrics) {
    this.#shared = shared
    this.#values = this.#allocate(firstLength)
  }

  /** How often somebody has read the block; a reading during growth may go uncounted. */
  get readings(): number {
    return this.#values[readingsAt]!
  }

  /** The place of a counter or gauge. */
  place(family: MetricFamily, labels: Labels = {}): number {
    return this.#place(family, labels, 1)
  }

  /** The first place of a histogram. */
  histogram(family: MetricFamily, labels: Labels = {}): number {
    return this.#place(family, labels, family.buckets!.length + 2)
  }

  add(place: number, amount: number): void {
    this.#values[place] = this.#values[place]! + amount
  }

  /** Says what a gauge stands at. */
  set(place: number, value: number): void {
    this.#values[place] = value
  }

  /** Notes one observation in the histogram at `place`. */
  observe(place: number, buckets: readonly number[], value: number): void {
    let bucket = 0
    while (bucket < buckets.length && value > buckets[bucket]!) bucket++
    this.add(place + bucket, 1)
    this.add(place + buckets.length + 1, value)
  }

  read(): Series[] {
    return readPlaces(this.#values, this.#places.values())
  }

  #place(family: MetricFamily, labels: Labels, length: number): number {
    const key = `${family.name} ${JSON.stringify(labels)}`
    const known = this.#places.get(key)
    if (known !== undefined) return known.at
    // Here, where the mistake is, and not in the thread that reads and would not know the name.
    if (this.#shared !== undefined) familyNamed(family.name)
    const at = this.#used
    this.#used += length
    if (this.#used > this.#values.length) {
      const larger = this.#allocate(Math.max(this.#used, this.#values.length * 2))
      larger.set(this.#values)
      this.#values = larger
    }
    const place = { family, labels, at, length }
    this.#places.set(key, place)
    if (this.#shared !== undefined) this.#announceLater(place, this.#shared)
    return at
  }

  #allocate(length: number): Float64Array {
    return this.#shared === undefined
      ? new Float64Array(length)
      : new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT))
  }

  #announceLater(place: Place, { announce }: SharedMetrics): void {
    if (this.#unannounced.push(place) > 1) return
    queueMicrotask(() => {
      const series = this.#unannounced.map((one) => ({ ...one, family: one.family.name }))
      this.#unannounced = []
      // With the series in one message: a series beyond the end of the buffer that its reader knows is never told.
      const moved = this.#announcedValues !== this.#values
      this.#announcedValues = this.#values
      announce(moved ? { buffer: this.#values.buffer as SharedArrayBuffer, series } : { series })
    })
  }
}

/**
 * The figures at `places`, and one reading more on the block's count.
 *
 * Those of another thread are read while it writes them: each number is whole, since V8 stores an aligned double at
 * once on every platform that Node runs on, but a histogram's sum may be an observation behind its buckets.
 */
export function readPlaces(values: Float64Array, places: Iterable<Place>): Series[] {
  values[readingsAt] = values[readingsAt]! + 1
  return Array.from(places, ({ family, labels, at, length }) => ({
    family,
    labels,
    values: [...values.subarray(at, at + length)],
  }))
}
