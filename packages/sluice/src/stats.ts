import {
  type BindAddress,
  type Config,
  connectionStates,
  formatAddress,
  type StateControl,
  type UpstreamConfig,
  upstreamGateId,
} from '@sluice/core'
import type { EndpointFacts } from './engine/data-plane.ts'

/** How far a proxy is. */
export type ProxyState =
  | 'made' // nothing is bound
  | 'starting' // names are looked up, listeners are being bound
  | 'listening' // takes work
  | 'draining' // serves what is under way, and takes nothing new but during `drainDelay`
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

export interface ThreadStats {
  readonly thread: number
  /** Open client connections. */
  readonly connections: number
  /** Units under way. */
  readonly exchanges: number
  /** Configurations that its units go by, the newest last. */
  readonly generations: readonly number[]
}

/** What `/state` shows. */
export interface ProxyStats {
  readonly state: ProxyState
  /** Number of the configuration that holds. */
  readonly generation: number
  readonly threads: readonly ThreadStats[]
  readonly listeners: readonly ListenerStats[]
  readonly gates: readonly GateStats[]
  readonly upstreams: readonly UpstreamStats[]
  /** Units under way, over all protocols, and timers armed for them and their connections. */
  readonly exchanges: number
  readonly timers: number
}

/** What stats are read from. */
export interface StatsSource {
  readonly state: ProxyState
  readonly config: Config
  readonly generation: number
  readonly control: StateControl
  readonly threads: readonly ThreadStats[]
  readonly timers: number
  boundAddresses(listener: string): readonly BindAddress[]
  /** What some thread knows of an endpoint. */
  endpointFacts(id: string): EndpointFacts | undefined
}

export function readStats(source: StatsSource): ProxyStats {
  const { config, control, threads } = source
  return {
    state: source.state,
    generation: source.generation,
    threads,
    listeners: config.listeners.map(({ name, protocol, routes }) => ({
      name,
      protocol,
      addresses: source.boundAddresses(name).map((address) => formatAddress(address)),
      connections: control.connectionsOf(name)?.total ?? 0,
      routes: routes.map(({ id, action, gate }) => ({
        id,
        upstream: action.kind === 'forward' ? action.upstream : action.kind,
        gate: gate?.id,
      })),
    })),
    gates: control.gateStates().map(({ id, limits, running, waiting, oldestWaitMs }) => ({
      id,
      limit: limits.limit === Infinity ? null : limits.limit,
      queue: limits.queue,
      running,
      waiting,
      oldestWaitMs: Math.round(oldestWaitMs),
    })),
    upstreams: config.upstreams.map((upstream) => upstreamStats(upstream, source)),
    exchanges: threads.reduce((sum, { exchanges }) => sum + exchanges, 0),
    timers: source.timers,
  }
}

function upstreamStats({ name, endpoints }: UpstreamConfig, source: StatsSource): UpstreamStats {
  const gate = source.control.gateState(upstreamGateId(name))
  return {
    name,
    running: gate?.running ?? 0,
    waiting: gate?.waiting ?? 0,
    endpoints: endpoints.map(({ id, address }) => {
      const cells = source.control.endpointCells(id)
      const facts = source.endpointFacts(id)
      return {
        endpoint: formatAddress(address),
        addresses: facts?.addresses ?? [],
        healthy: cells !== undefined && cells.probedUp && !cells.ejected,
        ejected: cells?.ejected ?? false,
        lastFailure: facts?.lastFailure,
        running: cells?.running ?? 0,
        connections: cells === undefined ? { connecting: 0, idle: 0, busy: 0 } : connectionStates(cells),
      }
    }),
  }
}
