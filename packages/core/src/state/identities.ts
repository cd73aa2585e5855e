import type { Config, GateConfig } from '../config/config.ts'
import { upstreamGateId } from '../config/identity.ts'
import type { GateLimits } from '../gate/gate.ts'
import { endpointLimits, type EndpointLimits } from './endpoint-cells.ts'

/**
 * An upstream without a gate lets through what its endpoints have room for; so many may wait for that room. How long they
 * may is not for it to say: see `Exchange`.
 */
export const ungated: GateLimits = { limit: Infinity, queue: 1_024, timeoutMs: Infinity }

/** Everything of a configuration that has an identity and a state. */
export interface Identities {
  readonly gates: ReadonlyMap<string, IdentifiedGate>
  readonly endpoints: ReadonlyMap<string, { readonly gate: string; readonly limits: EndpointLimits }>
  readonly listeners: readonly string[]
}

export interface IdentifiedGate {
  readonly limits: GateLimits
  /** Written in the configuration; otherwise it stands for an upstream's room alone, and nobody is shown it. */
  readonly written: boolean
  /** How long the permits of a thread that died are kept, in milliseconds; 0: not at all. */
  readonly abandonedMs: number
}

/** What the configurations name that were published, by number. */
export class PublishedIdentities {
  readonly #byNumber = new Map<number, Identities>()
  #newest: Identities | undefined

  get newest(): Identities | undefined {
    return this.#newest
  }

  add(config: Config, number: number): Identities {
    this.#newest = identitiesOf(config)
    this.#byNumber.set(number, this.#newest)
    return this.#newest
  }

  /** Keeps the newest one and those that are `live`, and returns all that they name. */
  keep(live: ReadonlySet<number>): { gates: Set<string>; endpoints: Set<string>; listeners: Set<string> } {
    const named = { gates: new Set<string>(), endpoints: new Set<string>(), listeners: new Set<string>() }
    for (const [number, identities] of this.#byNumber) {
      if (identities !== this.#newest && !live.has(number)) {
        this.#byNumber.delete(number)
        continue
      }
      for (const id of identities.gates.keys()) named.gates.add(id)
      for (const id of identities.endpoints.keys()) named.endpoints.add(id)
      for (const id of identities.listeners) named.listeners.add(id)
    }
    return named
  }
}

export function identitiesOf(config: Config): Identities {
  const gates = new Map<string, IdentifiedGate>()
  const endpoints = new Map<string, { gate: string; limits: EndpointLimits }>()
  const add = (gate: GateConfig | undefined, responseMs: number) => {
    if (gate === undefined) return
    const abandonedMs = gate.abandoned === 'wait' ? Math.max(responseMs, gates.get(gate.id)?.abandonedMs ?? 0) : 0
    gates.set(gate.id, { limits: gate, written: true, abandonedMs })
  }
  const upstreams = new Map(config.upstreams.map((upstream) => [upstream.name, upstream]))
  for (const gate of config.gates) add(gate, 0)
  for (const upstream of config.upstreams) {
    const id = upstreamGateId(upstream.name)
    if (upstream.gate === undefined) gates.set(id, { limits: ungated, written: false, abandonedMs: 0 })
    add(upstream.gate, upstream.timeouts.responseMs)
    for (const endpoint of upstream.endpoints) {
      endpoints.set(endpoint.id, { gate: id, limits: endpointLimits(endpoint, upstream) })
    }
  }
  for (const listener of config.listeners) {
    for (const { gate, action } of listener.routes) {
      const upstream = action.kind === 'forward' ? upstreams.get(action.upstream) : undefined
      add(gate, upstream?.timeouts.responseMs ?? 0)
      add(listener.gate, upstream?.timeouts.responseMs ?? 0)
    }
  }
  return { gates, endpoints, listeners: config.listeners.map(({ name }) => name) }
}
