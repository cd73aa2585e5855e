import type { GateLimits, GateRefusal } from '@sluice/core'
import { expect } from 'chai'
import { FakeClock } from './fake-clock.ts'
import { type GateFixture, type GateStore, type Unit, unitMaker } from './gate-store.ts'

/** One fact about every gate. */
export interface GateCase {
  readonly title: string
  run(bench: GateBench): Promise<void> | void
}

/** Registers the contract as a suite: every store of gates runs it. */
export function describeGate(name: string, store: GateStore): void {
  describe(`${name} keeps the contract of a gate`, () => {
    for (const { title, run } of gateContract) {
      it(title, () => runGateCase({ title, run }, store))
    }
  })
}

/** Runs one case on a store; rejects when the store breaks it. */
export async function runGateCase({ run }: GateCase, store: GateStore): Promise<void> {
  const bench = new GateBench(store)
  try {
    await run(bench)
  } finally {
    await bench.close()
  }
}

/** A gate with units before it, and a note of all that it told. */
export class GateBench {
  readonly clock = new FakeClock()
  /** Names of units in the order in which they were told. */
  readonly told: string[] = []
  readonly waits: number[] = []
  readonly refusals: GateRefusal[] = []
  readonly unit: (name: string) => Unit
  /** Done by a unit when it is told. */
  whenTold: (unit: Unit) => void = () => {}
  #fixture!: GateFixture
  readonly #store: GateStore

  constructor(store: GateStore) {
    this.#store = store
    this.unit = unitMaker(store, (unit) => {
      this.told.push(unit.name)
      this.whenTold(unit)
    })
  }

  async open(limit: number, queue = 100, timeoutMs = 1_000): Promise<void> {
    const observer = {
      waited: (ms: number) => void this.waits.push(ms),
      refused: (reason: GateRefusal) => void this.refusals.push(reason),
    }
    this.#fixture = await this.#store.make({ limit, queue, timeoutMs }, { clock: this.clock, observer })
  }

  get gate(): GateFixture['gate'] {
    return this.#fixture.gate
  }

  setLimits(limits: GateLimits): void {
    this.#fixture.setLimits(limits)
  }

  /** Waits until whoever was granted a permit has been told. */
  async settle(): Promise<void> {
    await this.#fixture.told()
  }

  /** Units that run. */
  run(...names: string[]): Unit[] {
    return names.map((name) => {
      const unit = this.unit(name)
      expect(this.gate.tryAcquire(unit.permit), `${name} is let through`).to.equal(true)
      return unit
    })
  }

  /** Units that were not let through and wait. */
  queue(...names: string[]): Unit[] {
    return names.map((name) => {
      const unit = this.unit(name)
      expect(this.gate.tryAcquire(unit.permit), `${name} is not let through`).to.equal(false)
      expect(this.gate.enqueue(unit), `${name} may wait`).to.equal(true)
      return unit
    })
  }

  expectCounts(running: number, waiting: number): void {
    expect([this.gate.running, this.gate.waiting], 'running and waiting').to.deep.equal([running, waiting])
  }

  async close(): Promise<void> {
    await this.#fixture?.close?.()
  }
}

/** Everything that holds for every gate. */
export const gateContract: readonly GateCase[] = [
  {
    title: 'lets through as many as its limit and not one more',
    async run(bench) {
      await bench.open(3)
      bench.run('a', 'b', 'c')
      const late = bench.unit('late')
      expect(bench.gate.tryAcquire(late.permit)).to.equal(false)
      expect(late.permit.held).to.equal(false)
      bench.expectCounts(3, 0)
    },
  },
  {
    title: 'lets through everything without a limit, and counts it',
    async run(bench) {
      await bench.open(Infinity)
      const units = bench.run(...Array.from({ length: 50 }, (_, i) => `u${i}`))
      bench.expectCounts(50, 0)
      for (const unit of units) unit.permit.release()
      bench.expectCounts(0, 0)
    },
  },
  {
    title: 'tells waiters in the order in which they came',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      const waiters = bench.queue('first', 'second', 'third')
      bench.expectCounts(1, 3)
      holder!.permit.release()
      await bench.settle()
      expect(bench.told).to.deep.equal(['first'])
      waiters[0]!.permit.release()
      await bench.settle()
      waiters[1]!.permit.release()
      await bench.settle()
      expect(bench.told).to.deep.equal(['first', 'second', 'third'])
      waiters[2]!.permit.release()
      bench.expectCounts(0, 0)
    },
  },
  {
    title: 'never lets a newcomer overtake a waiter, in the turn of the release and after it',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      const [first] = bench.queue('first', 'second')
      holder!.permit.release()
      const newcomer = bench.unit('newcomer')
      expect(bench.gate.tryAcquire(newcomer.permit), 'in the turn of the release').to.equal(false)
      await bench.settle()
      expect(bench.gate.tryAcquire(newcomer.permit), 'afterwards').to.equal(false)
      first!.permit.release()
      expect(bench.gate.tryAcquire(newcomer.permit), 'after another release').to.equal(false)
      await bench.settle()
      expect(bench.told).to.deep.equal(['first', 'second'])
    },
  },
  {
    title: 'takes as many waiters as its queue has places, and says no to the next',
    async run(bench) {
      await bench.open(1, 2)
      bench.run('holder')
      const [first] = bench.queue('first', 'second')
      const third = bench.unit('third')
      expect(bench.gate.enqueue(third)).to.equal(false)
      bench.expectCounts(1, 2)
      bench.gate.leave(first!)
      expect(bench.gate.enqueue(third), 'after one has left').to.equal(true)
      bench.expectCounts(1, 2)
    },
  },
  {
    title: 'has no place to wait in a queue of 0',
    async run(bench) {
      await bench.open(1, 0)
      bench.run('holder')
      expect(bench.gate.enqueue(bench.unit('late'))).to.equal(false)
      bench.expectCounts(1, 0)
    },
  },
  {
    title: 'counts a permit back once, however often it is released',
    async run(bench) {
      await bench.open(2)
      const [a] = bench.run('a', 'b')
      a!.permit.release()
      a!.permit.release()
      expect(a!.permit.held).to.equal(false)
      bench.expectCounts(1, 0)
      bench.run('c')
      expect(bench.gate.tryAcquire(bench.unit('d').permit)).to.equal(false)
      bench.expectCounts(2, 0)
    },
  },
  {
    title: 'gives back what a permit holds besides, once',
    async run(bench) {
      await bench.open(1)
      const [a] = bench.run('a')
      let left = 0
      a!.permit.room = { record: 0, enter() {}, leave: () => void left++, hold() {} }
      a!.permit.release()
      a!.permit.release()
      expect(left).to.equal(1)
      expect(a!.permit.room).to.equal(undefined)
    },
  },
  {
    title: 'tells nobody from inside the call that released',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      const [waiter] = bench.queue('waiter')
      holder!.permit.release()
      expect(bench.told, 'before the turn is over').to.deep.equal([])
      expect(waiter!.permit.held, 'the permit is the waiter’s already').to.equal(true)
      bench.expectCounts(1, 0)
      await bench.settle()
      expect(bench.told).to.deep.equal(['waiter'])
      expect(waiter!.timesTold).to.equal(1)
    },
  },
  {
    title: 'lets a waiter that is told give its permit back at once',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      bench.queue('a', 'b', 'c')
      bench.whenTold = (unit) => unit.permit.release()
      holder!.permit.release()
      for (let turn = 0; turn < 4; turn++) await bench.settle()
      expect(bench.told).to.deep.equal(['a', 'b', 'c'])
      bench.expectCounts(0, 0)
    },
  },
  ...(['first', 'middle', 'last'] as const).map(
    (place): GateCase => ({
      title: `lets the ${place} of its waiters leave without disturbing the others`,
      async run(bench) {
        await bench.open(1)
        const [holder] = bench.run('holder')
        const waiters = bench.queue('first', 'middle', 'last')
        const leaver = waiters.find(({ name }) => name === place)!
        bench.gate.leave(leaver)
        bench.expectCounts(1, 2)
        bench.queue('newest')
        bench.whenTold = (unit) => unit.permit.release()
        holder!.permit.release()
        for (let turn = 0; turn < 4; turn++) await bench.settle()
        expect(bench.told).to.deep.equal(['first', 'middle', 'last', 'newest'].filter((name) => name !== place))
        bench.expectCounts(0, 0)
        expect(leaver.permit.held).to.equal(false)
      },
    }),
  ),
  {
    title: 'takes no notice of one that leaves without waiting, or twice',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      const [waiter] = bench.queue('waiter', 'other')
      bench.gate.leave(holder!)
      expect(holder!.permit.held, 'a running unit keeps its permit').to.equal(true)
      bench.gate.leave(waiter!)
      bench.gate.leave(waiter!)
      bench.gate.leave(bench.unit('stranger'))
      bench.expectCounts(1, 1)
    },
  },
  {
    title: 'gives the permit of one that leaves before it was told to the next',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      const [gone, next] = bench.queue('gone', 'next')
      holder!.permit.release()
      bench.gate.leave(gone!)
      expect(gone!.permit.held).to.equal(false)
      await bench.settle()
      expect(bench.told).to.deep.equal(['next'])
      bench.expectCounts(1, 0)
      next!.permit.release()
      bench.expectCounts(0, 0)
    },
  },
  {
    title: 'survives it when all whom a release reaches leave in that turn',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      const waiters = bench.queue('a', 'b', 'c')
      holder!.permit.release()
      for (const waiter of waiters) bench.gate.leave(waiter)
      await bench.settle()
      expect(bench.told).to.deep.equal([])
      bench.expectCounts(0, 0)
    },
  },
  {
    title: 'never tells a unit whose wait timed out in the turn of its grant',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      const [late, next] = bench.queue('late', 'next')
      holder!.permit.release()
      bench.gate.refused('queueTimeout')
      bench.gate.leave(late!)
      await bench.settle()
      expect(bench.told).to.deep.equal(['next'])
      expect(bench.refusals).to.deep.equal(['queueTimeout'])
      next!.permit.release()
      bench.expectCounts(0, 0)
    },
  },
  {
    title: 'lets one that left wait anew, at the end of the queue',
    async run(bench) {
      await bench.open(1)
      const [holder] = bench.run('holder')
      const [twice] = bench.queue('twice', 'other')
      holder!.permit.release()
      bench.gate.leave(twice!)
      expect(bench.gate.tryAcquire(twice!.permit)).to.equal(false)
      expect(bench.gate.enqueue(twice!)).to.equal(true)
      bench.whenTold = (unit) => unit.permit.release()
      for (let turn = 0; turn < 4; turn++) await bench.settle()
      expect(bench.told).to.deep.equal(['other', 'twice'])
      expect(twice!.timesTold).to.equal(1)
      bench.expectCounts(0, 0)
    },
  },
  {
    title: 'admits as many waiters as a raised limit has room for, at once and in order',
    async run(bench) {
      await bench.open(1)
      bench.run('holder')
      bench.queue('a', 'b', 'c')
      bench.setLimits({ limit: 3, queue: 100, timeoutMs: 1_000 })
      expect(bench.gate.limits.limit).to.equal(3)
      bench.expectCounts(3, 1)
      await bench.settle()
      expect(bench.told).to.deep.equal(['a', 'b'])
    },
  },
  {
    title: "takes nobody's permit when its limit is lowered, and only stops admitting",
    async run(bench) {
      await bench.open(3)
      const units = bench.run('a', 'b', 'c')
      const [waiter] = bench.queue('waiter')
      bench.setLimits({ limit: 1, queue: 100, timeoutMs: 1_000 })
      bench.expectCounts(3, 1)
      units[0]!.permit.release()
      units[1]!.permit.release()
      await bench.settle()
      expect(bench.told, 'one still runs').to.deep.equal([])
      bench.expectCounts(1, 1)
      units[2]!.permit.release()
      await bench.settle()
      expect(bench.told).to.deep.equal(['waiter'])
      waiter!.permit.release()
      bench.expectCounts(0, 0)
    },
  },
  {
    title: 'keeps those who wait when its queue is shortened',
    async run(bench) {
      await bench.open(1)
      bench.run('holder')
      bench.queue('a', 'b')
      bench.setLimits({ limit: 1, queue: 1, timeoutMs: 1_000 })
      bench.expectCounts(1, 2)
      expect(bench.gate.enqueue(bench.unit('late'))).to.equal(false)
    },
  },
  {
    title: 'tells its observer how long each waiter waited, and whom it turned away',
    async run(bench) {
      await bench.open(1, 2)
      const [holder] = bench.run('holder')
      bench.clock.nowMs = 100
      bench.queue('a')
      bench.clock.nowMs = 130
      const [b] = bench.queue('b')
      bench.gate.refused('queueFull')
      bench.clock.nowMs = 150
      bench.gate.leave(b!)
      holder!.permit.release()
      await bench.settle()
      expect(bench.waits, 'who left is not counted').to.deep.equal([50])
      expect(bench.refusals).to.deep.equal(['queueFull'])
    },
  },
  {
    title: 'has neither permits nor waiters out when all have ended',
    async run(bench) {
      await bench.open(4, 50)
      const units = [...bench.run('a', 'b', 'c', 'd'), ...bench.queue(...Array.from({ length: 50 }, (_, i) => `w${i}`))]
      bench.whenTold = (unit) => unit.permit.release()
      for (const [i, unit] of units.entries()) {
        if (i < 4) unit.permit.release()
        else if (i % 3 === 0) bench.gate.leave(unit)
      }
      for (let turn = 0; turn < 60 && bench.gate.waiting + bench.gate.running > 0; turn++) await bench.settle()
      bench.expectCounts(0, 0)
      expect(bench.told).to.have.length.greaterThan(0)
      for (const unit of units) expect(unit.permit.held, unit.name).to.equal(false)
    },
  },
]
