import type { BindAddress, Listener, Runtime } from '@sluice/core'
import { Acceptor, type Link, type LinkHandler } from '@sluice/wire'
import { TcpExchange } from './exchange.ts'
import type { TcpListenerOptions } from './options.ts'

/** Accepts TCP connections, in the clear or under TLS, and tunnels each to the upstream. */
export class TcpListener implements Listener {
  readonly runtime: Runtime
  readonly options: TcpListenerOptions
  readonly #refused: () => void
  readonly #acceptors: Acceptor[] = []
  readonly #exchanges = new Set<TcpExchange>()

  constructor(runtime: Runtime, options: TcpListenerOptions, refused: () => void) {
    this.runtime = runtime
    this.options = options
    this.#refused = refused
  }

  get name(): string {
    return this.options.config.name
  }

  get connections(): number {
    return this.#exchanges.size
  }

  async listen(bind: BindAddress): Promise<BindAddress> {
    const acceptor = new Acceptor((link) => this.#accept(link), { tls: this.options.tls, failed: this.#refused })
    const address = await acceptor.listen(bind)
    this.#acceptors.push(acceptor)
    return address
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

  /** Stops accepting. Tunnels run on: only their peers know when they are done. */
  drain(): void {
    for (const acceptor of this.#acceptors) acceptor.close()
  }

  close(): void {
    this.drain()
    for (const exchange of this.#exchanges) exchange.close()
  }
}
