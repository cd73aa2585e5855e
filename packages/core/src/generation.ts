import type {
  ActiveHealthConfig,
  Config,
  GateConfig,
  ListenerConfig,
  RouteConfig,
  UpstreamConfig,
} from './config/config.ts'
import { upstreamGateId } from './config/identity.ts'
import type { Gate } from './gate/gate.ts'
import type { MetricsBlock } from './metrics/block.ts'
import { GateMetrics } from './metrics/gate-metrics.ts'
import type { Route } from './route.ts'
import type { Runtime } from './runtime.ts'
import type { Probe } from './upstream/active-check.ts'
import type { Lookup } from './upstream/resolver.ts'
import { type EndpointTls, Upstream, type UpstreamPlan } from './upstream/upstream.ts'

/** What a generation needs from outside this package. */
export interface GenerationParts {
  readonly metrics: MetricsBlock
  /** Probes of active checks, by type. Undefined: another thread probes. */
  readonly probes: Readonly<Record<ActiveHealthConfig['type'], Probe>> | undefined
  readonly tlsOf: (upstream: UpstreamConfig) => EndpointTls
  /** Default: the machine's resolver. */
  readonly lookup?: Lookup
}

/** What a route of the configuration leads through and to. */
export type Way = Required<Pick<Route, 'listenerGate' | 'gate' | 'upstream' | 'generation' | 'waitsForAbandoned'>>

/**
 * One configuration brought to life in one thread: its gates and upstreams, by identity, with their background work.
 *
 * What the generation before it had under the same identity is the same object here. It is made without changing
 * anything that is in use; `adopt` makes it hold, `discard` throws it away.
 */
export class Generation {
  readonly config: Config
  readonly gates = new Map<string, Gate>()
  readonly upstreams = new Map<string, Upstream>()
  /** Units under way that were sent on their way by this generation. */
  exchanges = 0
  readonly #runtime: Runtime
  readonly #parts: GenerationParts
  #previous: Generation | undefined
  #plans: UpstreamPlan[] = []
  #made: Upstream[] = []

  constructor(config: Config, runtime: Runtime, parts: GenerationParts, previous?: Generation) {
    this.config = config
    this.#runtime = runtime
    this.#parts = parts
    this.#previous = previous
    for (const gate of config.gates) this.#gate(gate)
    for (const upstream of config.upstreams) this.#addUpstream(upstream)
  }

  /** The gates and the upstream of a listener's route. */
  way(listener: ListenerConfig, route: RouteConfig): Way {
    const { action } = route
    const upstream = action.kind === 'forward' ? this.upstreams.get(action.upstream) : undefined
    const dispatcher = this.config.upstreams.find(({ name }) => name === upstream?.name)
    return {
      listenerGate: listener.gate === undefined ? undefined : this.#gate(listener.gate),
      gate: route.gate === undefined ? undefined : this.#gate(route.gate),
      upstream,
      generation: this,
      waitsForAbandoned: [listener.gate, route.gate, dispatcher?.gate].some((gate) => gate?.abandoned === 'wait'),
    }
  }

  /** Resolves when every name that is new has been looked up once, well or badly. */
  async ready(): Promise<void> {
    await Promise.all(this.#plans.map((plan) => plan.ready))
  }

  /** From now on this is what holds. What the generation before it had and this one has not serves what it holds. */
  adopt(): void {
    for (const plan of this.#plans) plan.commit()
    for (const upstream of this.#previous?.upstreams.values() ?? []) {
      if (this.upstreams.get(upstream.name) !== upstream) upstream.retire()
    }
    for (const upstream of this.upstreams.values()) upstream.start()
    this.#forget()
  }

  /** Makes it hold once it is ready: that of a proxy that starts. */
  async start(): Promise<void> {
    await this.ready()
    this.adopt()
  }

  /** It will never hold. */
  discard(): void {
    for (const plan of this.#plans) plan.discard()
    for (const upstream of this.#made) upstream.close('all')
    this.#forget()
  }

  /** Else each generation would hold the one before it, and so all there ever were. */
  #forget(): void {
    this.#previous = undefined
    this.#plans = []
    this.#made = []
  }

  /** Closes idle connections (`idle`), or everything that is left. */
  close(which: 'idle' | 'all'): void {
    for (const upstream of this.upstreams.values()) upstream.close(which)
  }

  #gate(config: GateConfig): Gate {
    const known = this.gates.get(config.id)
    if (known !== undefined) return known
    const { turn, clock, store } = this.#runtime
    const observer = new GateMetrics(this.#parts.metrics, config.id)
    const gate = store.gate(config.id, config, { turn, clock, observer })
    this.gates.set(config.id, gate)
    return gate
  }

  #addUpstream(config: UpstreamConfig): void {
    const { tlsOf, metrics, probes, lookup } = this.#parts
    const tls = tlsOf(config)
    let upstream = this.#previous?.upstreams.get(config.name)
    if (upstream === undefined) {
      const gateObserver = new GateMetrics(metrics, upstreamGateId(config.name))
      upstream = new Upstream(config, this.#runtime, {
        probes,
        gateObserver,
        ...(lookup === undefined ? {} : { lookup }),
      })
      this.#made.push(upstream)
    }
    this.#plans.push(upstream.prepare(config, tls))
    this.upstreams.set(config.name, upstream)
    if (config.gate !== undefined) this.gates.set(config.gate.id, upstream.gate)
  }
}
