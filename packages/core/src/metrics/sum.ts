import type { MetricsSource, Series } from './block.ts'

type Sum = Series & { readonly values: number[] }

/**
 * The figures of all threads as one: series of the same family and labels are added up, gauges too.
 *
 * What a thread has counted outlives it, since a total that falls looks like a restart to Prometheus; its gauges go
 * with it.
 */
export class MetricsSum implements MetricsSource {
  readonly #living = new Set<MetricsSource>()
  readonly #dead = new Map<string, Sum>()

  /** Counts a thread in. */
  add(source: MetricsSource): void {
    this.#living.add(source)
  }

  /** The thread has ended, and nothing is announced of it any more: keeps what it has counted. */
  retire(source: MetricsSource): void {
    if (!this.#living.delete(source)) return
    for (const series of source.read()) if (series.family.type !== 'gauge') addTo(this.#dead, series)
  }

  read(): Series[] {
    const sums = new Map<string, Sum>()
    for (const series of this.#dead.values()) addTo(sums, series)
    for (const source of this.#living) for (const series of source.read()) addTo(sums, series)
    return [...sums.values()]
  }
}

function addTo(sums: Map<string, Sum>, { family, labels, values }: Series): void {
  // Whoever places a series may name its labels in any order.
  const key = `${family.name} ${JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`
  const sum = sums.get(key)
  if (sum === undefined) sums.set(key, { family, labels, values: [...values] })
  else for (const [i, value] of values.entries()) sum.values[i] = sum.values[i]! + value
}
