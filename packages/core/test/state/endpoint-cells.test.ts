import { expect } from 'chai'
import { EndpointCells } from '../../src/state/endpoint-cells.ts'
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
