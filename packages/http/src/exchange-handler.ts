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
  #handlers: readonly ExchangeHandler[] = []
  #made: Array<HttpExchange | undefined> = []
  #own: HttpExchange | undefined

  constructor(client: Client) {
    this.#client = client
  }

  /** For ordinary requests. */
  get own(): HttpExchange {
    return (this.#own ??= new HttpExchange(this.#client))
  }

  /** For a request, by whoever takes it. */
  pick(handlers: readonly ExchangeHandler[], request: IncomingRequest): HttpExchange {
    for (let i = 0; i < handlers.length; i++) if (handlers[i]!.when(request)) return this.#of(handlers, i)
    return this.own
  }

  #of(handlers: readonly ExchangeHandler[], i: number): HttpExchange {
    if (handlers !== this.#handlers) {
      // Those of an older configuration are not asked for any more.
      this.#handlers = handlers
      this.#made = []
    }
    return (this.#made[i] ??= handlers[i]!.start(this.#client))
  }
}
