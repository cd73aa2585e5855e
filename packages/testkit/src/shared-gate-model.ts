import type { Config, EndpointCells, GateLimits, SharedControl } from '@sluice/core'
import { FakeClock } from './fake-clock.ts'
import { GateEnd, sharedConfig, sharedGateIds, type SharedModules } from './gate-end.ts'
import type { Unit } from './gate-store.ts'
import { Death, seeThrough } from './mortal-memory.ts'
import { scaled } from './scale.ts'
import { SeededRandom } from './seeded-random.ts'
import { SharedTruth } from './shared-truth.ts'

/** How long a run is, and which one. */
export interface SharedGateModelOptions {
  readonly seed: number
  readonly steps: number
  /** Default: 4. */
  readonly threads?: number
  /** Default: 8. */
  readonly unitsEach?: number
}

/** What a run has seen, so that a test can tell that it was worth something. */
export interface SharedGateModelReport {
  granted: number
  grantedByOthers: number
  left: number
  leftUntold: number
  queueFull: number
  moved: number
  limitsChanged: number
  deaths: number
  deathsInside: number
  locksLeft: number
}

/** Where a unit stands; `asked`: it was not let through, and is about to wait. */
type Place = 'outside' | 'asked' | 'waiting' | 'granted' | 'running'

/** What the model knows of one unit. */
interface Member {
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
interface Model {
  readonly record: number
  readonly rooms: boolean
  limits: GateLimits
  queue: Member[]
  running: number
  /** Limits were raised, or a thread has died: somebody has been asked to admit whom there is room for, and has not yet. */
  asked: boolean
}

const endpointLimits = [1, 2, 3]
const maxRecoveryMs = 1_000

/** Registers the model of several threads' ends as a suite, on 1 to 8 of them. */
export function describeSharedGateModel(name: string, modules: SharedModules): void {
  describe(`${name} behaves as the naive model, with several ends that die`, function () {
    const steps = scaled({ test: 20_000, ci: 250_000, soak: 2_500_000 })
    this.timeout(60_000 + steps / 5)
    for (const threads of [1, 2, 3, 4, 5, 6, 7, 8]) {
      it(`through ${steps} random steps (threads ${threads})`, async () => {
        const report = await runSharedGateModel(modules, { seed: threads, steps, threads })
        for (const [what, count] of Object.entries(report)) {
          if (count < steps / 5_000 && threads > 1) throw new Error(`the run was too tame: ${what} ${count}`)
        }
      })
    }
  })
}

/**
 * Drives shared gates from several threads' ends at once, in one thread, by random steps: arrivals, releases, leaving,
 * changed limits, mail that is read late, and deaths, between two calls and between any two stores inside of one.
 *
 * Rejects when a unit is let through or kept out against a model that is too simple to be wrong, when somebody is
 * overtaken, waits while there is room, is granted a permit and not woken, or is told out of turn; when the words in
 * memory disagree with what is the truth among them; and when not all permits are home at the end.
 */
export async function runSharedGateModel(
  modules: SharedModules,
  options: SharedGateModelOptions,
): Promise<SharedGateModelReport> {
  const restore = seeThrough()
  try {
    return await new SharedModelRun(modules, options).finish()
  } finally {
    restore()
  }
}

class SharedModelRun {
  readonly #modules: SharedModules
  readonly #options: SharedGateModelOptions
  readonly #random: SeededRandom
  readonly #clock = new FakeClock()
  readonly #control: SharedControl
  readonly #truth: SharedTruth
  readonly #config: Config
  readonly #models: Model[]
  readonly #endpoints: readonly EndpointCells[]
  readonly #endpointRecords: readonly number[]
  #ends: GateEnd[] = []
  #members: Member[] = []
  readonly #membersOf = new Map<GateEnd, Member[]>()
  #grants = 0
  #wrong: string | undefined
  #step = 0
  readonly #report: SharedGateModelReport = {
    granted: 0,
    grantedByOthers: 0,
    left: 0,
    leftUntold: 0,
    queueFull: 0,
    moved: 0,
    limitsChanged: 0,
    deaths: 0,
    deathsInside: 0,
    locksLeft: 0,
  }

  constructor(modules: SharedModules, options: SharedGateModelOptions) {
    this.#modules = modules
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    const threads = options.threads ?? 4
    const capacity = { threads, gates: 4, endpoints: 4, listeners: 1, waiters: 64 * (threads + 1) }
    this.#control = new modules.SharedControl(capacity, this.#clock.read)
    this.#truth = new SharedTruth(this.#control.memory, modules.layout)
    this.#config = sharedConfig({ endpoints: endpointLimits })
    this.#control.prepare(this.#config)
    this.#control.publish(this.#config, 1)
    const { gates, endpoints } = this.#control.records
    this.#models = sharedGateIds.map((id) => ({
      record: gates.get(id)!,
      rooms: id.startsWith('upstream:'),
      limits: this.#control.gateState(id)!.limits,
      queue: [],
      running: 0,
      asked: false,
    }))
    this.#endpoints = [...endpoints.keys()].map((id) => this.#control.endpointCells(id)!)
    this.#endpointRecords = [...endpoints.values()]
    for (let thread = 0; thread < threads; thread++) this.#begin(thread)
  }

  async finish(): Promise<SharedGateModelReport> {
    for (; this.#step < this.#options.steps; this.#step++) {
      this.#clock.nowMs++
      const what = this.#random.next()
      if (what < 0.15) await this.#settle()
      else if (what < 0.17) this.#changeLimits()
      else if (what < 0.175) this.#changeEndpoint()
      else if (what < 0.178) await this.#die()
      else if (what < 0.185) await this.#recoverOne()
      else await this.#act(what < 0.35)
      this.#checkAll(this.#step % 8 === 0)
    }
    await this.#goHome()
    return this.#report
  }

  #begin(thread: number): void {
    const end = new GateEnd(this.#modules, {
      control: this.#control,
      config: this.#config,
      thread,
      clock: this.#clock.read,
      mortal: !this.#ends.some(({ mortal, dead }) => mortal !== undefined && !dead),
      units: this.#options.unitsEach ?? 8,
      told: (unit) => this.#told(unit),
    })
    this.#ends.push(end)
    const unknown = { gate: 0, slot: -1, grant: 0, byOwn: false, anyTurn: false }
    const members = end.units.map((unit): Member => ({ end, unit, place: 'outside', ...unknown }))
    this.#membersOf.set(end, members)
    this.#members.push(...members)
    // Beginning, it says that all endpoints are up.
    for (const model of this.#models) this.#observe(model)
  }

  get #living(): GateEnd[] {
    return this.#ends.filter(({ dead }) => !dead)
  }

  /** One call of one end, which may be its last. */
  async #act(mail: boolean): Promise<void> {
    const end = this.#random.pick(this.#living)
    const { mortal } = end
    if (mortal !== undefined && this.#random.chance(0.05)) mortal.dieAfter(this.#random.below(25))
    try {
      if (mail) this.#readMail(end)
      else this.#anyCall(this.#membersOf.get(end)![this.#random.below(end.units.length)]!)
      mortal?.dieAfter(Infinity)
    } catch (error) {
      if (!(error instanceof Death)) throw error
      this.#report.deathsInside++
      await this.#recoverInside(end)
    }
    for (const model of this.#models) this.#observe(model)
  }

  #readMail(end: GateEnd): void {
    const what = end.readMail()
    if (what > 1) for (const model of this.#models) model.asked = false
    // Those that a dead thread has granted are found by where they stand, not in the order of their grants.
    if (what > 2) for (const member of this.#membersOf.get(end)!) if (member.place === 'granted') member.anyTurn = true
  }

  #anyCall(member: Member): void {
    const { unit, end } = member
    const gate = end.gates[member.gate]!
    switch (member.place) {
      case 'outside':
        if (this.#random.chance(this.#step % 600 < 300 ? 0.9 : 0.3)) this.#arrive(member)
        else gate.leave(unit)
        break
      case 'asked':
        this.#wait(member)
        break
      case 'running':
        if (this.#models[member.gate]!.rooms && this.#random.chance(0.3)) this.#move(member)
        else this.#release(member)
        break
      case 'waiting':
      case 'granted':
        if (this.#random.chance(0.3)) this.#leave(member)
        break
    }
  }

  #arrive(member: Member): void {
    const { end, unit } = member
    const i = this.#random.below(this.#models.length)
    const model = this.#models[i]!
    const gate = end.gates[i]!
    const free = model.queue.length === 0 && this.#hasRoom(model)
    if (gate.tryAcquire(unit.permit) !== free) this.#fail(`unit ${unit.name} was ${free ? 'kept out' : 'let through'}`)
    member.gate = i
    if (free) {
      member.place = 'running'
      model.running++
      return
    }
    member.place = 'asked'
    // Between the two, the others may do what they like.
    if (this.#random.chance(0.7)) this.#wait(member)
  }

  #wait(member: Member): void {
    const { end, unit } = member
    const model = this.#models[member.gate]!
    const place = model.queue.length < model.limits.queue
    member.place = 'outside'
    if (end.gates[member.gate]!.enqueue(unit) !== place) {
      this.#fail(`unit ${unit.name} ${place ? 'found no' : 'was given a'} place to wait`)
    }
    if (!place) {
      this.#report.queueFull++
      return
    }
    member.place = 'waiting'
    member.slot = unit.slot
    model.queue.push(member)
  }

  #release(member: Member): void {
    member.unit.permit.release()
    if (this.#random.chance(0.2)) member.unit.permit.release()
    member.place = 'outside'
    this.#models[member.gate]!.running--
  }

  #leave(member: Member): void {
    const model = this.#models[member.gate]!
    member.end.gates[member.gate]!.leave(member.unit)
    if (member.place === 'waiting') {
      this.#report.left++
      model.queue.splice(model.queue.indexOf(member), 1)
    } else {
      this.#report.leftUntold++
      model.running--
      member.anyTurn = true
    }
    member.place = 'outside'
  }

  #move({ unit, end }: Member): void {
    const from = unit.permit.room
    end.upstream.move(unit.permit)
    if (unit.permit.room !== from) this.#report.moved++
  }

  #changeLimits(): void {
    const i = this.#random.below(this.#models.length)
    const model = this.#models[i]!
    const limit = this.#random.chance(0.1) ? Infinity : 1 + this.#random.below(8)
    model.limits = { limit, queue: this.#random.below(14), timeoutMs: 1_000, dryRun: this.#random.chance(0.05) }
    this.#report.limitsChanged++
    this.#control.setLimits(sharedGateIds[i]!, model.limits)
    model.asked = true
  }

  #changeEndpoint(): void {
    const endpoint = this.#random.pick(this.#endpoints)
    if (this.#random.chance(0.5)) {
      const end = this.#random.pick(this.#living)
      if (end.mortal !== undefined) return
      end.upstream.endpoints[this.#endpoints.indexOf(endpoint)]!.health.probed(this.#random.chance(0.5), 'the model')
    } else {
      endpoint.setLimits({ limit: 1 + this.#random.below(4), maxConnections: Infinity })
      // As `publish` does, after the limits have been written.
      this.#control.setLimits('upstream:u', this.#models.at(-1)!.limits)
      this.#models.at(-1)!.asked = true
    }
    for (const model of this.#models) this.#observe(model)
  }

  /** Between two calls. */
  async #die(): Promise<void> {
    if (this.#living.length < 2) return
    this.#random.pick(this.#living).die()
    this.#report.deaths++
  }

  async #recoverOne(): Promise<void> {
    const dead = this.#ends.filter((end) => end.dead)
    if (dead.length === 0) return
    const end = this.#random.pick(dead)
    await this.#recover(end)
    this.#forget([end])
  }

  /** Died between two stores: nobody else could enter the gate now, and what it has done of its call is not known. */
  async #recoverInside(end: GateEnd): Promise<void> {
    end.die()
    const { memory } = this.#control
    if (this.#models.some(({ record }) => this.#truth.owner(record) === end.thread + 1)) this.#report.locksLeft++
    const dead = this.#ends.filter((other) => other.dead && other !== end)
    // Whoever is recovered first must wait for the other, whose lock is taken.
    const together = dead.length > 0 && this.#random.chance(0.1) ? [dead[0]!, end] : [end]
    await this.#recover(...together)
    if (memory.words[memory.threadPlace(end.thread, 'granted')] !== this.#modules.layout.none) {
      this.#fail('the dead thread has been given a permit')
    }
    this.#forget(together)
  }

  async #recover(...dead: readonly GateEnd[]): Promise<void> {
    const recovered = Promise.all(dead.map(({ thread }) => this.#control.recover(thread)))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, maxRecoveryMs, 'late')))
    const first = await Promise.race([recovered, late])
    clearTimeout(timer)
    if (first !== 'late') return
    // So that it ends, and nothing of this run goes on behind the next one.
    const { memory } = this.#control
    for (const { record } of this.#models)
      memory.words[memory.gatePlace(record) + this.#modules.layout.gateWord.lock] = 0
    await recovered
    this.#fail('a recovery does not end')
  }

  #forget(dead: readonly GateEnd[]): void {
    this.#ends = this.#ends.filter((end) => !dead.includes(end))
    this.#members = this.#members.filter(({ end }) => !dead.includes(end))
    for (const [i, model] of this.#models.entries()) {
      model.queue = model.queue.filter(({ end }) => !dead.includes(end))
      model.running = this.#members.filter(({ gate, place }) => gate === i && isLetThrough(place)).length
      model.asked = true
      this.#observe(model)
    }
    for (const end of dead) {
      this.#membersOf.delete(end)
      this.#begin(end.thread)
    }
  }

  /** Sees whom a call has let through: those who came first, and no more than there is room for. */
  #observe(model: Model): void {
    const { queue } = model
    let admitted = 0
    while (admitted < queue.length && this.#isGranted(queue[admitted]!)) admitted++
    for (let i = admitted; i < queue.length; i++) {
      if (this.#isGranted(queue[i]!))
        this.#fail(`unit ${queue[i]!.unit.name} has overtaken ${queue[admitted]!.unit.name}`)
    }
    if (admitted === 0) return
    for (const member of queue.splice(0, admitted)) {
      member.place = 'granted'
      member.grant = this.#grants++
      this.#report.granted++
      member.byOwn = member.unit.waiterState === 'granted'
      if (!member.byOwn) this.#report.grantedByOthers++
    }
    model.running += admitted
    if (model.limits.dryRun !== true && model.running > model.limits.limit) {
      this.#fail(`${admitted} were admitted and ${model.running} run under a limit of ${model.limits.limit}`)
    }
  }

  #isGranted({ unit, slot }: Member): boolean {
    if (unit.waiterState === 'granted') return true
    return slot >= 0 && this.#truth.stateOf(slot) === this.#modules.layout.slotState.granted
  }

  /** What is wrong is kept until the turn is over: nobody would catch it there. */
  #told(unit: Unit): void {
    const member = this.#members.find((one) => one.unit === unit)!
    if (member.place !== 'granted') this.#wrong ??= `unit ${unit.name} was told, and is ${member.place}`
    member.place = 'running'
    for (const other of this.#members) {
      const alike = other.end === member.end && other.gate === member.gate && other.byOwn === member.byOwn
      if (other.place !== 'granted' || !alike || other.grant > member.grant || other.anyTurn || member.anyTurn) continue
      this.#wrong ??= `unit ${unit.name} was told before ${other.unit.name}`
    }
    member.anyTurn = false
  }

  async #settle(): Promise<void> {
    await Promise.resolve()
    if (this.#wrong !== undefined) this.#fail(this.#wrong)
    for (const { unit, place, end } of this.#members) {
      if (!end.dead && place === 'granted' && unit.waiterState === 'granted') this.#fail(`${unit.name} was not told`)
    }
  }

  #hasRoom({ rooms, running, limits }: Model): boolean {
    if (running >= limits.limit && limits.dryRun !== true) return false
    if (!rooms) return true
    const all = !this.#endpoints.some(({ probedUp }) => probedUp)
    return this.#endpoints.some(({ hasRoom, probedUp }) => hasRoom && (all || probedUp))
  }

  #checkAll(deep: boolean): void {
    for (const [i, model] of this.#models.entries()) {
      const { running, waiting } = this.#control.gateState(sharedGateIds[i]!)!
      if (running !== model.running) this.#fail(`gate ${i} counts ${running} permits, not ${model.running}`)
      if (waiting !== model.queue.length) this.#fail(`gate ${i} counts ${waiting} waiters, not ${model.queue.length}`)
      if (waiting > 0 && !model.asked && this.#hasRoom(model))
        this.#fail(`somebody waits at gate ${i} while there is room`)
      if (!deep) continue
      const problem = this.#truth.problemOf(model.record, model.rooms ? this.#endpointRecords : [])
      if (problem !== undefined) this.#fail(`gate ${i}: ${problem}`)
    }
    if (deep) this.#checkMembers()
  }

  #checkMembers(): void {
    const rooms = new Map<number, number>()
    for (const { unit, end, place, gate, slot } of this.#members) {
      const underWay = place === 'granted' && unit.waiterState !== 'granted' && !end.dead
      if (!end.dead && unit.permit.held !== (isLetThrough(place) && !underWay)) {
        this.#fail(`unit ${unit.name}, ${place}, ${unit.permit.held ? 'holds a' : 'has no'} permit`)
      }
      if (underWay && end.mail === 0) this.#fail(`unit ${unit.name} has been granted a permit and its thread sleeps`)
      if (!isLetThrough(place) || !this.#models[gate]!.rooms) continue
      const room = unit.permit.held ? unit.permit.room?.record : this.#truth.roomOf(slot)
      if (room === undefined || room < 0) this.#fail(`unit ${unit.name} has a permit without an endpoint`)
      rooms.set(room, (rooms.get(room) ?? 0) + 1)
    }
    for (const record of this.#endpointRecords) {
      const [counted, there] = [this.#truth.runningAt(record), rooms.get(record) ?? 0]
      if (counted !== there) this.#fail(`endpoint ${record} counts ${counted}, ${there} are there`)
    }
  }

  /** Everybody leaves, and everything must be as it was in the beginning. */
  async #goHome(): Promise<void> {
    for (let dead = this.#ends.find((end) => end.dead); dead; dead = this.#ends.find((end) => end.dead)) {
      await this.#recover(dead)
      this.#forget([dead])
    }
    for (let round = 0; this.#members.some(({ place }) => place !== 'outside'); round++) {
      if (round > 10 * this.#members.length) this.#fail('not everybody comes home')
      for (const end of this.#ends) this.#readMail(end)
      for (const model of this.#models) this.#observe(model)
      await this.#settle()
      this.#checkAll(true)
      for (const member of this.#members) {
        if (member.place === 'running') this.#release(member)
        else if (member.place === 'asked') member.place = 'outside'
        else if (member.place !== 'outside' && this.#random.chance(0.3)) this.#leave(member)
        for (const model of this.#models) this.#observe(model)
      }
    }
    for (const end of this.#ends) this.#readMail(end)
    this.#checkAll(true)
    const left = this.#truth.slots()
    if (left.length > 0) this.#fail(`at the end ${left.length} slots are not free`)
    for (const end of this.#ends) end.die()
    this.#control.close()
  }

  #fail(what: string): never {
    throw new Error(`step ${this.#step} of seed ${this.#options.seed}: ${what}`)
  }
}

function isLetThrough(place: Place): boolean {
  return place === 'granted' || place === 'running'
}
