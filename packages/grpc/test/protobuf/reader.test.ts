import { expect } from 'chai'
import { MalformedMessage, ProtobufReader } from '../../src/protobuf/reader.ts'
import { ProtobufWriter } from '../../src/protobuf/writer.ts'

const reading = (...octets: number[]) => new ProtobufReader(Buffer.from(octets))

describe('ProtobufReader', () => {
  it('reads what ProtobufWriter writes', () => {
    const numbers = [0n, 1n, 127n, 128n, 2n ** 28n - 1n, 2n ** 28n, 2n ** 35n, 2n ** 63n, 2n ** 64n - 1n]
    const writer = new ProtobufWriter()
    for (const number of numbers) writer.uint64(number)
    writer
      .uint64(-1n)
      .uint32(0xffffffff)
      .fixed32(-2)
      .fixed64(-3n)
      .float(1.5)
      .double(Math.PI)
      .string('ä')
      .bytes(Buffer.alloc(300, 7))
    const reader = new ProtobufReader(writer.finish())
    for (const number of numbers) expect(reader.uint64()).to.equal(number)
    expect(reader.uint64()).to.equal(2n ** 64n - 1n)
    expect(reader.uint32()).to.equal(0xffffffff)
    expect(reader.fixed32()).to.equal(0xfffffffe)
    expect(reader.fixed64()).to.equal(2n ** 64n - 3n)
    expect(reader.float()).to.equal(1.5)
    expect(reader.double()).to.equal(Math.PI)
    expect(reader.bytes().toString()).to.equal('ä')
    expect(reader.bytes()).to.deep.equal(Buffer.alloc(300, 7))
    expect(reader.done).to.equal(true)
  })

  it('takes the lower 32 bits of a longer number', () => {
    expect(new ProtobufReader(new ProtobufWriter().uint64(-1n).finish()).uint32()).to.equal(0xffffffff)
  })

  it('skips fields of every wire type, and groups within groups', () => {
    const octets = [
      0x08, 0x96, 0x01, 0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x12, 2, 1, 2, 0x1b, 0x23, 0x08, 1, 0x24, 0x1c, 0x0d, 1, 2, 3, 4,
    ]
    const reader = reading(...octets)
    let fields = 0
    for (; !reader.done; fields++) reader.skip(reader.tag())
    expect(fields).to.equal(5)
  })

  it('throws at what is cut, too long or impossible', () => {
    const skipping = (...octets: number[]) => {
      const reader = reading(...octets)
      return () => reader.skip(reader.tag())
    }
    const bad = [[0x08], [0x08, 0x80], [0x08, ...new Array<number>(10).fill(0xff), 1], [0x09, 1], [0x0d, 1, 2, 3]]
    const worse = [
      [0x12, 2, 1],
      [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      [0x1b, 0x24],
      [0x1b],
      [0x0c],
      [0x0e],
      [0x00],
      [0x07],
    ]
    for (const octets of [...bad, ...worse]) {
      expect(skipping(...octets), octets.join(' ')).to.throw(MalformedMessage)
    }
    const deep = new ProtobufReader(Buffer.alloc(1_000_000, 0x1b))
    expect(() => deep.skip(deep.tag())).to.throw('groups are nested more than 100 deep')
  })

  it('never reads past the range that it was given', () => {
    const reader = new ProtobufReader(Buffer.from([0x08, 0x80, 0x01]), 0, 2)
    expect(reader.tag()).to.equal(8)
    expect(() => reader.uint64()).to.throw(MalformedMessage)
  })
})
