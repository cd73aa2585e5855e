import { expect } from 'chai'
import { SeededRandom } from '../../../testkit/src/seeded-random.ts'
import { headerField } from '../../src/http2/header-field.ts'
import { HpackDecoder } from '../../src/http2/hpack-decoder.ts'
import { HpackEncoder } from '../../src/http2/hpack-encoder.ts'
import { indexing } from '../../src/http2/hpack-codes.ts'
import { decode, encode, fieldsOf, ForeignDecoder, noLimits, type Pair, pairsOf } from './hpack-blocks.ts'

/** A literal that goes into the table: `x-NAME: VALUE`, a character each. */
const entry = (name: string, value: string) =>
  `40 03 782d ${Buffer.from(name).toString('hex')} 01 ${Buffer.from(value).toString('hex')}`

describe('HpackBlockMemo', () => {
  it('knows a block again, with the same fields', () => {
    const decoder = new HpackDecoder()
    // A Content-Length is a new field each time, where the block is not known.
    const block = '83 86 0f 0d 02 3235'
    const { fields } = decode(decoder, block)
    expect(decode(decoder, block).fields).to.have.ordered.members(fields)
    expect(decode(new HpackDecoder(), block).fields[2], 'of another connection').not.to.equal(fields[2])
  })

  it('tells blocks apart that differ in one octet, or share its place', () => {
    const decoder = new HpackDecoder()
    const seen: [string, [string, string][]][] = []
    for (const digits of ['31', '32', '3131', '313131', '31313131', '3131313131']) {
      const block = `83 86 0f 0d 0${digits.length / 2} ${digits}`
      seen.push([block, decode(decoder, block).pairs])
    }
    expect(new Set(seen.map(([, pairs]) => pairs[2]![1])).size).to.equal(seen.length)
    for (const [block, pairs] of [...seen, ...seen.toReversed()]) {
      expect(decode(decoder, block).pairs).to.deep.equal(pairs)
    }
  })

  it('reads the same indices anew when the table has got an entry', () => {
    const decoder = new HpackDecoder()
    decode(decoder, entry('a', '1') + entry('b', '1'))
    const block = 'be bf be bf'
    const before = decode(decoder, block).pairs
    expect(decode(decoder, block).pairs).to.deep.equal(before)
    decode(decoder, entry('c', '1'))
    expect(decode(decoder, block).pairs.map(([name]) => name)).to.deep.equal(['x-c', 'x-b', 'x-c', 'x-b'])
  })

  it('reads the same indices anew when the table has lost entries, or got others in their place', () => {
    const decoder = new HpackDecoder()
    decode(decoder, entry('a', '1') + entry('b', '1'))
    const block = 'be bf be bf'
    decode(decoder, block)
    // To nothing, and back to the size before.
    decode(decoder, `20 3f e1 1f ${entry('c', '1')} ${entry('d', '1')}`)
    expect(decode(decoder, block).pairs.map(([name]) => name)).to.deep.equal(['x-d', 'x-c', 'x-d', 'x-c'])
    decode(decoder, '20')
    expect(decode(decoder, block).outcome).to.equal('compression')
  })

  it('follows a block that writes to the table or changes its size each time it comes', () => {
    const decoder = new HpackDecoder()
    const writes = `${entry('a', '1')} 82 86 84`
    for (const count of [1, 2, 3]) {
      decode(decoder, writes)
      expect(decode(decoder, `${'82 86 84'} ${(0xbd + count).toString(16)}`).pairs.at(-1)).to.deep.equal(['x-a', '1'])
    }
    const resizes = `20 3f e1 1f 82 86 84`
    for (let i = 0; i < 2; i++) {
      decode(decoder, entry('b', '1'))
      decode(decoder, resizes)
      expect(decode(new HpackDecoder(), resizes).outcome).to.equal('ok')
    }
    expect(decode(decoder, '82 86 84 be').outcome, 'emptied the second time too').to.equal('compression')
  })

  it('lets a field into the table that had no place in it when it came first', () => {
    const decoder = new HpackDecoder()
    decode(decoder, '20 82')
    decode(decoder, entry('a', '1'))
    decode(decoder, '3f e1 1f 82')
    decode(decoder, entry('a', '1'))
    decode(decoder, entry('b', '2'))
    expect(decode(decoder, 'bf').pairs).to.deep.equal([['x-a', '1']])
  })

  it('keeps nothing of a block with a field that is never indexed', () => {
    const decoder = new HpackDecoder()
    const block = '83 86 1f 08 01 61'
    const secret = decode(decoder, block).fields[2]
    expect(decode(decoder, block).fields[2]).not.to.equal(secret)
  })

  it('goes by the limits of the moment', () => {
    const decoder = new HpackDecoder()
    const block = '82 86 84 87'
    decode(decoder, block)
    expect(decode(decoder, block, { ...noLimits, maxFields: 3 }).outcome).to.equal('tooLarge')
    expect(decode(decoder, block, { ...noLimits, maxListBytes: 100 }).outcome).to.equal('tooLarge')
    expect(decode(decoder, block).outcome).to.equal('ok')
  })

  it('replaces all that the list has held', () => {
    const decoder = new HpackDecoder()
    const block = Buffer.from('82868487', 'hex')
    for (let i = 0; i < 3; i++) {
      const fields = fieldsOf(Array.from({ length: 6 }, (_, n): Pair => [`x-${n}`, 'old']))
      decoder.decode(block, 0, block.length, fields, noLimits)
      expect(pairsOf(fields).map(([name]) => name)).to.deep.equal([':method', ':scheme', ':path', ':scheme'])
    }
  })

  it('sends the same fields as their peer must understand them after any change of the table', () => {
    for (const seed of [1, 2, 3, 4]) {
      const random = new SeededRandom(seed)
      const encoder = new HpackEncoder()
      const decoder = new HpackDecoder()
      const foreign = new ForeignDecoder()
      // The same objects in the same order, as a proxy sends them on.
      const lists = Array.from({ length: 12 }, (_, n) =>
        Array.from({ length: 3 + (n % 5) }, (_, i) =>
          headerField(
            `x-${random.below(6)}`,
            `${n}-${i}`.repeat(1 + random.below(20)),
            [indexing.incremental, indexing.without, indexing.never][random.below(20)] ?? indexing.incremental,
          ),
        ),
      )
      for (let step = 0; step < 3_000; step++) {
        // Runs of one list, so that it is known, between changes that make what is known wrong.
        const fields = lists[random.below(random.below(4) === 0 ? lists.length : 3)]!
        if (random.below(50) === 0) encoder.setPeerTableBytes([0, 200, 1_000, 4_096][random.below(4)]!)
        const block = encode(encoder, fields)
        const wanted = fields.map(({ name, value, indexing: how }) => [name, value, how === indexing.never])
        expect(foreign.decode(block)).to.deep.equal(wanted)
        const { pairs, fields: ours } = decode(decoder, block)
        expect(pairs).to.deep.equal(pairsOf(fields))
        expect(ours.map(({ indexing: how }) => how === indexing.never)).to.deep.equal(
          wanted.map(([, , never]) => never),
        )
      }
    }
  })
})
