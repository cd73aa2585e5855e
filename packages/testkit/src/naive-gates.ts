import type { EndpointCells, GateLimits, SharedControl } from '@sluice/core'
import { type GateEnd, sharedGateIds } from './gate-end.ts'
import type { Unit } from './gate-store.ts'
import type { LayoutWords, SharedTruth } from './shared-truth.ts'

/** Where a unit stands; `asked`: it was not let through, and is about to wait. */
export type Place = 'outside' | 'asked' | 'waiting' | 'granted' | 'running'

/** What the model knows of one unit. */
export interface Member {
  readonly end: GateEnd
  readonly unit: Unit
  place: Place
  gate: number
  slot: number
  /** The number of its grant, in the order of grants. */
  grant: number
  /** Granted by its own thread, which tells it without mail. */
  byOwn: boolean
  /** It may be told out of turn: it was granted, left and came back before anybody was told, or a thread had died. */
  anyTurn: boolean
}

/** What the model knows of one gate. */
export interface Model {
  readonly record: number
  readonly rooms: boolean
  limits: GateLimits
  queue: Member[]
  running: number
  /** Limits were raised, or a thread has died: somebody has been asked to admit whom there is room for, and has not yet. */
  asked: boolean
}

/**
 * Shared gates as they ought to be: queues and counts too simple to be wrong, against which what stands in memory is
 * held. Throws what is wrong.
 */
export class NaiveGates {
  readonly models: readonly Model[]
  members: Member[] = []
  readonly endpoints: readonly EndpointCells[]
  readonly #control: SharedControl
  readonly #truth: SharedTruth
  readonly #granted: number
  readonly #endpointRecords: readonly number[]
  #runningBefore: readonly number[] = []
  #limitsBefore = ''
  #grants = 0
  #grantsByOthers = 0
  #wrong: string | undefined

  constructor(control: SharedControl, truth: SharedTruth, layout: LayoutWords) {
    this.#control = control
    this.#truth = truth
    this.#granted = layout.slotState.granted
    const { gates, endpoints } = control.records
    this.models = sharedGateIds.map((id) => ({
      record: gates.get(id)!,
      rooms: id.startsWith('upstream:'),
      limits: control.gateState(id)!.limits,
      queue: [],
      running: 0,
      asked: false,
    }))
    this.endpoints = [...endpoints.keys()].map((id) => control.endpointCells(id)!)
    this.#endpointRecords = [...endpoints.values()]
  }

  /** Grants out of the queue so far, and those of them that one thread gave to another. */
  get grants(): { readonly granted: number; readonly grantedByOthers: number } {
    return { granted: this.#grants, grantedByOthers: this.#grantsByOthers }
  }

  /** These have died and been recovered: it is as if they had never been. */
  forget(dead: readonly GateEnd[]): void {
    this.members = this.members.filter(({ end }) => !dead.includes(end))
    for (const [i, model] of this.models.entries()) {
      model.queue = model.queue.filter(({ end }) => !dead.includes(end))
      model.running = this.members.filter(({ gate, place }) => gate === i && isLetThrough(place)).length
      model.asked = true
    }
    this.observe()
  }

  /** Sees whom a call has let through: those who came first, and no more than there is room for. */
  observe(): void {
    for (const model of this.models) this.#observe(model)
  }

  #observe(model: Model): void {
    const { queue } = model
    let admitted = 0
    while (admitted < queue.length && this.#isGranted(queue[admitted]!)) admitted++
    for (let i = admitted; i < queue.length; i++) {
      if (this.#isGranted(queue[i]!)) fail(`unit ${queue[i]!.unit.name} has overtaken ${queue[admitted]!.unit.name}`)
    }
    if (admitted === 0) return
    for (const member of queue.splice(0, admitted)) {
      member.place = 'granted'
      member.grant = this.#grants++
      member.byOwn = member.unit.waiterState === 'granted'
      if (!member.byOwn) this.#grantsByOthers++
    }
    model.running += admitted
    if (model.limits.dryRun !== true && model.running > model.limits.limit) {
      fail(`${admitted} were admitted and ${model.running} run under a limit of ${model.limits.limit}`)
    }
  }

  /** What is wrong is kept until the turn is over: nobody would catch it there. */
  told(unit: Unit): void {
    const member = this.members.find((one) => one.unit === unit)!
    if (member.place !== 'granted') this.#wrong ??= `unit ${unit.name} was told, and is ${member.place}`
    member.place = 'running'
    for (const other of this.members) {
      const alike = other.end === member.end && other.gate === member.gate && other.byOwn === member.byOwn
      if (other.place !== 'granted' || !alike || other.grant > member.grant || other.anyTurn || member.anyTurn) continue
      this.#wrong ??= `unit ${unit.name} was told before ${other.unit.name}`
    }
    member.anyTurn = false
  }

  /** The turn is over: everybody has been told who was to be. */
  settled(): void {
    if (this.#wrong !== undefined) fail(this.#wrong)
    for (const { unit, place, end } of this.members) {
      if (!end.dead && place === 'granted' && unit.waiterState === 'granted') fail(`${unit.name} was not told`)
    }
  }

  hasRoom({ rooms, running, limits }: Model): boolean {
    if (running >= limits.limit && limits.dryRun !== true) return false
    if (!rooms) return true
    const all = !this.endpoints.some(({ probedUp }) => probedUp)
    return this.endpoints.some(({ hasRoom, probedUp }) => hasRoom && (all || probedUp))
  }

  check(deep: boolean): void {
    for (const [i, model] of this.models.entries()) {
      const { running, waiting } = this.#control.gateState(sharedGateIds[i]!)!
      if (running !== model.running) fail(`gate ${i} counts ${running} permits, not ${model.running}`)
      if (waiting !== model.queue.length) fail(`gate ${i} counts ${waiting} waiters, not ${model.queue.length}`)
      if (waiting > 0 && !model.asked && this.hasRoom(model)) fail(`somebody waits at gate ${i} while there is room`)
      if (!deep) continue
      const problem = this.#truth.problemOf(model.record, model.rooms ? this.#endpointRecords : [])
      if (problem !== undefined) fail(`gate ${i}: ${problem}`)
    }
    if (deep) this.#checkMembers()
  }

  #checkMembers(): void {
    const rooms = new Map<number, number>()
    for (const { unit, end, place, gate, slot } of this.members) {
      const underWay = place === 'granted' && unit.waiterState !== 'granted' && !end.dead
      if (!end.dead && unit.permit.held !== (isLetThrough(place) && !underWay)) {
        fail(`unit ${unit.name}, ${place}, ${unit.permit.held ? 'holds a' : 'has no'} permit`)
      }
      if (underWay && end.mail === 0) fail(`unit ${unit.name} has been granted a permit and its thread sleeps`)
      if (!isLetThrough(place) || !this.models[gate]!.rooms) continue
      const room = unit.permit.held ? unit.permit.room?.record : this.#truth.roomOf(slot)
      if (room === undefined || room < 0) fail(`unit ${unit.name} has a permit without an endpoint`)
      rooms.set(room, (rooms.get(room) ?? 0) + 1)
    }
    for (const record of this.#endpointRecords) {
      const [counted, there] = [this.#truth.runningAt(record), rooms.get(record) ?? 0]
      if (counted !== there) fail(`endpoint ${record} counts ${counted}, ${there} are there`)
    }
    this.#checkEndpointLimits()
  }

  /** Under a lowered limit nobody is let through; otherwise no more than it are there. */
  #checkEndpointLimits(): void {
    const running = this.#endpointRecords.map((record) => this.#truth.runningAt(record))
    const limits = this.#endpointRecords.map((record) => this.#truth.limitAt(record))
    const changed = limits.join() !== this.#limitsBefore
    for (const [i, count] of running.entries()) {
      if (changed || count <= limits[i]! || count <= this.#runningBefore[i]!) continue
      fail(`${count} run at endpoint ${i} under a limit of ${limits[i]}`)
    }
    this.#runningBefore = running
    this.#limitsBefore = limits.join()
  }

  #isGranted({ unit, slot }: Member): boolean {
    if (unit.waiterState === 'granted') return true
    return slot >= 0 && this.#truth.stateOf(slot) === this.#granted
  }
}

function isLetThrough(place: Place): boolean {
  return place === 'granted' || place === 'running'
}

function fail(what: string): never {
  throw new Error(what)
}
