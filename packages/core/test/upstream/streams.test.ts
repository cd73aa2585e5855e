import { expect } from 'chai'
import { scaled, SeededRandom } from '../../../testkit/src/index.ts'
import { ProxyError, refusals } from '../../src/errors.ts'
import type { Connection } from '../../src/upstream/connection.ts'
import { type FakeConnection, FakeConnector, FakeEngine, FakeExchange, turnOver } from '../fake-protocol.ts'

/** A unit on a connection that it shares: cut, it is reset there, and the connection lives on. */
class StreamExchange extends FakeExchange {
  protected override abort(_connection: Connection): void {
    this.said.push('reset')
    this.upstreamEnded(true)
  }
}

describe('Units that share a connection', () => {
  let engine: FakeEngine
  let connector: FakeConnector

  const open = (most: number, upstream: object = {}, expected: number | 'unknown' = most): void => {
    engine = new FakeEngine({ endpoints: ['127.0.0.1:3001'], ...upstream })
    connector = new FakeConnector(true, most)
    connector.expected = expected === 'unknown' ? undefined : expected
  }

  const start = (): StreamExchange => new StreamExchange(engine.runtime, connector).start(engine.route())
  const starts = (count: number): StreamExchange[] => Array.from({ length: count }, start)

  const end = (unit: StreamExchange): void => {
    unit.upstreamEnded(true)
    unit.downstreamEnded()
  }

  const expectAllHome = (): void => {
    const { upstream, runtime, faults } = engine
    expect(faults).to.deep.equal([])
    expect([upstream.gate.running, upstream.gate.waiting, runtime.exchanges]).to.deep.equal([0, 0, 0])
    for (const endpoint of upstream.endpoints) expect(endpoint.running).to.equal(0)
    for (const { state, carrying } of connector.connections) {
      if (state !== 'closed') expect([state, carrying]).to.deep.equal(['idle', 0])
    }
  }

  afterEach(() => engine.stop())

  it('run side by side, and one that is cut leaves the others alone', () => {
    open(10)
    const units = starts(3)
    connector.last.open()
    units[1]!.cancel(refusals.clientGone)
    expect(units.map(({ said }) => said.at(-1))).to.deep.equal(['forward', 'reset', 'forward'])
    expect([connector.last.carrying, engine.upstream.gate.running]).to.deep.equal([2, 2])
    for (const unit of [units[0]!, units[2]!]) end(unit)
    expectAllHome()
  })

  it('are let through as far as connections may carry them, and the others as those end', async () => {
    open(2, { pool: { maxConnections: 1, maxStreams: 2 }, protocol: 'http2' })
    const units = starts(4)
    const { gate } = engine.upstream
    expect([gate.running, gate.waiting], 'before anything is known of a connection').to.deep.equal([2, 2])
    connector.last.open()
    expect([gate.running, gate.waiting]).to.deep.equal([2, 2])
    end(units[0]!)
    await turnOver()
    expect(units.map(({ state }) => state)).to.deep.equal(['done', 'forwarding', 'forwarding', 'queued'])
    expect([connector.connections.length, connector.last.carrying]).to.deep.equal([1, 2])
    for (const unit of units.slice(1)) {
      end(unit)
      await turnOver()
    }
    expectAllHome()
  })

  it('are repeated on another connection when a GOAWAY has refused them, whatever they are', async () => {
    open(10)
    const units = starts(5)
    connector.last.open()
    const [first] = connector.connections
    const refused = new ProxyError('upstreamReset', 'GOAWAY', { progress: 'requestSent', refused: true })
    first!.allow(0)
    for (const unit of units.slice(1)) {
      unit.idempotent = false
      engine.upstream.endpoints[0]!.pool(connector).giveBack(first!)
      unit.upstreamFailed(refused)
    }
    await turnOver()
    expect([first!.state, first!.carrying, connector.connections.length]).to.deep.equal(['leased', 1, 2])
    connector.last.open()
    expect([connector.last.carrying, engine.upstream.retrying]).to.deep.equal([4, 0])
    for (const unit of units) end(unit)
    expect(first!.closeCalls).to.equal(1)
    first!.gone()
    expectAllHome()
    expect(units.map(({ attempts }) => attempts)).to.deep.equal([1, 2, 2, 2, 2])
  })

  it('all hear of a connect that failed for all of them, and are repeated as far as the budget goes', () => {
    open(10, {}, 'unknown')
    const units = starts(6)
    connector.last.refuse()
    expect(connector.connections).to.have.length(2)
    expect(units.map(({ state }) => state)).to.deep.equal([
      'connecting',
      'connecting',
      'connecting',
      'done',
      'done',
      'done',
    ])
    connector.last.open()
    for (const unit of units.slice(0, 3)) end(unit)
    expectAllHome()
    expect(units.map(({ reason }) => reason === 'ok')).to.deep.equal([true, true, true, false, false, false])
  })

  it('may be cut by the failure of one of them', () => {
    open(10, { retries: { max: 0 } }, 'unknown')
    const units = starts(3)
    units[0]!.whenSettled = () => {
      units[1]!.cancel(refusals.clientGone)
      // The object serves the next unit already, which must not hear of the failure.
      units[1]!.start(engine.route())
    }
    connector.last.refuse()
    expect(units.map(({ state }) => state)).to.deep.equal(['done', 'connecting', 'done'])
    connector.last.open()
    end(units[1]!)
    expectAllHome()
  })

  const steps = scaled({ test: 2_000, ci: 10_000, soak: 100_000 })
  for (const seed of [1, 2, 3, 4]) {
    it(`leave nothing behind after ${steps} random steps (seed ${seed})`, async function () {
      this.timeout(10_000 + steps)
      const random = new SeededRandom(seed)
      open(
        random.pick([2, 7]),
        { pool: { maxConnections: 3, maxIdle: 1 }, gate: { limit: 12, queue: 20 } },
        random.chance(0.5) ? 'unknown' : 3,
      )
      let units: StreamExchange[] = []
      const running = () => units.filter(({ state, connection }) => state === 'forwarding' && connection !== undefined)
      const any = (...states: FakeConnection['state'][]) => {
        const among = connector.connections.filter(({ state }) => states.includes(state))
        return among.length === 0 ? undefined : random.pick(among)
      }
      const die = (connection: FakeConnection | undefined) => {
        if (connection === undefined) return
        const carried = running().filter((unit) => unit.connection === connection)
        connection.gone()
        const refused = random.chance(0.5)
        const error = new ProxyError('upstreamReset', 'gone', { progress: 'requestSent', refused })
        for (const unit of carried) unit.upstreamFailed(error)
      }
      for (let step = 0; step < steps; step++) {
        const what = random.next()
        if (what < 0.4) units.push(start())
        else if (what < 0.6 && running().length > 0) end(random.pick(running()))
        else if (what < 0.7 && units.length > 0) random.pick(units).cancel(refusals.clientGone)
        else if (what < 0.8) any('connecting')?.open()
        else if (what < 0.83) any('connecting')?.refuse()
        else if (what < 0.87) any('leased', 'idle')?.allow(random.below(9))
        else if (what < 0.9) any('closing')?.gone()
        else if (what < 0.91) die(any('leased', 'idle'))
        else await turnOver()
        units = units.filter(({ state }) => state !== 'done')
        const { gate } = engine.upstream
        expect(gate.running).to.be.at.most(12)
        expect(units.filter(({ state }) => state === 'connecting' || state === 'forwarding').length).to.be.at.most(12)
        for (const { carrying, state } of connector.connections) {
          if (state !== 'closed') expect(carrying).to.be.at.most(9)
        }
      }
      for (const unit of units) unit.cancel(refusals.clientGone)
      await turnOver()
      for (const connection of connector.connections) if (connection.state === 'connecting') connection.open()
      for (const connection of connector.connections) if (connection.state === 'closing') connection.gone()
      expectAllHome()
      expect(engine.upstream.retrying).to.equal(0)
    })
  }
})
