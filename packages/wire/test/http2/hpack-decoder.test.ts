import { expect } from 'chai'
import { SeededRandom } from '../../../testkit/src/seeded-random.ts'
import type { HeaderField } from '../../src/http2/header-field.ts'
import { hpackError, indexing } from '../../src/http2/hpack-codes.ts'
import { HpackDecoder } from '../../src/http2/hpack-decoder.ts'
import { HpackEncoder } from '../../src/http2/hpack-encoder.ts'
import { decode, encode, fieldsOf, hex, noLimits, outcome, pairsOf, tableOf } from './hpack-blocks.ts'

const first = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
]
const second = [...first, ['cache-control', 'no-cache']]
const third = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/index.html'],
  [':authority', 'www.example.com'],
  ['custom-key', 'custom-value'],
]
const responses = (status: string, date: string, ...more: string[][]): string[][] => [
  [':status', status],
  ['cache-control', 'private'],
  ['date', date],
  ['location', 'https://www.example.com'],
  ...more,
]
const date21 = 'Mon, 21 Oct 2013 20:13:21 GMT'
const date22 = 'Mon, 21 Oct 2013 20:13:22 GMT'
const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'
const lastResponse = responses('200', date22, ['content-encoding', 'gzip'], ['set-cookie', cookie])

/** RFC 7541 Appendix C.3 to C.6: blocks with their lists, and what the table holds after each. */
const examples: [title: string, tableBytes: number, steps: [block: string, list: string[][], table: string[][]][]][] = [
  [
    'C.3, requests without Huffman code',
    4_096,
    [
      ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', first, [first[3]!]],
      ['8286 84be 5808 6e6f 2d63 6163 6865', second, [second[4]!, first[3]!]],
      [
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
        third,
        [third[4]!, second[4]!, first[3]!],
      ],
    ],
  ],
  [
    'C.4, requests with Huffman code',
    4_096,
    [
      ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', first, [first[3]!]],
      ['8286 84be 5886 a8eb 1064 9cbf', second, [second[4]!, first[3]!]],
      ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', third, [third[4]!, second[4]!, first[3]!]],
    ],
  ],
  [
    'C.5, responses without Huffman code',
    256,
    [
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
         546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        responses('302', date21),
        responses('302', date21).toReversed(),
      ],
      [
        '4803 3330 37c1 c0bf',
        responses('307', date21),
        [[':status', '307'], ...responses('302', date21).slice(1).toReversed()],
      ],
      [
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
         6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
         2076 6572 7369 6f6e 3d31`,
        lastResponse,
        [lastResponse[5]!, lastResponse[4]!, lastResponse[2]!],
      ],
    ],
  ],
  [
    'C.6, responses with Huffman code',
    256,
    [
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
         8f0b 97c8 e9ae 82ae 43d3`,
        responses('302', date21),
        responses('302', date21).toReversed(),
      ],
      [
        '4883 640e ffc1 c0bf',
        responses('307', date21),
        [[':status', '307'], ...responses('302', date21).slice(1).toReversed()],
      ],
      [
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
         dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
        lastResponse,
        [lastResponse[5]!, lastResponse[4]!, lastResponse[2]!],
      ],
    ],
  ],
]

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

describe('HpackDecoder', () => {
  it('reads the single fields of RFC 7541 Appendix C.2', () => {
    for (const [block, name, value, how, entries] of [
      ['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key', 'custom-header', 0, 1],
      ['040c 2f73 616d 706c 652f 7061 7468', ':path', '/sample/path', 1, 0],
      ['1008 7061 7373 776f 7264 0673 6563 7265 74', 'password', 'secret', 2, 0],
      ['82', ':method', 'GET', 0, 0],
    ] as const) {
      const decoder = new HpackDecoder()
      const { fields, outcome } = decode(decoder, block)
      expect(outcome).to.equal('ok')
      expect(fields).to.have.length(1)
      expect(fields[0]).to.include({ name, value, indexing: how })
      expect(tableOf(decoder)).to.have.length(entries)
    }
  })

  for (const [title, tableBytes, steps] of examples) {
    it(`reads RFC 7541 Appendix ${title}, with the table as it is written there`, () => {
      for (let last = 0; last < steps.length; last++) {
        const decoder = new HpackDecoder(tableBytes)
        if (tableBytes === 256) expect(decode(decoder, '3fe1 01').outcome).to.equal('ok')
        for (const [block, list] of steps.slice(0, last + 1)) {
          const { outcome, pairs } = decode(decoder, block)
          expect(outcome).to.equal('ok')
          expect(pairs).to.deep.equal(list)
        }
        expect(pairsOf(tableOf(decoder))).to.deep.equal(steps[last]![2])
      }
    })
  }

  it('appends to the list, and counts what this block brings', () => {
    const decoder = new HpackDecoder()
    const out: HeaderField[] = []
    for (let n = 0; n < 3; n++)
      expect(decoder.decode(hex('82 87'), 0, 2, out, { maxListBytes: 90, maxFields: 2 })).to.equal(0)
    expect(out.map((field) => field.value)).to.deep.equal(['GET', 'https', 'GET', 'https', 'GET', 'https'])
  })

  it('yields the same object for the same field, on every connection', () => {
    const block = '40 01 61 01 62'
    const decoder = new HpackDecoder()
    const [field] = decode(decoder, block).fields
    expect(decode(decoder, 'be').fields[0]).to.equal(field)
    expect(decode(new HpackDecoder(), block).fields[0]).to.equal(field)
    expect(decode(new HpackDecoder(), '40 81 1f 01 62').fields[0], 'in Huffman code').to.equal(field)
    expect(fieldsOf([['a', 'b']])[0]).to.equal(field)
  })

  it('tells apart what lies at one place of its memory', () => {
    const literal = (name: string, value: string): Buffer =>
      Buffer.concat([Buffer.of(0x40, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)])
    const decoder = new HpackDecoder()
    // Beginnings come right before what goes on from them.
    const visit = (digits: string): void => {
      for (const [name, value] of [
        [`x-${digits}`, 'v'],
        ['x-n', digits],
      ] as const) {
        const { pairs } = decode(decoder, literal(name, value))
        if (pairs[0]![0] !== name || pairs[0]![1] !== value) expect.fail(`${name}: ${value} became ${pairs}`)
      }
      if (digits.length < 4) for (let digit = 0; digit < 10; digit++) visit(`${digits}${digit}`)
    }
    visit('')
  })

  it('shares neither secrets nor what is not indexed with other connections', () => {
    // Twice, since the second is the first that could be found.
    for (const block of ['10 01 61 01 62', '00 01 61 01 62', '57 01 62', '60 01 62']) {
      const [one, two] = [new HpackDecoder(), new HpackDecoder()].map((decoder) => decode(decoder, block).fields[0])
      expect(one!.value).to.equal('b')
      expect(two, block).not.to.equal(one)
      expect(decode(new HpackDecoder(), block).fields[0], block).not.to.equal(two)
    }
  })

  it('keeps names in mind, but for those of never-indexed fields', () => {
    const name = (block: string): unknown => decode(new HpackDecoder(), block).fields[0]!.key
    expect(name('10 04 782d 7172 01 62')).not.to.equal(name('10 04 782d 7172 01 62'))
    expect(name('00 04 782d 7172 01 62')).to.equal(name('40 04 782d 7172 01 63'))
  })

  it('knows the last values again that this connection sends without indexing', () => {
    const decoder = new HpackDecoder()
    const path = (text: string): HeaderField => {
      const block = Buffer.concat([Buffer.of(0x04, text.length), Buffer.from(text)])
      const { fields } = decode(decoder, block)
      expect(fields.map(({ name, value, indexing }) => [name, value, indexing])).to.deep.equal([[':path', text, 1]])
      return fields[0]!
    }
    const one = path('/one')
    expect(path('/one')).to.equal(one)
    expect(path('/two')).not.to.equal(one)
    expect(path('/twoo').value).to.equal('/twoo')
    expect(path('/tw').value).to.equal('/tw')
    expect(path('/one').value).to.equal('/one')
    const long = `/${'x'.repeat(100)}`
    expect(path(long)).not.to.equal(path(long))
    expect(decode(decoder, '0f 13 01 61').fields[0], 'an etag hardly recurs').not.to.equal(
      decode(decoder, '0f 13 01 61').fields[0],
    )
    // The octets are the same: an Authorization, the same path as a secret, another name.
    expect(decode(decoder, '0f 08 04 2f6f 6e65').fields[0]).to.include({ name: 'authorization', value: '/one' })
    expect(decode(decoder, '14 04 2f6f 6e65').fields[0]).to.include({ name: ':path', indexing: indexing.never })
    expect(decode(decoder, '01 04 2f6f 6e65').fields[0]).to.include({ name: ':authority', value: '/one' })
    expect(decode(decoder, '04 04 2f6f 6e65').fields[0]).to.include({ name: ':path', indexing: indexing.without })
  })

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

  it('takes what is at the edge of these rules', () => {
    for (const [block, list] of [
      ['20 3f e1 1f 82', [[':method', 'GET']]],
      ['20', []],
      ['', []],
      [
        '40 00 00 be',
        [
          ['', ''],
          ['', ''],
        ],
      ],
      ['04 81 1f', [[':path', 'a']]],
      ['04 80', [[':path', '']]],
      // A length of 127 with three octets that add nothing.
      [`04 7f 80 80 80 00 ${'78'.repeat(127)}`, [[':path', 'x'.repeat(127)]]],
    ] as const) {
      const decoder = new HpackDecoder()
      expect(decode(decoder, block), block).to.deep.include({ outcome: 'ok', pairs: list })
    }
  })

  it('holds 128 entries when they are empty', () => {
    const full = Buffer.concat(Array.from({ length: 200 }, () => hex('40 00 00')))
    for (const [block, result] of [
      ['ff 3e', 'ok'],
      ['ff 3f', 'compression'],
    ] as const) {
      const decoder = new HpackDecoder()
      expect(decode(decoder, full).outcome).to.equal('ok')
      expect(decode(decoder, block).outcome).to.equal(result)
    }
  })

  it('follows size updates: entries leave, and come back no more', () => {
    const decoder = new HpackDecoder()
    decode(decoder, '40 01 61 01 62 40 01 63 01 64')
    // 34 octets an entry: room for one.
    expect(decode(decoder, '3f 18 be').pairs).to.deep.equal([['c', 'd']])
    expect(decode(decoder, '3f e1 1f be').pairs).to.deep.equal([['c', 'd']])
    expect(pairsOf(tableOf(decoder))).to.deep.equal([['c', 'd']])
    const emptied = new HpackDecoder()
    decode(emptied, '40 01 61 01 62')
    expect(decode(emptied, '20 3f e1 1f 40 01 63 01 64').outcome).to.equal('ok')
    expect(pairsOf(tableOf(emptied))).to.deep.equal([['c', 'd']])
  })

  it('empties the table for an entry that does not fit', () => {
    const decoder = new HpackDecoder()
    decode(decoder, '40 01 61 01 62')
    const large = Buffer.concat([hex('40 01 63 7f 81 1f'), Buffer.alloc(4_096, 'x')])
    expect(decode(decoder, large)).to.deep.include({ outcome: 'ok', pairs: [['c', 'x'.repeat(4_096)]] })
    expect(tableOf(decoder)).to.deep.equal([])
  })

  it('keeps a table of the default size until the peer has seen a smaller one', () => {
    const decoder = new HpackDecoder(0)
    expect(decode(decoder, '40 01 61 01 62 be').outcome).to.equal('ok')
    expect(decode(decoder, '20 40 01 61 01 62').outcome).to.equal('ok')
    expect(decode(decoder, 'be').outcome).to.equal('compression')
    expect(decode(new HpackDecoder(0), '21').outcome).to.equal('compression')
  })

  it('takes a larger table when it has offered one', () => {
    const decoder = new HpackDecoder(65_536)
    const large = Buffer.concat([hex('40 01 63 7f 81 1f'), Buffer.alloc(4_096, 'x')])
    // 65,536 = 31 + 65,505.
    expect(decode(decoder, '3f e1 ff 03').outcome).to.equal('ok')
    for (let n = 0; n < 20; n++) expect(decode(decoder, large).outcome).to.equal('ok')
    expect(tableOf(decoder)).to.have.length(15)
    expect(decode(new HpackDecoder(65_536), '3f e2 ff 03').outcome).to.equal('compression')
  })

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
    const blocks = [
      encode(encoder, requests),
      ...examples.map(([, , steps]) => hex(steps[0]![0])),
      hex('3fe1 1f04 9260 d48e 62a1 8496 eb11'),
    ]
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
    expect(hpackError.compression).to.be.lessThan(0)
  })
})
