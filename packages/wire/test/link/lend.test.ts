import { expect } from 'chai'
import { eventually, SeededRandom } from '../../../testkit/src/index.ts'
import { flushAfterPoll } from '../../src/link/flush.ts'
import { takeSlab, takeSmallSlab } from '../../src/link/read-buffers.ts'
import { Accepting } from './pair.ts'

for (const tls of [false, true]) {
  describe(`Link.lend${tls ? ' under TLS' : ''}`, () => {
    let accepting: Accepting

    beforeEach(async () => {
      accepting = await new Accepting({ tls }).listen()
    })

    afterEach(() => accepting.close())

    it('keeps what it was lent until the kernel has it, however the slabs are used again', async () => {
      const { link, notes, peer } = await accepting.pair()
      const random = new SeededRandom(17)
      const sent: Buffer[] = []
      peer.pause()
      let reading = false
      for (let i = 0; i < 2_000; i++) {
        const slab = random.chance(0.3) ? takeSmallSlab() : takeSlab()
        const end = 1 + random.below(Math.min(slab.bytes.length, random.chance(0.5) ? 300 : 70_000))
        slab.bytes.fill(i & 0xff, 0, end)
        slab.bytes[0] = i >>> 8
        sent.push(Buffer.from(slab.bytes.subarray(0, end)))
        link.lend(slab, 0, end)
        slab.release()
        // Whoever takes it next writes over it, unless it is still lent.
        const next = takeSlab()
        next.bytes.fill(0xee)
        next.release()
        if (i % 100 === 99) await new Promise((resolve) => setImmediate(resolve))
        if (link.congested && !reading) {
          reading = true
          peer.resume()
        }
      }
      const all = Buffer.concat(sent)
      expect((await peer.readExactly(all.length)).equals(all)).to.equal(true)
      expect(notes.events).to.include('congested')
      await eventually(() => link.unsentBytes === 0)
      expect(link.bytesOut).to.equal(all.length)
    })

    it('keeps the order with what was written before, and after', async () => {
      const { link, peer } = await accepting.pair()
      const slab = takeSmallSlab()
      slab.bytes.write('second ')
      link.write(Buffer.from('first '), 0, 6, 100)
      link.lend(slab, 0, 7)
      slab.release()
      link.send(Buffer.from('third'))
      expect((await peer.readExactly(18)).toString()).to.equal('first second third')
    })

    it('gives the slab back at once when the link takes nothing any more', async () => {
      const { link } = await accepting.pair()
      link.destroy()
      const slab = takeSlab()
      link.lend(slab, 0, 100)
      expect(slab.loans).to.equal(0)
      slab.release()
    })
  })
}

describe('flushAfterPoll', () => {
  it('flushes all that were touched, those that a flush touches as well, and goes on after a fault', async () => {
    const order: string[] = []
    const flushable = (name: string, then?: () => void) => ({
      flush: () => {
        order.push(name)
        then?.()
      },
      fault: (fault: unknown) => order.push((fault as Error).message),
    })
    const late = flushable('late')
    flushAfterPoll(
      flushable('first', () => {
        throw new Error('a bug')
      }),
    )
    flushAfterPoll(flushable('second', () => flushAfterPoll(late)))
    expect(order).to.deep.equal([])
    await eventually(() => order.length === 4)
    expect(order).to.deep.equal(['first', 'a bug', 'second', 'late'])
    flushAfterPoll(late)
    await eventually(() => order.length === 5)
  })
})
