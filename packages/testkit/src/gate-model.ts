import type { Gate, GateLimits } from '@sluice/core'
import { FakeClock } from './fake-clock.ts'
import { type GateStore, type Unit, unitMaker } from './gate-store.ts'
import { scaled } from './scale.ts'
import { SeededRandom } from './seeded-random.ts'

/** How long a run of the model is, and which one. */
export interface GateModelOptions {
  readonly seed: number
  readonly steps: number
  /** Units that come and go. Default: 24. */
  readonly units?: number
}

/** What a run has seen, so that a test can tell that it was worth something. */
export interface GateModelReport {
  readonly granted: number
  readonly queueFull: number
  readonly left: number
  readonly leftBeforeTold: number
  readonly limitsChanged: number
}

/** Where the naive model says that a unit stands. */
type Place = 'outside' | 'waiting' | 'granted' | 'running'

/** Registers the model test as a suite: 10⁷ steps in `.ci/run`, 10⁸ in the soak. */
export function describeGateModel(name: string, store: GateStore): void {
  describe(`${name} behaves as the naive model`, function () {
    const steps = scaled({ test: 1_000_000, ci: 4_000_000, soak: 100_000_000 })
    this.timeout(60_000 + steps / 20)
    for (const seed of [1, 2]) {
      it(`through ${steps / 2} random steps (seed ${seed})`, async () => {
        const report = await runGateModel(store, { seed, steps: steps / 2 })
        for (const [what, count] of Object.entries(report)) {
          if (count < steps / 5_000) throw new Error(`the run was too tame: ${what} ${count}`)
        }
      })
    }
  })
}

/**
 * Drives a gate and a model that is too simple to be wrong by the same random steps, and rejects when they differ.
 *
 * After every step: permits held and counted are the model's, no more than the limit but for a lowered one, under
 * which nobody is admitted. Whenever waiters have been told: exactly those whom the model let through, in its order.
 * At the end all permits are home.
 */
export async function runGateModel(store: GateStore, options: GateModelOptions): Promise<GateModelReport> {
  const run = new ModelRun(store, options)
  return run.finish()
}

class ModelRun {
  readonly #random: SeededRandom
  readonly #options: GateModelOptions
  readonly #clock = new FakeClock()
  readonly #store: GateStore
  readonly #units: Unit[]
  readonly #places: Place[]
  /** The model: units in the order in which they came, and the permits that are out. */
  readonly #queue: number[] = []
  #running = 0
  #limits: GateLimits = { limit: 3, queue: 5, timeoutMs: 1_000 }
  /** Whom the model has let through and who has not been told yet. */
  #expected: number[] = []
  readonly #told: number[] = []
  /** Who has left with a grant since waiters were told last. */
  readonly #cameBack = new Set<number>()
  #inCall = false
  #step = 0
  #heldBefore = 0
  #waits = 0
  readonly #report = { granted: 0, queueFull: 0, left: 0, leftBeforeTold: 0, limitsChanged: 0 }

  constructor(store: GateStore, options: GateModelOptions) {
    this.#store = store
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    const make = unitMaker(store, (unit) => {
      if (this.#inCall) this.#fail(`unit ${unit.name} was told from inside a call`)
      this.#told.push(Number(unit.name))
    })
    this.#units = Array.from({ length: options.units ?? 24 }, (_, i) => make(String(i)))
    this.#places = this.#units.map(() => 'outside')
  }

  async finish(): Promise<GateModelReport> {
    const fixture = await this.#store.make(this.#limits, {
      clock: this.#clock,
      observer: { waited: () => void this.#waits++, refused: () => {} },
    })
    const { gate } = fixture
    try {
      for (; this.#step < this.#options.steps; this.#step++) {
        this.#clock.nowMs++
        if (this.#random.chance(0.2)) {
          await fixture.told()
          this.#checkTold()
        } else {
          this.#inCall = true
          this.#anyStep(gate, (limits) => fixture.setLimits(limits))
          this.#inCall = false
        }
        this.#check(gate.running, gate.waiting)
      }
      this.#inCall = true
      for (const [i, unit] of this.#units.entries()) {
        if (this.#places[i] === 'running') this.#release(i, unit)
        else this.#leave(gate, i, unit)
      }
      for (const [i, unit] of this.#units.entries()) {
        if (this.#places[i] === 'granted') this.#leave(gate, i, unit)
      }
      this.#inCall = false
      await fixture.told()
      this.#checkTold()
      this.#check(gate.running, gate.waiting)
      if (gate.running !== 0 || gate.waiting !== 0) {
        this.#fail(`at the end ${gate.running} run and ${gate.waiting} wait`)
      }
      if (this.#waits !== this.#report.granted) {
        this.#fail(`the observer heard of ${this.#waits} grants out of the queue, not ${this.#report.granted}`)
      }
      return this.#report
    } finally {
      await fixture.close?.()
    }
  }

  #anyStep(gate: Gate, setLimits: (limits: GateLimits) => void): void {
    if (this.#random.chance(0.04)) {
      this.#changeLimits(setLimits)
      return
    }
    const i = this.#random.below(this.#units.length)
    const unit = this.#units[i]!
    switch (this.#places[i]!) {
      case 'outside':
        // One that waits nowhere may be asked to leave, too: nothing comes of it.
        if (this.#random.chance(0.05)) gate.leave(unit)
        else this.#arrive(gate, i, unit)
        break
      case 'running':
        if (this.#random.chance(0.05)) gate.leave(unit)
        else this.#release(i, unit)
        break
      case 'waiting':
      case 'granted':
        if (this.#random.chance(0.5)) this.#leave(gate, i, unit)
        break
    }
  }

  #arrive(gate: Gate, i: number, unit: Unit): void {
    const free = this.#running < this.#limits.limit && this.#queue.length === 0
    if (gate.tryAcquire(unit.permit) !== free) this.#fail(`unit ${i} was ${free ? 'kept out' : 'let through'}`)
    if (free) {
      this.#running++
      this.#places[i] = 'running'
      return
    }
    const place = this.#queue.length < this.#limits.queue
    if (gate.enqueue(unit) !== place) this.#fail(`unit ${i} ${place ? 'found no place' : 'was given a place'} to wait`)
    if (place) {
      this.#queue.push(i)
      this.#places[i] = 'waiting'
    } else {
      this.#report.queueFull++
      gate.refused('queueFull')
    }
  }

  #release(i: number, unit: Unit): void {
    unit.permit.release()
    if (this.#random.chance(0.3)) unit.permit.release()
    this.#places[i] = 'outside'
    this.#running--
    this.#admit()
  }

  #leave(gate: Gate, i: number, unit: Unit): void {
    gate.leave(unit)
    if (this.#places[i] === 'waiting') {
      this.#report.left++
      this.#queue.splice(this.#queue.indexOf(i), 1)
      this.#places[i] = 'outside'
      this.#admit()
    } else if (this.#places[i] === 'granted') {
      this.#report.leftBeforeTold++
      this.#expected = this.#expected.filter((other) => other !== i)
      this.#cameBack.add(i)
      this.#places[i] = 'outside'
      this.#running--
      this.#admit()
    }
    if (this.#random.chance(0.2)) gate.leave(unit)
  }

  #changeLimits(setLimits: (limits: GateLimits) => void): void {
    const limit = this.#random.chance(0.1) ? Infinity : 1 + this.#random.below(8)
    this.#limits = { limit, queue: this.#random.below(14), timeoutMs: 1_000 }
    this.#report.limitsChanged++
    setLimits(this.#limits)
    this.#admit()
  }

  #admit(): void {
    while (this.#queue.length > 0 && this.#running < this.#limits.limit) {
      const i = this.#queue.shift()!
      this.#running++
      this.#report.granted++
      this.#places[i] = 'granted'
      this.#expected.push(i)
    }
  }

  #checkTold(): void {
    const told = this.#told.splice(0)
    const expected = this.#expected
    this.#expected = []
    if (told.length !== expected.length || told.some((i) => !expected.includes(i))) {
      this.#fail(`told ${told.join(' ')}, not ${expected.join(' ')}`)
    }
    // Who was granted, left, came back and was granted anew, all in one turn, may be told in its former place.
    const toldInOrder = told.filter((i) => !this.#cameBack.has(i))
    const expectedInOrder = expected.filter((i) => !this.#cameBack.has(i))
    if (toldInOrder.some((i, at) => i !== expectedInOrder[at])) {
      this.#fail(`told in the order ${told.join(' ')}, not ${expected.join(' ')}`)
    }
    this.#cameBack.clear()
    for (const i of expected) this.#places[i] = 'running'
  }

  #check(running: number, waiting: number): void {
    let held = 0
    for (let i = 0; i < this.#units.length; i++) {
      const holds = this.#units[i]!.permit.held
      if (holds) held++
      const place = this.#places[i]!
      if (holds !== (place === 'running' || place === 'granted')) {
        this.#fail(`unit ${i}, ${place}, ${holds ? 'holds' : 'has no'} permit`)
      }
    }
    if (held > this.#limits.limit && held > this.#heldBefore) {
      this.#fail(`${held} hold a permit under a limit of ${this.#limits.limit}`)
    }
    this.#heldBefore = held
    if (running !== held) this.#fail(`the gate counts ${running} permits, ${held} are held`)
    if (waiting !== this.#queue.length) this.#fail(`the gate counts ${waiting} waiters, not ${this.#queue.length}`)
  }

  #fail(what: string): never {
    throw new Error(`step ${this.#step} of seed ${this.#options.seed}: ${what}`)
  }
}
