import { expect } from 'chai'
import { scaled } from '../../../testkit/src/index.ts'
import { runPoolModel } from './pool-model.ts'

describe('Pool against a naive model', () => {
  const steps = 2_000
  const seeds = scaled({ test: 60, ci: 300, soak: 3_000 })

  it(`keeps its rules through ${steps} random steps, of ${seeds} seeds`, function () {
    this.timeout(scaled({ test: 30_000, ci: 120_000, soak: 1_200_000 }))
    const seen = { lent: 0, waited: 0, refused: 0, connects: 0, most: 0 }
    for (let seed = 1; seed <= seeds; seed++) {
      const report = runPoolModel({ seed, steps })
      for (const key of ['lent', 'waited', 'refused', 'connects'] as const) seen[key] += report[key]
      seen.most = Math.max(seen.most, report.most)
    }
    // Else it has looked at nothing.
    expect(seen.most).to.equal(20)
    for (const key of ['lent', 'waited', 'refused', 'connects'] as const) expect(seen[key], key).to.be.above(seeds)
  })
})
