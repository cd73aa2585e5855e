import type { Gate, GateLimits, Room, Waiter } from '../gate/gate.ts'
import type { GateParts } from '../gate/local-gate.ts'
import { SharedGate } from '../gate/shared-gate.ts'
import type { Clock } from '../timers/wheel.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { EndpointCells } from './endpoint-cells.ts'
import { gateWord, type Layout, none, slotWord } from './layout.ts'
import { LiveEndpoints } from './live-endpoints.ts'
import { Mailbox, mail } from './mailbox.ts'
import { sharedClock } from './shared-clock.ts'
import type { SharedMemory } from './shared-memory.ts'
import { Slots } from './slots.ts'
import type { Cursor, StateStore } from './store.ts'
import type { ThreadCount } from './thread-count.ts'
import type { UnitCount } from './unit-count.ts'

/** Which record belongs to which identity: what the main thread hands out with each configuration. Can be posted. */
export interface Records {
  readonly gates: ReadonlyMap<string, number>
  readonly endpoints: ReadonlyMap<string, number>
  readonly listeners: ReadonlyMap<string, number>
}

/** One data-plane thread's end of the state that all threads share. */
export class SharedStore implements StateStore {
  readonly thread: number
  readonly threads: number
  readonly words: Int32Array
  readonly layout: Layout
  readonly slots: Slots
  readonly mailbox: Mailbox
  /** Who of this thread waits in which slot. */
  readonly waiters = new Map<number, Waiter>()
  readonly allConnections: ThreadCount
  readonly bufferedKiB: ThreadCount
  readonly units: UnitCount
  readonly now: Clock
  readonly #memory: SharedMemory
  readonly #gates = new Map<string, SharedGate>()
  readonly #gatesByRecord: (SharedGate | undefined)[] = []
  /** Where units are sent that were granted room, by record. */
  readonly #endpoints: (Endpoint | undefined)[] = []
  readonly #live = new LiveEndpoints()
  /** Slots granted with room at an endpoint that this thread has not got yet. */
  readonly #early = new Set<number>()
  readonly #granted: number
  readonly #faulted: (fault: unknown) => void
  #records: Records

  /** `faulted` hears of bugs of ours that were met while another thread was answered. */
  constructor(
    memory: SharedMemory,
    thread: number,
    options: { records: Records; clock: Clock; faulted?: (fault: unknown) => void },
  ) {
    const { words, layout } = memory
    this.#memory = memory
    this.thread = thread
    this.threads = layout.capacity.threads
    this.words = words
    this.layout = layout
    this.now = sharedClock(options.clock)
    this.#records = options.records
    this.#faulted =
      options.faulted ??
      ((fault) => {
        throw fault
      })
    this.slots = new Slots(words, layout, thread + 1)
    this.mailbox = new Mailbox(memory, thread)
    this.allConnections = memory.threadCount('connections', thread)
    this.bufferedKiB = memory.threadCount('bufferedKiB', thread)
    this.units = memory.unitCount(thread)
    this.#granted = memory.threadPlace(thread, 'granted')
  }

  get published(): number {
    return this.#memory.published
  }

  /** Says that this thread lives, and how many timers it has armed. */
  beat(timers: number): void {
    this.words[this.#memory.threadPlace(this.thread, 'timers')] = timers
    Atomics.store(this.words, this.#memory.threadPlace(this.thread, 'heartbeat'), this.now())
  }

  /** Begins to hear of the other threads. */
  open(): void {
    this.mailbox.open((what) => this.#read(what))
  }

  close(): void {
    this.mailbox.close()
  }

  /** The records of the next configuration. What vanished from them is used by nobody any more. */
  assign(records: Records): void {
    this.#records = records
    for (const [id, gate] of this.#gates) {
      if (records.gates.get(id) === gate.record) continue
      this.#gates.delete(id)
      if (this.#gatesByRecord[gate.record] === gate) this.#gatesByRecord[gate.record] = undefined
    }
    for (const [record, endpoint] of this.#endpoints.entries()) {
      if (endpoint === undefined || records.endpoints.get(endpoint.config.id) === record) continue
      this.#endpoints[record] = undefined
    }
    this.#live.sweep()
  }

  gate(id: string, _limits: GateLimits, parts: GateParts): Gate {
    let gate = this.#gates.get(id)
    if (gate === undefined) {
      const record = recordOf(this.#records.gates, 'gate', id)
      gate = new SharedGate(id, record, this, parts)
      this.#gates.set(id, gate)
      this.#gatesByRecord[record] = gate
    }
    return gate
  }

  endpoint(id: string): EndpointCells {
    return this.cellsOf(recordOf(this.#records.endpoints, 'endpoint', id))
  }

  adopt(endpoint: Endpoint): void {
    this.#endpoints[endpoint.record] = endpoint
    this.#live.add(endpoint)
    for (const slot of this.#early) this.#takeUp(slot)
  }

  connections(listener: string): ThreadCount {
    return this.#memory.listenerCount(recordOf(this.#records.listeners, 'listener', listener), this.thread)
  }

  cursor(gate: Gate): Cursor {
    const { words } = this
    const at = this.#memory.gatePlace((gate as SharedGate).record) + gateWord.cursor
    return {
      get value() {
        return words[at]!
      },
      set value(value) {
        words[at] = value
      },
    }
  }

  wantConnection(endpoint: Endpoint): void {
    for (const other of this.#live.othersOf(endpoint)) if (other.closeOldestIdle()) return
    const { idle } = endpoint.cells
    let richest = -1
    for (let thread = 0; thread < this.threads; thread++) {
      if (thread === this.thread || idle.of(thread) === 0) continue
      if (richest < 0 || idle.of(thread) > idle.of(richest)) richest = thread
    }
    if (richest >= 0) this.mailbox.post(richest, mail.starved)
  }

  connectionFreed(endpoint: Endpoint): void {
    for (const other of this.#live.othersOf(endpoint)) other.connectAsNeeded()
    const { starved } = endpoint.cells
    for (let thread = 0; thread < this.threads; thread++) {
      if (thread !== this.thread && starved.of(thread) > 0) this.mailbox.post(thread, mail.room)
    }
  }

  // For the gates.

  /** Where a slot lies. */
  placeOf(slot: number): number {
    return this.#memory.slotPlace(slot)
  }

  /** The room that is meant by an endpoint's record. */
  roomOf(record: number): Room | undefined {
    return record === none ? undefined : this.#endpoints[record]
  }

  /** What is known of the endpoint with that record, which this thread may not have got yet. */
  cellsOf(record: number): EndpointCells {
    return this.#memory.endpointCells(record, this.thread)
  }

  /**
   * The slot has been granted with room at an endpoint of a configuration that holds, and by which this thread does not
   * work yet: its waiter is told once the endpoint is adopted.
   */
  putOff(slot: number): void {
    this.#early.add(slot)
  }

  /** The slot is free: nothing is put off in it. */
  settled(slot: number): void {
    if (this.#early.size > 0) this.#early.delete(slot)
  }

  /** How long a slot's waiter has waited, in milliseconds. */
  waitedMs(slot: number): number {
    return slot === none ? 0 : Math.max(0, (this.now() - this.words[this.placeOf(slot) + slotWord.since]!) | 0)
  }

  writeLimits(record: number, limits: GateLimits): void {
    this.#memory.writeLimits(record, limits)
  }

  readLimits(record: number): GateLimits {
    return this.#memory.readLimits(record)
  }

  /** Puts a granted slot into its thread's list. Called inside the gate, so that the slot cannot be taken up before. */
  pushGranted(thread: number, slot: number): void {
    const at = this.#memory.threadPlace(thread, 'granted')
    const next = this.placeOf(slot) + slotWord.next
    for (;;) {
      const head = Atomics.load(this.words, at)
      this.words[next] = head
      if (Atomics.compareExchange(this.words, at, head, slot) === head) return
    }
  }

  #read(what: number): void {
    if ((what & mail.recover) !== 0) this.#takeUpLost()
    else if ((what & mail.granted) !== 0) this.#takeUpGranted()
    if ((what & (mail.admit | mail.recover)) !== 0) this.#each(this.#gates.values(), (gate) => gate.admitWaiting())
    if ((what & mail.starved) !== 0) this.#each(this.#live, (endpoint) => endpoint.neighbourStarved())
    if ((what & mail.room) !== 0) this.#each(this.#live, (endpoint) => endpoint.connectAsNeeded())
    if ((what & mail.recover) !== 0) this.#each(this.#live, (endpoint) => endpoint.neighbourDied())
  }

  #takeUpGranted(): void {
    const granted: number[] = []
    let slot = Atomics.exchange(this.words, this.#granted, none)
    for (; slot !== none; slot = this.words[this.placeOf(slot) + slotWord.next]!) granted.push(slot)
    // The list has the newest first.
    for (let i = granted.length - 1; i >= 0; i--) this.#takeUp(granted[i]!)
  }

  /**
   * Finds what was granted by a thread that died before it had put it into this thread's list. A living one may be about
   * to do so: once its gate's lock has been free, it has. No slot is used anew meanwhile, since only this thread could.
   */
  #takeUpLost(): void {
    const suspects = this.slots.granted()
    for (const slot of suspects) this.#gateOf(slot).exclusively(() => {})
    this.#takeUpGranted()
    // One that was taken up just now may lie in a chunk that another thread has by now.
    const left = new Set(this.slots.granted())
    for (const slot of suspects) if (left.has(slot)) this.#takeUp(slot)
  }

  #takeUp(slot: number): void {
    try {
      this.#gateOf(slot).takeUp(slot)
    } catch (fault) {
      this.#faulted(fault)
    }
  }

  /** A bug that is met with one of them must not keep the others from what they are asked. */
  #each<T>(all: Iterable<T>, action: (one: T) => void): void {
    for (const one of all) {
      try {
        action(one)
      } catch (fault) {
        this.#faulted(fault)
      }
    }
  }

  #gateOf(slot: number): SharedGate {
    return this.#gatesByRecord[this.words[this.placeOf(slot) + slotWord.gate]!]!
  }
}

function recordOf(records: ReadonlyMap<string, number>, what: string, id: string): number {
  const record = records.get(id)
  if (record === undefined) throw new Error(`the ${what} ${id} has no record`)
  return record
}
