// A name that resolves elsewhere: connections to the old address that carry many calls take no new ones.
import { expect } from 'chai'
import { NameWatch } from '../../../../packages/core/src/upstream/resolver.ts'
import { FakeConnector, FakeEngine, FakeExchange } from '../../../../packages/core/test/fake-protocol.ts'
import { eventually } from '../../../../packages/testkit/src/raw/index.ts'

describe('an endpoint whose name resolves elsewhere', () => {
  let engine: FakeEngine
  let watch: NameWatch
  let connector: FakeConnector
  let found: readonly string[]
  let changes = 0

  beforeEach(async () => {
    engine = new FakeEngine()
    connector = new FakeConnector(true, 10)
    const endpoint = engine.upstream.endpoints[0]!
    endpoint.addresses = []
    found = ['10.0.0.1', '10.0.0.2']
    changes = 0
    watch = new NameWatch(
      endpoint,
      { host: 'users.internal', port: 3001 },
      { refreshMs: 5, lookup: () => Promise.resolve(found), changed: () => void changes++ },
    )
    await watch.start()
  })
  afterEach(() => {
    watch.close()
    engine.stop()
    expect(engine.faults).to.deep.equal([])
  })

  const start = (): FakeExchange => new FakeExchange(engine.runtime, connector).start(engine.route())
  const hosts = () => connector.connections.map(({ address }) => 'host' in address && address.host)
  const movesTo = async (...names: string[]): Promise<void> => {
    found = names
    await eventually(() => changes === 2)
  }

  it('has no new call on a busy connection to the old address, and its calls there run on', async () => {
    const running = start()
    connector.last.open()
    await movesTo('10.0.0.3')
    const next = start()
    expect(hosts()).to.deep.equal(['10.0.0.1', '10.0.0.3'])
    connector.last.open()
    expect([next.fake, running.fake]).to.deep.equal([connector.connections[1], connector.connections[0]])
    for (const unit of [running, next]) {
      unit.upstreamEnded(true)
      unit.downstreamEnded()
    }
    expect(connector.connections.map(({ closeCalls }) => closeCalls)).to.deep.equal([1, 0])
  })

  it('has no new call on an idle connection to the old address', async () => {
    const first = start()
    connector.last.open()
    first.upstreamEnded(true)
    first.downstreamEnded()
    await movesTo('10.0.0.3')
    start()
    expect(hosts()).to.deep.equal(['10.0.0.1', '10.0.0.3'])
  })

  it('keeps its connections to addresses that are left', async () => {
    start()
    connector.last.open()
    await movesTo('10.0.0.3', '10.0.0.1')
    const next = start()
    expect([hosts(), next.fake]).to.deep.equal([['10.0.0.1'], connector.connections[0]])
  })
})
