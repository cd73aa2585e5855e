import { expect } from 'chai'
import { decodeHuffman, huffmanLength, maxDecodedLength, writeHuffman } from '../../src/http2/huffman.ts'
import { SeededRandom } from '../../../testkit/src/seeded-random.ts'
import { hex } from './hpack-blocks.ts'

function encoded(text: string): Buffer {
  const out = Buffer.alloc(huffmanLength(text) + 2, 0xdb)
  const end = writeHuffman(out, 1, text)
  expect(end, 'the length that was foretold').to.equal(huffmanLength(text) + 1)
  expect([out[0], out[end]]).to.deep.equal([0xdb, 0xdb])
  return out.subarray(1, end)
}

/** The text in some octets with garbage around them; null when they are refused. */
function decoded(octets: Buffer, garbage = 0xff): string | null {
  const around = Buffer.alloc(octets.length + 8, garbage)
  octets.copy(around, 4)
  const out = Buffer.alloc(maxDecodedLength(octets.length) + 1, 0xdb)
  const length = decodeHuffman(around, 4, 4 + octets.length, out)
  expect(out.at(-1), 'the room is enough').to.equal(0xdb)
  return length < 0 ? null : out.toString('latin1', 0, length)
}

const bitsOf = (octets: Buffer): string => [...octets].map((octet) => octet.toString(2).padStart(8, '0')).join('')
const octetsOf = (bits: string): Buffer =>
  Buffer.from(bits.match(/.{8}/g)?.map((octet) => Number.parseInt(octet, 2)) ?? [])

describe('the Huffman code', () => {
  it('is that of RFC 7541 Appendix B', () => {
    for (const [text, octets] of [
      ['www.example.com', 'f1e3 c2e5 f23a 6ba0 ab90 f4ff'],
      ['no-cache', 'a8eb 1064 9cbf'],
      ['custom-key', '25a8 49e9 5ba9 7d7f'],
      ['custom-value', '25a8 49e9 5bb8 e8b4 bf'],
      ['302', '6402'],
      ['private', 'aec3 771a 4b'],
      ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff'],
      ['https://www.example.com', '9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3'],
      ['', ''],
    ] as const) {
      expect(encoded(text).equals(hex(octets)), text).to.equal(true)
      expect(decoded(hex(octets))).to.equal(text)
    }
    // The first and the last code of some lengths, written out.
    for (const [symbol, bits] of [
      [0x30, '00000'],
      [0x74, '01001'],
      [0x20, '010100'],
      [0x3a, '1011100'],
      [0x7a, '1111011'],
      [0x26, '11111000'],
      [0x21, '1111111000'],
      [0x7c, '11111111100'],
      [0x5c, '1111111111111110000'],
      [0x00, '1111111111000'],
      [0x01, '11111111111111111011000'],
      [0xff, '11111111111111111111101110'],
      [0x0a, '111111111111111111111111111100'],
      [0x0d, '111111111111111111111111111101'],
      [0x16, '111111111111111111111111111110'],
    ] as const) {
      const padded = bits + '1'.repeat((8 - (bits.length % 8)) % 8)
      expect(bitsOf(encoded(String.fromCharCode(symbol))), `symbol ${symbol}`).to.equal(padded)
      expect(decoded(octetsOf(padded)), `symbol ${symbol}`).to.equal(String.fromCharCode(symbol))
    }
  })

  it('gives back every pair of octets, at every place of a bit', () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const text = '0'.repeat(first % 8) + String.fromCharCode(first, second)
        if (decoded(encoded(text)) !== text) expect.fail(`${first} ${second}`)
      }
    }
  })

  it('gives back random octets', () => {
    const random = new SeededRandom(7_541)
    for (let round = 0; round < 500; round++) {
      const octets = Buffer.alloc(random.below(300))
      const alphabet = random.pick([26, 96, 256])
      for (let i = 0; i < octets.length; i++) octets[i] = random.below(alphabet) + (alphabet === 26 ? 0x61 : 0)
      const text = octets.toString('latin1')
      expect(decoded(encoded(text), random.below(256))).to.equal(text)
    }
  })

  it('takes no padding but fewer than 8 ones', () => {
    for (const [bits, text] of [
      ['00011 111', 'a'],
      ['00011 011', null],
      ['00011 101', null],
      ['00011 110', null],
      ['00011 000', null],
      ['1011100 1', ':'],
      ['1011100 0', null],
      ['010100 010100 1111', '  '],
      ['010100 010100 1101', null],
      ['11111000', '&'],
      ['11111000 11111111', null],
      ['00011 11111111111', null],
      ['11111111', null],
      ['1111111111111111', null],
      ['111111111111111111111111', null],
      // A code that ends too soon, with other bits than ones.
      ['11111111 11111110', null],
      ['00011 111 1111111111000000', null],
    ] as const) {
      for (const garbage of [0x00, 0xff, 0x55]) {
        expect(decoded(octetsOf(bits.replaceAll(' ', '')), garbage), bits).to.equal(text)
      }
    }
  })

  it('refuses EOS wherever it stands', () => {
    const eos = '1'.repeat(30)
    for (let before = 0; before < 9; before++) {
      for (const after of ['', '00000', '11111000', eos]) {
        const bits = '00000'.repeat(before) + eos + after
        expect(decoded(octetsOf(bits + '1'.repeat((8 - (bits.length % 8)) % 8))), `${before} ${after}`).to.equal(null)
      }
    }
  })

  it('ends every octet sequence in text or refusal, and what it takes is what it writes', () => {
    const random = new SeededRandom(52)
    let taken = 0
    for (let round = 0; round < 20_000; round++) {
      const octets = Buffer.from(Array.from({ length: 1 + random.below(5) }, () => random.below(256)))
      const text = decoded(octets, random.below(256))
      if (text === null) continue
      taken++
      expect(encoded(text).equals(octets), octets.toString('hex')).to.equal(true)
    }
    expect(taken).to.be.greaterThan(500)
  })
})
