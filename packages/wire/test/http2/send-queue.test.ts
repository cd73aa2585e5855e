import { expect } from 'chai'
import { SeededRandom } from '../../../testkit/src/index.ts'
import { SendQueue } from '../../src/http2/send-queue.ts'

describe('SendQueue', () => {
  it('gives back what was pushed, in its order, however it is cut', () => {
    const random = new SeededRandom(3)
    for (let round = 0; round < 50; round++) {
      const queue = new SendQueue()
      let counted = 0
      const account = { add: (bytes: number) => (counted += bytes) }
      const pushed: Buffer[] = []
      const moved: Buffer[] = []
      for (let step = 0; step < 200; step++) {
        if (random.chance(0.5)) {
          const bytes = Buffer.alloc(random.below(random.chance(0.1) ? 40_000 : 300) + 10, step)
          pushed.push(Buffer.from(bytes.subarray(3, -2)))
          queue.push(bytes, 3, bytes.length - 2, account)
          bytes.fill(0xdb)
        } else if (queue.bytes > 0) {
          const length = 1 + random.below(queue.bytes)
          const out = Buffer.alloc(length + 2, 0xee)
          queue.moveTo(out, 1, length, account)
          expect([out[0], out.at(-1)]).to.deep.equal([0xee, 0xee])
          moved.push(out.subarray(1, -1))
        }
        expect(counted).to.equal(queue.bytes)
      }
      const rest = Buffer.alloc(queue.bytes)
      queue.moveTo(rest, 0, queue.bytes, account)
      expect(Buffer.concat([...moved, rest]).equals(Buffer.concat(pushed))).to.equal(true)
      expect([queue.bytes, counted]).to.deep.equal([0, 0])
    }
  })

  it('is empty after clear, and can be used again', () => {
    const queue = new SendQueue()
    let counted = 0
    const account = { add: (bytes: number) => (counted += bytes) }
    queue.push(Buffer.from('abc'), 0, 3, account)
    queue.moveTo(Buffer.alloc(1), 0, 1, account)
    queue.clear(account)
    expect([queue.bytes, counted]).to.deep.equal([0, 0])
    queue.push(Buffer.from('def'), 0, 3, account)
    const out = Buffer.alloc(3)
    queue.moveTo(out, 0, 3, account)
    expect(out.toString()).to.equal('def')
  })
})
