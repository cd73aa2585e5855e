import { expect } from 'chai'
import { Death, type GateEnd, MortalMemory, seeThrough, type Unit } from '../../../testkit/src/index.ts'
import { gateWord, slotWords } from '../../src/state/layout.ts'
import { Recovery } from '../../src/state/recovery.ts'
import { SharedMemory } from '../../src/state/shared-memory.ts'
import type { SharedStore } from '../../src/state/shared-store.ts'
import { FakeConnector } from '../fake-protocol.ts'
import { GateEnds } from '../gate/gate-ends.ts'

/** What a thread does when it dies. `before` brings that about, with nobody dying. */
interface Scene {
  readonly title: string
  before?(dying: GateEnd, other: GateEnd): void
  last(dying: GateEnd, other: GateEnd): void
}

const acquire = (end: GateEnd, gate: number, unit: number): Unit => {
  expect(end.gates[gate]!.tryAcquire(end.units[unit]!.permit), 'let through').to.equal(true)
  return end.units[unit]!
}
const queue = (end: GateEnd, gate: number, unit: number): Unit => {
  expect(end.gates[gate]!.tryAcquire(end.units[unit]!.permit), 'let through').to.equal(false)
  expect(end.gates[gate]!.enqueue(end.units[unit]!), 'may wait').to.equal(true)
  return end.units[unit]!
}

/** The record of gate 0: the first that a configuration names. */
const gateA = 0

// Gate 0 has a limit of 2, gate 2 stands before an endpoint with room for one unit and another with room for two.
const scenes: readonly Scene[] = [
  {
    title: 'as it is let through',
    last: (dying) => void acquire(dying, 0, 0),
  },
  {
    title: 'as it is let through to an endpoint',
    last: (dying) => void acquire(dying, 2, 0),
  },
  {
    title: 'as it begins to wait behind others',
    before: (_, other) => {
      acquire(other, 0, 0)
      acquire(other, 0, 1)
      queue(other, 0, 2)
    },
    last: (dying) => void queue(dying, 0, 0),
  },
  {
    title: 'as it leaves the middle of the queue',
    before: (dying, other) => {
      acquire(other, 0, 0)
      acquire(other, 0, 1)
      queue(other, 0, 2)
      queue(dying, 0, 0)
      queue(other, 0, 3)
    },
    last: (dying) => dying.gates[0]!.leave(dying.units[0]!),
  },
  {
    title: 'as it releases what nobody waits for',
    before: (dying) => void acquire(dying, 2, 0),
    last: (dying) => dying.units[0]!.permit.release(),
  },
  {
    title: "as it releases and grants to its own and another's waiters",
    before: (dying, other) => {
      acquire(dying, 2, 0)
      acquire(dying, 2, 1)
      acquire(other, 2, 0)
      queue(other, 2, 1)
      queue(dying, 2, 2)
      queue(other, 2, 2)
    },
    last: (dying) => {
      dying.units[0]!.permit.release()
      dying.units[1]!.permit.release()
    },
  },
  {
    title: 'as it takes up what another has granted',
    before: (dying, other) => {
      const holders = [acquire(other, 2, 0), acquire(other, 2, 1), acquire(other, 2, 2)]
      queue(dying, 2, 0)
      queue(dying, 2, 1)
      queue(other, 2, 3)
      for (const unit of holders) unit.permit.release()
    },
    last: (dying) => dying.readMail(),
  },
  {
    title: 'as it leaves with what another has granted',
    before: (dying, other) => {
      const holders = [acquire(other, 2, 0), acquire(other, 2, 1), acquire(other, 2, 2)]
      queue(dying, 2, 0)
      queue(other, 2, 3)
      queue(other, 2, 4)
      holders[0]!.permit.release()
    },
    last: (dying) => {
      dying.gates[2]!.leave(dying.units[0]!)
      dying.readMail()
    },
  },
  {
    title: 'as it admits after a raised limit',
    before: (_, other) => {
      acquire(other, 0, 0)
      acquire(other, 0, 1)
      queue(other, 0, 2)
      queue(other, 0, 3)
      // As `SharedControl.setLimits` does: written from outside of the gate.
      other.store.writeLimits(gateA, { limit: 4, queue: 5, timeoutMs: 1_000 })
    },
    last: (dying) => dying.gates[0]!.admitWaiting(),
  },
  {
    title: 'as it moves a unit to another endpoint',
    before: (dying) => void acquire(dying, 2, 0),
    last: (dying) => dying.upstream.move(dying.units[0]!.permit),
  },
  {
    title: 'as it learns that a connection carries more',
    before: (dying, other) => {
      for (const { cells } of other.upstream.endpoints) cells.setLimits({ limit: 5, maxConnections: 1 })
      acquire(other, 2, 0)
      acquire(dying, 2, 0)
      queue(other, 2, 1)
    },
    last: (dying) => dying.upstream.endpoints[0]!.learnt(2),
  },
  {
    title: 'as it counts a connection in and out',
    last: (dying) => {
      const endpoint = dying.upstream.endpoints[0]!
      expect(endpoint.takeConnection()).to.equal(true)
      endpoint.dropConnection()
    },
  },
]

/** Every unit that is not the dead thread's comes home; nobody waits while there is room. */
async function expectAllWell(ends: GateEnds, other: GateEnd): Promise<void> {
  const { control, truth, config } = ends
  expect(ends.problem, 'after the recovery').to.equal(undefined)
  expect(truth.slots().filter(({ thread }) => thread === 0)).to.deep.equal([])
  for (const { id } of config.upstreams[0]!.endpoints) {
    const { connections, idle, connecting, starved } = control.endpointCells(id)!
    for (const count of [connections, idle, connecting, starved]) expect(count.of(0)).to.equal(0)
  }
  other.readMail()
  await Promise.resolve()
  for (let round = 0; round < 10; round++) {
    for (const unit of other.units) {
      if (!unit.permit.held) continue
      expect(unit.waiterState, unit.name).to.equal('outside')
      unit.permit.release()
      break
    }
    other.readMail()
    await Promise.resolve()
    expect(ends.problem, `after ${round} releases`).to.equal(undefined)
  }
  for (const unit of other.units) expect([unit.waiterState, unit.permit.held]).to.deep.equal(['outside', false])
  for (const id of ['a', 'b', 'upstream:u']) {
    expect(control.gateState(id), id).to.include({ running: 0, waiting: 0 })
  }
  expect(truth.slots()).to.deep.equal([])
}

describe('Recovery after a thread that has died', () => {
  let restore: () => void

  before(() => {
    restore = seeThrough()
  })

  after(() => restore())

  for (const { title, before, last } of scenes) {
    it(`${title}, before whichever store, leaves everything as if it had never been`, async () => {
      let deaths = 0
      for (let stores = 0; ; stores++) {
        const ends = new GateEnds({
          endpoints: [1, 2],
          gates: [
            { limit: 2, queue: 5 },
            { limit: 2, queue: 5 },
            { limit: 3, queue: 5 },
          ],
        })
        const [dying, other] = [ends.open(0, { mortal: true }), ends.open(1)]
        other.readMail()
        dying.readMail()
        before?.(dying, other)
        dying.mortal!.dieAfter(stores)
        let died = false
        try {
          last(dying, other)
        } catch (error) {
          if (!(error instanceof Death)) throw error
          died = true
        }
        dying.die()
        await ends.control.recover(0)
        await expectAllWell(ends, other)
        ends.close()
        if (!died) break
        deaths++
      }
      expect(deaths, 'stores that it died before').to.be.greaterThan(1)
    })
  }

  it('does not take a slot that begins to wait elsewhere meanwhile for one of the gate that it makes anew', async () => {
    for (let read = 1; read <= 4; read++) {
      const ends = new GateEnds({
        gates: [
          { limit: 1, queue: 5 },
          { limit: 1, queue: 5 },
        ],
      })
      const [dying, other] = [ends.open(0), ends.open(1)]
      acquire(other, 1, 0)
      acquire(dying, 0, 0)
      const waiter = queue(other, 0, 1)
      const { slot } = waiter
      other.gates[0]!.leave(waiter)
      dying.die()
      const memory = SharedMemory.from(ends.control.memory.handle)
      const { words, layout } = memory
      const watched = new MortalMemory(words)
      Object.defineProperty(memory, 'words', { value: watched.words })
      let reads = 0
      watched.beforeRead = (at) => {
        if (Math.floor((at - layout.slots) / slotWords) !== slot || ++reads !== read) return
        expect(queue(other, 1, 2).slot).to.equal(slot)
      }
      const inUse = { gates: [ends.record('a'), ends.record('b')], endpointsOf: () => [] }
      await new Recovery(memory).recover(0, inUse, () => {})
      expect(ends.problem, `before read ${read}`).to.equal(undefined)
      ends.close()
    }
  })

  it('waits for a gate whose lock another dead thread has left taken, until that one is recovered too', async () => {
    const ends = new GateEnds({ threads: 3 })
    const [first, second, other] = [ends.open(0), ends.open(1, { mortal: true }), ends.open(2)]
    acquire(first, 0, 0)
    second.mortal!.dieAfter(2)
    expect(() => acquire(second, 0, 0)).to.throw(Death)
    expect(ends.truth.owner(ends.record('a'))).to.equal(2)
    first.die()
    second.die()
    let recovered = false
    const waiting = ends.control.recover(0).then(() => {
      recovered = true
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(recovered).to.equal(false)
    await ends.control.recover(1)
    await waiting
    await expectAllWell(ends, other)
    ends.close()
  })

  it('keeps the permits of a dead thread where a service cannot cancel, and gives them back later', async () => {
    const ends = new GateEnds({
      endpoints: [1, 2],
      gates: [
        { limit: 2, queue: 5 },
        { limit: 1, queue: 1 },
        { limit: 3, queue: 5 },
      ],
      abandoned: 'wait',
      responseTimeout: '50ms',
    })
    const [dying, other] = [ends.open(0), ends.open(1)]
    const { control } = ends
    for (const unit of [0, 1, 2]) acquire(dying, 2, unit)
    queue(other, 2, 0)
    dying.die()
    await control.recover(0)
    expect(control.gateState('upstream:u')).to.include({ running: 3, waiting: 1 })
    expect(ends.problem).to.equal(undefined)
    const endpoints = ends.config.upstreams[0]!.endpoints.map(({ id }) => control.endpointCells(id)!)
    expect(endpoints.map(({ running }) => running)).to.deep.equal([1, 2])
    while (control.gateState('upstream:u')!.running > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(endpoints.map(({ running }) => running)).to.deep.equal([0, 0])
    await expectAllWell(ends, other)
    ends.close()
  })

  it('keeps the order of waiters where tickets wrap around', async () => {
    const ends = new GateEnds({ endpoints: [1], gates: [{ limit: 1, queue: 9 }] })
    const [dying, other] = [ends.open(0), ends.open(1)]
    const { memory } = ends.control
    memory.words[memory.gatePlace(ends.record('a')) + gateWord.ticket] = 0x7fff_fffe
    acquire(dying, 0, 0)
    for (const unit of [3, 1, 4, 2]) queue(other, 0, unit)
    dying.die()
    await ends.control.recover(0)
    for (let round = 0; round < 8; round++) {
      other.readMail()
      await Promise.resolve()
      for (const { permit } of other.units) permit.release()
    }
    expect(ends.told).to.deep.equal(['1.3', '1.1', '1.4', '1.2'])
    ends.close()
  })

  it('gives back the room on the connections of the dead thread', async () => {
    const ends = new GateEnds({
      endpoints: [9],
      gates: [
        { limit: 9, queue: 5 },
        { limit: 9, queue: 5 },
        { limit: 9, queue: 5 },
      ],
    })
    const [dying, other] = [ends.open(0), ends.open(1)]
    const [endpoint] = dying.upstream.endpoints
    endpoint!.cells.setLimits({ limit: 9, maxConnections: 1 })
    endpoint!.learnt(3)
    expect(endpoint!.takeConnection()).to.equal(true)
    for (const unit of [0, 1, 2]) acquire(dying, 2, unit)
    for (const unit of [0, 1, 2]) queue(other, 2, unit)
    const connector = new FakeConnector(true, 3)
    const pool = other.upstream.endpoints[0]!.pool(connector)
    pool.lease({ connected: () => {}, connectFailed: () => {} }, 0)
    expect(connector.connections).to.have.length(0)
    dying.die()
    await ends.control.recover(0)
    other.readMail()
    await Promise.resolve()
    expect(other.units.filter(({ permit }) => permit.held)).to.have.length(3)
    expect(other.gates[2]!.tryAcquire(other.units[3]!.permit)).to.equal(false)
    expect([connector.connections.length, other.upstream.endpoints[0]!.cells.connections.total]).to.deep.equal([1, 1])
    connector.last.open()
    pool.forget({ connected: () => {}, connectFailed: () => {} })
    connector.last.gone()
    await expectAllWell(ends, other)
    ends.close()
  })

  it('forgets what the dead thread had counted for itself', async () => {
    const ends = new GateEnds()
    const [dying, other] = [ends.open(0), ends.open(1)]
    for (const end of [dying, other]) {
      end.store.connections('web').add(3)
      for (const count of [end.store.allConnections, end.store.bufferedKiB]) count.add(2)
      end.store.units.begin()
    }
    await ends.control.recover(0)
    expect(ends.control.connectionsOf('web')!.total).to.equal(3)
    const { allConnections, bufferedKiB, units } = other.store
    for (const count of [allConnections, bufferedKiB]) expect(count.total).to.equal(2)
    expect([units.of(0), units.of(1)]).to.deep.equal([0, 1])
    ends.close()
  })

  it('gives the slots of the dead thread to whoever needs them', async () => {
    const ends = new GateEnds({ threads: 2 })
    const [dying, other] = [ends.open(0), ends.open(1)]
    const takeAll = ({ slots }: SharedStore): number[] => {
      const taken: number[] = []
      for (let slot = slots.take(); slot >= 0; slot = slots.take()) taken.push(slot)
      return taken
    }
    // Of four chunks one is kept for each thread.
    const taken = takeAll(dying.store)
    expect([taken.length, takeAll(other.store).length]).to.deep.equal([192, 64])
    dying.die()
    await ends.control.recover(0)
    const again = takeAll(other.store)
    expect(again).to.have.length(128)
    expect(taken).to.include.members(again)
    ends.close()
  })
})
