// What peers send that break the rules, or bend them to make us work.
import { expect } from 'chai'
import { SeededRandom } from '../../../testkit/src/seeded-random.ts'
import type { HeaderField } from '../../src/http2/header-field.ts'
import { indexing } from '../../src/http2/hpack-codes.ts'
import { HpackDecoder } from '../../src/http2/hpack-decoder.ts'
import { HpackEncoder } from '../../src/http2/hpack-encoder.ts'
import { decode, encode, fieldsOf, hex, noLimits, outcome, pairsOf, tableOf } from './hpack-blocks.ts'

/** Blocks that break the rules; `be` stands for the newest entry of an empty table. */
const malformed: readonly (readonly [title: string, block: string])[] = [
  ['index 0', '80'],
  ['an index beyond an empty table', 'be'],
  ['an index beyond the table', '40 01 61 01 62 be bf'],
  ['a very large index', 'ff ff ff ff 7f'],
  ['a name index beyond the table', '7e 01 61'],
  ['a name index beyond the table, not indexed', '0f 2f 01 61'],
  ['an index without its end', 'ff'],
  ['an index without its end, after an octet', 'ff 80'],
  ['an integer of more than four octets after the prefix', 'ff 80 80 80 80 00'],
  ['a length of more than four octets after the prefix', `04 7f 80 80 80 80 00 ${'78'.repeat(127)}`],
  ['an integer that overflows 32 bits', 'ff ff ff ff ff ff ff 0f'],
  ['an integer that overflows 32 bits, as a length', '04 7f ff ff ff ff ff 0f'],
  ['an integer that overflows 32 bits, as a size', '3f ff ff ff ff ff ff 0f'],
  ['a name without its length', '40'],
  ['a name that is longer than the block', '40 05 61'],
  ['a value without its length', '40 01 61'],
  ['a value without its length, after a name index', '04'],
  ['a value that is longer than the block', '04 02 61'],
  ['a length that ends the block', '04 7f'],
  ['EOS in a value', '04 84 ff ff ff ff'],
  ['EOS in a name', '40 84 ff ff ff ff 00'],
  ['EOS after text', '04 85 1f ff ff ff fc'],
  ['padding of zeros', '04 81 18'],
  ['padding with a zero in it', '04 81 1e'],
  ['padding of more than 7 bits', '04 82 1f ff'],
  ['padding of 8 bits and nothing else', '04 81 ff'],
  ['a size update after a field', '82 20'],
  ['a size update after a field, with what could be a literal', '82 20 01 61 01 62'],
  ['three size updates', '20 20 20 82'],
  ['a size update above the limit', '3f e2 1f'],
  ['a second size update above the limit', '20 3f e2 1f'],
  ['a size update without its end', '3f'],
  ['a size update without its end, after an octet', '3f e2'],
]

/** The first blocks of RFC 7541 Appendix C.3 to C.5. */
const examples = [
  '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
  '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
  `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e
   1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
]

describe('HpackDecoder, with hostile peers', () => {
  for (const [title, block] of malformed) {
    it(`refuses ${title}, and everything after it`, () => {
      for (const before of ['', '82 86']) {
        const decoder = new HpackDecoder()
        if (before !== '') expect(decode(decoder, before).outcome).to.equal('ok')
        expect(decode(decoder, block).outcome).to.equal('compression')
        expect(decode(decoder, '82')).to.deep.include({ outcome: 'compression', pairs: [] })
      }
    })
  }

  describe('with limits', () => {
    const limits = { maxListBytes: 100, maxFields: 3 }

    it('takes a list that is as large as they are', () => {
      // `:method: GET` is 42 octets, `:path: /` 38.
      const decoder = new HpackDecoder()
      expect(decode(decoder, '82 84', { maxListBytes: 80, maxFields: 2 }).outcome).to.equal('ok')
      expect(decode(decoder, '82 84', { maxListBytes: 79, maxFields: 2 })).to.deep.include({
        outcome: 'tooLarge',
        pairs: [[':method', 'GET']],
      })
      expect(decode(decoder, '82 84', { maxListBytes: 80, maxFields: 1 })).to.deep.include({
        outcome: 'tooLarge',
        pairs: [[':method', 'GET']],
      })
      expect(decode(decoder, '82 84', { maxListBytes: 0, maxFields: 0 })).to.deep.include({
        outcome: 'tooLarge',
        pairs: [],
      })
    })

    it('keeps nothing after the first field that does not fit', () => {
      const block = Buffer.concat([hex('82 00 01 61 64'), Buffer.alloc(100, 'a'), hex('84')])
      expect(decode(new HpackDecoder(), block, limits)).to.deep.include({
        outcome: 'tooLarge',
        pairs: [[':method', 'GET']],
      })
    })

    it('still follows the table', () => {
      for (const [how, block] of [
        ['a field too many', Buffer.concat([hex('82 82 82 82'), hex('40 01 61 01 62 00 01 78 01 79 10 01 7a 01 7a')])],
        ['a field too large', Buffer.concat([hex('00 01 61 64'), Buffer.alloc(100, 'a'), hex('40 01 61 01 62')])],
        ['it does not fit itself', Buffer.concat([hex('84 84 40 01 61 01 62')])],
      ] as const) {
        const decoder = new HpackDecoder()
        expect(decode(decoder, block, limits).outcome, how).to.equal('tooLarge')
        expect(decode(decoder, 'be', limits), how).to.deep.include({ outcome: 'ok', pairs: [['a', 'b']] })
      }
      const emptied = new HpackDecoder()
      decode(emptied, '40 01 61 01 62')
      const large = Buffer.concat([hex('40 01 63 7f 81 1f'), Buffer.alloc(4_096, 'x')])
      expect(decode(emptied, large, limits)).to.deep.include({ outcome: 'tooLarge', pairs: [] })
      expect(tableOf(emptied)).to.deep.equal([])
    })

    it('still refuses what is malformed', () => {
      for (const [title, block] of malformed) {
        if (title.includes('size')) continue
        const decoder = new HpackDecoder()
        expect(decode(decoder, Buffer.concat([hex('82 82 82 82'), hex(block)]), limits).outcome, title).to.equal(
          'compression',
        )
      }
    })

    it('keeps a bomb small: 4 KiB, named 16,000 times', () => {
      const decoder = new HpackDecoder()
      const seed = Buffer.concat([hex('40 01 63 7f dd 1d'), Buffer.alloc(4_060 - 128, 'x')])
      expect(decode(decoder, seed).outcome).to.equal('ok')
      const bounds = { maxListBytes: 16_384, maxFields: 100 }
      const { outcome, fields } = decode(decoder, Buffer.alloc(16_000, 0xbe), bounds)
      expect(outcome).to.equal('tooLarge')
      expect(fields.length).to.be.within(1, 4)
      expect(decode(decoder, Buffer.alloc(16_000, 0x82), bounds).fields).to.have.length(100)
      expect(decode(decoder, 'be', bounds).outcome).to.equal('ok')
    })
  })

  it('looks at nothing beyond the end, wherever a block is cut', () => {
    const random = new SeededRandom(9_113)
    const encoder = new HpackEncoder()
    const requests = fieldsOf([
      [':method', 'GET'],
      [':path', '/a/path?with=query', indexing.without],
      ['x-long', 'y'.repeat(300)],
      ['x-octets', '\xff\x80\x01'],
      ['authorization', 'Bearer abcdef', indexing.never],
      ['x-plain', 'value'],
      ['x-plain', 'value'],
    ])
    encoder.setPeerTableBytes(2_000)
    const blocks = [encode(encoder, requests), ...examples.map(hex), hex('3fe1 1f04 9260 d48e 62a1 8496 eb11')]
    let whole = 0
    for (const block of blocks) {
      for (let cut = 0; cut <= block.length; cut++) {
        const exact = decode(new HpackDecoder(), Buffer.from(block.subarray(0, cut)))
        for (const garbage of [0x00, 0xff, 0x80, 0x01 + random.below(254)]) {
          const around = Buffer.alloc(block.length + 64, garbage)
          block.copy(around, 16, 0, cut)
          const fields: HeaderField[] = []
          const result = new HpackDecoder().decode(around, 16, 16 + cut, fields, noLimits)
          expect([outcome(result), pairsOf(fields)], `cut at ${cut}`).to.deep.equal([exact.outcome, exact.pairs])
        }
        if (exact.outcome === 'ok') whole++
        expect(exact.outcome).to.be.oneOf(['ok', 'compression'])
      }
    }
    expect(whole).to.be.greaterThan(20)
  })

  it('ends in a list or in refusal, whatever the octets are', () => {
    const random = new SeededRandom(7_541)
    const outcomes = new Map<string, number>()
    for (let round = 0; round < 20_000; round++) {
      const decoder = new HpackDecoder()
      decode(decoder, '40 01 61 01 62')
      const block = Buffer.from(Array.from({ length: random.below(12) }, () => random.below(256)))
      const { outcome, fields } = decode(decoder, block, { maxListBytes: 200, maxFields: 5 })
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      expect(fields.reduce((sum, field) => sum + field.size, 0)).to.be.at.most(200)
      const after = decode(decoder, '82').outcome
      expect(after).to.equal(outcome === 'compression' ? 'compression' : 'ok')
    }
    expect([...outcomes.keys()].toSorted()).to.deep.equal(['compression', 'ok', 'tooLarge'])
  })
})
