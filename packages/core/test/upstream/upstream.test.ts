import { expect } from 'chai'
import { ProxyError, refusals } from '../../src/errors.ts'
import { connectionStates } from '../../src/upstream/endpoint.ts'
import { FakeConnector, FakeEngine, FakeExchange, turnOver } from '../fake-protocol.ts'

describe('Upstream', () => {
  let engine: FakeEngine
  let connector: FakeConnector

  const open = (input: ConstructorParameters<typeof FakeEngine>[0]) => {
    engine = new FakeEngine(input)
    connector = new FakeConnector()
    return engine.upstream
  }

  const start = (count: number): FakeExchange[] =>
    Array.from({ length: count }, () => new FakeExchange(engine.runtime, connector).start(engine.route()))

  const running = () => engine.upstream.endpoints.map((endpoint) => endpoint.running)

  afterEach(() => engine.stop())

  it('lets through as many as its endpoints have room for when that is less than its gate', () => {
    const upstream = open({
      endpoints: [
        { address: '127.0.0.1:3001', limit: 1 },
        { address: '127.0.0.1:3002', limit: 2 },
      ],
      gate: { limit: 50, queue: 50 },
    })
    start(10)
    expect([running(), upstream.gate.running, upstream.gate.waiting]).to.deep.equal([[1, 2], 3, 7])
  })

  it('ends an ejection that came about while its next configuration was prepared', async () => {
    const upstream = open({
      endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'],
      health: { passive: { failures: 1, eject: '5s' } },
    })
    const tls = Object.assign(() => undefined, { fingerprint: 'another certificate' })
    const plan = upstream.prepare(upstream.config, tls)
    await plan.ready
    upstream.endpoints[0]!.failed(new ProxyError('connectFailed', 'refused'))
    plan.commit()
    expect(upstream.endpoints.map(({ health }) => health.usable)).to.deep.equal([false, true])
    engine.pass(5_100)
    engine.pass(1_000)
    expect(upstream.endpoints.map(({ health }) => health.usable)).to.deep.equal([true, true])
  })

  it('lets through as many as its gate when its endpoints have room for more', () => {
    const upstream = open({ endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'], gate: { limit: 3, queue: 50 } })
    start(10)
    expect([running(), upstream.gate.waiting]).to.deep.equal([[2, 1], 7])
  })

  it('counts `maxConnections` as room, without a gate', () => {
    const upstream = open({ endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'], pool: { maxConnections: 2 } })
    start(6)
    expect([running(), upstream.gate.waiting]).to.deep.equal([[2, 2], 2])
  })

  it('gives room that comes free to the oldest waiter, at whichever endpoint it is', async () => {
    open({
      endpoints: [
        { address: '127.0.0.1:3001', limit: 1 },
        { address: '127.0.0.1:3002', limit: 1 },
      ],
    })
    const [, second, third, fourth] = start(4)
    second!.cancel(refusals.clientGone)
    await turnOver()
    expect([third!.state, third!.endpoint]).to.deep.equal(['connecting', engine.upstream.endpoints[1]])
    expect(fourth!.state).to.equal('queued')
  })

  it('pins nobody to an endpoint: a slow one keeps no waiter from a fast one', async () => {
    open({
      endpoints: [
        { address: '127.0.0.1:3001', limit: 1 },
        { address: '127.0.0.1:3002', limit: 1 },
      ],
      gate: { limit: 50, queue: 50 },
    })
    const units = start(12)
    const fast = engine.upstream.endpoints[1]!
    for (let served = 0; served < 11; served++) {
      const unit = units.find((each) => each.state === 'connecting' && each.endpoint === fast)!
      unit.cancel(refusals.clientGone)
      await turnOver()
    }
    expect(units.map(({ state }) => state)).to.deep.equal(['connecting', ...Array<string>(11).fill('done')])
  })

  it('admits those who wait when an endpoint becomes usable', async () => {
    const upstream = open({
      endpoints: [
        { address: '127.0.0.1:3001', limit: 1 },
        { address: '127.0.0.1:3002', limit: 1 },
      ],
    })
    upstream.endpoints[1]!.health.probed(false, 'down')
    const units = start(3)
    expect(running()).to.deep.equal([1, 0])
    upstream.endpoints[1]!.health.probed(true)
    await turnOver()
    expect(running()).to.deep.equal([1, 1])
    expect(units.map(({ state }) => state)).to.deep.equal(['connecting', 'connecting', 'queued'])
  })

  it('admits those who wait when an ejection is over', async () => {
    const upstream = open({
      endpoints: [
        { address: '127.0.0.1:3001', limit: 1 },
        { address: '127.0.0.1:3002', limit: 1 },
      ],
      gate: { limit: 9, queue: 9, timeout: '1h' },
      health: { passive: { failures: 1, eject: '1s' } },
    })
    upstream.endpoints[1]!.failed(new ProxyError('connectFailed', 'refused'))
    const [, second] = start(2)
    expect(second!.state).to.equal('queued')
    engine.pass(1_020)
    await turnOver()
    expect(second!.state).to.equal('connecting')
  })

  it('admits those who wait when a name has been resolved', async () => {
    const upstream = open({
      endpoints: [
        { address: '127.0.0.1:3001', limit: 1 },
        { address: '127.0.0.1:3002', limit: 1 },
      ],
    })
    upstream.endpoints[1]!.addresses = []
    upstream.refresh()
    const [, second] = start(2)
    upstream.endpoints[1]!.addresses = [upstream.endpoints[1]!.config.address]
    upstream.refresh()
    await turnOver()
    expect(second!.state).to.equal('connecting')
  })

  it('uses all its endpoints when none is usable', () => {
    const upstream = open({ endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'] })
    for (const endpoint of upstream.endpoints) endpoint.health.probed(false, 'down')
    start(4)
    expect(running()).to.deep.equal([2, 2])
  })

  it('gives no work to an endpoint that is not usable while another one is', () => {
    const upstream = open({ endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'] })
    upstream.endpoints[0]!.health.probed(false, 'down')
    start(3)
    expect(running()).to.deep.equal([0, 3])
  })

  it('connects when a unit whose place was taken over ends while its old connection still closes', async () => {
    open({ endpoints: ['127.0.0.1:3001'], pool: { maxConnections: 1 } })
    const [first, second] = start(2)
    const connection = connector.last
    connection.open()
    connection.concurrency = 0
    first!.upstreamEnded(false)
    await turnOver()
    expect([second!.state, connector.connections.length]).to.deep.equal(['connecting', 1])
    connection.gone()
    expect(connector.connections).to.have.length(2)
    connector.last.open()
    expect(second!.state).to.equal('forwarding')
  })

  it('can be reached when any of its endpoints has an address', () => {
    const upstream = open({ endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'] })
    upstream.endpoints[0]!.addresses = []
    expect(upstream.reachable).to.equal(true)
    upstream.endpoints[1]!.addresses = []
    expect(upstream.reachable).to.equal(false)
  })

  it('tells how many connections of an endpoint are made, idle and busy', () => {
    open({ endpoints: ['127.0.0.1:3001'] })
    const [first, , third] = start(3)
    connector.connections[0]!.open()
    connector.connections[1]!.open()
    third!.cancel(refusals.clientGone)
    first!.upstreamEnded(true)
    expect(connectionStates(engine.upstream.endpoints[0]!.cells)).to.deep.equal({ connecting: 1, idle: 1, busy: 1 })
  })
})
