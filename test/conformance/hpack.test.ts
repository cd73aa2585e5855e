// HPACK against hpack-test-case and the decoder of hpack.js, without sockets (CONFORMANCE.md).
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { SeededRandom } from '../../packages/testkit/src/seeded-random.ts'
import { HpackDecoder } from '../../packages/wire/src/http2/hpack-decoder.ts'
import { HpackEncoder } from '../../packages/wire/src/http2/hpack-encoder.ts'
import { decode, encode, fieldsOf, ForeignDecoder, hex } from '../../packages/wire/test/http2/hpack-blocks.ts'
import { skipWithoutCorpus } from './corpora.ts'

const folder = join(
  process.env['SLUICE_CORPORA'] ?? join(import.meta.dirname, '../../../shared/corpora'),
  'hpack-test-case',
)

interface Story {
  readonly cases: readonly {
    readonly wire: string
    readonly headers: readonly Readonly<Record<string, string>>[]
    /** The SETTINGS_HEADER_TABLE_SIZE that was acknowledged before this block. */
    readonly header_table_size?: number
  }[]
}

type List = readonly (readonly [name: string, value: string])[]

const listOf = (headers: Story['cases'][number]['headers']): List => headers.map((one) => Object.entries(one)[0]!)

function storiesOf(encoder: string): [name: string, story: Story][] {
  return readdirSync(join(folder, encoder))
    .filter((name) => name.endsWith('.json'))
    .map((name) => [name, JSON.parse(readFileSync(join(folder, encoder, name), 'utf8')) as Story])
}

const encoders = { 'go-hpack': 744, 'haskell-http2-linear-huffman': 744, 'nghttp2-change-table-size': 627 }

function corpus(title: string, check: () => void): void {
  it(title, function () {
    if (!existsSync(folder)) return skipWithoutCorpus(this, 'hpack-test-case')
    this.timeout(60_000)
    return check()
  })
}

/** Our blocks of every list of raw-data, one encoder a story: what is set before each, and what is said of it. */
function encodeAll(before: (encoder: HpackEncoder) => void): string {
  let blocks = 0
  let octets = 0
  let rawOctets = 0
  for (const [name, { cases }] of storiesOf('raw-data')) {
    const encoder = new HpackEncoder()
    const own = new HpackDecoder()
    const foreign = new ForeignDecoder()
    for (const [i, { headers }] of cases.entries()) {
      const list = listOf(headers)
      before(encoder)
      const block = encode(encoder, fieldsOf(list))
      const at = `${name}, ${i}`
      expect(decode(own, block), at).to.deep.include({ outcome: 'ok', pairs: list })
      expect(foreign.decode(block), at).to.deep.equal(list.map(([field, value]) => [field, value, false]))
      blocks++
      octets += block.length
      for (const [field, value] of list) rawOctets += field.length + value.length
    }
  }
  expect(blocks).to.equal(744)
  return `${blocks} blocks, ${octets} octets of ${rawOctets}`
}

describe('HPACK', () => {
  for (const [encoder, blocks] of Object.entries(encoders)) {
    corpus(`reads the ${blocks} blocks of ${encoder} (of 2,115) as raw-data has them`, () => {
      const raw = new Map(storiesOf('raw-data'))
      let read = 0
      for (const [name, { cases }] of storiesOf(encoder)) {
        const sizes = cases.map((one) => one.header_table_size ?? 4_096)
        const decoder = new HpackDecoder(Math.max(4_096, ...sizes))
        for (const [i, { wire, headers }] of cases.entries()) {
          const { outcome, pairs } = decode(decoder, hex(wire))
          expect(outcome, `${name}, ${i}`).to.equal('ok')
          expect(pairs, `${name}, ${i}`).to.deep.equal(listOf(headers))
          expect(pairs, `${name}, ${i}`).to.deep.equal(listOf(raw.get(name)!.cases[i]!.headers))
          read++
        }
      }
      expect(read).to.equal(blocks)
    })
  }

  corpus('writes blocks that hpack.js reads as raw-data has them', () => {
    console.log(`      ${encodeAll(() => {})}`)
  })

  corpus('writes them with changing table sizes as well, 0 among them', () => {
    const random = new SeededRandom(744)
    const said = encodeAll((encoder) => {
      while (random.chance(0.3)) encoder.setPeerTableBytes(random.pick([0, 100, 500, 1_365, 2_730, 4_096, 65_536]))
    })
    console.log(`      ${said}, with changing table sizes`)
  })
})
