import { expect } from 'chai'
import { Turn } from '../../src/turn.ts'
import type { SharedGate } from '../../src/gate/shared-gate.ts'
import { GateEnds } from './gate-ends.ts'

describe('SharedGate before endpoints that a thread has not got yet', () => {
  let ends: GateEnds

  beforeEach(() => {
    ends = new GateEnds({ endpoints: [1] })
  })

  afterEach(() => ends.close())

  it('lets nobody through from there', () => {
    const late = ends.open(0, { adopts: false })
    expect(late.upstream.gate.tryAcquire(late.units[0]!.permit)).to.equal(false)
  })

  it("admits no other thread's waiters from there without room", async () => {
    const [first, late] = [ends.open(0), ends.open(1, { adopts: false })]
    const [holder, waiter] = first.units
    expect(first.upstream.gate.tryAcquire(holder!.permit)).to.equal(true)
    expect(first.upstream.gate.enqueue(waiter!)).to.equal(true)
    late.upstream.gate.admitWaiting()
    await Promise.resolve()
    expect(ends.control.gateState('upstream:u')).to.include({ running: 1, waiting: 1 })
    holder!.permit.release()
    expect(waiter!.permit.room).to.equal(first.upstream.endpoints[0])
  })

  it('tells a waiter that was granted room there once the thread has adopted it', async () => {
    const [first, late] = [ends.open(0), ends.open(1, { adopts: false })]
    const waiter = late.units[0]!
    const [holder] = first.units
    expect(first.upstream.gate.tryAcquire(holder!.permit)).to.equal(true)
    expect(late.upstream.gate.enqueue(waiter)).to.equal(true)
    holder!.permit.release()
    late.readMail()
    await Promise.resolve()
    expect(ends.told).to.deep.equal([])
    expect(ends.problem).to.equal(undefined)
    late.adopt()
    await Promise.resolve()
    expect(ends.told).to.deep.equal(['1.0'])
    expect(waiter.permit.room).to.equal(late.upstream.endpoints[0])
    waiter.permit.release()
    expect(ends.control.gateState('upstream:u')).to.include({ running: 0, waiting: 0 })
    expect(ends.truth.slots()).to.deep.equal([])
  })

  it('has room again when a waiter leaves that was granted it', () => {
    const [first, late] = [ends.open(0), ends.open(1, { adopts: false })]
    const waiter = late.units[0]!
    const [holder, next] = first.units
    expect(first.upstream.gate.tryAcquire(holder!.permit)).to.equal(true)
    expect(late.upstream.gate.enqueue(waiter)).to.equal(true)
    holder!.permit.release()
    late.readMail()
    late.upstream.gate.leave(waiter)
    expect(first.upstream.gate.tryAcquire(next!.permit)).to.equal(true)
    late.adopt()
    expect(ends.told).to.deep.equal([])
    expect(ends.problem).to.equal(undefined)
    expect(ends.truth.slots()).to.deep.equal([])
  })

  it('does not take the endpoint that had its record before for the new one', async () => {
    const [first, late] = [ends.open(0), ends.open(1)]
    const { control } = ends
    const former = late.upstream.endpoints[0]!
    const next = new GateEnds({ endpoints: [2] }).config
    const renamed = {
      ...next,
      upstreams: next.upstreams.map((upstream) => ({
        ...upstream,
        endpoints: upstream.endpoints.map((one) => ({ ...one, id: 'endpoint:u/new' })),
      })),
    }
    control.publish({ ...renamed, upstreams: [] }, 2)
    control.sweep(new Set())
    control.prepare(renamed)
    control.publish(renamed, 3)
    expect(control.records.endpoints.get('endpoint:u/new')).to.equal(former.record)
    for (const end of [first, late]) end.store.assign(control.records)
    expect(late.store.roomOf(former.record)).to.equal(undefined)
  })
})

describe('SharedStore whose mail meets a bug', () => {
  it('reads on for the others', async () => {
    const ends = new GateEnds({ endpoints: [2] })
    const faults: string[] = []
    const [first, other] = [ends.open(0), ends.open(1, { faulted: (fault) => faults.push((fault as Error).message) })]
    for (const unit of first.units.slice(0, 2)) expect(first.upstream.gate.tryAcquire(unit.permit)).to.equal(true)
    for (const unit of other.units.slice(0, 2)) expect(other.upstream.gate.enqueue(unit)).to.equal(true)
    for (const { permit } of first.units.slice(0, 2)) permit.release()
    const gate = other.upstream.gate as SharedGate
    const takeUp = gate.takeUp.bind(gate)
    gate.takeUp = () => {
      gate.takeUp = takeUp
      throw new Error('a bug')
    }
    other.readMail()
    await Promise.resolve()
    expect([faults, ends.told]).to.deep.equal([['a bug'], ['1.1']])
    ends.close()
  })
})

describe('SharedGate whose observer throws', () => {
  it('is left by its thread, and everybody who was let through hears of it', async () => {
    const ends = new GateEnds({ endpoints: [1] })
    const [end, other] = [ends.open(0), ends.open(1)]
    const limits = { limit: 1, queue: 9, timeoutMs: 1_000 }
    ends.control.makeGate('watched', limits)
    const turn = new Turn()
    const observer = {
      waited: () => {
        throw new Error('a bug')
      },
      refused: () => {},
    }
    const [gate, same] = [end, other].map(({ store }, i) => {
      store.assign(ends.control.records)
      const parts = { turn, clock: ends.clock.read }
      return store.gate('watched', limits, i === 0 ? { ...parts, observer } : parts)
    })
    const [holder, ...waiters] = end.units.slice(0, 4)
    expect(gate!.tryAcquire(holder!.permit)).to.equal(true)
    for (const unit of waiters) expect(gate!.enqueue(unit)).to.equal(true)
    expect(same!.enqueue(other.units[0]!)).to.equal(true)
    expect(() => gate!.setLimits({ ...limits, limit: 5 })).to.throw('a bug')
    expect(ends.truth.owner(ends.record('watched'))).to.equal(0)
    other.readMail()
    await Promise.resolve()
    expect(ends.told.toSorted()).to.deep.equal(['0.1', '0.2', '0.3', '1.0'])
    expect(ends.problem).to.equal(undefined)
    ends.close()
  })
})

describe('SharedGate whose admission throws', () => {
  it('does not keep a waiter that hears of the bug', async () => {
    const ends = new GateEnds({ endpoints: [2] })
    const { upstream, units } = ends.open(0)
    const { gate } = upstream
    const { admission } = gate
    for (const unit of units.slice(0, 2)) expect(gate.tryAcquire(unit.permit)).to.equal(true)
    gate.admission = {
      take() {
        throw new Error('a bug')
      },
    }
    expect(() => gate.enqueue(units[2]!)).to.throw('a bug')
    expect([gate.waiting, units[2]!.waiterState]).to.deep.equal([0, 'outside'])
    expect(ends.truth.owner(ends.record('upstream:u'))).to.equal(0)
    expect(ends.truth.slots()).to.deep.equal([])
    gate.admission = admission
    units[0]!.permit.release()
    await Promise.resolve()
    expect(ends.told).to.deep.equal([])
    expect(ends.problem).to.equal(undefined)
    ends.close()
  })

  it('lets others in, and wakes those whom it had let through before', async () => {
    const ends = new GateEnds({ endpoints: [2] })
    const [first, other] = [ends.open(0), ends.open(1)]
    const { gate } = first.upstream
    const [one, two] = first.units
    for (const unit of [one, two]) expect(gate.tryAcquire(unit!.permit)).to.equal(true)
    for (const unit of other.units.slice(0, 2)) expect(other.upstream.gate.enqueue(unit)).to.equal(true)
    other.readMail()
    const { admission } = gate
    let asked = 0
    gate.admission = {
      take() {
        if (++asked === 2) throw new Error('a bug')
        return admission!.take()
      },
    }
    first.upstream.endpoints[0]!.cells.setLimits({ limit: 4, maxConnections: 4 })
    expect(() => one!.permit.release()).to.throw('a bug')
    expect(ends.truth.owner(ends.record('upstream:u'))).to.equal(0)
    expect(ends.problem).to.equal(undefined)
    expect(other.mail).to.not.equal(0)
    other.readMail()
    await Promise.resolve()
    expect(ends.told).to.deep.equal(['1.0'])
    gate.admission = admission
    two!.permit.release()
    expect(ends.problem).to.equal(undefined)
    ends.close()
  })
})
