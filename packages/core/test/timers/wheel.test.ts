import { expect } from 'chai'
import { FakeClock, SeededRandom } from '../../../testkit/src/index.ts'
import { type Expirable, Timer, TimerWheel } from '../../src/timers/wheel.ts'

describe('TimerWheel', () => {
  let clock: FakeClock
  let wheel: TimerWheel
  const fired: string[] = []

  const timer = (name: string, expired: (timer: Timer) => void = () => {}): Timer => {
    const owner: Expirable = {
      expired(self) {
        fired.push(`${name} at ${clock.nowMs}`)
        expired(self)
      },
      fault: (fault) => void fired.push(`${name}: ${(fault as Error).message}`),
    }
    return new Timer(owner, wheel)
  }

  beforeEach(() => {
    fired.length = 0
    clock = new FakeClock()
    clock.nowMs = 12_345
    wheel = new TimerWheel({ tickMs: 10, slots: 16, clock: clock.read })
  })

  afterEach(() => wheel.stop())

  it('expires at the first tick that is not before the deadline', () => {
    timer('a').arm(20)
    clock.pass(15, wheel)
    expect(fired).to.deep.equal([])
    clock.pass(10, wheel)
    expect(fired).to.deep.equal(['a at 12370'])
  })

  it('never expires early and keeps within one tick, for random deadlines over many rounds', () => {
    const random = new SeededRandom(3)
    const late: number[] = []
    let early = 0
    for (let i = 0; i < 500; i++) {
      const delayMs = random.below(2_000)
      const deadline = clock.nowMs + delayMs
      timer(`t${i}`, () => {
        if (clock.nowMs < deadline) early++
        late.push(clock.nowMs - deadline)
      }).arm(delayMs)
      clock.pass(random.below(30), wheel)
    }
    clock.pass(2_100, wheel)
    expect(early).to.equal(0)
    expect(late).to.have.length(500)
    // A test clock moves by ticks from wherever it stands, so that a tick may be seen one tick late.
    expect(Math.max(...late)).to.be.at.most(20)
    expect(wheel.count).to.equal(0)
  })

  it('keeps a deadline that lies several rounds ahead', () => {
    timer('far').arm(16 * 10 * 3 + 40)
    clock.pass(515, wheel)
    expect(fired).to.deep.equal([])
    clock.pass(20, wheel)
    expect(fired).to.have.length(1)
  })

  it('expires everything due when the thread was held up for longer than a round', () => {
    timer('a').arm(30)
    timer('b').arm(900)
    timer('later').arm(5_000)
    clock.jump(2_000, wheel)
    expect(fired.map((entry) => entry.split(' ')[0])).to.have.members(['a', 'b'])
    expect(wheel.count).to.equal(1)
  })

  it('moves a deadline back without touching its slot, and honours it', () => {
    const pushed = timer('pushed')
    pushed.arm(50)
    const { tick } = pushed
    for (let i = 0; i < 10; i++) {
      clock.nowMs += 4
      pushed.arm(50)
      expect(pushed.tick).to.equal(tick)
    }
    clock.pass(40, wheel)
    expect(fired, 'its old slot came up').to.deep.equal([])
    expect(wheel.count).to.equal(1)
    clock.pass(30, wheel)
    expect(fired).to.have.length(1)
  })

  it('moves a deadline forward', () => {
    const moved = timer('moved')
    moved.arm(5_000)
    moved.arm(20)
    clock.pass(40, wheel)
    expect(fired).to.have.length(1)
    expect(wheel.count).to.equal(0)
  })

  it('forgets what is disarmed, and takes Infinity for that', () => {
    const [a, b] = [timer('a'), timer('b')]
    a.arm(20)
    b.arm(20)
    a.disarm()
    a.disarm()
    b.arm(Infinity)
    expect([a.armed, b.armed, wheel.count]).to.deep.equal([false, false, 0])
    clock.pass(100, wheel)
    expect(fired).to.deep.equal([])
  })

  it('lets an owner arm and disarm others, and itself, while it expires', () => {
    const victim = timer('victim')
    const pushed = timer('pushed')
    let rounds = 0
    const first = timer('first', (self) => {
      victim.disarm()
      pushed.arm(100)
      if (++rounds < 3) self.arm(0)
    })
    first.arm(20)
    victim.arm(20)
    pushed.arm(20)
    clock.pass(25, wheel)
    clock.pass(30, wheel)
    expect(fired.map((entry) => entry.split(' ')[0])).to.deep.equal(['first', 'first', 'first'])
    expect(wheel.count).to.equal(1)
    clock.pass(120, wheel)
    expect(fired.at(-1)).to.match(/^pushed/)
    expect(wheel.count).to.equal(0)
  })

  it('tells an owner of its fault, and expires the others', () => {
    timer('broken', () => {
      throw new Error('oh')
    }).arm(20)
    timer('well').arm(20)
    clock.pass(40, wheel)
    expect(fired.map((entry) => entry.replace(/ at .*/, ''))).to.deep.equal(['broken', 'broken: oh', 'well'])
  })

  it('sleeps once a whole tick passed without a timer, and wakes with the next', () => {
    const running = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = running()
    const only = timer('only')
    only.arm(20)
    expect(running()).to.equal(before + 1)
    only.disarm()
    clock.pass(10, wheel)
    expect(running(), 'asleep').to.equal(before)
    clock.nowMs += 100_000
    only.arm(20)
    expect(running()).to.equal(before + 1)
    clock.pass(15, wheel)
    expect(fired).to.deep.equal([])
    clock.pass(15, wheel)
    expect(fired).to.have.length(1)
    expect(running(), 'asleep again').to.equal(before)
  })

  it('runs by itself when nobody moves a clock', async () => {
    const real = new TimerWheel({ tickMs: 1, clock: () => performance.now() })
    const started = performance.now()
    await new Promise<void>((resolve) => {
      new Timer({ expired: () => resolve(), fault: () => {} }, real).arm(15)
    })
    expect(performance.now() - started).to.be.at.least(15)
    real.stop()
  })

  it('disarms everything when it stops', () => {
    const a = timer('a')
    a.arm(20)
    wheel.stop()
    expect([a.armed, wheel.count]).to.deep.equal([false, 0])
  })

  it('keeps the deadline of a timer that moves to it', () => {
    const coarse = new TimerWheel({ tickMs: 1_000, clock: clock.read })
    const [armed, idle] = [timer('armed'), timer('idle')]
    for (const one of [armed, idle]) one.moveTo(coarse)
    armed.arm(50)
    expect([coarse.count, wheel.count]).to.deep.equal([1, 0])
    for (const one of [armed, idle]) one.moveTo(wheel)
    expect([coarse.count, wheel.count, idle.armed]).to.deep.equal([0, 1, false])
    clock.pass(60, wheel)
    expect(fired).to.have.length(1)
    coarse.stop()
  })
})
