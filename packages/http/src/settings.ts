import { type ListenerConfig, Router, type Runtime, type TimerWheel, TrustedProxies } from '@sluice/core'
import { type HeadLimits, RequestHead } from '@sluice/wire'
import type { HttpListenerOptions, HttpRoute } from './options.ts'

/** What a listener's requests go by: its options, made ready. A session takes the latest at each request's head. */
export class HttpSettings {
  readonly options: HttpListenerOptions
  readonly router: Router<HttpRoute>
  readonly trustedProxies: TrustedProxies
  readonly timeouts: ListenerConfig['timeouts']
  readonly limits: HeadLimits
  readonly wheel: TimerWheel
  /** One head for all sessions: a request's head is read and passed on, or composed anew, in one call. */
  readonly head: RequestHead
  /** Where requests are counted that never came as far as a route, or need none. */
  readonly unrouted: HttpRoute

  constructor(runtime: Runtime, options: HttpListenerOptions) {
    const { config } = options
    const { headMs, bodyMs, sendMs, keepAliveMs } = config.timeouts
    this.options = options
    this.router = new Router(options.routes.map((route) => ({ match: route.match, value: route })))
    this.trustedProxies = new TrustedProxies(config.trustedProxies)
    this.timeouts = config.timeouts
    this.limits = config.limits
    this.wheel = runtime.wheelFor(Math.min(headMs, bodyMs, sendMs, keepAliveMs))
    this.head = new RequestHead(config.limits.maxFields)
    this.unrouted = {
      id: '-',
      listener: config.name,
      match: {},
      listenerGate: undefined,
      gate: undefined,
      upstream: undefined,
      stripPrefix: undefined,
      answer: undefined,
    }
  }
}
