import { type AccessFormat, type LoggedExchange, loggedPath } from './logged-exchange.ts'
import { printable } from './printable.ts'

const codes = { dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** One aligned line an exchange, for people: columns of fixed width first, then what may be long. */
export class PrettyLine implements AccessFormat {
  readonly #query: boolean
  readonly #colour: boolean
  #listenerWidth = 0

  constructor(options: { readonly query: boolean; readonly colour: boolean }) {
    this.#query = options.query
    this.#colour = options.colour
  }

  line(exchange: LoggedExchange, _id: string, wallOffsetMs: number): string {
    const { route, endpoint, startedAt, reason, waitedMs, attempts } = exchange
    const listener = route?.listener ?? '-'
    this.#listenerWidth = Math.max(this.#listenerWidth, listener.length)
    const total = exchange.endedAt - startedAt
    const notes = [
      ...(waitedMs >= 1 ? [`waited ${duration(waitedMs)}`] : []),
      ...(attempts > 1 ? [`${attempts} attempts`] : []),
    ]
    const columns = [
      this.#paint('dim', clockTime(startedAt + wallOffsetMs)),
      listener.padEnd(this.#listenerWidth),
      this.#status(exchange),
      duration(total).padStart(7),
      `${size(exchange.bytesIn).padStart(8)} in ${size(exchange.bytesOut).padStart(8)} out `,
      this.#what(exchange),
      ...(endpoint === undefined ? [] : [this.#paint('dim', `→ ${endpoint.name}`)]),
      ...(reason === 'ok' ? [] : [this.#paint('red', reason)]),
      ...(notes.length === 0 ? [] : [this.#paint('dim', `(${notes.join(', ')})`)]),
    ]
    return `${columns.join(' ')}\n`
  }

  #status({ status, reason, statusCode }: LoggedExchange & { readonly statusCode?: number }): string {
    const shown = (status === '0' ? '-' : status).padEnd(3)
    if (statusCode === undefined) return this.#paint(reason === 'ok' ? 'green' : 'red', shown)
    const colour = statusCode >= 500 ? 'red' : statusCode >= 400 ? 'yellow' : statusCode >= 300 ? 'cyan' : 'green'
    return this.#paint(reason === 'clientGone' ? 'yellow' : colour, shown)
  }

  #what({ protocol, loggedMethod: method = '', loggedTarget: target = '', loggedClient = '' }: LoggedExchange): string {
    if (method === '') return `${protocol} from ${printable(loggedClient)}`
    const words = `${printable(method)} ${printable(loggedPath(target, this.#query))}`
    return protocol === 'http' ? words : `${words} (${protocol})`
  }

  #paint(colour: keyof typeof codes, text: string): string {
    return this.#colour ? `\x1b[${codes[colour]}m${text}\x1b[0m` : text
  }
}

/** The time of day here, to the millisecond. */
function clockTime(wallMs: number): string {
  const date = new Date(wallMs)
  const two = (n: number): string => String(n).padStart(2, '0')
  const millis = String(date.getMilliseconds()).padStart(3, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`
}

function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)}ms`
  if (ms < 1_000) return `${Math.round(ms)}ms`
  return ms < 100_000 ? `${(ms / 1_000).toFixed(1)}s` : `${Math.round(ms / 1_000)}s`
}

function size(bytes: number): string {
  if (bytes < 1_024) return `${bytes}B`
  if (bytes < 1_024 ** 2) return `${(bytes / 1_024).toFixed(1)}KiB`
  return bytes < 1_024 ** 3 ? `${(bytes / 1_024 ** 2).toFixed(1)}MiB` : `${(bytes / 1_024 ** 3).toFixed(1)}GiB`
}
