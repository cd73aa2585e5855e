import { expect } from 'chai'
import { FakeClock, sharedConfig } from '../../../testkit/src/index.ts'
import type { Config } from '../../src/config/config.ts'
import { type Gate, Permit, Waiter } from '../../src/gate/gate.ts'
import { CapacityError, type StateControl } from '../../src/state/control.ts'
import { LocalStore } from '../../src/state/local-store.ts'
import { SharedControl } from '../../src/state/shared-control.ts'
import { SharedStore } from '../../src/state/shared-store.ts'
import type { StateStore } from '../../src/state/store.ts'
import { Turn } from '../../src/turn.ts'

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

/** State that is steered from one side and used from the other. */
interface Bench {
  readonly control: StateControl
  readonly store: StateStore
  /** Brings a configuration to life, as a reload does. */
  reload(config: Config): void
  close(): void
}

const clock = new FakeClock()

function local(): Bench {
  const store = new LocalStore(clock.read)
  let number = 0
  const reload = (config: Config) => {
    store.prepare()
    store.publish(config, ++number)
  }
  return { control: store, store, reload, close: () => {} }
}

const capacity = { threads: 2, gates: 5, endpoints: 4, listeners: 2, waiters: 64 }

function shared(): Bench {
  const control = new SharedControl(capacity, clock.read)
  const store = new SharedStore(control.memory, 1, { records: control.records, clock: clock.read })
  let number = 0
  const reload = (config: Config) => {
    control.prepare(config)
    store.assign(control.records)
    control.publish(config, ++number)
  }
  store.open()
  return {
    control,
    store,
    reload,
    close: () => {
      store.close()
      control.close()
    },
  }
}

const two = sharedConfig({ endpoints: [1, 2] })
const parts = { turn: new Turn(), clock: clock.read }

/** The configuration with one endpoint and one gate of that name, and no others. */
const namedAs = ({ upstreams, gates, listeners }: Config, name: string): Partial<Config> => ({
  upstreams: upstreams.map((upstream) => ({
    ...upstream,
    endpoints: [{ ...upstream.endpoints[0]!, id: `endpoint:u/${name}` }],
  })),
  gates: [{ ...gates[0]!, id: `gate ${name}` }],
  listeners: listeners.map((listener) => ({ ...listener, routes: [] })),
})

/** The configuration without the gate of that name. */
const without = (config: Config, gate: string): Config => ({
  ...config,
  gates: config.gates.filter(({ id }) => id !== gate),
  listeners: config.listeners.map((listener) => ({
    ...listener,
    routes: listener.routes.map((route) => ({ ...route, gate: undefined })),
  })),
})

for (const [name, open] of [
  ['LocalStore', local],
  ['SharedControl', shared],
] as const) {
  describe(`${name} as what steers the state`, () => {
    let bench: Bench

    beforeEach(() => {
      bench = open()
      bench.reload(two)
    })

    afterEach(() => bench.close())

    const gateOf = (id: string): Gate => {
      const limits = [...two.gates].find((gate) => gate.id === id) ?? two.upstreams[0]!.gate!
      return bench.store.gate(id, limits, parts)
    }
    const endpoint = () => {
      const { id, limit } = two.upstreams[0]!.endpoints[0]!
      return bench.store.endpoint(id, { limit, maxConnections: Infinity })
    }

    it('keeps the count of an identity over reloads', () => {
      const permit = new Permit()
      expect(gateOf('a').tryAcquire(permit)).to.equal(true)
      bench.reload(sharedConfig({ endpoints: [1, 2] }))
      bench.control.sweep(new Set())
      expect(gateOf('a').running).to.equal(1)
      expect(bench.control.gateState('a')).to.include({ running: 1, waiting: 0 })
      permit.release()
      expect(bench.control.gateState('a')).to.include({ running: 0 })
    })

    it('admits with the limits of a configuration once it is published', async () => {
      const [holder, waiter] = [new Permit(), new Unit()]
      bench.reload(sharedConfig({ endpoints: [1], gates: [{ limit: 1, queue: 3 }] }))
      const gate = gateOf('a')
      bench.control.setLimits('a', { limit: 1, queue: 3, timeoutMs: 1_000 })
      expect(gate.tryAcquire(holder)).to.equal(true)
      expect(gate.tryAcquire(waiter.permit)).to.equal(false)
      expect(gate.enqueue(waiter)).to.equal(true)
      bench.reload(sharedConfig({ endpoints: [1], gates: [{ limit: 2, queue: 3 }] }))
      while (!waiter.told) await new Promise(setImmediate)
      expect(bench.control.gateState('a')!.limits).to.include({ limit: 2, queue: 3 })
    })

    it("changes one gate's limits until the next configuration, and says when there is no such gate", () => {
      const gate = gateOf('a')
      expect(bench.control.setLimits('a', { limit: 9, queue: 1, timeoutMs: 50 })).to.equal(true)
      expect(gate.limits).to.include({ limit: 9, queue: 1, timeoutMs: 50 })
      expect(bench.control.setLimits('never there', gate.limits)).to.equal(false)
      bench.reload(two)
      expect(gate.limits.limit).to.equal(two.gates[0]!.limit)
    })

    it('keeps a gate that has vanished while a unit holds it, and forgets it afterwards', () => {
      const permit = new Permit()
      gateOf('b').tryAcquire(permit)
      bench.reload(without(two, 'b'))
      bench.control.sweep(new Set())
      expect(bench.control.gateState('b')).to.include({ running: 1 })
      expect(bench.control.gateStates().map(({ id }) => id)).to.include('b')
      permit.release()
      expect(bench.control.gateStates().map(({ id }) => id)).to.not.include('b')
      bench.control.sweep(new Set())
      expect(bench.control.gateState('b')).to.equal(undefined)
    })

    it('does not forget what a gate that came back holds', () => {
      const permit = new Permit()
      gateOf('b').tryAcquire(permit)
      bench.reload(without(two, 'b'))
      bench.reload(two)
      bench.control.sweep(new Set())
      expect(gateOf('b').running).to.equal(1)
      permit.release()
      expect(gateOf('b').running).to.equal(0)
    })

    it('begins anew with a gate that was forgotten', () => {
      const gate = gateOf('b')
      const permit = new Permit()
      gate.tryAcquire(permit)
      permit.release()
      bench.reload(without(two, 'b'))
      bench.control.sweep(new Set())
      bench.reload(two)
      expect(gateOf('b')).to.include({ running: 0, waiting: 0 })
      expect(gateOf('b').tryAcquire(new Permit())).to.equal(true)
      expect(bench.control.gateState('b')).to.include({ running: 1 })
    })

    it('keeps an endpoint while units or connections are there', () => {
      const cells = endpoint()
      const { id } = two.upstreams[0]!.endpoints[0]!
      cells.enter()
      cells.connections.add(1)
      bench.reload({ ...two, upstreams: [] })
      bench.control.sweep(new Set())
      expect(bench.control.endpointCells(id)).to.include({ running: 1 })
      cells.leave()
      bench.control.sweep(new Set())
      expect(bench.control.endpointCells(id)!.connections.total).to.equal(1)
      cells.connections.add(-1)
      bench.control.sweep(new Set())
      expect(bench.control.endpointCells(id)).to.equal(undefined)
    })

    it('keeps what a configuration names that is live, and forgets what only those name that are not', () => {
      const only = (name: string): Config => ({ ...two, ...namedAs(two, name) })
      for (const name of ['x', 'y', 'z']) {
        bench.reload(only(name))
        // There is not room for all at once.
        bench.control.sweep(new Set([2, 3]))
        bench.store.endpoint(`endpoint:u/${name}`, { limit: 1, maxConnections: 1 })
        bench.store.gate(`gate ${name}`, two.gates[0]!, parts)
      }
      const known = () =>
        ['x', 'y', 'z'].filter((name) => bench.control.endpointCells(`endpoint:u/${name}`) !== undefined)
      const gates = () => ['x', 'y', 'z'].filter((name) => bench.control.gateState(`gate ${name}`) !== undefined)
      bench.control.sweep(new Set([2]))
      expect(known()).to.deep.equal(['x', 'z'])
      expect(gates()).to.deep.equal(['x', 'z'])
      bench.control.sweep(new Set())
      expect(known()).to.deep.equal(['z'])
      expect(gates()).to.deep.equal(['z'])
    })

    it('has room for one configuration after the other while an old one is live', () => {
      bench.reload({ ...two, ...namedAs(two, 'old') })
      const old = bench.store.endpoint('endpoint:u/old', { limit: 1, maxConnections: 1 })
      old.enter()
      for (let i = 0; i < 20; i++) {
        bench.control.sweep(new Set([2]))
        bench.reload({ ...two, ...namedAs(two, `number ${i}`) })
      }
      expect(bench.control.endpointCells('endpoint:u/old')).to.include({ running: 1 })
    })

    it('gives endpoints the limits of a new configuration', () => {
      const cells = endpoint()
      cells.enter()
      expect(cells.hasRoom).to.equal(false)
      bench.reload(sharedConfig({ endpoints: [2] }))
      expect(cells.hasRoom).to.equal(true)
    })

    it('shows the gates that are written, and not those that stand for room alone', () => {
      const ungated = { ...two, upstreams: two.upstreams.map((upstream) => ({ ...upstream, gate: undefined })) }
      bench.reload(ungated)
      for (const id of ['a', 'b', 'upstream:u']) gateOf(id)
      expect(bench.control.gateStates().map(({ id }) => id)).to.deep.equal(['a', 'b'])
    })

    it('says how long the oldest waiter has waited', () => {
      const gate = gateOf('b')
      for (let i = 0; i < two.gates[1]!.limit; i++) gate.tryAcquire(new Permit())
      gate.enqueue(new Unit())
      clock.nowMs += 70
      gate.enqueue(new Unit())
      clock.nowMs += 30
      expect(bench.control.gateState('b')!.oldestWaitMs).to.be.within(99, 101)
    })

    it('counts the connections of a listener', () => {
      bench.store.connections('web').add(2)
      expect(bench.control.connectionsOf('web')!.total).to.equal(2)
      expect(bench.control.connectionsOf('never there')).to.equal(undefined)
    })
  })
}

describe('SharedControl', () => {
  const refusal = (control: SharedControl, config: Config): Error => {
    try {
      control.prepare(config)
    } catch (error) {
      return error as Error
    }
    throw new Error('it was not refused')
  }

  it('refuses a configuration that needs more than there is room for, in a sentence', () => {
    const control = new SharedControl(capacity, clock.read)
    const error = refusal(control, sharedConfig({ endpoints: [1, 1, 1, 1, 1] }))
    expect(error).to.be.instanceOf(CapacityError)
    expect(error.message).to.equal('The configuration has more than 4 endpoints.')
    control.close()
  })

  it('has room for others after a configuration that was refused has been swept', () => {
    const control = new SharedControl(capacity, clock.read)
    control.prepare(two)
    control.publish(two, 1)
    refusal(control, sharedConfig({ endpoints: [1, 1, 1, 1, 1] }))
    control.sweep(new Set())
    expect([...control.records.endpoints.values()]).to.deep.equal([0, 1])
    control.prepare(sharedConfig({ endpoints: [1, 1, 1, 1] }))
    control.close()
  })

  it('gives an identity its record for as long as it lasts, and another one its own', () => {
    const control = new SharedControl(capacity, clock.read)
    control.prepare(two)
    control.publish(two, 1)
    const before = new Map(control.records.gates)
    control.prepare(sharedConfig({ endpoints: [3, 3, 3] }))
    expect([...before].every(([id, record]) => control.records.gates.get(id) === record)).to.equal(true)
    const all = [...control.records.gates.values()]
    expect(new Set(all).size).to.equal(all.length)
    control.close()
  })

  it('keeps the gate of an upstream as long as one of its endpoints is in use', () => {
    const control = new SharedControl(capacity, clock.read)
    control.prepare(two)
    control.publish(two, 1)
    const cells = control.endpointCells(two.upstreams[0]!.endpoints[1]!.id)!
    cells.connections.add(1)
    const gone = { ...without(two, 'a'), upstreams: [] }
    control.publish(gone, 2)
    control.sweep(new Set())
    expect(control.gateState('upstream:u')).to.not.equal(undefined)
    cells.connections.add(-1)
    control.sweep(new Set())
    control.sweep(new Set())
    expect(control.gateState('upstream:u')).to.equal(undefined)
    control.close()
  })

  it('leaves nothing in a record that is used anew', () => {
    const control = new SharedControl(capacity, clock.read)
    control.prepare(two)
    control.publish(two, 1)
    const { id, ...rest } = two.upstreams[0]!.endpoints[0]!
    const cells = control.endpointCells(id)!
    const { record } = cells
    cells.countFailure()
    cells.eject(1_000)
    cells.probe(false)
    const renamed = {
      ...two,
      upstreams: two.upstreams.map((upstream) => ({ ...upstream, endpoints: [{ ...rest, id: 'endpoint:u/new' }] })),
    }
    control.publish({ ...two, upstreams: [] }, 2)
    control.sweep(new Set())
    control.prepare(renamed)
    const next = control.endpointCells('endpoint:u/new')!
    expect([0, 1]).to.include(record)
    expect([0, 1]).to.include(next.record)
    expect([next.ejected, next.probedUp, next.countFailure()]).to.deep.equal([false, true, 1])
    control.close()
  })

  it('says how long ago a thread said that it lives', () => {
    const control = new SharedControl(capacity, clock.read)
    const store = new SharedStore(control.memory, 1, { records: control.records, clock: clock.read })
    store.beat(7)
    clock.nowMs += 250
    expect(control.heartbeatAgeMs(1)).to.be.within(249, 251)
    expect(control.memory.threadCount('timers', 0).total).to.equal(7)
    control.close()
  })
})
