import { expect } from 'chai'
import { type GateEnd, scaled, SeededRandom, type Unit } from '../../../testkit/src/index.ts'
import type { Config } from '../../src/config/config.ts'
import { GateEnds } from './gate-ends.ts'

const limits = [1, 2, 1, 3]
const gate = 2

/** Ends of several threads through which configurations come and go, each of them taking its time to adopt one. */
class ReloadRun {
  readonly #random: SeededRandom
  readonly #ends: GateEnds
  readonly #late = new Set<GateEnd>()
  readonly seen = { reloads: 0, told: 0, sweeps: 0, early: 0 }
  #config: Config
  #step = 0

  constructor(seed: number, threads: number) {
    this.#random = new SeededRandom(seed)
    this.#ends = new GateEnds({ threads, endpoints: limits, gates: [0, 1, 2].map(() => ({ limit: 5, queue: 20 })) })
    this.#config = this.#ends.config
    for (let thread = 0; thread < threads; thread++) this.#ends.open(thread)
  }

  async finish(steps: number): Promise<void> {
    for (; this.#step < steps; this.#step++) {
      await this.#anyStep()
      this.#check()
    }
    await this.#goHome()
  }

  async #anyStep(): Promise<void> {
    const end = this.#random.pick(this.#ends.ends)
    const what = this.#random.next()
    if (what < 0.03) this.#reload()
    else if (what < 0.1) this.#adoptOne()
    else if (what < 0.3) end.readMail()
    else if (what < 0.4) await Promise.resolve()
    else this.#act(end, this.#random.pick(end.units))
  }

  #act(end: GateEnd, unit: Unit): void {
    const dispatcher = end.gates[gate]!
    if (unit.waiterState !== 'outside') {
      if (this.#random.chance(0.1)) dispatcher.leave(unit)
    } else if (unit.permit.held) unit.permit.release()
    else if (!dispatcher.tryAcquire(unit.permit)) dispatcher.enqueue(unit)
  }

  /** What all threads prepare is published, and each adopts it later. */
  #reload(): void {
    if (this.#late.size > 0) return
    const { control, ends, config } = this.#ends
    if (this.#random.chance(0.7)) {
      control.sweep(new Set())
      this.seen.sweeps++
    }
    const endpoints = config.upstreams[0]!.endpoints.filter(() => this.#random.chance(0.5))
    if (endpoints.length === 0) return
    this.#config = { ...config, upstreams: [{ ...config.upstreams[0]!, endpoints }] }
    control.prepare(this.#config)
    for (const end of ends) {
      end.prepare(this.#config)
      this.#late.add(end)
    }
    control.publish(this.#config, ++this.seen.reloads)
  }

  #adoptOne(): void {
    if (this.#late.size === 0) return
    const end = this.#random.pick([...this.#late])
    this.#late.delete(end)
    const before = end.units.filter(({ permit }) => permit.held).length
    end.adopt()
    if (end.units.filter(({ permit }) => permit.held).length > before) this.seen.early++
  }

  #check(): void {
    const { control, problem } = this.#ends
    if (problem !== undefined) this.#fail(problem)
    for (const { id, limit } of this.#ends.config.upstreams[0]!.endpoints) {
      const running = control.endpointCells(id)?.running ?? 0
      if (running > limit) this.#fail(`${running} run at ${id} under a limit of ${limit}`)
    }
    for (const end of this.#ends.ends) {
      for (const { permit, name } of end.units) {
        if (permit.held && permit.room === undefined) this.#fail(`unit ${name} has a permit and no endpoint`)
      }
    }
  }

  async #goHome(): Promise<void> {
    while (this.#late.size > 0) this.#adoptOne()
    const { ends, control, truth } = this.#ends
    const quiet = () =>
      ends.every(({ units }) => units.every((unit) => unit.waiterState === 'outside' && !unit.permit.held))
    for (let round = 0; !quiet(); round++) {
      if (round > 100) this.#fail('not everybody comes home')
      for (const end of ends) end.readMail()
      await Promise.resolve()
      this.#check()
      for (const { units } of ends)
        for (const { waiterState, permit } of units) if (waiterState === 'outside') permit.release()
    }
    for (const end of ends) end.readMail()
    this.#check()
    expect(control.gateState('upstream:u')).to.include({ running: 0, waiting: 0 })
    expect(truth.slots()).to.deep.equal([])
    control.sweep(new Set())
    const left = [...control.records.endpoints.keys()].toSorted()
    expect(left).to.deep.equal(this.#config.upstreams[0]!.endpoints.map(({ id }) => id).toSorted())
    this.seen.told = this.#ends.told.length
    this.#ends.close()
  }

  #fail(what: string): never {
    throw new Error(`step ${this.#step}: ${what}`)
  }
}

describe('SharedGate before endpoints that come and go', function () {
  const steps = scaled({ test: 30_000, ci: 300_000, soak: 3_000_000 })
  this.timeout(60_000 + steps / 10)

  for (const threads of [2, 4]) {
    it(`counts every permit for the right endpoint through ${steps} random steps (threads ${threads})`, async () => {
      const run = new ReloadRun(threads, threads)
      await run.finish(steps)
      for (const [what, count] of Object.entries(run.seen)) expect(count, what).to.be.greaterThan(steps / 10_000)
    })
  }
})
