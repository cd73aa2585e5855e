// One thread of the threads' suite: acquires, waits, leaves and releases as fast as it can, until it is killed or told
// to come home. Loads the classes that it tries by where their sources lie, so that a broken copy can be tried, too.
import module from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { Config, Gate, Permit, Records, SharedMemory, SharedMemoryHandle, SharedStore } from '@sluice/core'
import type { SharedModules } from './gate-end.ts'
import { type Unit, unitMaker } from './gate-store.ts'
import { GateWitness, phase, type WitnessHandle } from './gate-witness.ts'
import { SeededRandom } from './seeded-random.ts'

/** What a thread is started with. */
export interface GateThreadData {
  /** Where the sources of the core lie, as the URL of a folder. */
  readonly source: string
  readonly memory: SharedMemoryHandle
  readonly records: Records
  readonly config: Config
  readonly thread: number
  readonly witness: WitnessHandle
  readonly seed: number
}

/** What a thread says: what it has seen go wrong, or that it is home. */
export type GateThreadReport = { readonly kind: 'failed'; readonly what: string } | { readonly kind: 'home' }

const unitsEach = 8
/** Steps before the thread reads its mail. */
const maxBurst = 16
const maxSleepMs = 5

interface Member {
  readonly unit: Unit
  place: 'outside' | 'waiting' | 'running'
  gate: number
  slot: number
  ticket: number
  since: number
}

class GateThread {
  readonly #data: GateThreadData
  readonly #witness: GateWitness
  readonly #store: SharedStore
  readonly #memory: SharedMemory
  readonly #gates: readonly Gate[]
  readonly #random: SeededRandom
  readonly #members: Member[]
  #failed = false
  #round: () => void = () => {}
  #sleep: NodeJS.Timeout | undefined

  constructor(data: GateThreadData, modules: SharedModules) {
    this.#data = data
    this.#random = new SeededRandom(data.seed)
    this.#memory = modules.SharedMemory.from(data.memory)
    this.#witness = new GateWitness(data.witness, this.#memory, modules.layout)
    const clock = () => performance.now()
    const { thread, records, config } = data
    this.#store = new modules.SharedStore(this.#memory, thread, { records, clock })
    const faulted = (fault: unknown) => this.#fail(`a fault: ${fault}`)
    const runtime = new modules.Runtime({ clock, store: this.#store, faulted })
    const parts = { turn: runtime.turn, clock }
    const plain = config.gates.map((gate) => this.#store.gate(gate.id, gate, parts))
    const upstream = new modules.Upstream(config.upstreams[0]!, runtime)
    upstream.prepare(upstream.config, () => undefined).commit()
    this.#gates = [...plain, upstream.gate]
    const { Permit: OwnPermit, Waiter } = modules
    const fixture = { make: () => Promise.reject(new Error('not here')), Permit: OwnPermit, Waiter }
    const make = unitMaker(fixture, (unit) => this.#told(this.#members.find((one) => one.unit === unit)!))
    this.#members = Array.from({ length: unitsEach }, (_, i) => {
      const unknown = { gate: 0, slot: -1, ticket: 0, since: 0 }
      return { unit: make(`${thread}.${i}`), place: 'outside', ...unknown }
    })
    this.#store.open()
  }

  run(): void {
    const round = () => {
      this.#sleep = undefined
      if (this.#failed) return
      const now = this.#witness.phase
      const burst = 1 + this.#random.below(maxBurst)
      for (let i = 0; i < burst; i++) this.#step(now === phase.home)
      this.#witness.countSteps(this.#data.thread, burst)
      if (now === phase.home && this.#members.every(({ place }) => place === 'outside')) {
        parentPort!.postMessage({ kind: 'home' } satisfies GateThreadReport)
        // It stays, for the mail that may come.
        return
      }
      this.#goOn()
    }
    this.#round = round
    round()
  }

  /** While all of its units wait there is nothing to do, and the other threads need the machine. */
  #goOn(): void {
    if (this.#members.some(({ place }) => place !== 'waiting')) setImmediate(this.#round)
    else this.#sleep = setTimeout(this.#round, maxSleepMs)
  }

  #wake(): void {
    if (this.#sleep === undefined) return
    clearTimeout(this.#sleep)
    this.#sleep = undefined
    setImmediate(this.#round)
  }

  #step(home: boolean): void {
    const member = this.#random.pick(this.#members)
    switch (member.place) {
      case 'outside':
        if (!home) this.#arrive(member)
        break
      case 'running':
        this.#release(member)
        break
      case 'waiting':
        // On the way home nobody leaves: whoever waits must be told.
        if (!home && this.#random.chance(0.02)) this.#leave(member)
        break
    }
  }

  #arrive(member: Member): void {
    const { unit } = member
    member.gate = this.#random.below(this.#gates.length)
    const gate = this.#gates[member.gate]!
    const before = this.#witness.newestTicket(member.gate)
    if (gate.tryAcquire(unit.permit)) {
      this.#entered(member, (before + 1) | 0)
      return
    }
    if (!gate.enqueue(unit)) return
    member.place = 'waiting'
    member.since = this.#witness.now()
    member.slot = unit.slot
    if (unit.slot < 0) return
    member.ticket = this.#witness.ticketOf(unit.slot)
    if (!this.#witness.isLater(member.gate, member.ticket, before))
      this.#fail(`ticket ${member.ticket} of gate ${member.gate} is older than ${before} before it`)
  }

  #told(member: Member): void {
    if (this.#failed) return
    this.#wake()
    if (member.place !== 'waiting') return this.#fail(`a unit was told that is ${member.place}`)
    if (member.slot >= 0) {
      this.#witness.countGrant(member, this.#data.thread)
      this.#entered(member, member.ticket)
    } else {
      this.#entered(member, undefined)
    }
  }

  /** Holds its permit. `ticket`: of whom none may wait any more that came before it. */
  #entered(member: Member, ticket: number | undefined): void {
    member.place = 'running'
    const { permit } = member.unit
    if (!permit.held) return this.#fail('a unit was told without a permit')
    const problem = this.#witness.enter(this.#data.thread, member.gate, roomOf(permit))
    if (problem !== undefined) return this.#fail(problem)
    if (ticket === undefined || !this.#random.chance(0.2)) return
    const overtaken = this.#witness.overtaken(member.gate, ticket)
    if (overtaken !== undefined) this.#fail(overtaken)
  }

  #release(member: Member): void {
    const { permit } = member.unit
    this.#witness.leave(this.#data.thread, member.gate, roomOf(permit))
    this.#witness.noteRelease(member.gate, this.#data.thread)
    permit.release()
    member.place = 'outside'
  }

  #leave(member: Member): void {
    this.#gates[member.gate]!.leave(member.unit)
    member.place = 'outside'
  }

  #fail(what: string): void {
    this.#failed = true
    parentPort!.postMessage({ kind: 'failed', what: `thread ${this.#data.thread}: ${what}` } satisfies GateThreadReport)
  }
}

function roomOf(permit: Permit): number {
  return permit.room?.record ?? -1
}

async function load(source: string): Promise<SharedModules> {
  const part = async (file: string): Promise<object> => (await import(new URL(file, source).href)) as object
  const layout = await part('state/layout.ts')
  const files = [
    'state/shared-memory.ts',
    'state/shared-store.ts',
    'gate/gate.ts',
    'runtime.ts',
    'upstream/upstream.ts',
  ]
  const loaded = await Promise.all(files.map(part))
  // Of a thread that is killed nothing would be kept.
  module.flushCompileCache()
  return Object.assign({}, ...loaded, { layout }) as SharedModules
}

const data = workerData as GateThreadData
// Keeps the thread alive when it is home.
parentPort!.on('message', () => {})
new GateThread(data, await load(data.source)).run()
