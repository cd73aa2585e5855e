import { expect } from 'chai'
import type { ActiveHealthConfig } from '../../src/config/config.ts'
import { ActiveCheck } from '../../src/upstream/active-check.ts'
import { FakeEngine } from '../fake-protocol.ts'

describe('ActiveCheck', () => {
  const options: ActiveHealthConfig = { type: 'tcp', intervalMs: 1_000, timeoutMs: 200, fall: 3, rise: 2 }
  let engine: FakeEngine
  let check: ActiveCheck
  /** Answers of the probes under way. */
  const answers: Array<(failure?: string) => void> = []
  let gaveUp = 0

  beforeEach(() => {
    answers.length = 0
    gaveUp = 0
    engine = new FakeEngine({ endpoints: ['127.0.0.1:3001', '127.0.0.1:3002'] })
    check = new ActiveCheck(
      engine.upstream.endpoints[0]!,
      options,
      (_endpoint, _options, done) => {
        answers.push(done)
        return () => void gaveUp++
      },
      engine.runtime.fine,
    )
  })

  afterEach(() => {
    check.close()
    engine.stop()
  })

  const health = () => engine.upstream.endpoints[0]!.health
  const answer = (...failures: Array<string | undefined>) => {
    for (const failure of failures) {
      answers.at(-1)!(failure)
      engine.pass(1_020)
    }
  }

  it('probes at once, and every interval after an answer', () => {
    check.start()
    expect(answers).to.have.length(1)
    answers[0]!()
    engine.pass(990)
    expect(answers).to.have.length(1)
    engine.pass(30)
    expect(answers).to.have.length(2)
  })

  it('takes an endpoint out after `fall` failures in a row, and brings it back after `rise` answers', () => {
    check.start()
    answer('no', 'no')
    expect(health().usable).to.equal(true)
    answer('no, indeed')
    expect([health().usable, health().lastFailure]).to.deep.equal([false, 'no, indeed'])
    answer(undefined)
    expect(health().usable).to.equal(false)
    answer(undefined)
    expect(health().usable).to.equal(true)
  })

  it('begins to count anew when the answers turn', () => {
    check.start()
    answer('no', 'no', undefined, 'no', 'no')
    expect(health().usable).to.equal(true)
  })

  it('takes no answer in time for a failure, and gives that probe up', () => {
    check.start()
    for (let i = 0; i < 3; i++) engine.pass(1_240)
    expect(gaveUp).to.equal(3)
    expect([health().usable, health().lastFailure]).to.deep.equal([false, 'no answer within 200 ms'])
  })

  it('has no use for an answer that comes after it gave up', () => {
    check.start()
    engine.pass(230)
    const [late] = answers
    late!()
    late!()
    engine.pass(1_040)
    expect(answers, 'the schedule is not disturbed').to.have.length(2)
    engine.pass(2 * 1_240)
    expect(health().usable, 'three were missed').to.equal(false)
  })

  it('works with a probe that answers in its own call', () => {
    let probes = 0
    const sync = new ActiveCheck(
      engine.upstream.endpoints[1]!,
      { ...options, fall: 2 },
      (_endpoint, _options, done) => {
        probes++
        done('its name does not resolve')
        return () => void gaveUp++
      },
      engine.runtime.fine,
    )
    sync.start()
    expect(engine.upstream.endpoints[1]!.health.usable).to.equal(true)
    engine.pass(1_020)
    expect([probes, gaveUp]).to.deep.equal([2, 0])
    expect(engine.upstream.endpoints[1]!.health.usable).to.equal(false)
    sync.close()
  })

  it('takes a probe that throws for a failure, and goes on', () => {
    const broken = new ActiveCheck(
      engine.upstream.endpoints[1]!,
      { ...options, fall: 2 },
      () => {
        throw new Error('ours')
      },
      engine.runtime.fine,
    )
    broken.start()
    engine.pass(1_020)
    expect(engine.upstream.endpoints[1]!.health.usable).to.equal(false)
    broken.close()
  })

  it('leaves no timer when it is closed, and hears no answer any more', () => {
    check.start()
    check.close()
    expect(gaveUp).to.equal(1)
    answers[0]!('late')
    expect(engine.runtime.fine.count).to.equal(0)
  })
})
