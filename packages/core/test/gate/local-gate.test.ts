import { expect } from 'chai'
import { describeGate, describeGateModel, FakeClock, localGateStore } from '../../../testkit/src/index.ts'
import { type Admission, Permit, type Room, Waiter } from '../../src/gate/gate.ts'
import { LocalGate } from '../../src/gate/local-gate.ts'
import { Turn } from '../../src/turn.ts'

const store = localGateStore({ LocalGate, Turn, Permit, Waiter })

describeGate('LocalGate', store)
describeGateModel('LocalGate', store)

const anyRoom: Room = { record: 0, enter() {}, leave() {}, hold() {} }

describe('LocalGate with an admission', () => {
  class Unit extends Waiter {
    readonly permit = new Permit()
    told = false

    protected override granted(): void {
      this.told = true
    }

    override fault(fault: unknown): void {
      throw fault
    }
  }

  const open = (admission: Admission, limit = 2) =>
    new LocalGate('g', { limit, queue: 10, timeoutMs: 1_000 }, { turn: new Turn(), clock: () => 0, admission })

  it('lets nobody through whom the admission refuses, and counts nothing', () => {
    const gate = open({ take: () => undefined })
    const permit = new Permit()
    expect(gate.tryAcquire(permit)).to.equal(false)
    expect(permit.held).to.equal(false)
    expect(gate.running).to.equal(0)
  })

  it('asks the admission only when the gate itself has room', () => {
    let asked = 0
    const gate = open({ take: () => (++asked > 0 ? anyRoom : undefined) }, 1)
    gate.tryAcquire(new Permit())
    gate.tryAcquire(new Permit())
    expect(asked).to.equal(1)
  })

  it('admits waiters when what the admission rests on has come free', async () => {
    let free = false
    const gate = open({ take: () => (free ? anyRoom : undefined) })
    const unit = new Unit()
    expect(gate.tryAcquire(unit.permit)).to.equal(false)
    gate.enqueue(unit)
    gate.admitWaiting()
    expect(gate.waiting).to.equal(1)
    free = true
    gate.admitWaiting()
    await Promise.resolve()
    expect(unit.told).to.equal(true)
    expect([gate.running, gate.waiting]).to.deep.equal([1, 0])
  })

  it('never lets a newcomer overtake one that the admission kept waiting', () => {
    let free = false
    const gate = open({ take: () => (free ? anyRoom : undefined) })
    gate.enqueue(new Unit())
    free = true
    expect(gate.tryAcquire(new Permit())).to.equal(false)
  })

  it('leaves what a permit holds before it admits the next', () => {
    let room = 1
    const gate = open({
      take() {
        if (room === 0) return undefined
        room--
        return { ...anyRoom, leave: () => void room++ }
      },
    })
    const [first, second] = [new Unit(), new Unit()]
    gate.tryAcquire(first.permit)
    expect(gate.tryAcquire(second.permit)).to.equal(false)
    gate.enqueue(second)
    first.permit.release()
    expect(second.permit.held).to.equal(true)
    expect(room).to.equal(0)
  })

  it('says how long its oldest waiter has waited', () => {
    const clock = new FakeClock()
    const gate = new LocalGate('g', { limit: 1, queue: 9, timeoutMs: 9 }, { turn: new Turn(), clock: clock.read })
    expect(gate.oldestWaitMs).to.equal(0)
    gate.tryAcquire(new Permit())
    gate.enqueue(new Unit())
    clock.nowMs = 70
    gate.enqueue(new Unit())
    clock.nowMs = 100
    expect(gate.oldestWaitMs).to.equal(100)
  })
})
