// Numbers of streams run out (RFC 9113 §5.1.1): a session then allows no new one, without a word of its peer.
import { expect } from 'chai'
import { FakeConnector, FakeEngine, FakeExchange } from '../../../../packages/core/test/fake-protocol.ts'

describe('a connection that takes no new unit any more, of which nobody is told', () => {
  it('serves what it carries to the end, and closes; others get another one', () => {
    const engine = new FakeEngine()
    const connector = new FakeConnector(true, 10)
    const start = () => new FakeExchange(engine.runtime, connector).start(engine.route())
    const end = (unit: FakeExchange) => {
      unit.upstreamEnded(true)
      unit.downstreamEnded()
    }
    const running = [start(), start()]
    const usedUp = connector.last
    usedUp.open()
    running.push(start())
    usedUp.concurrency = 0
    const next = start()
    expect(connector.connections).to.have.length(2)
    connector.last.open()
    expect([usedUp.carrying, next.fake]).to.deep.equal([3, connector.last])
    for (const unit of running) {
      expect(usedUp.closeCalls).to.equal(0)
      end(unit)
    }
    expect([usedUp.closeCalls, usedUp.state]).to.deep.equal([1, 'closing'])
    end(next)
    expect([connector.last.state, engine.faults.length]).to.deep.equal(['idle', 0])
    usedUp.gone()
    engine.stop()
  })
})
