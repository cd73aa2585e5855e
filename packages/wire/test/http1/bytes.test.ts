import { expect } from 'chai'
import { copyBytes, readLatin1, writeDecimal, writeLatin1 } from '../../src/http1/bytes.ts'
import { encodeChunkHead, MAX_CHUNK_HEAD_BYTES } from '../../src/http1/chunked.ts'

const written = (write: (out: Buffer) => number): string => {
  const out = Buffer.alloc(600, 0x2e)
  const end = write(out)
  expect(out[2]).to.equal(0x2e)
  expect(out[end]).to.equal(0x2e)
  return readLatin1(out, 3, end)
}

describe('bytes', () => {
  it('copies and writes runs of every length', () => {
    for (let length = 0; length < 300; length += length < 60 ? 1 : 37) {
      const text = Array.from({ length }, (_, i) => String.fromCharCode(i % 256)).join('')
      const from = Buffer.from(`<${text}>`, 'latin1')
      expect(written((out) => writeLatin1(out, 3, text))).to.equal(text)
      expect(written((out) => copyBytes(out, 3, from, 1, 1 + length))).to.equal(text)
    }
  })

  it('writes decimal numbers', () => {
    for (const value of [0, 1, 9, 10, 99, 100, 65_536, 4_294_967_296, 1e15, Number.MAX_SAFE_INTEGER]) {
      expect(written((out) => writeDecimal(out, 3, value))).to.equal(String(value))
    }
  })

  it('writes chunk heads', () => {
    for (const value of [1, 15, 16, 255, 65_536, 4_294_967_296, Number.MAX_SAFE_INTEGER]) {
      const head = written((out) => encodeChunkHead(out, 3, value))
      expect(head).to.equal(`${value.toString(16)}\r\n`)
      expect(head.length).to.be.at.most(MAX_CHUNK_HEAD_BYTES)
    }
  })
})
