import { families, type MetricFamily, type Series } from '@sluice/core'
import { Registry } from 'prom-client'
import type { Proxy } from '../proxy.ts'
import type { ProxyStats } from '../stats.ts'
import { BlockMetric, samplesOf } from './block-metric.ts'
import { processMetrics } from './process-metrics.ts'

type Sample = ReturnType<typeof samplesOf>[number]

const one = (value: number): Sample[] => [{ labels: {}, value }]

/** What is no count but a state, read from the stats at the scrape. */
const stateful = new Map<MetricFamily, (stats: ProxyStats) => Sample[]>([
  [families.gateRunning, ({ gates }) => gates.map(({ id, running }) => ({ labels: { gate: id }, value: running }))],
  [families.gateWaiting, ({ gates }) => gates.map(({ id, waiting }) => ({ labels: { gate: id }, value: waiting }))],
  [
    families.gateOldestWait,
    ({ gates }) => gates.map(({ id, oldestWaitMs }) => ({ labels: { gate: id }, value: oldestWaitMs / 1e3 })),
  ],
  [families.bufferedBytes, ({ bufferedBytes }) => one(bufferedBytes)],
  [families.threads, ({ threads }) => one(threads.length)],
  [
    families.connections,
    ({ listeners }) => listeners.map(({ name, connections }) => ({ labels: { listener: name }, value: connections })),
  ],
  [
    families.upstreamConnections,
    ({ upstreams }) =>
      upstreams.flatMap(({ name, endpoints }) =>
        endpoints.flatMap(({ endpoint, connections }) =>
          Object.entries(connections).map(([state, value]) => ({ labels: { upstream: name, endpoint, state }, value })),
        ),
      ),
  ],
  [
    families.endpointHealthy,
    ({ upstreams }) =>
      upstreams.flatMap(({ name, endpoints }) =>
        endpoints
          .filter(({ draining }) => !draining)
          .map(({ endpoint, healthy }) => ({ labels: { upstream: name, endpoint }, value: Number(healthy) })),
      ),
  ],
])

/** `/metrics`: the figures of the engine, of its state and of the process, in Prometheus' text format. */
export class Metrics {
  readonly contentType: string
  readonly #registry = new Registry()
  readonly #proxy: Proxy
  /** Whoever has a figure to show shows it from then on. */
  readonly #shown = new Set<MetricFamily>()
  #series: readonly Series[] = []
  #stats: ProxyStats

  constructor(proxy: Proxy) {
    this.#proxy = proxy
    this.#stats = proxy.stats()
    this.contentType = this.#registry.contentType
    // Before the first scrape, so that CPU time is counted from the start.
    processMetrics()
  }

  /** One scrape. Figures and states are read at one moment. */
  async text(): Promise<string> {
    this.#series = this.#proxy.metrics.read()
    this.#stats = this.#proxy.stats()
    this.#showNew()
    return `${await this.#registry.metrics()}\n${await processMetrics().metrics()}`
  }

  close(): void {
    this.#registry.clear()
  }

  /** A family that nobody writes, such as that of a feature that is off, would be a name without a figure. */
  #showNew(): void {
    for (const family of Object.values<MetricFamily>(families)) {
      if (this.#shown.has(family) || this.#samples(family).length === 0) continue
      this.#shown.add(family)
      new BlockMetric(family, () => this.#samples(family)).registerIn(this.#registry)
    }
  }

  #samples(family: MetricFamily): Sample[] {
    const gauge = stateful.get(family)
    return gauge === undefined ? samplesOf(family, this.#series) : gauge(this.#stats)
  }
}
