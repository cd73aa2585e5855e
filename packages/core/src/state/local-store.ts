import type { Config } from '../config/config.ts'
import type { Gate, GateLimits } from '../gate/gate.ts'
import { type GateParts, LocalGate } from '../gate/local-gate.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { Clock } from '../timers/wheel.ts'
import type { GateState, StateControl } from './control.ts'
import { EndpointCells, type EndpointLimits } from './endpoint-cells.ts'
import { PublishedIdentities } from './identities.ts'
import { LiveEndpoints } from './live-endpoints.ts'
import type { Cursor, StateStore } from './store.ts'
import { ThreadCount } from './thread-count.ts'
import { UnitCount } from './unit-count.ts'

const ownCount = (): ThreadCount => new ThreadCount(new Int32Array(1), 0)

/** The state of a proxy that runs in one thread: plain numbers, steered from the same thread. */
export class LocalStore implements StateStore, StateControl {
  readonly thread = 0
  readonly threads = 1
  published = 0
  readonly allConnections = ownCount()
  readonly bufferedKiB = ownCount()
  readonly units = new UnitCount(ownCount(), ownCount())
  readonly #clock: Clock
  readonly #gates = new Map<string, LocalGate>()
  readonly #endpoints = new Map<string, EndpointCells>()
  readonly #connections = new Map<string, ThreadCount>()
  readonly #live = new LiveEndpoints()
  readonly #published = new PublishedIdentities()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock() | 0
  }

  gate(id: string, limits: GateLimits, parts: GateParts): Gate {
    return getOrMake(this.#gates, id, () => new LocalGate(id, limits, parts))
  }

  endpoint(id: string, limits: EndpointLimits): EndpointCells {
    return getOrMake(this.#endpoints, id, () => EndpointCells.local(limits))
  }

  /** Nobody else grants anything. */
  adopt(endpoint: Endpoint): void {
    this.#live.add(endpoint)
  }

  cursor(): Cursor {
    return { value: 0 }
  }

  wantConnection(endpoint: Endpoint): void {
    for (const other of this.#live.othersOf(endpoint)) if (other.closeOldestIdle()) return
  }

  connectionFreed(endpoint: Endpoint): void {
    for (const other of this.#live.othersOf(endpoint)) other.connectAsNeeded()
  }

  prepare(): void {}

  publish(config: Config, number: number): void {
    this.published = number
    const identities = this.#published.add(config, number)
    for (const [id, { limits }] of identities.gates) this.#gates.get(id)?.setLimits(limits)
    for (const [id, { limits }] of identities.endpoints) this.#endpoints.get(id)?.setLimits(limits)
    this.#live.sweep()
    for (const endpoint of this.#live) endpoint.connectAsNeeded()
  }

  sweep(live: ReadonlySet<number>): void {
    const { gates, endpoints, listeners } = this.#published.keep(live)
    for (const [id, gate] of this.#gates) {
      if (!gates.has(id) && gate.running + gate.waiting === 0) this.#gates.delete(id)
    }
    for (const [id, cells] of this.#endpoints) {
      if (!endpoints.has(id) && cells.running + cells.connections.total === 0) this.#endpoints.delete(id)
    }
    for (const [id, count] of this.#connections) {
      if (!listeners.has(id) && count.total === 0) this.#connections.delete(id)
    }
  }

  setLimits(id: string, limits: GateLimits): boolean {
    const gate = this.#gates.get(id)
    gate?.setLimits(limits)
    return gate !== undefined
  }

  gateStates(): GateState[] {
    return [...this.#gates.values()].filter((gate) => {
      return this.#published.newest?.gates.get(gate.id)?.written ?? gate.running + gate.waiting > 0
    })
  }

  gateState(id: string): GateState | undefined {
    return this.#gates.get(id)
  }

  endpointCells(id: string): EndpointCells | undefined {
    return this.#endpoints.get(id)
  }

  connections(listener: string): ThreadCount {
    return getOrMake(this.#connections, listener, ownCount)
  }

  connectionsOf(listener: string): ThreadCount | undefined {
    return this.#connections.get(listener)
  }
}

function getOrMake<T>(map: Map<string, T>, id: string, make: () => T): T {
  let known = map.get(id)
  if (known === undefined) {
    known = make()
    map.set(id, known)
  }
  return known
}
