import type { Exchange } from '../exchange.ts'
import type { Route } from '../route.ts'
import type { Accountant } from '../runtime.ts'
import type { MetricsBlock } from './block.ts'
import { families } from './families.ts'

/** The places of one route's figures, looked up once. */
class RouteSeries {
  readonly seconds: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** By protocol and status, for units that ended well: the common case, found without making a string. */
  readonly #ok = new Map<string, Map<string, number>>()

  constructor(block: MetricsBlock, route: Route) {
    const { listener } = route
    this.seconds = block.histogram(families.requestSeconds, { listener, route: route.id })
    this.bytesIn = block.place(families.bytes, { listener, direction: 'in' })
    this.bytesOut = block.place(families.bytes, { listener, direction: 'out' })
  }

  ok(protocol: string): Map<string, number> {
    let places = this.#ok.get(protocol)
    if (places === undefined) this.#ok.set(protocol, (places = new Map<string, number>()))
    return places
  }
}

/** Counts every finished exchange. Label values come from the configuration and closed sets alone. */
export class ExchangeMetrics implements Accountant {
  readonly #block: MetricsBlock
  readonly #routes = new Map<Route, RouteSeries>()

  constructor(block: MetricsBlock) {
    this.#block = block
  }

  account(exchange: Exchange): void {
    const { route } = exchange
    if (route === undefined) return
    const block = this.#block
    let series = this.#routes.get(route)
    if (series === undefined) {
      series = new RouteSeries(block, route)
      this.#routes.set(route, series)
    }
    const { status, protocol } = exchange
    const ok = exchange.reason === 'ok' ? series.ok(protocol) : undefined
    let place = ok?.get(status)
    if (place === undefined) {
      place = block.place(families.requests, {
        listener: route.listener,
        route: route.id,
        upstream: route.upstream?.name ?? '-',
        protocol,
        status,
        reason: exchange.reason,
      })
      ok?.set(status, place)
    }
    block.add(place, 1)
    block.observe(series.seconds, families.requestSeconds.buckets, (exchange.endedAt - exchange.startedAt) / 1_000)
    block.add(series.bytesIn, exchange.bytesIn)
    block.add(series.bytesOut, exchange.bytesOut)
  }
}
