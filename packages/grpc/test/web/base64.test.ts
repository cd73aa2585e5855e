import { expect } from 'chai'
import { Base64Decoder, encodeText } from '../../src/web/base64.ts'

function decodeIn(pieces: readonly string[]): { octets: string | undefined; whole: boolean } {
  const decoder = new Base64Decoder()
  const out: Buffer[] = []
  for (const piece of pieces) {
    const octets = decoder.decode(Buffer.from(piece, 'latin1'))
    if (octets === undefined) return { octets: undefined, whole: decoder.whole }
    out.push(octets)
  }
  return { octets: Buffer.concat(out).toString('latin1'), whole: decoder.whole }
}

describe('gRPC-Web text', () => {
  it('is written in pieces that each stand alone', () => {
    expect(encodeText(Buffer.from('abcd')).toString()).to.equal('YWJjZA==')
    expect(encodeText(Buffer.from('xabcdx'), 1, 5).toString()).to.equal('YWJjZA==')
    expect(encodeText(Buffer.alloc(0)).length).to.equal(0)
  })

  it('is read over any split, with padding between the pieces', () => {
    const octets = Buffer.from(Array.from({ length: 257 }, (_, i) => (i * 89) & 0xff))
    const parts = [1, 2, 3, 4, 5, 100, 257].map((to, i, all) => octets.subarray(all[i - 1] ?? 0, to))
    const text = parts.map((part) => encodeText(part).toString()).join('')
    for (let step = 1; step <= text.length; step++) {
      const pieces = text.match(new RegExp(`.{1,${step}}`, 'g'))!
      expect(decodeIn(pieces)).to.deep.equal({ octets: octets.toString('latin1'), whole: true })
    }
  })

  it('is read from a range of a buffer alone', () => {
    const decoder = new Base64Decoder()
    expect(decoder.decode(Buffer.from('!!YWJj!!'), 2, 6)?.toString()).to.equal('abc')
  })

  it('is not whole while a quantum is cut', () => {
    for (const cut of ['Y', 'YW', 'YWJ', 'YWJjZ', 'YQ=']) expect(decodeIn([cut]).whole, cut).to.equal(false)
    expect(decodeIn([]).whole).to.equal(true)
  })

  it('is refused when it is not base64', () => {
    const bad = ['YW J', 'YWJj\n', 'YWJ-', 'YWJ_', '====', 'Y===', 'YQ=a', '=YWJ', 'YW\u00ffj', 'YR==', 'YWK=', 'YQ===']
    for (const text of bad) {
      const { octets, whole } = decodeIn([`${text}YWJj`])
      expect(octets, text).to.equal(undefined)
      expect(whole, text).to.equal(false)
    }
  })

  it('stays refused once it was', () => {
    const decoder = new Base64Decoder()
    expect(decoder.decode(Buffer.from('*'))).to.equal(undefined)
    expect(decoder.decode(Buffer.from('YWJj'))).to.equal(undefined)
  })
})
