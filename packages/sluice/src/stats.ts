import {
  type BindAddress,
  type Config,
  connectionStates,
  type EndpointConfig,
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
  /** Those of each thread, in the order of `threads`. */
  readonly connectionsByThread: readonly number[]
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
  /** Whether it lets everything through and only counts what it would refuse. */
  readonly dryRun: boolean
}

export interface EndpointStats {
  readonly endpoint: string
  /** What its name resolves to. */
  readonly addresses: readonly string[]
  /** Whether it gets work. */
  readonly healthy: boolean
  readonly ejected: boolean
  /** Whether it is configured no more, and serves only what it has begun. */
  readonly draining: boolean
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
  /** Units that it has served since it was started. */
  readonly served: number
  /** Configurations that its units go by, the newest last. */
  readonly generations: readonly number[]
  /** How long ago it said that it lives. */
  readonly heartbeatAgeMs: number
  /** How often it has died and was replaced. */
  readonly restarts: number
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
  /** Bytes held in memory for peers that wait or are slow, as `maxBuffered` counts them. */
  readonly bufferedBytes: number
}

/** An endpoint that the configuration has no more. */
export interface LeavingEndpoint {
  readonly upstream: string
  readonly endpoint: EndpointConfig
}

/** What stats are read from. */
export interface StatsSource {
  readonly state: ProxyState
  readonly config: Config
  readonly generation: number
  readonly control: StateControl
  readonly threads: readonly ThreadStats[]
  readonly timers: number
  readonly bufferedBytes: number
  readonly leaving: readonly LeavingEndpoint[]
  boundAddresses(listener: string): readonly BindAddress[]
  /** What some thread knows of an endpoint. */
  endpointFacts(id: string): EndpointFacts | undefined
}

export function readStats(source: StatsSource): ProxyStats {
  const { config, control, threads } = source
  const leaving = source.leaving.filter(({ endpoint }) => isServing(endpoint, control))
  const gone = new Set(leaving.map(({ upstream }) => upstream))
  for (const { name } of config.upstreams) gone.delete(name)
  return {
    state: source.state,
    generation: source.generation,
    threads,
    listeners: config.listeners.map(({ name, protocol, routes }) => ({
      name,
      protocol,
      addresses: source.boundAddresses(name).map((address) => formatAddress(address)),
      connections: control.connectionsOf(name)?.total ?? 0,
      connectionsByThread: threads.map(({ thread }) => control.connectionsOf(name)?.of(thread) ?? 0),
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
      dryRun: limits.dryRun === true,
    })),
    upstreams: [...config.upstreams, ...[...gone].map((name) => ({ name, endpoints: [] }))].map((upstream) =>
      upstreamStats(upstream, leaving, source),
    ),
    exchanges: threads.reduce((sum, { exchanges }) => sum + exchanges, 0),
    timers: source.timers,
    bufferedBytes: source.bufferedBytes,
  }
}

/** The endpoints that go with a reload, and those of earlier ones that still serve somebody. */
export function leavingBy(
  before: Config,
  after: Config,
  earlier: readonly LeavingEndpoint[],
  control: StateControl,
): LeavingEndpoint[] {
  const kept = new Set(after.upstreams.flatMap(({ endpoints }) => endpoints.map(({ id }) => id)))
  const removed = before.upstreams.flatMap(({ name, endpoints }) =>
    endpoints.map((endpoint) => ({ upstream: name, endpoint })),
  )
  return [...earlier, ...removed].filter(({ endpoint }) => !kept.has(endpoint.id) && isServing(endpoint, control))
}

function isServing({ id }: EndpointConfig, control: StateControl): boolean {
  const cells = control.endpointCells(id)
  return cells !== undefined && cells.running + cells.connections.total > 0
}

function upstreamStats(
  { name, endpoints }: Pick<UpstreamConfig, 'name' | 'endpoints'>,
  leaving: readonly LeavingEndpoint[],
  source: StatsSource,
): UpstreamStats {
  const gate = source.control.gateState(upstreamGateId(name))
  const own = leaving.filter(({ upstream }) => upstream === name)
  return {
    name,
    running: gate?.running ?? 0,
    waiting: gate?.waiting ?? 0,
    endpoints: [
      ...endpoints.map((endpoint) => endpointStats(endpoint, false, source)),
      ...own.map(({ endpoint }) => endpointStats(endpoint, true, source)),
    ],
  }
}

function endpointStats({ id, address }: EndpointConfig, draining: boolean, source: StatsSource): EndpointStats {
  const cells = source.control.endpointCells(id)
  const facts = source.endpointFacts(id)
  return {
    endpoint: formatAddress(address),
    addresses: facts?.addresses ?? [],
    healthy: cells !== undefined && cells.probedUp && !cells.ejected && !draining,
    ejected: cells?.ejected ?? false,
    draining,
    lastFailure: facts?.lastFailure,
    running: cells?.running ?? 0,
    connections: cells === undefined ? { connecting: 0, idle: 0, busy: 0 } : connectionStates(cells),
  }
}
