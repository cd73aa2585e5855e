import {
  type BindAddress,
  type ListenerConfig,
  type Listener,
  type Route,
  Router,
  type Runtime,
  type TimerWheel,
  TrustedProxies,
} from '@sluice/core'
import { Acceptor, type HeadLimits, type Link, type LinkHandler, RequestHead } from '@sluice/wire'
import type { HttpListenerOptions, HttpRoute } from './options.ts'
import { Http1Session } from './session.ts'

/** Accepts HTTP/1.1 connections, in the clear or under TLS. */
export class HttpListener implements Listener {
  readonly runtime: Runtime
  readonly options: HttpListenerOptions
  readonly router: Router<HttpRoute>
  readonly trustedProxies: TrustedProxies
  readonly timeouts: ListenerConfig['timeouts']
  readonly limits: HeadLimits
  readonly wheel: TimerWheel
  /** One head for all sessions: a request's head is read and passed on, or composed anew, in one call. */
  readonly head: RequestHead
  /** Where requests are counted that never came as far as a route. */
  readonly unrouted: Route
  draining = false
  readonly #acceptors: Acceptor[] = []
  readonly #sessions = new Set<Http1Session>()
  #refused: () => void

  constructor(runtime: Runtime, options: HttpListenerOptions, refused: () => void) {
    const { config } = options
    this.runtime = runtime
    this.options = options
    this.router = new Router(options.routes.map((route) => ({ match: route.match, value: route })))
    this.trustedProxies = new TrustedProxies(config.trustedProxies)
    this.timeouts = config.timeouts
    this.limits = config.limits
    this.wheel = runtime.wheelFor(
      Math.min(config.timeouts.headMs, config.timeouts.bodyMs, config.timeouts.sendMs, config.timeouts.keepAliveMs),
    )
    this.head = new RequestHead(config.limits.maxFields)
    this.unrouted = { id: '-', listener: config.name, listenerGate: undefined, gate: undefined, upstream: undefined }
    this.#refused = refused
  }

  get name(): string {
    return this.options.config.name
  }

  get logged(): boolean {
    return this.options.logged
  }

  get connections(): number {
    return this.#sessions.size
  }

  async listen(bind: BindAddress): Promise<BindAddress> {
    const acceptor = new Acceptor((link) => this.#accept(link, 'path' in bind), {
      tls: this.options.tls,
      failed: this.#refused,
    })
    const address = await acceptor.listen(bind)
    this.#acceptors.push(acceptor)
    return address
  }

  #accept(link: Link, local: boolean): LinkHandler {
    const session = new Http1Session(this, link, this.options.tls !== undefined, local)
    this.#sessions.add(session)
    if (this.draining) session.drain()
    return session
  }

  /** A session's socket is closed. */
  gone(session: Http1Session): void {
    this.#sessions.delete(session)
  }

  drain(): void {
    this.draining = true
    for (const acceptor of this.#acceptors) acceptor.close()
    for (const session of this.#sessions) session.drain()
  }

  close(): void {
    this.drain()
    for (const session of this.#sessions) session.close()
  }
}
