import { HttpExchange } from './exchange.ts'
import type { Client, IncomingRequest } from './half.ts'

/**
 * Who takes requests that are more than requests of HTTP. Another package registers it with the listener, so that this
 * one need not know what they become.
 */
export interface ExchangeHandler {
  /** Whether it takes a request. */
  when(request: IncomingRequest): boolean
  /** Makes an exchange for such requests of a client, which serves them one after another. */
  start(client: Client): HttpExchange
}

/** The exchanges of one client: made when one of their kind is asked for first, and used again. */
export class Exchanges {
  readonly #client: Client
  readonly #made: Array<{ readonly handler: ExchangeHandler; readonly exchange: HttpExchange }> = []
  #own: HttpExchange | undefined

  constructor(client: Client) {
    this.#client = client
  }

  /** For ordinary requests. */
  get own(): HttpExchange {
    return (this.#own ??= new HttpExchange(this.#client))
  }

  pick(handlers: readonly ExchangeHandler[], request: IncomingRequest): HttpExchange {
    for (const handler of handlers) if (handler.when(request)) return this.#of(handler)
    return this.own
  }

  #of(handler: ExchangeHandler): HttpExchange {
    for (const made of this.#made) if (made.handler === handler) return made.exchange
    const exchange = handler.start(this.#client)
    this.#made.push({ handler, exchange })
    return exchange
  }
}
