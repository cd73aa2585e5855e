import type { BindAddress, Endpoint, Upstream } from '@sluice/core'
import { formatAddress } from '@sluice/core'
import type { Proxy } from './proxy.ts'

/** How far a proxy is. */
export type ProxyState =
  | 'made' // nothing is bound
  | 'starting' // names are looked up, listeners are being bound
  | 'listening' // takes work
  | 'draining' // takes none any more, and serves what is under way
  | 'closed'

export interface ListenerStats {
  readonly name: string
  readonly protocol: string
  readonly addresses: readonly string[]
  /** Open client connections. */
  readonly connections: number
  readonly routes: readonly RouteStats[]
}

export interface RouteStats {
  readonly id: string
  /** Name of the upstream, or what the listener does by itself. */
  readonly upstream: string
  /** Id of its gate, when it has one. */
  readonly gate: string | undefined
}

export interface GateStats {
  readonly id: string
  /** `null` where nothing is limited: JSON has no infinity. */
  readonly limit: number | null
  readonly queue: number
  readonly running: number
  readonly waiting: number
  /** How long the oldest waiter has waited, in milliseconds. */
  readonly oldestWaitMs: number
}

export interface EndpointStats {
  readonly endpoint: string
  /** What its name resolves to. */
  readonly addresses: readonly string[]
  /** Whether it gets work. */
  readonly healthy: boolean
  readonly ejected: boolean
  readonly lastFailure: string | undefined
  readonly running: number
  readonly connections: { readonly connecting: number; readonly idle: number; readonly busy: number }
}

export interface UpstreamStats {
  readonly name: string
  readonly running: number
  readonly waiting: number
  readonly endpoints: readonly EndpointStats[]
}

/** What `/state` shows. */
export interface ProxyStats {
  readonly state: ProxyState
  readonly listeners: readonly ListenerStats[]
  readonly gates: readonly GateStats[]
  readonly upstreams: readonly UpstreamStats[]
  /** Units under way, over all protocols, and timers armed for them and their connections. */
  readonly exchanges: number
  readonly timers: number
}

export function readStats(proxy: Proxy, bound: ReadonlyMap<string, readonly BindAddress[]>): ProxyStats {
  const { config, generation, runtime } = proxy
  return {
    state: proxy.state,
    listeners: config.listeners.map((listener, i) => ({
      name: listener.name,
      protocol: listener.protocol,
      addresses: (bound.get(listener.name) ?? []).map((address) => formatAddress(address)),
      connections: proxy.listeners[i]!.connections,
      routes: listener.routes.map(({ id, action, gate }) => ({
        id,
        upstream: action.kind === 'forward' ? action.upstream : action.kind,
        gate: gate?.id,
      })),
    })),
    gates: [...generation.gates.values()].map((gate) => ({
      id: gate.id,
      limit: gate.limits.limit === Infinity ? null : gate.limits.limit,
      queue: gate.limits.queue,
      running: gate.running,
      waiting: gate.waiting,
      oldestWaitMs: Math.round(gate.oldestWaitMs),
    })),
    upstreams: [...generation.upstreams.values()].map(upstreamStats),
    exchanges: runtime.exchanges,
    timers: runtime.fine.count + runtime.coarse.count,
  }
}

function upstreamStats(upstream: Upstream): UpstreamStats {
  const { name, gate, endpoints } = upstream
  return { name, running: gate.running, waiting: gate.waiting, endpoints: endpoints.map(endpointStats) }
}

function endpointStats(endpoint: Endpoint): EndpointStats {
  const { health } = endpoint
  return {
    endpoint: endpoint.name,
    addresses: endpoint.addresses.map((address) => formatAddress(address)),
    healthy: health.usable,
    ejected: health.ejected,
    lastFailure: health.lastFailure,
    running: endpoint.running,
    connections: endpoint.connectionStates(),
  }
}
