import type { Config } from '../config/config.ts'
import type { GateLimits } from '../gate/gate.ts'
import type { Clock } from '../timers/wheel.ts'
import type { GateState, StateControl } from './control.ts'
import type { EndpointCells } from './endpoint-cells.ts'
import { identitiesOf, PublishedIdentities } from './identities.ts'
import { type Capacity, endpointWord, gateWord, none, slotWord, unlimited } from './layout.ts'
import { Mailbox, mail } from './mailbox.ts'
import { RecordTable } from './records.ts'
import { type Abandoned, Recovery } from './recovery.ts'
import { sharedClock } from './shared-clock.ts'
import { SharedMemory } from './shared-memory.ts'
import type { Records } from './shared-store.ts'
import type { ThreadCount } from './thread-count.ts'

/**
 * The main thread's end of the state that the data-plane threads share: it makes it, says which record belongs to which
 * identity, sets limits, and clears up after threads that die.
 */
export class SharedControl implements StateControl {
  readonly memory: SharedMemory
  readonly #main: number
  readonly #now: Clock
  readonly #gates: RecordTable
  readonly #endpoints: RecordTable
  readonly #listeners: RecordTable
  readonly #recovery: Recovery
  readonly #mailbox: Mailbox
  /** By the record of their upstream's gate. */
  readonly #endpointsByGate = new Map<number, number[]>()
  readonly #kept = new Set<NodeJS.Timeout>()
  readonly #published = new PublishedIdentities()

  constructor(capacity: Capacity, clock: Clock = () => performance.now()) {
    this.memory = SharedMemory.create(capacity)
    this.#main = capacity.threads
    this.#now = sharedClock(clock)
    this.#gates = new RecordTable('gates', capacity.gates)
    this.#endpoints = new RecordTable('endpoints', capacity.endpoints)
    this.#listeners = new RecordTable('listeners', capacity.listeners)
    this.#recovery = new Recovery(this.memory)
    this.#mailbox = new Mailbox(this.memory, this.#main)
  }

  /** What the threads are to know of the identities prepared so far. */
  get records(): Records {
    return { gates: this.#gates.byId, endpoints: this.#endpoints.byId, listeners: this.#listeners.byId }
  }

  prepare(config: Config): void {
    const { gates, endpoints, listeners } = identitiesOf(config)
    for (const [id, { limits }] of gates) this.makeGate(id, limits)
    for (const [id, { gate, limits }] of endpoints) {
      const upstream = this.#gates.byId.get(gate)!
      this.#endpoints.assign(id, (record) => {
        this.memory.endpointWords(record).fill(0)[endpointWord.gate] = upstream
        this.memory.endpointCells(record, this.#main).setLimits(limits)
        this.#endpointsByGate.set(upstream, [...(this.#endpointsByGate.get(upstream) ?? []), record])
        this.memory.words[this.memory.gatePlace(upstream) + gateWord.rooms] = 1
      })
    }
    for (const id of listeners) this.#listeners.assign(id, () => {})
  }

  /** Makes one gate beside those of a configuration. */
  makeGate(id: string, limits: GateLimits): void {
    this.#gates.assign(id, (record) => this.#makeGate(record, limits))
  }

  publish(config: Config, number: number): void {
    const identities = this.#published.add(config, number)
    for (const [id, { limits, abandonedMs }] of identities.gates) {
      const record = this.#gates.byId.get(id)!
      this.memory.writeLimits(record, limits)
      this.memory.words[this.memory.gatePlace(record) + gateWord.abandonedMs] = Math.min(abandonedMs, unlimited)
    }
    for (const [id, { limits }] of identities.endpoints) this.endpointCells(id)!.setLimits(limits)
    this.memory.published = number
    this.#askAll(mail.admit | mail.room)
  }

  sweep(live: ReadonlySet<number>): void {
    const { gates, endpoints, listeners } = this.#published.keep(live)
    for (const id of this.#endpoints.byId.keys()) {
      const cells = this.endpointCells(id)!
      if (endpoints.has(id) || cells.running + cells.connections.total > 0) continue
      this.#forgetEndpoint(cells.record)
      this.#endpoints.free(id)
    }
    for (const id of this.#gates.byId.keys()) {
      const { running, waiting } = this.gateState(id)!
      const record = this.#gates.byId.get(id)!
      if (gates.has(id) || running + waiting > 0 || this.#endpointsByGate.has(record)) continue
      this.#gates.free(id)
    }
    for (const id of this.#listeners.byId.keys()) {
      if (!listeners.has(id) && this.connectionsOf(id)!.total === 0) this.#listeners.free(id)
    }
  }

  setLimits(id: string, limits: GateLimits): boolean {
    const record = this.#gates.byId.get(id)
    if (record === undefined) return false
    this.memory.writeLimits(record, limits)
    this.#askAll(mail.admit)
    return true
  }

  gateStates(): GateState[] {
    return [...this.#gates.byId.keys()]
      .map((id) => this.gateState(id)!)
      .filter(({ id, running, waiting }) => this.#published.newest?.gates.get(id)?.written ?? running + waiting > 0)
  }

  gateState(id: string): GateState | undefined {
    const record = this.#gates.byId.get(id)
    if (record === undefined) return undefined
    const { words } = this.memory
    const at = this.memory.gatePlace(record)
    const oldest = Atomics.load(words, at + gateWord.oldest)
    const since = oldest === none ? 0 : words[this.memory.slotPlace(oldest) + slotWord.since]!
    return {
      id,
      limits: this.memory.readLimits(record),
      running: Atomics.load(words, at + gateWord.running),
      waiting: Atomics.load(words, at + gateWord.waiting),
      oldestWaitMs: oldest === none ? 0 : Math.max(0, (this.#now() - since) | 0),
    }
  }

  endpointCells(id: string): EndpointCells | undefined {
    const record = this.#endpoints.byId.get(id)
    return record === undefined ? undefined : this.memory.endpointCells(record, this.#main)
  }

  connectionsOf(listener: string): ThreadCount | undefined {
    const record = this.#listeners.byId.get(listener)
    return record === undefined ? undefined : this.memory.listenerCount(record, this.#main)
  }

  /**
   * Clears up after a thread that has exited. Resolves when its number may be used anew; what a service that cannot
   * cancel may still be doing for it stays counted (`abandoned: wait`).
   */
  async recover(thread: number): Promise<void> {
    await this.#recovery.recover(thread, this.#inUse, (abandoned) => this.#keep(abandoned))
  }

  /** How long ago a thread said that it lives, in milliseconds. */
  heartbeatAgeMs(thread: number): number {
    return (this.#now() - this.memory.words[this.memory.threadPlace(thread, 'heartbeat')]!) | 0
  }

  /** Ends its timers. */
  close(): void {
    for (const timer of this.#kept) clearTimeout(timer)
    this.#kept.clear()
  }

  get #inUse() {
    return {
      gates: [...this.#gates.byId.values()],
      endpointsOf: (gate: number) => this.#endpointsByGate.get(gate) ?? [],
    }
  }

  #keep(abandoned: Abandoned): void {
    const timer = setTimeout(() => {
      this.#kept.delete(timer)
      void this.#recovery.giveBack(abandoned, this.#inUse)
    }, abandoned.keepMs)
    this.#kept.add(timer)
  }

  #makeGate(record: number, limits: GateLimits): void {
    const { words, layout } = this.memory
    const at = this.memory.gatePlace(record)
    words.fill(0, at, at + layout.gateWords)
    words[at + gateWord.oldest] = none
    words[at + gateWord.newest] = none
    this.memory.writeLimits(record, limits)
  }

  #forgetEndpoint(record: number): void {
    for (const [gate, records] of this.#endpointsByGate) {
      const left = records.filter((one) => one !== record)
      if (left.length === 0) this.#endpointsByGate.delete(gate)
      else this.#endpointsByGate.set(gate, left)
    }
  }

  #askAll(what: number): void {
    for (let thread = 0; thread < this.#main; thread++) this.#mailbox.post(thread, what)
  }
}
