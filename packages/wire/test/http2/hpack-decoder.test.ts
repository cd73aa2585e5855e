import { expect } from 'chai'
import type { HeaderField } from '../../src/http2/header-field.ts'
import { indexing } from '../../src/http2/hpack-codes.ts'
import { HpackDecoder } from '../../src/http2/hpack-decoder.ts'
import { decode, fieldsOf, hex, pairsOf, tableOf } from './hpack-blocks.ts'

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

  it('replaces what the list holds, and counts what this block brings', () => {
    const decoder = new HpackDecoder()
    const out: HeaderField[] = []
    decoder.decode(hex('82 87 84'), 0, 3, out, { maxListBytes: 200, maxFields: 3 })
    for (let n = 0; n < 3; n++)
      expect(decoder.decode(hex('82 87'), 0, 2, out, { maxListBytes: 90, maxFields: 2 })).to.equal(0)
    expect(out.map((field) => field.value)).to.deep.equal(['GET', 'https'])
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
    // Alone, and not because the whole block is known.
    const long = `04 65 2f${'78'.repeat(100)}`
    expect(decode(decoder, `${long} 0f 13 01 62`).fields[0]).not.to.equal(
      decode(decoder, `${long} 0f 13 01 63`).fields[0],
    )
    expect(decode(decoder, '0f 13 01 61 0f 13 01 62').fields[0], 'an etag hardly recurs').not.to.equal(
      decode(decoder, '0f 13 01 61 0f 13 01 63').fields[0],
    )
    // The octets are the same: an Authorization, the same path as a secret, another name.
    expect(decode(decoder, '0f 08 04 2f6f 6e65').fields[0]).to.include({ name: 'authorization', value: '/one' })
    expect(decode(decoder, '14 04 2f6f 6e65').fields[0]).to.include({ name: ':path', indexing: indexing.never })
    expect(decode(decoder, '01 04 2f6f 6e65').fields[0]).to.include({ name: ':authority', value: '/one' })
    expect(decode(decoder, '04 04 2f6f 6e65').fields[0]).to.include({ name: ':path', indexing: indexing.without })
  })

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
})
