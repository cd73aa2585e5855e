import { expect } from 'chai'
import { SeededRandom } from '../../../testkit/src/seeded-random.ts'
import { type HeaderField, headerField } from '../../src/http2/header-field.ts'
import { type Indexing, indexing } from '../../src/http2/hpack-codes.ts'
import { HpackDecoder } from '../../src/http2/hpack-decoder.ts'
import { HpackEncoder } from '../../src/http2/hpack-encoder.ts'
import { decode, encode, fieldsOf, ForeignDecoder, hex, type Pair, pairsOf, tableOf } from './hpack-blocks.ts'

const blockOf = (encoder: HpackEncoder, ...list: Pair[]): string => encode(encoder, fieldsOf(list)).toString('hex')
const plain = (text: string): string => hex(text).toString('hex')

describe('HpackEncoder', () => {
  it('writes the requests of RFC 7541 Appendix C.4', () => {
    const encoder = new HpackEncoder()
    const request: Pair[] = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
    ]
    expect(blockOf(encoder, ...request)).to.equal(plain('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff'))
    expect(blockOf(encoder, ...request, ['cache-control', 'no-cache'])).to.equal(plain('8286 84be 5886 a8eb 1064 9cbf'))
    expect(
      blockOf(
        encoder,
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', '/index.html'],
        [':authority', 'www.example.com'],
        ['custom-key', 'custom-value'],
      ),
    ).to.equal(plain('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf'))
  })

  it('sends a known field as one index, even twice in a block', () => {
    const encoder = new HpackEncoder()
    expect(blockOf(encoder, ['x-a', '0'], ['x-a', '0'])).to.equal(plain('40 03 782d61 01 30 be'))
    expect(blockOf(encoder, ['x-b', '0'], ['x-a', '0'])).to.match(/bf$/)
    expect(blockOf(encoder, ['x-a', '0'], ['x-b', '0'])).to.equal('bfbe')
  })

  it('writes Huffman code only where it is shorter and is paid for once', () => {
    const encoder = new HpackEncoder()
    expect(blockOf(encoder, ['x-a', 'aaaa']), 'indexed').to.equal(plain('40 03 782d61 83 18c6 3f'))
    expect(blockOf(encoder, ['x-a', '\xff\xfe']), 'indexed, shorter raw').to.equal(plain('7e 02 fffe'))
    expect(blockOf(encoder, [':path', '/aaaaaaaa', indexing.without])).to.equal(plain('04 09 2f61 6161 6161 6161 61'))
  })

  it('names a field by the newest entry with its name, by the static table before that', () => {
    const encoder = new HpackEncoder()
    blockOf(encoder, ['x-a', '1'], ['x-b', '1'], ['x-a', '2'], [':path', '/p'])
    // Newest first: :path, x-a 2, x-b 1, x-a 1.
    expect(blockOf(encoder, ['x-a', '3', indexing.without])).to.equal(plain('0f 30 01 33'))
    expect(blockOf(encoder, ['x-b', '3', indexing.never])).to.equal(plain('1f 31 01 33'))
    expect(blockOf(encoder, [':path', '/q', indexing.without])).to.equal(plain('04 02 2f71'))
    expect(blockOf(encoder, ['x-b', '4'])).to.equal(plain('7f 01 01 34'))
  })

  it('writes integers of every length', () => {
    for (const length of [...Array.from({ length: 600 }, (_, i) => i), 16_510, 16_511, 16_512]) {
      const field = headerField('x-a', 'x'.repeat(length), indexing.without)
      const encoder = new HpackEncoder()
      encoder.setPeerTableBytes(length)
      const block = encode(encoder, [field])
      expect(decode(new HpackDecoder(), block).pairs, `${length}`).to.deep.equal([['x-a', field.value]])
      expect(new ForeignDecoder().decode(block), `${length}`).to.deep.equal([['x-a', field.value, false]])
    }
  })

  it('finds fields and names that share a bucket', () => {
    const encoder = new HpackEncoder()
    const made = Array.from({ length: 300 }, (_, i) => headerField(`x-name-${i}`, 'v'))
    const fields = made.filter(({ serial }) => (serial - made[0]!.serial) % 128 === 0)
    expect(fields.length).to.be.at.least(2)
    encode(encoder, fields)
    expect(encode(encoder, fields).length, 'an octet each').to.equal(fields.length)
    const names = made.filter(({ key }) => (key.serial - made[0]!.key.serial) % 128 === 0)
    expect(names.length).to.be.at.least(2)
    const other = new HpackEncoder()
    encode(other, names)
    for (const { name } of names) {
      expect(encode(other, [headerField(name, 'w', indexing.without)]).length, 'index, length, value').to.equal(4)
    }
  })

  it('keeps out of the table what came so, and never-indexed fields never-indexed', () => {
    const encoder = new HpackEncoder()
    for (let n = 0; n < 2; n++) {
      expect(blockOf(encoder, ['a', 'b', indexing.without])).to.equal(plain('00 01 61 01 62'))
      expect(blockOf(encoder, ['a', 'b', indexing.never])).to.equal(plain('10 01 61 01 62'))
      expect(blockOf(encoder, ['cookie', '', indexing.never]), 'even those of the static table').to.equal(
        plain('1f 11 00'),
      )
      expect(blockOf(encoder, ['accept', '', indexing.without])).to.equal('93')
    }
    blockOf(encoder, ['a', 'b'])
    expect(blockOf(encoder, ['a', 'b', indexing.never]), 'even those of the table').to.equal(plain('1f 2f 01 62'))
  })

  it('sends on as never-indexed what came never-indexed', () => {
    for (const block of ['10 01 61 01 62', '1f 08 03 616263', '14 02 2f71', '16 01 62']) {
      const { fields } = decode(new HpackDecoder(), block)
      expect(encode(new HpackEncoder(), fields).toString('hex')).to.equal(plain(block))
    }
  })

  it('does not spend the table on what hardly recurs, nor on what is larger than half of it', () => {
    const encoder = new HpackEncoder()
    expect(blockOf(encoder, ['content-length', '7'])).to.equal(plain('0f 0d 01 37'))
    expect(blockOf(encoder, ['grpc-timeout', '1S']).slice(0, 4)).to.equal('000c')
    const half = 2_048 - 32 - 1
    expect(blockOf(encoder, ['a', 'x'.repeat(half + 1)]).slice(0, 6)).to.equal('000161')
    const [field] = fieldsOf([['a', 'x'.repeat(half)]])
    expect(encode(encoder, [field!]).toString('hex', 0, 3)).to.equal('400161')
    expect(encode(encoder, [field!]).toString('hex')).to.equal('be')
  })

  it('evicts as its peer does', () => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    const foreign = new ForeignDecoder()
    // 10 octets and 32: 97 entries.
    const fields = Array.from({ length: 300 }, (_, i) => headerField('x-abcd', `${1_000 + i}`))
    for (const field of fields) {
      const block = encode(encoder, [field])
      expect(decode(decoder, block).pairs).to.deep.equal([[field.name, field.value]])
      expect(foreign.decode(block)).to.deep.equal([[field.name, field.value, false]])
    }
    // Indices from 127 on take two octets.
    expect(encode(encoder, fields.slice(203)).length, 'all that fit are known').to.equal(97 + 32)
    expect(encode(encoder, [fields[202]!]).length, 'the one before has gone').to.be.greaterThan(1)
    expect(tableOf(decoder)).to.have.length(64)
  })

  describe('with a table of another size', () => {
    it('announces what the peer allows at the beginning of the next block, once', () => {
      const encoder = new HpackEncoder()
      encoder.setPeerTableBytes(100)
      expect(blockOf(encoder, [':method', 'GET'])).to.equal(plain('3f 45 82'))
      expect(blockOf(encoder, [':method', 'GET'])).to.equal('82')
      encoder.setPeerTableBytes(100)
      expect(blockOf(encoder)).to.equal('')
      encoder.setPeerTableBytes(0)
      expect(blockOf(encoder)).to.equal('20')
      encoder.setPeerTableBytes(30)
      expect(blockOf(encoder)).to.equal('3e')
    })

    it('announces the lowest size in between as well (RFC 7541 §4.2)', () => {
      const encoder = new HpackEncoder()
      blockOf(encoder, ['a', 'b'], ['c', 'd'])
      encoder.setPeerTableBytes(40)
      encoder.setPeerTableBytes(4_096)
      expect(blockOf(encoder, ['c', 'd'], ['a', 'b'])).to.equal(plain('3f 09 3f e1 1f be 40 01 61 01 62'))
      encoder.setPeerTableBytes(0)
      encoder.setPeerTableBytes(50)
      encoder.setPeerTableBytes(10)
      encoder.setPeerTableBytes(200)
      expect(blockOf(encoder, ['c', 'd'])).to.match(/^203fa901/)
      encoder.setPeerTableBytes(10)
      encoder.setPeerTableBytes(5)
      expect(blockOf(encoder), 'the lowest is the last').to.equal('25')
    })

    it('takes 4,096 octets at most, or what it was made for', () => {
      const encoder = new HpackEncoder()
      encoder.setPeerTableBytes(2 ** 32 - 1)
      expect(blockOf(encoder, [':method', 'GET'])).to.equal('82')
      const large = new HpackEncoder(65_536)
      expect(blockOf(large, [':method', 'GET']), 'before the peer allows it').to.equal('82')
      large.setPeerTableBytes(65_536)
      expect(blockOf(large, [':method', 'GET'])).to.equal(plain('3f e1 ff 03 82'))
      const fields = Array.from({ length: 1_000 }, (_, i) => headerField('x-abcd', `${1_000 + i}`))
      encode(large, fields)
      expect(encode(large, fields).every((octet, i, block) => octet >= 0x80 || block[i - 1]! >= 0x80)).to.equal(true)
      expect(encode(large, fields).length).to.be.at.most(3_000)
      const none = new HpackEncoder(0)
      expect(blockOf(none, ['a', 'b'])).to.equal(plain('20 00 01 61 01 62'))
    })

    it('indexes nothing while the size is 0', () => {
      const encoder = new HpackEncoder()
      blockOf(encoder, ['a', 'b'])
      encoder.setPeerTableBytes(0)
      for (const announced of ['20', '']) {
        expect(blockOf(encoder, ['a', 'b'], ['a', ''], [':method', 'GET'])).to.equal(
          plain(`${announced} 00 01 61 01 62 00 01 61 00 82`),
        )
      }
    })
  })

  it('keeps both of its peers in step over random lists, sizes and evictions', () => {
    let evicting = 0
    for (let seed = 1; seed <= 30; seed++) {
      const random = new SeededRandom(seed)
      const names = [
        ':path',
        ':authority',
        'cookie',
        'date',
        'etag',
        'x-a',
        'x-b',
        'x-long-name-of-a-field',
        'grpc-timeout',
        'te',
      ]
      const octets = (length: number, from: number, to: number): string =>
        String.fromCharCode(...Array.from({ length }, () => from + random.below(to - from)))
      const value = (): string => {
        const kind = random.below(10)
        if (kind < 6) return `value-${random.below(60)}`
        if (kind < 8) return octets(random.below(40), 0x20, 0x7f)
        return octets(random.below(kind === 8 ? 200 : 3_000), 0, 256)
      }
      const encoder = new HpackEncoder()
      const decoder = new HpackDecoder()
      const foreign = new ForeignDecoder()
      for (let block = 0; block < 60; block++) {
        while (random.chance(0.15)) encoder.setPeerTableBytes(random.pick([0, 33, 64, 500, 2_000, 4_096, 10_000]))
        const fields: HeaderField[] = []
        for (let n = random.below(20); n > 0; n--) {
          const how: Indexing = random.pick([0, 0, 0, 0, 1, 2])
          fields.push(
            headerField(
              random.chance(0.1) ? octets(1 + random.below(9), 0x61, 0x7b) : random.pick(names),
              value(),
              how,
            ),
          )
        }
        const wire = encode(encoder, fields)
        const own = decode(decoder, wire)
        expect(own.outcome, `seed ${seed}, block ${block}`).to.equal('ok')
        expect(own.pairs).to.deep.equal(pairsOf(fields))
        expect(own.fields.map((field) => field.indexing === indexing.never)).to.deep.equal(
          fields.map((field) => field.indexing === indexing.never),
        )
        expect(foreign.decode(wire), `seed ${seed}, block ${block}`).to.deep.equal(
          fields.map((field) => [field.name, field.value, field.indexing === indexing.never]),
        )
        evicting += fields.length
      }
    }
    expect(evicting).to.be.greaterThan(10_000)
  })
})
