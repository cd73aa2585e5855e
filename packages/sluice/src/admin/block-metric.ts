import type { MetricFamily, Series } from '@sluice/core'
import type { Metric, Registry } from 'prom-client'

/** One value as prom-client's registry renders it. */
interface Sample {
  readonly metricName?: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/**
 * A family for prom-client's registry whose figures are kept elsewhere and read at the scrape.
 *
 * prom-client's own counters are written one by one; ours lie in a block that the hot path adds to.
 */
export class BlockMetric {
  readonly name: string
  readonly help: string
  readonly type: MetricFamily['type']
  readonly aggregator = 'sum'
  readonly #read: () => readonly Sample[]

  constructor(family: MetricFamily, read: () => readonly Sample[]) {
    this.name = family.name
    this.help = family.help
    this.type = family.type
    this.#read = read
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this
    return { name, help, type, aggregator, values: this.#read() }
  }

  reset(): void {
    throw new Error(`${this.name} counts from the start of the process`)
  }

  /** Registers it. The registry asks of a metric no more than its name and `get`, but its types ask for a class. */
  registerIn(registry: Registry): void {
    registry.registerMetric(this as unknown as Metric)
  }
}

/** A family's series of a block as samples. A histogram's buckets are cumulated here, not when they are counted. */
export function samplesOf(family: MetricFamily, series: readonly Series[]): Sample[] {
  const own = series.filter((one) => one.family.name === family.name)
  if (family.type !== 'histogram') return own.map(({ labels, values }) => ({ labels, value: values[0]! }))
  const buckets = family.buckets ?? []
  return own.flatMap(({ labels, values }) => {
    let count = 0
    const samples: Sample[] = []
    for (let i = 0; i <= buckets.length; i++) {
      count += values[i]!
      samples.push({
        metricName: `${family.name}_bucket`,
        labels: { ...labels, le: buckets[i] ?? '+Inf' },
        value: count,
      })
    }
    samples.push({ metricName: `${family.name}_sum`, labels, value: values.at(-1)! })
    samples.push({ metricName: `${family.name}_count`, labels, value: count })
    return samples
  })
}
