import type { EndpointConfig, UpstreamConfig } from '../config/config.ts'
import { upstreamGateId } from '../config/identity.ts'
import type { GateLimits, Permit } from '../gate/gate.ts'
import { type Admission, type GateObserver, LocalGate } from '../gate/local-gate.ts'
import type { Runtime } from '../runtime.ts'
import { type Balancer, balancerOver } from './balancer.ts'
import { Endpoint } from './endpoint.ts'
import { EndpointHealth } from './health.ts'

/** TLS towards one endpoint, in the terms of whoever connects; `undefined`: in the clear. */
export type EndpointTls = (config: EndpointConfig) => unknown

/**
 * An upstream without a gate lets through what its endpoints have room for; so many may wait for that room. How long they
 * may is not for it to say: see `Exchange`.
 */
const ungated: GateLimits = { limit: Infinity, queue: 1_024, timeoutMs: Infinity }

/**
 * A named set of endpoints that do the same work, and its dispatcher: one queue for all of them.
 *
 * A unit is let through when the gate has room *and* an endpoint has; the endpoint is picked at that moment, so nobody
 * waits for a busy endpoint while another one is free.
 */
export class Upstream implements Admission {
  readonly name: string
  readonly runtime: Runtime
  readonly endpoints: readonly Endpoint[]
  readonly gate: LocalGate
  readonly config: UpstreamConfig
  /** Repetitions under way that count against the budget. */
  retrying = 0
  #balancer: Balancer

  constructor(config: UpstreamConfig, runtime: Runtime, parts: { tls: EndpointTls; gateObserver?: GateObserver }) {
    this.name = config.name
    this.config = config
    this.runtime = runtime
    const observer = {
      mayEject: () => this.#mayEject(),
      changed: () => this.refresh(),
      faulted: (fault: unknown) => runtime.faulted(fault),
    }
    this.endpoints = config.endpoints.map((endpoint) => {
      const health = new EndpointHealth(
        config.health.passive,
        runtime.wheelFor(config.health.passive.ejectMs),
        observer,
      )
      return new Endpoint(endpoint, this, health, parts.tls(endpoint))
    })
    this.#balancer = balancerOver(config.balance, this.endpoints)
    this.gate = new LocalGate(upstreamGateId(config.name), config.gate ?? ungated, {
      turn: runtime.turn,
      clock: runtime.clock,
      admission: this,
      ...(parts.gateObserver === undefined ? {} : { observer: parts.gateObserver }),
    })
  }

  /** Whether any endpoint has an address to connect to. */
  get reachable(): boolean {
    return this.endpoints.some((endpoint) => endpoint.addresses.length > 0)
  }

  /** Takes room at an endpoint for a unit that the gate is about to let through. */
  admit(permit: Permit): boolean {
    const endpoint = this.#balancer.pick()
    if (endpoint === undefined) return false
    endpoint.running++
    permit.room = endpoint
    return true
  }

  /** Moves a running unit from an endpoint that failed it to another one, if one has room; else it stays. */
  move(permit: Permit): void {
    const from = permit.room as Endpoint
    const to = this.#balancer.pick(from)
    if (to === undefined || to === from) return
    from.leave()
    to.running++
    permit.room = to
  }

  /** An endpoint's health or addresses have changed: those usable from now on share the work. */
  refresh(): void {
    const usable = this.endpoints.filter((endpoint) => endpoint.health.usable && endpoint.addresses.length > 0)
    // When none is left all are used: a wrong check must not take down what may still answer.
    this.#balancer = balancerOver(this.config.balance, usable.length > 0 ? usable : this.endpoints)
    this.gate.admitWaiting()
  }

  /** Closes idle connections (`drain`) or all of them, and the timers. */
  close(which: 'idle' | 'all'): void {
    for (const endpoint of this.endpoints) {
      endpoint.close(which)
      if (which === 'all') endpoint.health.close()
    }
  }

  #mayEject(): boolean {
    const { endpoints } = this
    if (endpoints.length === 1) return false
    const ejected = endpoints.filter((endpoint) => endpoint.health.ejected).length
    return ejected < Math.floor(endpoints.length * this.config.health.passive.maxEjected)
  }
}
