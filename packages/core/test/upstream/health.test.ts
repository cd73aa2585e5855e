import { expect } from 'chai'
import { FakeClock } from '../../../testkit/src/index.ts'
import { type ErrorCode, errorCodes, type Progress, ProxyError } from '../../src/errors.ts'
import { EndpointCells } from '../../src/state/endpoint-cells.ts'
import { TimerWheel } from '../../src/timers/wheel.ts'
import type { Endpoint } from '../../src/upstream/endpoint.ts'
import { EndpointHealth } from '../../src/upstream/health.ts'
import { FakeEngine } from '../fake-protocol.ts'
import { GateEnds } from '../gate/gate-ends.ts'

describe('EndpointHealth', () => {
  let engine: FakeEngine

  const open = (count: number, passive: object = {}): readonly Endpoint[] => {
    engine = new FakeEngine({
      endpoints: Array.from({ length: count }, (_, i) => `127.0.0.1:${3001 + i}`),
      health: { passive: { failures: 3, eject: '30s', ...passive } },
    })
    return engine.upstream.endpoints
  }

  const fail = (
    endpoint: Endpoint,
    times = 3,
    code: ErrorCode = 'connectFailed',
    progress: Progress = 'nothingSent',
  ) => {
    for (let i = 0; i < times; i++) endpoint.failed(new ProxyError(code, `failure ${i}`, { progress }))
  }

  const usable = (): string => engine.upstream.endpoints.map(({ health }) => (health.usable ? 'u' : '-')).join('')

  afterEach(() => engine.stop())

  it('ejects an endpoint after so many failures in a row, and says why', () => {
    const [first] = open(2)
    fail(first!, 2)
    expect(usable()).to.equal('uu')
    fail(first!, 1)
    expect(usable()).to.equal('-u')
    expect(first!.health.lastFailure).to.equal('failure 0')
  })

  it('begins to count anew after a success', () => {
    const [first] = open(2)
    fail(first!, 2)
    first!.health.succeeded()
    fail(first!, 2)
    expect(usable()).to.equal('uu')
  })

  it('restores it when its time is over, not before, and with a clean sheet', () => {
    const [first] = open(2)
    fail(first!)
    engine.pass(29_990)
    expect(usable()).to.equal('-u')
    engine.pass(30)
    expect(usable()).to.equal('uu')
    fail(first!, 2)
    expect(usable()).to.equal('uu')
    expect(engine.runtime.fine.count).to.equal(0)
  })

  it('does not end the ejection that came after the one which its timer was armed for', () => {
    const clock = new FakeClock()
    const cells = EndpointCells.local({ limit: Infinity, maxConnections: Infinity })
    const observer = {
      exclusively: (action: () => void) => action(),
      mayEject: () => true,
      changed: () => {},
      faulted: () => {},
    }
    const passive = { failures: 1, ejectMs: 5_000, maxEjected: 1, on: ['connectFailure' as const] }
    const end = () => {
      const wheel = new TimerWheel({ tickMs: 10, clock: clock.read })
      return { wheel, health: new EndpointHealth(passive, { cells, wheel, now: clock.read, observer }) }
    }
    const [first, other] = [end(), end()]
    const refused = new ProxyError('connectFailed', 'refused')
    first.health.failed(refused)
    other.health.watch()
    clock.pass(5_010, first.wheel)
    expect(cells.ejected).to.equal(false)
    first.health.failed(refused)
    clock.pass(10, other.wheel)
    expect(cells.ejected, 'the other timer comes late').to.equal(true)
    clock.pass(5_010, other.wheel)
    expect(cells.ejected, 'and sees to the newer one').to.equal(false)
    for (const { wheel, health } of [first, other]) {
      health.close()
      wheel.stop()
    }
  })

  it('looks for how many others are left out while no thread can leave out one more', () => {
    const ends = new GateEnds({ endpoints: [1, 1, 1] })
    const { upstream } = ends.open(0)
    const [first, second] = upstream.endpoints
    const owners: number[] = []
    Object.defineProperty(second!.health, 'ejected', {
      get: () => {
        owners.push(ends.truth.owner(ends.record('upstream:u')))
        return false
      },
    })
    fail(first!, 10)
    expect(first!.health.ejected).to.equal(true)
    expect(owners).to.deep.equal([1])
    expect(ends.truth.owner(ends.record('upstream:u'))).to.equal(0)
    upstream.close('all')
    ends.close()
  })

  it('counts nothing once it is closed', () => {
    const [first] = open(2)
    first!.health.close()
    fail(first!)
    expect(usable()).to.equal('uu')
    expect(engine.runtime.fine.count + engine.runtime.coarse.count).to.equal(0)
  })

  it('never ejects the only endpoint', () => {
    const [only] = open(1, { maxEjected: '100%' })
    fail(only!, 50)
    expect(usable()).to.equal('u')
  })

  for (const [endpoints, share, expected] of [
    [2, '50%', '-u'],
    [3, '50%', '-uu'],
    [4, '50%', '--uu'],
    [5, '50%', '--uuu'],
    [3, '10%', 'uuu'],
    [3, '100%', '---'],
  ] as const) {
    it(`ejects of ${endpoints} endpoints at most ${share}, rounded down: ${expected}`, () => {
      for (const endpoint of open(endpoints, { maxEjected: share })) fail(endpoint, 10)
      expect(usable()).to.equal(expected)
    })
  }

  it('ejects who could not be ejected before as soon as another one is restored', () => {
    const [first, second] = open(2) as [Endpoint, Endpoint]
    fail(first)
    fail(second)
    expect(usable()).to.equal('-u')
    engine.pass(30_020)
    fail(second, 1)
    expect(usable()).to.equal('u-')
  })

  it('counts failures of the connection alone: connects and resets before the answer', () => {
    const counted = errorCodes.filter((code) => {
      const [first] = open(2)
      fail(first!, 3, code, 'requestSent')
      const ejected = first!.health.ejected
      engine.stop()
      return ejected
    })
    expect(counted).to.deep.equal(['connectFailed', 'upstreamReset', 'connectTimeout'])
  })

  it('does not count what the upstream refuses in an orderly way, as when it drains', () => {
    const [first] = open(2)
    const error = new ProxyError('upstreamReset', 'REFUSED_STREAM', { progress: 'requestSent', refused: true })
    for (let i = 0; i < 9; i++) first!.failed(error)
    expect(usable()).to.equal('uu')
  })

  it('does not count a reset after the answer has begun', () => {
    const [first] = open(2)
    fail(first!, 9, 'upstreamReset', 'responseBegun')
    expect(usable()).to.equal('uu')
  })

  it('counts statuses only where the configuration says so', () => {
    const [plain] = open(2)
    for (let i = 0; i < 9; i++) plain!.health.answered(503)
    expect(usable()).to.equal('uu')
    engine.stop()
    const [first] = open(2, { on: ['5xx'] })
    first!.health.answered(500)
    first!.health.answered(404)
    for (let i = 0; i < 2; i++) first!.health.answered(503)
    expect(usable(), 'a 404 is an answer like any other').to.equal('uu')
    first!.health.answered(599)
    expect(usable()).to.equal('-u')
    expect(first!.health.lastFailure).to.equal('answered 599')
  })

  it('is unusable while probes say so, ejected or not', () => {
    const [first] = open(2)
    first!.health.probed(false, 'no answer')
    expect([usable(), first!.health.ejected, first!.health.lastFailure]).to.deep.equal(['-u', false, 'no answer'])
    fail(first!)
    first!.health.probed(true)
    expect(usable()).to.equal('-u')
    engine.pass(30_020)
    expect(usable()).to.equal('uu')
  })

  it('costs no thread when what hears of a restoration breaks', () => {
    const [first] = open(2)
    fail(first!)
    engine.upstream.refresh = () => {
      throw new Error('ours')
    }
    engine.pass(30_020)
    expect(engine.faults).to.have.length(1)
  })
})
