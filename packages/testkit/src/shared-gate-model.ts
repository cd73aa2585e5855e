import type { Config, SharedControl } from '@sluice/core'
import { FakeClock } from './fake-clock.ts'
import { GateEnd, sharedConfig, sharedGateIds, type SharedModules } from './gate-end.ts'
import { Death, seeThrough } from './mortal-memory.ts'
import { type Member, NaiveGates } from './naive-gates.ts'
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
  readonly #gates: NaiveGates
  #ends: GateEnd[] = []
  readonly #membersOf = new Map<GateEnd, Member[]>()
  #step = 0
  readonly #report = {
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
    this.#gates = new NaiveGates(this.#control, this.#truth, modules.layout)
    for (let thread = 0; thread < threads; thread++) this.#begin(thread)
  }

  async finish(): Promise<SharedGateModelReport> {
    try {
      for (; this.#step < this.#options.steps; this.#step++) {
        this.#clock.nowMs++
        const what = this.#random.next()
        if (what < 0.15) await this.#settle()
        else if (what < 0.17) this.#changeLimits()
        else if (what < 0.175) this.#changeEndpoint()
        else if (what < 0.178) await this.#die()
        else if (what < 0.185) await this.#recoverOne()
        else await this.#act(what < 0.35)
        this.#gates.check(this.#step % 8 === 0)
      }
      await this.#goHome()
      return { ...this.#report, ...this.#gates.grants }
    } catch (error) {
      throw new Error(`step ${this.#step} of seed ${this.#options.seed}: ${(error as Error).message}`, { cause: error })
    }
  }

  #begin(thread: number): void {
    const end = new GateEnd(this.#modules, {
      control: this.#control,
      config: this.#config,
      thread,
      clock: this.#clock.read,
      mortal: !this.#ends.some(({ mortal, dead }) => mortal !== undefined && !dead),
      units: this.#options.unitsEach ?? 8,
      told: (unit) => this.#gates.told(unit),
    })
    this.#ends.push(end)
    const unknown = { gate: 0, slot: -1, grant: 0, byOwn: false, anyTurn: false }
    const members = end.units.map((unit): Member => ({ end, unit, place: 'outside', ...unknown }))
    this.#membersOf.set(end, members)
    this.#gates.members.push(...members)
    // Beginning, it says that all endpoints are up.
    this.#gates.observe()
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
    this.#gates.observe()
  }

  #readMail(end: GateEnd): void {
    const what = end.readMail()
    if (what > 1) for (const model of this.#gates.models) model.asked = false
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
        if (this.#gates.models[member.gate]!.rooms && this.#random.chance(0.3)) this.#move(member)
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
    const i = this.#random.below(this.#gates.models.length)
    const model = this.#gates.models[i]!
    const gate = end.gates[i]!
    const free = model.queue.length === 0 && this.#gates.hasRoom(model)
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
    const model = this.#gates.models[member.gate]!
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
    this.#gates.models[member.gate]!.running--
  }

  #leave(member: Member): void {
    const model = this.#gates.models[member.gate]!
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
    const i = this.#random.below(this.#gates.models.length)
    const model = this.#gates.models[i]!
    const limit = this.#random.chance(0.1) ? Infinity : 1 + this.#random.below(8)
    model.limits = { limit, queue: this.#random.below(14), timeoutMs: 1_000, dryRun: this.#random.chance(0.05) }
    this.#report.limitsChanged++
    this.#control.setLimits(sharedGateIds[i]!, model.limits)
    model.asked = true
  }

  #changeEndpoint(): void {
    const endpoint = this.#random.pick(this.#gates.endpoints)
    if (this.#random.chance(0.5)) {
      const end = this.#random.pick(this.#living)
      if (end.mortal !== undefined) return
      end.upstream.endpoints[this.#gates.endpoints.indexOf(endpoint)]!.health.probed(
        this.#random.chance(0.5),
        'the model',
      )
    } else {
      endpoint.setLimits({ limit: 1 + this.#random.below(4), maxConnections: Infinity })
      // As `publish` does, after the limits have been written.
      this.#control.setLimits('upstream:u', this.#gates.models.at(-1)!.limits)
      this.#gates.models.at(-1)!.asked = true
    }
    this.#gates.observe()
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
    if (this.#gates.models.some(({ record }) => this.#truth.owner(record) === end.thread + 1)) this.#report.locksLeft++
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
    for (const { record } of this.#gates.models)
      memory.words[memory.gatePlace(record) + this.#modules.layout.gateWord.lock] = 0
    await recovered
    this.#fail('a recovery does not end')
  }

  #forget(dead: readonly GateEnd[]): void {
    this.#ends = this.#ends.filter((end) => !dead.includes(end))
    this.#gates.forget(dead)
    for (const end of dead) {
      this.#membersOf.delete(end)
      this.#begin(end.thread)
    }
  }

  async #settle(): Promise<void> {
    await Promise.resolve()
    this.#gates.settled()
  }

  /** Everybody leaves, and everything must be as it was in the beginning. */
  async #goHome(): Promise<void> {
    for (let dead = this.#ends.find((end) => end.dead); dead; dead = this.#ends.find((end) => end.dead)) {
      await this.#recover(dead)
      this.#forget([dead])
    }
    for (let round = 0; this.#gates.members.some(({ place }) => place !== 'outside'); round++) {
      if (round > 10 * this.#gates.members.length) this.#fail('not everybody comes home')
      for (const end of this.#ends) this.#readMail(end)
      this.#gates.observe()
      await this.#settle()
      this.#gates.check(true)
      for (const member of this.#gates.members) {
        if (member.place === 'running') this.#release(member)
        else if (member.place === 'asked') member.place = 'outside'
        else if (member.place !== 'outside' && this.#random.chance(0.3)) this.#leave(member)
        this.#gates.observe()
      }
    }
    for (const end of this.#ends) this.#readMail(end)
    this.#gates.check(true)
    const left = this.#truth.slots()
    if (left.length > 0) this.#fail(`at the end ${left.length} slots are not free`)
    for (const end of this.#ends) end.die()
    this.#control.close()
  }

  #fail(what: string): never {
    throw new Error(what)
  }
}
