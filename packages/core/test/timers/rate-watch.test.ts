import { expect } from 'chai'
import { beforeEach, describe, it } from 'mocha'
import { FakeClock } from '../../../testkit/src/fake-clock.ts'
import { Runtime } from '../../src/runtime.ts'
import { RateWatch } from '../../src/timers/rate-watch.ts'

describe('RateWatch', () => {
  let clock: FakeClock
  let runtime: Runtime
  const peer = { movedBytes: 0, slow: 0, tooSlow: () => void peer.slow++, fault: () => {} }
  const rate = { bytesPerSecond: 1_000, windowMs: 30_000 }

  beforeEach(() => {
    clock = new FakeClock()
    runtime = new Runtime({ clock: clock.read, faulted: () => {} })
    Object.assign(peer, { movedBytes: 0, slow: 0 })
  })

  const pass = (ms: number) => clock.pass(ms, runtime.fine, runtime.coarse)

  it('says that a peer is too slow when it has moved too little in a window', () => {
    new RateWatch(runtime, rate, peer).begin()
    peer.movedBytes = 29_999
    pass(29_000)
    expect(peer.slow).to.equal(0)
    pass(2_000)
    expect(peer.slow).to.equal(1)
    pass(100_000)
    expect(peer.slow).to.equal(1)
    runtime.stop()
  })

  it('looks at each window anew', () => {
    const watch = new RateWatch(runtime, rate, peer)
    watch.begin()
    peer.movedBytes = 1_000_000
    pass(31_000)
    expect(peer.slow).to.equal(0)
    watch.begin()
    pass(31_000)
    expect(peer.slow).to.equal(1)
    runtime.stop()
  })

  it('does not count the time in which it is not the turn of the peer', () => {
    const watch = new RateWatch(runtime, rate, peer)
    for (let i = 0; i < 5; i++) {
      watch.begin()
      pass(20_000)
      watch.end()
      pass(20_000)
    }
    expect(peer.slow).to.equal(0)
    runtime.stop()
  })

  it('is off at a rate of 0', () => {
    new RateWatch(runtime, { ...rate, bytesPerSecond: 0 }, peer).begin()
    expect(runtime.coarse.count + runtime.fine.count).to.equal(0)
    runtime.stop()
  })
})
