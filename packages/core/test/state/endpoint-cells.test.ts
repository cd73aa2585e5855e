import { expect } from 'chai'
import { upstreamConfig } from '../../../testkit/src/index.ts'
import { EndpointCells, endpointLimits } from '../../src/state/endpoint-cells.ts'
import { endpointThreadWords, endpointWord } from '../../src/state/layout.ts'

describe('EndpointCells', () => {
  let words: Int32Array
  const holders = 3
  const cells = (thread: number) => new EndpointCells(words, { record: 5, thread, holders })

  beforeEach(() => {
    words = new Int32Array(endpointWord.perThread + endpointThreadWords * holders)
    cells(0).setLimits({ limit: 2, maxConnections: 3 })
  })

  it('has room until as many run there as may, in whichever thread', () => {
    const [first, second] = [cells(0), cells(1)]
    first.enter()
    second.enter()
    expect([first.running, first.hasRoom, second.hasRoom]).to.deep.equal([2, false, false])
    second.leave()
    expect(first.hasRoom).to.equal(true)
  })

  it('has no room for more units than connections', () => {
    cells(0).setLimits({ limit: Infinity, maxConnections: 1 })
    cells(0).enter()
    expect(cells(1).hasRoom).to.equal(false)
  })

  it('has room without end where there is no limit', () => {
    cells(0).setLimits({ limit: Infinity, maxConnections: Infinity })
    for (let i = 0; i < 1_000; i++) cells(0).enter()
    expect(cells(1).hasRoom).to.equal(true)
  })

  it('has room for as many units as its connections carry, in whichever thread one has said so', () => {
    cells(0).setLimits({ limit: Infinity, maxConnections: 2 })
    for (let i = 0; i < 2; i++) cells(0).enter()
    expect(cells(1).hasRoom).to.equal(false)
    expect([cells(0).learn(3), cells(2).concurrency, cells(1).hasRoom]).to.deep.equal([true, 3, true])
    for (let i = 0; i < 4; i++) cells(1).enter()
    expect(cells(2).hasRoom).to.equal(false)
  })

  it('says of what a connection carries whether it makes room', () => {
    expect([cells(0).learn(3), cells(1).learn(3), cells(1).learn(2), cells(0).learn(3)]).to.deep.equal([
      true,
      false,
      false,
      true,
    ])
  })

  it('lets its limit hold, however much its connections carry', () => {
    cells(0).learn(100)
    for (let i = 0; i < 2; i++) cells(0).enter()
    expect(cells(0).hasRoom).to.equal(false)
  })

  it('keeps what connections have said until something else is configured', () => {
    const limits = { limit: 2, maxConnections: 3, concurrency: 100 }
    cells(0).setLimits(limits)
    expect(cells(1).concurrency).to.equal(100)
    cells(1).learn(8)
    cells(0).setLimits({ ...limits, limit: 5, maxConnections: 1 })
    expect(cells(1).concurrency).to.equal(8)
    cells(0).setLimits({ ...limits, concurrency: 50 })
    expect(cells(1).concurrency).to.equal(50)
  })

  it('takes a connection to carry one unit, but `maxStreams` where the upstream speaks HTTP/2', () => {
    const upstream = {
      endpoints: [{ address: '127.0.0.1:3001', limit: 7 }],
      pool: { maxConnections: 5, maxStreams: 20 },
    }
    for (const [protocol, concurrency] of [
      ['auto', 1],
      ['http1', 1],
      ['http2', 20],
    ] as const) {
      const config = upstreamConfig({ ...upstream, protocol })
      expect(endpointLimits(config.endpoints[0]!, config)).to.deep.equal({ limit: 7, maxConnections: 5, concurrency })
    }
  })

  it('has room for a connection until as many stand as may, in whichever thread', () => {
    cells(0).connections.add(2)
    cells(1).connections.add(1)
    expect(cells(2).hasConnectionRoom).to.equal(false)
    cells(0).connections.add(-1)
    expect(cells(2).hasConnectionRoom).to.equal(true)
  })

  it('counts each thread and each kind apart', () => {
    for (const thread of [0, 1, 2]) {
      const { connections, idle, connecting, starved } = cells(thread)
      for (const [i, count] of [connections, idle, connecting, starved].entries()) count.add(10 * (i + 1) + thread)
      cells(thread).hold(thread + 1)
    }
    const { connections, idle, connecting, starved } = cells(1)
    expect([connections, idle, connecting, starved].map(({ own }) => own)).to.deep.equal([11, 21, 31, 41])
    expect([...words.subarray(endpointWord.perThread, endpointWord.perThread + holders)]).to.deep.equal([1, 2, 3])
    expect(cells(0).running).to.equal(0)
  })

  it('counts failures in a row over all threads', () => {
    expect([cells(0).countFailure(), cells(1).countFailure()]).to.deep.equal([1, 2])
    cells(2).forgetFailures()
    expect(cells(0).countFailure()).to.equal(1)
  })

  it('tells one thread alone that it is the one who has left it out, or taken it in again', () => {
    expect([cells(0).eject(1_234), cells(1).eject(9_999)]).to.deep.equal([true, false])
    expect([cells(2).ejected, cells(2).ejectedUntil]).to.deep.equal([true, 1_234])
    expect([cells(0).restore(), cells(1).restore()]).to.deep.equal([true, false])
    expect(cells(2).ejected).to.equal(false)
  })

  it('says whether a check has changed its mind', () => {
    expect(cells(0).probedUp).to.equal(true)
    expect([cells(0).probe(true), cells(0).probe(false), cells(1).probe(false)]).to.deep.equal([false, true, false])
    expect(cells(1).probedUp).to.equal(false)
    expect(cells(1).probe(true)).to.equal(true)
  })
})
