import { expect } from 'chai'
import { runDispatcherModel, scaled } from '../../../testkit/src/index.ts'
import { Permit, Waiter } from '../../src/gate/gate.ts'
import { Runtime } from '../../src/runtime.ts'
import { Upstream } from '../../src/upstream/upstream.ts'

describe('dispatcher of an upstream', function () {
  const steps = scaled({ test: 50_000, ci: 1_000_000, soak: 10_000_000 })
  this.timeout(60_000 + steps / 20)

  for (const seed of [1, 2, 3]) {
    it(`uses all its room and no more, through ${steps} random steps (seed ${seed})`, async () => {
      const report = await runDispatcherModel({ Runtime, Upstream, Permit, Waiter }, { seed, steps })
      for (const [what, count] of Object.entries(report)) expect(count, what).to.be.greaterThan(steps / 1_000)
    })
  }
})
