import { expect } from 'chai'
import { seeThrough } from '../../../testkit/src/index.ts'
import type { Config } from '../../src/config/config.ts'
import { endpointThreadWord, endpointWord } from '../../src/state/layout.ts'
import { LocalStore } from '../../src/state/local-store.ts'
import type { Lessee } from '../../src/upstream/connection.ts'
import { FakeConnector, FakeEngine } from '../fake-protocol.ts'
import { GateEnds } from '../gate/gate-ends.ts'

const patient: Lessee = { connected: () => {}, connectFailed: () => {} }

/** The configuration with that bound on connections to each endpoint. */
const bounded = (config: Config, maxConnections: number): Config => ({
  ...config,
  upstreams: config.upstreams.map((upstream) => ({ ...upstream, pool: { ...upstream.pool, maxConnections } })),
})

describe('Connections to one endpoint from several threads', () => {
  let ends: GateEnds
  let restore: () => void

  beforeEach(() => {
    restore = seeThrough()
    ends = new GateEnds({ endpoints: [5] })
    ends.control.publish(bounded(ends.config, 1), 2)
  })

  afterEach(() => {
    ends.close()
    restore()
  })

  const endpointOf = (thread: number) => ends.ends[thread]!.upstream.endpoints[0]!

  it('has the one that goes as another thread finds the bound reached go to that thread', () => {
    ends.open(0)
    const { mortal, thread } = ends.open(1, { mortal: true })
    const [holder, late] = [endpointOf(0), endpointOf(1)]
    expect(holder.takeConnection()).to.equal(true)
    const { layout } = ends.control.memory
    const own = endpointWord.perThread + endpointThreadWord.connections * (layout.capacity.threads + 1) + thread
    mortal!.beforeRead = (at) => {
      // It has counted the other thread's connection, and has not come to its own.
      if (at !== layout.endpoints + late.record * layout.endpointWords + own) return
      mortal!.beforeRead = undefined
      holder.dropConnection()
    }
    const taken = late.takeConnection()
    expect(mortal!.beforeRead, 'it came about').to.equal(undefined)
    expect(taken).to.equal(true)
  })

  it('tells every object of an endpoint that another thread has dropped one', () => {
    ends.open(0)
    const waiting = ends.open(1)
    expect(endpointOf(0).takeConnection()).to.equal(true)
    const connector = new FakeConnector()
    const former = endpointOf(1)
    former.pool(connector).lease(patient, 0)
    const { upstream } = waiting
    upstream
      .prepare(
        upstream.config,
        Object.assign(() => undefined, { fingerprint: 'another certificate' }),
      )
      .commit()
    expect(endpointOf(1)).to.not.equal(former)
    endpointOf(0).dropConnection()
    waiting.readMail()
    expect(connector.connections).to.have.length(1)
  })

  it('closes an idle one of another object of the same endpoint', () => {
    const { upstream } = ends.open(0)
    const connector = new FakeConnector()
    const former = endpointOf(0)
    former.pool(connector).lease(patient, 0)
    upstream
      .prepare(
        upstream.config,
        Object.assign(() => undefined, { fingerprint: 'another certificate' }),
      )
      .commit()
    const next = new FakeConnector()
    endpointOf(0).pool(next).lease(patient, 0)
    expect(next.connections).to.have.length(0)
    connector.last.open()
    connector.last.gone()
    expect(next.connections).to.have.length(1)
    former.pool(connector).lease(patient, 0)
    next.last.open()
    expect([connector.connections.length, next.last.closeCalls]).to.deep.equal([1, 0])
    next.last.pool.giveBack(next.last)
    expect(next.last.closeCalls).to.equal(1)
    next.last.gone()
    expect(connector.connections).to.have.length(2)
  })

  it('lets a unit of another thread through as soon as a connection turns out to carry more', async () => {
    const { upstream } = ends.open(0)
    const waiting = ends.open(1)
    const [gate, first, second] = [waiting.gates[2]!, waiting.units[0]!, waiting.units[1]!]
    expect(gate.tryAcquire(first.permit)).to.equal(true)
    expect([gate.tryAcquire(second.permit), gate.enqueue(second)]).to.deep.equal([false, true])
    const connector = new FakeConnector(true, 2)
    connector.expected = undefined
    upstream.endpoints[0]!.pool(connector).lease(patient, 0)
    connector.last.open()
    waiting.readMail()
    await Promise.resolve()
    expect(second.permit.held).to.equal(true)
    expect(waiting.upstream.endpoints[0]!.cells.concurrency).to.equal(2)
  })

  it('begins those that wait once a new configuration allows more', () => {
    const end = ends.open(0)
    const connector = new FakeConnector()
    const pool = endpointOf(0).pool(connector)
    for (let i = 0; i < 3; i++) pool.lease({ ...patient }, 0)
    expect(connector.connections).to.have.length(1)
    ends.control.publish(bounded(ends.config, 2), 3)
    end.readMail()
    expect(connector.connections).to.have.length(2)
  })

  it('begins those that wait once a new configuration allows more, without threads', () => {
    const engine = new FakeEngine({ endpoints: ['127.0.0.1:3001'], pool: { maxConnections: 1 } })
    const connector = new FakeConnector()
    const pool = engine.upstream.endpoints[0]!.pool(connector)
    for (let i = 0; i < 3; i++) pool.lease({ ...patient }, 0)
    expect(connector.connections).to.have.length(1)
    const store = engine.runtime.store as LocalStore
    store.publish(bounded({ ...ends.config, upstreams: [engine.upstream.config] }, 2), 1)
    expect(connector.connections).to.have.length(2)
    engine.stop()
  })
})
