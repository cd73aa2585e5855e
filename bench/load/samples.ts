import { percentile } from '../measure.ts'
import type { Latency } from './load.ts'

/** Collects latencies in microseconds without allocating while the load runs. */
export class Samples {
  readonly #values = new Float64Array(8_000_000)
  #count = 0

  get count(): number {
    return this.#count
  }

  add(microseconds: number): void {
    if (this.#count < this.#values.length) this.#values[this.#count] = microseconds
    this.#count++
  }

  summary(): Latency {
    const sorted = this.#values.subarray(0, Math.min(this.#count, this.#values.length)).sort()
    return {
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      p999: percentile(sorted, 0.999),
      max: percentile(sorted, 1),
    }
  }
}
