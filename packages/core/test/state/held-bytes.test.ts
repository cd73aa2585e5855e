import { expect } from 'chai'
import { describe, it } from 'mocha'
import { HeldBytes } from '../../src/state/held-bytes.ts'
import { ThreadCount } from '../../src/state/thread-count.ts'

describe('HeldBytes', () => {
  it('is exceeded when all threads together hold as much as they may', () => {
    const words = new Int32Array(2)
    const [one, two] = [0, 1].map((thread) => new HeldBytes(new ThreadCount(words, thread), 4_096))
    one!.add(2_048)
    expect(one!.exceeded).to.equal(false)
    two!.add(2_048)
    expect([one!.exceeded, two!.exceeded]).to.deep.equal([true, true])
    one!.add(-1)
    expect(two!.exceeded).to.equal(false)
  })

  it('comes back to nothing, however the bytes come and go', () => {
    const count = new ThreadCount(new Int32Array(1), 0)
    const held = new HeldBytes(count, 4_096)
    for (const bytes of [1, 700, 5_000, -4_999, 4_000_000, -702, -4_000_000]) held.add(bytes)
    expect(count.total).to.equal(0)
  })
})
