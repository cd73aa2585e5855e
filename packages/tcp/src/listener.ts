import type { Listener, ListenerParts, Runtime } from '@sluice/core'
import type { AcceptTarget, Link, LinkHandler } from '@sluice/wire'
import { TcpExchange } from './exchange.ts'
import type { TcpListenerOptions } from './options.ts'

/** Tunnels each TCP connection, in the clear or under TLS, to the upstream. */
export class TcpListener implements Listener {
  readonly runtime: Runtime
  readonly #parts: ListenerParts
  #options: TcpListenerOptions
  readonly #exchanges = new Set<TcpExchange>()

  constructor(runtime: Runtime, options: TcpListenerOptions, parts: ListenerParts) {
    this.runtime = runtime
    this.#options = options
    this.#parts = parts
  }

  get name(): string {
    return this.#options.config.name
  }

  get options(): TcpListenerOptions {
    return this.#options
  }

  get connections(): number {
    return this.#exchanges.size
  }

  /** Goes by other options, from the next connection on. */
  configure(options: TcpListenerOptions): void {
    this.#options = options
  }

  /** What becomes of connections to one of its addresses: they come here. */
  target(): AcceptTarget {
    const options = () => this.#options
    return {
      get tls() {
        return options().tls
      },
      accept: (link) => this.#accept(link),
      refused: () => this.#parts.refused(),
    }
  }

  #accept(link: Link): LinkHandler {
    const exchange = new TcpExchange(this, link)
    this.#exchanges.add(exchange)
    link.handler = exchange
    exchange.start()
    return link.handler
  }

  /** An exchange's client connection is closed. */
  gone(exchange: TcpExchange): void {
    this.#exchanges.delete(exchange)
  }

  /** Tunnels run on: only their peers know when they are done. */
  drain(): void {}

  close(): void {
    for (const exchange of this.#exchanges) exchange.close()
  }
}
