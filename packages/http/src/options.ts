import type { Gate, ListenerConfig, RouteConfig, RouteMatch, Route, Upstream } from '@sluice/core'
import type { AcceptTls } from '@sluice/wire'
import type { ExchangeHandler } from './exchange-handler.ts'
import type { UpgradeHandler } from './upgrade.ts'

/** What a route does when it has no upstream, made once. */
export type OwnAnswer =
  | {
      readonly kind: 'respond'
      readonly status: number
      readonly body: Buffer
      readonly headers: ReadonlyArray<readonly [name: string, value: string]>
    }
  | { readonly kind: 'redirect'; readonly status: number; readonly to: string }

/** A route as an HTTP listener uses it. */
export interface HttpRoute extends Route {
  readonly id: string
  readonly match: RouteMatch
  readonly listenerGate: Gate | undefined
  readonly gate: Gate | undefined
  readonly upstream: Upstream | undefined
  readonly stripPrefix: string | undefined
  /** Defined exactly when there is no upstream. */
  readonly answer: OwnAnswer | undefined
}

/** What an HTTP listener is made from. */
export interface HttpListenerOptions {
  readonly config: ListenerConfig
  readonly routes: readonly HttpRoute[]
  readonly tls: AcceptTls | undefined
  /** Who takes requests that ask for an upgrade. */
  readonly upgrades: readonly UpgradeHandler[]
  /** Who takes requests that are more than requests of HTTP, in this order. */
  readonly handlers: readonly ExchangeHandler[]
  /**
   * What becomes of requests that no handler takes: served, or refused, where only WebSockets (`upgradeRequired`) or
   * calls of gRPC (`unsupported`) are.
   */
  readonly ordinary: 'served' | 'upgradeRequired' | 'unsupported'
  /** Whether method and path are kept for the access log. */
  readonly logged: boolean
  /** What `Via` calls this proxy; seen again in a request, it shows a loop (RFC 9110 §7.6.3). */
  readonly pseudonym: string
}

/** Makes a route of a checked configuration. */
export function httpRoute(
  listener: string,
  config: RouteConfig,
  parts: { listenerGate: Gate | undefined; gate: Gate | undefined; upstream: Upstream | undefined },
): HttpRoute {
  const { action } = config
  return {
    id: config.id,
    listener,
    match: config.match,
    ...parts,
    stripPrefix: action.kind === 'forward' ? action.stripPrefix : undefined,
    answer:
      action.kind === 'respond'
        ? { kind: 'respond', status: action.status, body: Buffer.from(action.body), headers: action.headers }
        : action.kind === 'redirect'
          ? action
          : undefined,
  }
}
