import type { Config, GateConfig, ListenerConfig, RouteConfig, UpstreamConfig } from './config/config.ts'
import { upstreamGateId } from './config/identity.ts'
import type { Gate } from './gate/gate.ts'
import { LocalGate } from './gate/local-gate.ts'
import type { MetricsBlock } from './metrics/block.ts'
import { GateMetrics } from './metrics/gate-metrics.ts'
import type { Runtime } from './runtime.ts'
import { parseIpAddress } from './routing/ip-address.ts'
import { ActiveCheck, type Probe } from './upstream/active-check.ts'
import type { Endpoint } from './upstream/endpoint.ts'
import { type Lookup, NameWatch, systemLookup } from './upstream/resolver.ts'
import { type EndpointTls, Upstream } from './upstream/upstream.ts'

/** What a generation needs from outside this package. */
export interface GenerationParts {
  readonly metrics: MetricsBlock
  /** Probes of active checks, by type. */
  readonly probes: Readonly<Record<'http' | 'tcp', Probe>>
  readonly tlsOf: (upstream: UpstreamConfig) => EndpointTls
  /** Default: the machine's resolver. */
  readonly lookup?: Lookup
}

/** One configuration brought to life: its gates and upstreams, by identity, with their background work. */
export class Generation {
  readonly config: Config
  readonly gates = new Map<string, LocalGate>()
  readonly upstreams = new Map<string, Upstream>()
  readonly #runtime: Runtime
  readonly #parts: GenerationParts
  readonly #names: NameWatch[] = []
  readonly #checks: ActiveCheck[] = []

  constructor(config: Config, runtime: Runtime, parts: GenerationParts) {
    this.config = config
    this.#runtime = runtime
    this.#parts = parts
    for (const gate of config.gates) this.#gate(gate)
    for (const upstream of config.upstreams) this.#addUpstream(upstream)
  }

  /** The gates and the upstream of a listener's route. */
  way(
    listener: ListenerConfig,
    route: RouteConfig,
  ): { listenerGate: Gate | undefined; gate: Gate | undefined; upstream: Upstream | undefined } {
    return {
      listenerGate: listener.gate === undefined ? undefined : this.#gate(listener.gate),
      gate: route.gate === undefined ? undefined : this.#gate(route.gate),
      upstream: route.action.kind === 'forward' ? this.upstreams.get(route.action.upstream) : undefined,
    }
  }

  /** Begins name look-ups and active checks; resolves when every name has been looked up once, well or badly. */
  async start(): Promise<void> {
    await Promise.all(this.#names.map((name) => name.start()))
    for (const upstream of this.upstreams.values()) upstream.refresh()
    for (const check of this.#checks) check.start()
  }

  /** Closes idle connections (`idle`), or everything that is left. */
  close(which: 'idle' | 'all'): void {
    if (which === 'all') {
      for (const name of this.#names) name.close()
      for (const check of this.#checks) check.close()
    }
    for (const upstream of this.upstreams.values()) upstream.close(which)
  }

  #gate(config: GateConfig): LocalGate {
    const known = this.gates.get(config.id)
    if (known !== undefined) return known
    const { turn, clock } = this.#runtime
    const gate = new LocalGate(config.id, config, { turn, clock, observer: this.#observer(config.id) })
    this.gates.set(config.id, gate)
    return gate
  }

  #observer(gate: string): GateMetrics {
    return new GateMetrics(this.#parts.metrics, gate)
  }

  #addUpstream(config: UpstreamConfig): void {
    const tls = this.#parts.tlsOf(config)
    const upstream = new Upstream(config, this.#runtime, {
      tls,
      gateObserver: this.#observer(upstreamGateId(config.name)),
    })
    this.upstreams.set(config.name, upstream)
    if (config.gate !== undefined) this.gates.set(config.gate.id, upstream.gate)
    for (const endpoint of upstream.endpoints) {
      this.#watchName(endpoint, config, upstream)
      const { active } = config.health
      if (active === undefined) continue
      this.#checks.push(
        new ActiveCheck(
          endpoint,
          active,
          this.#parts.probes[active.type],
          this.#runtime.wheelFor(Math.min(active.intervalMs, active.timeoutMs)),
        ),
      )
    }
  }

  #watchName(endpoint: Endpoint, config: UpstreamConfig, upstream: Upstream): void {
    const { address } = endpoint.config
    if ('path' in address || parseIpAddress(address.host) !== undefined) {
      endpoint.addresses = [address]
      return
    }
    this.#names.push(
      new NameWatch(endpoint, address, {
        refreshMs: config.dns.refreshMs,
        lookup: this.#parts.lookup ?? systemLookup,
        changed: () => upstream.refresh(),
      }),
    )
  }
}
