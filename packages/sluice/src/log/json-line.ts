import type { Endpoint, Route } from '@sluice/core'
import { type AccessFormat, type LoggedExchange, loggedPath, sideOf } from './logged-exchange.ts'
import { jsonString } from './printable.ts'

/** `.000` to `.999`. */
const thousandths = Array.from({ length: 1_000 }, (_, n) => `.${String(n).padStart(3, '0')}`)

/** Milliseconds with three decimals, without the way through a double's shortest form, which costs the most here. */
function milliseconds(ms: number): string {
  if (!(ms > 0)) return '0'
  const micros = Math.round(ms * 1_000)
  const whole = Math.floor(micros / 1_000)
  return whole + thousandths[micros - whole * 1_000]!
}

/** A status of HTTP is a number, one of gRPC (`grpc-5`) a text. */
function statusText(status: string): string {
  if (status === '-' || status === '0') return 'null'
  return status.startsWith('grpc') ? `"${status}"` : status
}

/**
 * One JSON object a line. Made by hand: what does not change from one exchange to the next (names of the
 * configuration, the second of the time) is made once, and the rest is appended, a third of what JSON.stringify costs.
 */
export class JsonLine implements AccessFormat {
  readonly #query: boolean
  readonly #routes = new Map<Route, string>()
  readonly #endpoints = new Map<Endpoint, string>()
  #second = -1
  #secondText = ''

  constructor(options: { readonly query: boolean }) {
    this.#query = options.query
  }

  line(exchange: LoggedExchange, id: string, wallOffsetMs: number): string {
    const {
      startedAt,
      status,
      endpoint,
      loggedMethod: method = '',
      loggedTarget: target = '',
      loggedClient = '',
      firstByteAt = 0,
    } = exchange
    const side = sideOf(exchange)
    return (
      `{"time":"${this.#time(startedAt + wallOffsetMs)}","id":"${id}",${this.#route(exchange.route)},"endpoint":` +
      (endpoint === undefined ? 'null' : this.#endpoint(endpoint)) +
      `,"client":${jsonString(loggedClient)},"method":` +
      (method === '' ? 'null' : jsonString(method)) +
      ',"path":' +
      (target === '' ? 'null' : jsonString(loggedPath(target, this.#query))) +
      `,"status":${statusText(status)},"reason":"${exchange.reason}","side":` +
      (side === undefined ? 'null' : `"${side}"`) +
      `,"attempts":${exchange.attempts},"bytesIn":${exchange.bytesIn},"bytesOut":${exchange.bytesOut}` +
      `,"waitMs":${milliseconds(exchange.waitedMs)},"connectMs":${milliseconds(exchange.connectMs)},"firstByteMs":` +
      (firstByteAt > 0 ? milliseconds(firstByteAt - startedAt) : 'null') +
      `,"totalMs":${milliseconds(exchange.endedAt - startedAt)}}\n`
    )
  }

  /** RFC 3339 in UTC, to the millisecond. */
  #time(wallMs: number): string {
    const second = Math.floor(wallMs / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#secondText = new Date(second * 1_000).toISOString().slice(0, 19)
    }
    return `${this.#secondText}${thousandths[Math.floor(wallMs - second * 1_000)]}Z`
  }

  #route(route: Route | undefined): string {
    if (route === undefined) return '"listener":null,"route":null,"upstream":null'
    let text = this.#routes.get(route)
    if (text === undefined) {
      const { upstream } = route
      text =
        `"listener":${jsonString(route.listener)},"route":${route.id === '-' ? 'null' : jsonString(route.id)}` +
        `,"upstream":${upstream === undefined ? 'null' : jsonString(upstream.name)}`
      this.#routes.set(route, text)
    }
    return text
  }

  #endpoint(endpoint: Endpoint): string {
    let text = this.#endpoints.get(endpoint)
    if (text === undefined) {
      text = jsonString(endpoint.name)
      this.#endpoints.set(endpoint, text)
    }
    return text
  }
}
