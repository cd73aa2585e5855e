import { ClientAdmission, type HeldBytes, type Listener, type ListenerParts, type Runtime } from '@sluice/core'
import type { AcceptTarget, Link, LinkHandler } from '@sluice/wire'
import { TcpExchange } from './exchange.ts'
import type { TcpListenerOptions } from './options.ts'

/** Tunnels each TCP connection, in the clear or under TLS, to the upstream. */
export class TcpListener implements Listener {
  readonly runtime: Runtime
  readonly #parts: ListenerParts
  readonly #admission: ClientAdmission
  #options: TcpListenerOptions
  #closed = false
  /** With the ticket of each one's client. */
  readonly #exchanges = new Map<TcpExchange, number>()

  constructor(runtime: Runtime, options: TcpListenerOptions, parts: ListenerParts) {
    this.runtime = runtime
    this.#options = options
    this.#parts = parts
    this.#admission = new ClientAdmission(runtime, options.config, parts)
  }

  get name(): string {
    return this.#options.config.name
  }

  get options(): TcpListenerOptions {
    return this.#options
  }

  get held(): HeldBytes | undefined {
    return this.#parts.held
  }

  get connections(): number {
    return this.#exchanges.size
  }

  /** Goes by other options, from the next connection on. */
  configure(options: TcpListenerOptions): void {
    this.#options = options
    this.#admission.configure(options.config)
  }

  /** What becomes of connections to one of its addresses: they come here. */
  target(): AcceptTarget {
    const options = () => this.#options
    return {
      get tls() {
        return options().tls
      },
      admit: (peer) => this.#admission.admit(peer),
      accept: (link, ticket) => this.#accept(link, ticket),
      leave: (ticket) => this.#admission.leave(ticket),
      refused: () => this.#parts.refused(),
    }
  }

  #accept(link: Link, ticket: number): LinkHandler {
    this.runtime.catchUp()
    const exchange = new TcpExchange(this, link)
    this.#exchanges.set(exchange, ticket)
    link.handler = exchange
    if (this.#closed) link.destroy()
    else exchange.start()
    return link.handler
  }

  /** An exchange's client connection is closed. */
  gone(exchange: TcpExchange): void {
    const ticket = this.#exchanges.get(exchange)
    if (ticket === undefined) return
    this.#exchanges.delete(exchange)
    this.#admission.leave(ticket)
  }

  /** Tunnels run on: only their peers know when they are done. */
  drain(): void {}

  close(): void {
    this.#closed = true
    for (const exchange of this.#exchanges.keys()) exchange.close()
  }
}
