import { expect } from 'chai'
import { ProxyError, refusals } from '../src/errors.ts'
import type { Exchange } from '../src/exchange.ts'
import { type FakeConnection, FakeConnector, FakeEngine, FakeExchange, turnOver } from './fake-protocol.ts'

describe('Exchange', () => {
  let engine: FakeEngine
  const accounted: string[] = []

  const open = (input?: ConstructorParameters<typeof FakeEngine>[0]): FakeEngine => {
    engine = new FakeEngine(input)
    engine.runtime.accountTo({ account: (exchange: Exchange) => void accounted.push(exchange.reason) })
    return engine
  }

  const gated = (limit: number, more: object = {}) => ({
    endpoints: ['127.0.0.1:3001'],
    gate: { limit, queue: 10, timeout: '5s' as const, ...more },
  })

  const reset = (facts: ConstructorParameters<typeof ProxyError>[2] = {}) =>
    new ProxyError('upstreamReset', 'reset', facts)

  /** Every permit is back, nobody waits, no timer runs, nothing is under way. */
  const expectAllHome = () => {
    const { runtime, upstream } = engine
    expect(
      {
        running: upstream.gate.running,
        waiting: upstream.gate.waiting,
        atEndpoints: upstream.endpoints.map((endpoint) => endpoint.running),
        retrying: upstream.retrying,
        exchanges: runtime.exchanges,
        faults: engine.faults.length,
      },
      'what is left',
    ).to.deep.equal({
      running: 0,
      waiting: 0,
      atEndpoints: upstream.endpoints.map(() => 0),
      retrying: 0,
      exchanges: 0,
      faults: 0,
    })
  }

  beforeEach(() => accounted.splice(0))
  afterEach(() => engine.stop())

  describe('on its way', () => {
    it('goes from its head to the first upstream byte in one call while permits are free and a connection is idle', () => {
      const connector = new FakeConnector()
      const { runtime } = open()
      const first = new FakeExchange(runtime, connector).start(engine.route())
      connector.last.open()
      first.upstreamEnded(true)
      first.downstreamEnded()
      const second = new FakeExchange(runtime, connector).start(engine.route())
      expect(second.state).to.equal('forwarding')
      expect(second.said, 'it leaves nothing behind to keep').to.deep.equal(['forward'])
      expect(connector.connections).to.have.length(1)
    })

    it('keeps what was lent to it when it waits for a connection, and when it waits for a permit', () => {
      const connector = new FakeConnector()
      const { runtime } = open(gated(1))
      const connecting = new FakeExchange(runtime, connector).start(engine.route())
      const queued = new FakeExchange(runtime, connector).start(engine.route())
      expect([connecting.state, queued.state]).to.deep.equal(['connecting', 'queued'])
      expect([connecting.said, queued.said]).to.deep.equal([['retain'], ['retain']])
    })

    it('takes its permits in the order listener, route, upstream', async () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open(gated(1))
      const listener = engine.gate('listener', { limit: 1 })
      const route = engine.gate('route', { limit: 1 })
      const atUpstream = new FakeExchange(runtime, connector).start(engine.route())
      const unit = new FakeExchange(runtime, connector).start(engine.route({ listener, route }))
      expect([listener.running, route.running, upstream.gate.waiting]).to.deep.equal([1, 1, 1])
      const behind = new FakeExchange(runtime, connector).start(engine.route({ listener, route }))
      expect([listener.waiting, route.waiting]).to.deep.equal([1, 0])
      connector.last.open()
      atUpstream.upstreamEnded(true)
      atUpstream.downstreamEnded()
      await turnOver()
      expect(unit.state).to.equal('forwarding')
      unit.upstreamEnded(true)
      unit.downstreamEnded()
      await turnOver()
      expect(behind.state).to.equal('forwarding')
      behind.upstreamEnded(true)
      behind.downstreamEnded()
      expect([listener.running, route.running]).to.deep.equal([0, 0])
    })

    it('is answered by its protocol when the route has no upstream', () => {
      const { runtime } = open()
      const gate = engine.gate('route', { limit: 1 })
      const unit = new FakeExchange(runtime, new FakeConnector()).start(
        engine.route({ route: gate, upstream: undefined }),
      )
      expect(unit.said).to.deep.equal(['answer'])
      expect(gate.running).to.equal(1)
      unit.downstreamEnded()
      expect(gate.running).to.equal(0)
      expectAllHome()
    })

    it('leaves no timer behind when it waited for a route that answers by itself', async () => {
      const { runtime } = open()
      const way = engine.route({ route: engine.gate('route', { limit: 1 }), upstream: undefined })
      const [first, second] = [0, 1].map(() => new FakeExchange(runtime, new FakeConnector()).start(way))
      expect(runtime.fine.count).to.equal(1)
      first!.downstreamEnded()
      await turnOver()
      expect(second!.said).to.deep.equal(['retain', 'answer'])
      expect(runtime.fine.count).to.equal(0)
      second!.downstreamEnded()
    })

    it('is refused with `queueFull` when there is no place to wait', () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open(gated(1, { queue: 1 }))
      const units = [0, 1, 2].map(() => new FakeExchange(runtime, connector).start(engine.route()))
      expect(units[2]!.said).to.deep.equal(['refuse queueFull'])
      expect([upstream.gate.running, upstream.gate.waiting]).to.deep.equal([1, 1])
      expect(accounted).to.deep.equal(['queueFull'])
    })

    it('is refused with `noEndpoint` when no name of its upstream has been resolved', () => {
      const { runtime, upstream } = open()
      upstream.endpoints[0]!.addresses = []
      const unit = new FakeExchange(runtime, new FakeConnector()).start(engine.route())
      expect(unit.said).to.deep.equal(['refuse noEndpoint'])
      expectAllHome()
    })

    it('is refused with `queueTimeout` when it has waited as long as it may, and never sooner', () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open(gated(1, { timeout: '500ms' }))
      new FakeExchange(runtime, connector).start(engine.route())
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      engine.pass(490)
      expect(unit.state).to.equal('queued')
      engine.pass(30)
      expect(unit.said).to.deep.equal(['retain', 'refuse queueTimeout'])
      expect(upstream.gate.waiting).to.equal(0)
      expect(unit.waitedMs).to.be.within(500, 520)
    })

    it('waits in all its queues together no longer than the smallest timeout on its way', async () => {
      const connector = new FakeConnector()
      const { runtime } = open(gated(1, { timeout: '400ms' }))
      const route = engine.gate('route', { limit: 1, timeoutMs: 1_000 })
      new FakeExchange(runtime, connector).start(engine.route())
      const blocker = new FakeExchange(runtime, connector).start(engine.route({ route, upstream: undefined }))
      const unit = new FakeExchange(runtime, connector).start(engine.route({ route }))
      engine.pass(300)
      blocker.downstreamEnded()
      await turnOver()
      expect(unit.state).to.equal('queued')
      engine.pass(130)
      expect(unit.reason).to.equal('queueTimeout')
      expect(unit.waitedMs).to.be.within(400, 430)
      expect(route.running).to.equal(0)
    })

    it('waits as long as its route says, however long, when its upstream has no gate', () => {
      const connector = new FakeConnector()
      const { runtime } = open()
      const route = engine.gate('route', { limit: 1, timeoutMs: 30_000 })
      new FakeExchange(runtime, connector).start(engine.route({ route }))
      const unit = new FakeExchange(runtime, connector).start(engine.route({ route }))
      engine.pass(29_900)
      expect(unit.state).to.equal('queued')
      engine.pass(200)
      expect(unit.reason).to.equal('queueTimeout')
    })

    it('is not touched by the queue timer of the unit that the object served before', async () => {
      const connector = new FakeConnector()
      const { runtime } = open(gated(1, { timeout: '500ms' }))
      const holder = new FakeExchange(runtime, connector).start(engine.route())
      connector.last.open()
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      engine.pass(300)
      unit.cancel(refusals.clientGone)
      expect(runtime.fine.count).to.equal(0)
      unit.start(engine.route())
      engine.pass(300)
      expect(unit.state, '300 ms into its own wait').to.equal('queued')
      holder.upstreamEnded(true)
      await turnOver()
      expect(unit.state).to.equal('forwarding')
      expect(unit.reason).to.equal('ok')
      expect(unit.epoch).to.equal(1)
    })

    it('times its wait and its connect', async () => {
      const connector = new FakeConnector()
      const { runtime } = open(gated(1))
      const holder = new FakeExchange(runtime, connector).start(engine.route())
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      engine.pass(40)
      holder.cancel(refusals.clientGone)
      await turnOver()
      engine.pass(30)
      connector.last.open()
      expect([unit.waitedMs, unit.connectMs, unit.attempts]).to.deep.equal([40, 30, 1])
    })
  })

  describe('giving back', () => {
    it('has its connection back in the pool before its permit, so that the next unit finds it', async () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open(gated(1))
      const first = new FakeExchange(runtime, connector).start(engine.route())
      const second = new FakeExchange(runtime, connector).start(engine.route())
      connector.last.open()
      let runningWhenIdle: number | undefined
      connector.last.idled = () => {
        runningWhenIdle = upstream.gate.running
      }
      first.upstreamEnded(true)
      expect(runningWhenIdle, 'the permit is still out').to.equal(1)
      await turnOver()
      expect(second.state).to.equal('forwarding')
      expect(connector.connections).to.have.length(1)
    })

    it('gives the upstream’s permit back at the upstream’s last byte, the others at the client’s', () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open(gated(1))
      const route = engine.gate('route', { limit: 1 })
      const unit = new FakeExchange(runtime, connector).start(engine.route({ route }))
      connector.last.open()
      unit.upstreamEnded(true)
      expect([upstream.gate.running, route.running, unit.settledCalls]).to.deep.equal([0, 1, 0])
      unit.downstreamEnded()
      unit.downstreamEnded()
      expect([upstream.gate.running, route.running, unit.settledCalls]).to.deep.equal([0, 0, 1])
      expectAllHome()
    })

    it('keeps its permit, when it is cut, until its upstream half is closed', async () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open(gated(1))
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      const connection = connector.last
      connection.open()
      unit.cancel(refusals.clientGone)
      expect(unit.said.at(-1)).to.equal('abort')
      expect([upstream.gate.running, unit.settledCalls]).to.deep.equal([1, 0])
      unit.abortDone(connection)
      expect([upstream.gate.running, unit.settledCalls]).to.deep.equal([0, 1])
      expectAllHome()
    })

    it('keeps its permit, when it is cut while a connection is made for it alone, until that is closed', () => {
      const connector = new FakeConnector(false)
      const { runtime, upstream } = open(gated(1))
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      unit.cancel(refusals.clientGone)
      expect(upstream.gate.running).to.equal(1)
      const connection = connector.last
      connection.open()
      expect(unit.said).to.deep.equal(['retain', 'abort'])
      expect(upstream.gate.running, 'the upstream sees the connection').to.equal(1)
      unit.abortDone(connection)
      expectAllHome()
      expect(unit.settledCalls).to.equal(1)
    })

    it('keeps its permit likewise until that connection has failed', () => {
      const connector = new FakeConnector(false)
      const { runtime, upstream } = open(gated(1))
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      unit.cancel(refusals.clientGone)
      expect(upstream.gate.running).to.equal(1)
      connector.last.refuse()
      expectAllHome()
      expect([unit.settledCalls, unit.reason]).to.deep.equal([1, 'clientGone'])
    })

    it('gives its permit back at once, when it is cut while a connection is made that others can use', () => {
      const connector = new FakeConnector()
      const { runtime } = open(gated(1))
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      unit.cancel(refusals.clientGone)
      expectAllHome()
      connector.last.open()
      expect(unit.said).to.deep.equal(['retain'])
      const next = new FakeExchange(runtime, connector).start(engine.route())
      expect(next.state, 'the connect went on for the next one').to.equal('forwarding')
    })

    it('tells its client of a connect that failed, and gives everything back', () => {
      for (const reusable of [true, false]) {
        const connector = new FakeConnector(reusable)
        const { runtime } = open({ endpoints: ['127.0.0.1:3001'], retries: { max: 0 } })
        const unit = new FakeExchange(runtime, connector).start(engine.route())
        connector.last.refuse()
        expect(unit.said).to.deep.equal(['retain', 'refuse connectFailed'])
        expect(unit.settledCalls).to.equal(1)
        expect(connector.connections, 'nobody connects on behalf of nobody').to.have.length(1)
        expectAllHome()
      }
    })
  })

  // Every state in which the end may find a unit, and every end.
  describe('whatever it is at, whatever happens', () => {
    interface Scene {
      unit: FakeExchange
      connector: FakeConnector
    }
    const makeUnit = (connector: FakeConnector) => new FakeExchange(engine.runtime, connector)
    const others: FakeExchange[] = []
    const hold = (connector: FakeConnector, way = engine.route()) => {
      const holder = makeUnit(connector).start(way)
      others.push(holder)
      return holder
    }
    const states: Record<string, (connector: FakeConnector) => Promise<FakeExchange> | FakeExchange> = {
      matching: (connector) => makeUnit(connector).accept(),
      'queued at the listener': (connector) => {
        const listener = engine.gate('listener', { limit: 1 })
        hold(connector, engine.route({ listener, upstream: undefined }))
        return makeUnit(connector).start(engine.route({ listener }))
      },
      'queued at the route': (connector) => {
        const route = engine.gate('route', { limit: 1 })
        hold(connector, engine.route({ route, upstream: undefined }))
        return makeUnit(connector).start(engine.route({ listener: engine.gate('listener', { limit: 1 }), route }))
      },
      'queued at the upstream': (connector) => {
        hold(connector)
        return makeUnit(connector).start(engine.route({ route: engine.gate('route', { limit: 1 }) }))
      },
      'granted and not told yet': (connector) => {
        const holder = hold(connector)
        const unit = makeUnit(connector).start(engine.route())
        connector.last.open()
        holder.upstreamEnded(false)
        connector.last.gone()
        return unit
      },
      connecting: (connector) => makeUnit(connector).start(engine.route()),
      forwarding: (connector) => {
        const unit = makeUnit(connector).start(engine.route())
        connector.last.open()
        return unit
      },
      'forwarding, the upstream half done': (connector) => {
        const unit = makeUnit(connector).start(engine.route())
        connector.last.open()
        unit.upstreamEnded(false)
        connector.last.gone()
        return unit
      },
      'forwarding, the client half done': (connector) => {
        const unit = makeUnit(connector).start(engine.route())
        connector.last.open()
        unit.downstreamEnded()
        return unit
      },
      'answered by its protocol': (connector) => makeUnit(connector).start(engine.route({ upstream: undefined })),
      'refused, and not taken by the client yet': (connector) => {
        const unit = makeUnit(connector).start(engine.route())
        unit.refusedAtOnce = false
        connector.last.open()
        unit.fail(refusals.draining)
        return unit
      },
      'cut, and the upstream half not closed yet': (connector) => {
        const unit = makeUnit(connector).start(engine.route())
        connector.last.open()
        unit.cancel(refusals.clientGone)
        return unit
      },
      'cut while connecting': (connector) => {
        const unit = makeUnit(connector).start(engine.route())
        unit.cancel(refusals.clientGone)
        return unit
      },
    }
    const ends: Record<string, (scene: Scene) => void> = {
      cancel: ({ unit }) => unit.cancel(refusals.clientGone),
      'cancel twice': ({ unit }) => {
        unit.cancel(refusals.clientGone)
        unit.cancel(refusals.clientGone)
      },
      fail: ({ unit }) => unit.fail(refusals.draining),
      'fail, then cancel': ({ unit }) => {
        unit.refusedAtOnce = false
        unit.fail(refusals.draining)
        unit.cancel(refusals.clientGone)
      },
      fault: ({ unit }) => unit.fault(new Error('ours')),
      'its connect fails': ({ connector }) => {
        for (const connection of connector.connections) if (connection.state === 'connecting') connection.refuse()
      },
      'its upstream fails': ({ unit }) => {
        const { connection } = unit
        if (connection === undefined) return
        ;(connection as FakeConnection).gone()
        unit.upstreamFailed(reset({ progress: 'responseBegun' }))
      },
      'its upstream fails, then cancel': ({ unit }) => {
        unit.refusedAtOnce = false
        const { connection } = unit
        if (connection !== undefined) {
          ;(connection as FakeConnection).gone()
          unit.upstreamFailed(reset({ progress: 'requestSent' }))
        }
        unit.cancel(refusals.clientGone)
      },
      'time passes': () => engine.pass(6_000),
    }

    let cases = 0
    for (const [state, bring] of Object.entries(states)) {
      for (const [end, happen] of Object.entries(ends)) {
        for (const reusable of [true, false]) {
          for (const abortedAtOnce of [true, false]) {
            const details = `${reusable ? 'shared' : 'single-use'} connections, closed ${abortedAtOnce ? 'at once' : 'later'}`
            cases++
            it(`settles once, all home: ${state} × ${end} (${details})`, async () => {
              open(gated(1))
              others.length = 0
              const connector = new FakeConnector(reusable)
              const unit = await bring(connector)
              unit.abortedAtOnce = abortedAtOnce
              happen({ unit, connector })
              // The rest of the world comes to its end, too.
              for (const other of others) other.cancel(refusals.clientGone)
              for (let round = 0; round < 5; round++) {
                await turnOver()
                for (const connection of connector.connections) {
                  if (connection.state === 'connecting') connection.open()
                  if (connection.state !== 'leased') continue
                  const { exchange } = connection
                  const carried = [unit, ...others].find((each) => each.connection === connection) ?? exchange
                  connection.gone()
                  if (carried?.connection === connection) carried.upstreamEnded(false)
                }
                if (unit.state === 'forwarding') unit.downstreamEnded()
              }
              if (unit.state === 'matching') unit.cancel(refusals.clientGone)
              expect(unit.settledCalls, 'settled').to.equal(1)
              expect(unit.state).to.equal('done')
              engine.faults.length = 0
              expectAllHome()
              expect(engine.runtime.fine.count, 'timers').to.equal(0)
              expect(unit.permit.held).to.equal(false)
            })
          }
        }
      }
    }

    it(`is covered by ${cases} cases`, () => {
      open()
      expect(cases).to.equal(Object.keys(states).length * Object.keys(ends).length * 4)
    })
  })

  describe('races', () => {
    it('that lose their client in the turn of the grant pass the permit on', async () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open(gated(1))
      const holder = new FakeExchange(runtime, connector).start(engine.route())
      const [gone, next] = [0, 1].map(() => new FakeExchange(runtime, connector).start(engine.route()))
      connector.last.open()
      holder.upstreamEnded(true)
      gone!.cancel(refusals.clientGone)
      await turnOver()
      expect(gone!.said).to.deep.equal(['retain'])
      expect(next!.state).to.equal('forwarding')
      expect(upstream.gate.running).to.equal(1)
    })

    it('of timeout and grant in one turn end with one answer', async () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open(gated(1, { timeout: '100ms' }))
      const holder = new FakeExchange(runtime, connector).start(engine.route())
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      connector.last.open()
      holder.upstreamEnded(true)
      engine.pass(200)
      await turnOver()
      expect(unit.said).to.deep.equal(['retain', 'refuse queueTimeout'])
      expect(upstream.gate.running).to.equal(0)
    })

    it('of an abort that ends in its own call leave the unit alone that the object serves next', () => {
      const connector = new FakeConnector()
      const { runtime } = open()
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      connector.last.open()
      unit.abortedAtOnce = true
      unit.whenSettled = () => {
        if (unit.settledCalls === 1) unit.start(engine.route())
      }
      unit.cancel(refusals.clientGone)
      expect([unit.settledCalls, unit.state, unit.epoch]).to.deep.equal([1, 'connecting', 1])
      expect(runtime.exchanges).to.equal(1)
    })

    it('of a late caller are seen by the epoch, which every unit has of its own', () => {
      const connector = new FakeConnector()
      const { runtime } = open()
      const unit = new FakeExchange(runtime, connector)
      const epochs = [0, 1, 2].map(() => {
        unit.start(engine.route())
        const { epoch } = unit
        unit.cancel(refusals.clientGone)
        expect(unit.epoch, 'once settled it is another').to.not.equal(epoch)
        return epoch
      })
      expect(new Set(epochs)).to.have.property('size', 3)
    })
  })

  describe('tried again', () => {
    const two = { endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'] }

    it('goes to another endpoint when the first refuses, with the permits that it has', () => {
      const connector = new FakeConnector()
      const { runtime, upstream } = open({ ...two, gate: { limit: 1 } })
      const unit = new FakeExchange(runtime, connector).start(engine.route())
      const [first, second] = upstream.endpoints
      expect(unit.endpoint).to.equal(first)
      connector.last.refuse()
      expect(unit.endpoint).to.equal(second)
      expect([first!.running, second!.running, upstream.gate.running]).to.deep.equal([0, 1, 1])
      connector.last.open()
      expect([unit.state, unit.attempts, upstream.retrying]).to.deep.equal(['forwarding', 2, 1])
      unit.upstreamEnded(true)
      unit.downstreamEnded()
      expectAllHome()
      expect(accounted).to.deep.equal(['ok'])
    })

    it('fails when the repetition fails, too', () => {
      const connector = new FakeConnector()
      open(two)
      const unit = new FakeExchange(engine.runtime, connector).start(engine.route())
      connector.last.refuse()
      connector.last.refuse()
      expect(unit.said).to.deep.equal(['retain', 'refuse connectFailed'])
      expect(connector.connections).to.have.length(2)
      expectAllHome()
    })

    it('stays with the only endpoint', () => {
      const connector = new FakeConnector()
      open()
      const unit = new FakeExchange(engine.runtime, connector).start(engine.route())
      connector.last.refuse()
      expect([unit.state, unit.attempts]).to.deep.equal(['connecting', 2])
      unit.cancel(refusals.clientGone)
      expectAllHome()
    })

    const stale = () => {
      const connector = new FakeConnector()
      open()
      const first = new FakeExchange(engine.runtime, connector).start(engine.route())
      connector.last.open()
      first.upstreamEnded(true)
      first.downstreamEnded()
      const unit = new FakeExchange(engine.runtime, connector)
      return { connector, unit }
    }

    it('mends a stale connection at nobody’s cost and does not blame the endpoint', () => {
      const { connector, unit } = stale()
      unit.start(engine.route())
      connector.last.gone()
      unit.upstreamFailed(reset({ progress: 'requestSent', reusedConnection: true }))
      expect([unit.state, engine.upstream.retrying]).to.deep.equal(['connecting', 0])
      expect(engine.upstream.endpoints[0]!.health.lastFailure).to.equal(undefined)
      connector.last.open()
      unit.upstreamEnded(true)
      unit.downstreamEnded()
      expectAllHome()
    })

    it('is not repeated when it is not idempotent, or when what was sent is gone', () => {
      for (const fact of ['idempotent', 'replayable'] as const) {
        const { connector, unit } = stale()
        unit[fact] = false
        unit.start(engine.route())
        connector.last.gone()
        unit.upstreamFailed(reset({ progress: 'requestSent', reusedConnection: true }))
        expect(unit.said.at(-1), fact).to.equal('refuse upstreamReset')
        expectAllHome()
      }
    })

    it('is not repeated when its client has left', () => {
      const { connector, unit } = stale()
      unit.start(engine.route())
      unit.cancel(refusals.clientGone)
      connector.last.gone()
      unit.upstreamFailed(reset({ progress: 'requestSent', reusedConnection: true }))
      expect([unit.settledCalls, unit.reason]).to.deep.equal([1, 'clientGone'])
      expectAllHome()
    })
  })

  describe('with a bug of ours', () => {
    it('costs its own unit, in the protocol’s words, and everything comes back', () => {
      const connector = new FakeConnector()
      open(gated(1))
      const unit = new FakeExchange(engine.runtime, connector)
      unit.whenForwarded = () => {
        throw new Error('ours')
      }
      unit.abortedAtOnce = true
      unit.start(engine.route())
      connector.last.open()
      expect(unit.said).to.deep.equal(['retain', 'forward', 'abort', 'refuse internal'])
      expect(engine.faults.splice(0)).to.have.length(1)
      expectAllHome()
      expect(accounted).to.deep.equal(['internal'])
    })

    it('does not cost the unit whose connection it was given', () => {
      const connector = new FakeConnector()
      open({ endpoints: ['127.0.0.1:3001'], pool: { maxConnections: 2 } })
      const well = new FakeExchange(engine.runtime, connector).start(engine.route())
      connector.last.open()
      const broken = new FakeExchange(engine.runtime, connector)
      broken.whenForwarded = () => {
        throw new Error('ours')
      }
      broken.abortedAtOnce = true
      broken.start(engine.route())
      well.upstreamEnded(true)
      well.downstreamEnded()
      expect([well.reason, well.settledCalls]).to.deep.equal(['ok', 1])
      expect([broken.reason, broken.settledCalls]).to.deep.equal(['internal', 1])
      engine.faults.length = 0
      expectAllHome()
    })

    it('gives everything back even when not a word can be said', () => {
      class Mute extends FakeExchange {
        protected override refuse(): void {
          throw new Error('mute')
        }
      }
      const connector = new FakeConnector()
      open(gated(1))
      const unit = new Mute(engine.runtime, connector).start(engine.route())
      unit.fault(new Error('ours'))
      expect(engine.faults.splice(0).map((fault) => (fault as Error).message)).to.deep.equal(['ours', 'mute'])
      expect(unit.settledCalls).to.equal(1)
      expectAllHome()
    })

    it('in a reader of finished units costs none of them', () => {
      const connector = new FakeConnector()
      open()
      engine.runtime.accountTo({
        account() {
          throw new Error('reader')
        },
      })
      const unit = new FakeExchange(engine.runtime, connector).start(engine.route())
      unit.cancel(refusals.clientGone)
      expect(unit.settledCalls).to.equal(1)
      expect(engine.faults.splice(0)).to.have.length(1)
      expectAllHome()
    })
  })
})
