import type { EndpointConfig, UpstreamConfig } from '../config/config.ts'
import { upstreamGateId } from '../config/identity.ts'
import type { Admission, Gate, GateObserver, Permit } from '../gate/gate.ts'
import type { Runtime } from '../runtime.ts'
import { endpointLimits } from '../state/endpoint-cells.ts'
import { ungated } from '../state/identities.ts'
import type { Cursor } from '../state/store.ts'
import { type Balancer, balancerOver } from './balancer.ts'
import { Endpoint } from './endpoint.ts'
import { EndpointHealth } from './health.ts'
import { Upkeep, type UpkeepParts } from './upkeep.ts'

/**
 * TLS towards one endpoint, in the terms of whoever connects; `undefined`: in the clear. With the same `fingerprint` two
 * are the same.
 */
export type EndpointTls = ((config: EndpointConfig) => unknown) & { readonly fingerprint?: string }

/** A new configuration of an upstream that does not hold yet. */
export interface UpstreamPlan {
  /** Resolves when every new name has been looked up once, well or badly. */
  readonly ready: Promise<void>
  /** From now on it holds. */
  commit(): void
  /** It never will. */
  discard(): void
}

/** What an upstream needs from outside. */
export interface UpstreamParts extends UpkeepParts {
  readonly gateObserver?: GateObserver
}

/**
 * A named set of endpoints that do the same work, and its dispatcher: one queue for all of them.
 *
 * A unit is let through when the gate has room *and* an endpoint has; the endpoint is picked at that moment, so nobody
 * waits for a busy endpoint while another one is free. It outlives reloads: its configuration changes in place, and
 * endpoints that stay keep their connections.
 */
export class Upstream implements Admission {
  readonly name: string
  readonly runtime: Runtime
  readonly gate: Gate
  /** As the newest configuration has it. */
  config: UpstreamConfig
  /** Repetitions under way that count against the budget. */
  retrying = 0
  readonly #parts: UpstreamParts
  readonly #cursor: Cursor
  readonly #upkeep = new Map<Endpoint, Upkeep>()
  #endpoints: readonly Endpoint[] = []
  #secure = false
  #retired: readonly Endpoint[] = []
  #tlsFingerprint: string | undefined
  #balancer: Balancer

  /** Without endpoints, until a plan is committed that `prepare` makes. */
  constructor(config: UpstreamConfig, runtime: Runtime, parts: UpstreamParts = {}) {
    this.name = config.name
    this.config = config
    this.runtime = runtime
    this.#parts = parts
    this.gate = runtime.store.gate(upstreamGateId(config.name), config.gate ?? ungated, {
      turn: runtime.turn,
      clock: runtime.clock,
      ...(parts.gateObserver === undefined ? {} : { observer: parts.gateObserver }),
    })
    this.#cursor = runtime.store.cursor(this.gate)
    this.#balancer = balancerOver(config.balance, [], this.#cursor)
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints
  }

  /** Whether it depends on an endpoint which protocol is spoken: under TLS it may be negotiated. */
  get mayNegotiate(): boolean {
    return this.#secure
  }

  /** Whether any endpoint has an address to connect to. */
  get reachable(): boolean {
    return this.#endpoints.some((endpoint) => endpoint.addresses.length > 0)
  }

  /** Takes room at an endpoint for a unit that the gate is about to let through. */
  take(): Endpoint | undefined {
    const endpoint = this.#balancer.pick()
    endpoint?.enter()
    return endpoint
  }

  /** Moves a running unit from an endpoint that failed it to another one, if one has room; else it stays. */
  move(permit: Permit): void {
    this.gate.exclusively(() => {
      const from = permit.room as Endpoint
      const to = this.#balancer.pick(from)
      if (to === undefined || to === from) return
      to.enter()
      to.hold(1)
      permit.room = to
      from.hold(-1)
      from.leave()
    })
  }

  /** An endpoint's health or addresses have changed: those usable from now on share the work. */
  refresh(): void {
    this.gate.admitWaiting()
  }

  /**
   * Makes what a new configuration needs, without changing anything yet. Endpoints that stay are kept with their
   * connections.
   */
  prepare(config: UpstreamConfig, tls: EndpointTls): UpstreamPlan {
    const next = config.endpoints.map((one) => this.#keep(one, tls) ?? this.#make(one, config, tls(one)))
    const watched = watchedBy(config) === watchedBy(this.config)
    const upkeep = new Map<Endpoint, Upkeep>()
    for (const endpoint of next) {
      const known = watched ? this.#upkeep.get(endpoint) : undefined
      if (known === undefined) upkeep.set(endpoint, new Upkeep(endpoint, config, this.runtime, this.#parts))
    }
    return {
      ready: Promise.all([...upkeep.values()].map((one) => one.resolve())).then(() => {}),
      commit: () => this.#commit(config, tls, next, upkeep),
      discard: () => {
        for (const [endpoint, one] of upkeep) {
          one.close()
          if (!this.#endpoints.includes(endpoint)) endpoint.health.close()
        }
      },
    }
  }

  /** The configuration has it no more: what runs and waits is served, nothing else comes. */
  retire(): void {
    for (const upkeep of this.#upkeep.values()) upkeep.close()
    this.#upkeep.clear()
    for (const endpoint of this.#endpoints) endpoint.retire()
  }

  /** Begins active checks. */
  start(): void {
    for (const upkeep of this.#upkeep.values()) upkeep.probe()
  }

  /** Closes idle connections (`drain`) or all of them, and the timers. */
  close(which: 'idle' | 'all'): void {
    for (const endpoint of [...this.#endpoints, ...this.#retired]) {
      endpoint.close(which)
      if (which === 'all') endpoint.health.close()
    }
    if (which === 'idle') return
    for (const upkeep of this.#upkeep.values()) upkeep.close()
    this.#upkeep.clear()
  }

  #keep(config: EndpointConfig, tls: EndpointTls): Endpoint | undefined {
    if (tls.fingerprint !== this.#tlsFingerprint) return undefined
    return this.#endpoints.find((known) => known.config.id === config.id && known.config.secure === config.secure)
  }

  #make(config: EndpointConfig, upstream: UpstreamConfig, tls: unknown): Endpoint {
    const { runtime } = this
    const { passive } = upstream.health
    const cells = runtime.store.endpoint(config.id, endpointLimits(config, upstream))
    const health = new EndpointHealth(passive, {
      cells,
      wheel: runtime.wheelFor(passive.ejectMs),
      now: () => runtime.store.now(),
      observer: {
        exclusively: (action: () => void) => this.gate.exclusively(action),
        mayEject: () => this.#mayEject(),
        changed: () => this.refresh(),
        faulted: (fault: unknown) => runtime.faulted(fault),
      },
    })
    return new Endpoint(config, { upstream: this, cells, health, tls })
  }

  #commit(config: UpstreamConfig, tls: EndpointTls, next: readonly Endpoint[], upkeep: Map<Endpoint, Upkeep>): void {
    const gone = this.#endpoints.filter((endpoint) => !next.includes(endpoint))
    for (const endpoint of [...gone, ...upkeep.keys()]) {
      this.#upkeep.get(endpoint)?.close()
      this.#upkeep.delete(endpoint)
    }
    this.config = config
    this.gate.admission = this
    this.#endpoints = next
    this.#secure = next.some((endpoint) => endpoint.tls !== undefined)
    this.#tlsFingerprint = tls.fingerprint
    this.#retired = [...this.#retired.filter((endpoint) => endpoint.connections > 0), ...gone]
    this.#balancer = balancerOver(config.balance, next, this.#cursor)
    for (const [i, endpoint] of next.entries()) {
      endpoint.config = config.endpoints[i]!
      endpoint.health.configure(config.health.passive)
      // It may have been left out since it was prepared, by one whose timer ends now.
      endpoint.health.watch()
      // What a check has said that is made no more must not hold for ever.
      if (config.health.active === undefined) endpoint.health.probed(true)
      this.runtime.store.adopt(endpoint)
    }
    for (const [endpoint, one] of upkeep) this.#upkeep.set(endpoint, one)
    for (const endpoint of gone) endpoint.retire()
    this.refresh()
  }

  #mayEject(): boolean {
    const { endpoints } = this
    if (endpoints.length === 1) return false
    const ejected = endpoints.filter((endpoint) => endpoint.health.ejected).length
    return ejected < Math.floor(endpoints.length * this.config.health.passive.maxEjected)
  }
}

/** What upkeep rests on besides the endpoint. */
function watchedBy({ health, dns }: UpstreamConfig): string {
  return JSON.stringify([health.active, dns.refreshMs])
}
