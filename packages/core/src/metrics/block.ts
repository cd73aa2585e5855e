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

/**
 * The figures of one thread: numbers in one block that this thread alone writes. Whoever counts asks once for its
 * place and adds to it from then on; a scrape reads all.
 */
export class MetricsBlock {
  #values = new Float64Array(256)
  #used = 0
  readonly #series = new Map<string, { family: MetricFamily; labels: Labels; at: number; length: number }>()

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

  /** Notes one observation in the histogram at `place`. */
  observe(place: number, buckets: readonly number[], value: number): void {
    let bucket = 0
    while (bucket < buckets.length && value > buckets[bucket]!) bucket++
    this.add(place + bucket, 1)
    this.add(place + buckets.length + 1, value)
  }

  /** All series at this moment. */
  read(): Series[] {
    return [...this.#series.values()].map(({ family, labels, at, length }) => ({
      family,
      labels,
      values: [...this.#values.subarray(at, at + length)],
    }))
  }

  #place(family: MetricFamily, labels: Labels, length: number): number {
    const key = `${family.name} ${JSON.stringify(labels)}`
    const known = this.#series.get(key)
    if (known !== undefined) return known.at
    const at = this.#used
    this.#used += length
    if (this.#used > this.#values.length) {
      const larger = new Float64Array(Math.max(this.#used, this.#values.length * 2))
      larger.set(this.#values)
      this.#values = larger
    }
    this.#series.set(key, { family, labels, at, length })
    return at
  }
}
