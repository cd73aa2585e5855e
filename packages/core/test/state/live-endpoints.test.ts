import { expect } from 'chai'
import { LiveEndpoints } from '../../src/state/live-endpoints.ts'
import { FakeConnector, FakeEngine } from '../fake-protocol.ts'

describe('LiveEndpoints', () => {
  it('keeps one that is retired until it has no connections and nobody waits for one', () => {
    const engine = new FakeEngine({ endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'], pool: { maxConnections: 1 } })
    const [first, second] = engine.upstream.endpoints
    const live = new LiveEndpoints()
    for (const endpoint of [first!, second!]) live.add(endpoint)
    const connector = new FakeConnector()
    const lessee = { connected: () => {}, connectFailed: () => {} }
    first!.pool(connector).lease(lessee, 0)
    first!.retire()
    live.sweep()
    expect([...live]).to.deep.equal([first, second])
    connector.last.open()
    connector.last.gone()
    live.sweep()
    expect([...live]).to.deep.equal([second])
    engine.stop()
  })
})
