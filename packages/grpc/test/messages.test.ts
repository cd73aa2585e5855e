import { expect } from 'chai'
import { frameMessage, MessageReader } from '../src/messages.ts'

function reading(maxMessageBytes = 1_000): { reader: MessageReader; messages: Buffer[] } {
  const messages: Buffer[] = []
  return { reader: new MessageReader(maxMessageBytes, (message) => messages.push(message)), messages }
}

describe('MessageReader', () => {
  const sent = [0, 1, 5, 0, 300, 1_000].map((length, i) => Buffer.alloc(length, i + 65))
  const body = Buffer.concat(sent.map(frameMessage))

  it('splits a body into its messages, however it comes', () => {
    for (const step of [1, 2, 3, 4, 5, 6, 7, 11, 64, 301, body.length]) {
      const { reader, messages } = reading()
      for (let at = 0; at < body.length; at += step) {
        // The buffer is lent: what was read in it must not matter later.
        const lent = Buffer.from(body.subarray(at, at + step))
        expect(reader.read(lent)).to.equal(undefined)
        lent.fill(0xdb)
      }
      expect(messages).to.deep.equal(sent)
      expect(reader.atBoundary).to.equal(true)
    }
  })

  it('reads a range of a buffer alone', () => {
    const { reader, messages } = reading()
    reader.read(Buffer.concat([Buffer.from('xx'), frameMessage(Buffer.from('hi')), Buffer.from('yy')]), 2, 9)
    expect(messages.map(String)).to.deep.equal(['hi'])
  })

  it('is not at a boundary amid a head or a message', () => {
    for (const length of [1, 4, 5, 6, 7]) {
      const { reader } = reading()
      reader.read(frameMessage(Buffer.from('abc')).subarray(0, length))
      expect(reader.atBoundary, String(length)).to.equal(false)
    }
  })

  it('refuses compressed messages with UNIMPLEMENTED and unknown flags with INTERNAL', () => {
    expect(reading().reader.read(Buffer.from([1, 0, 0, 0, 0]))).to.include({ code: 12 })
    expect(reading().reader.read(Buffer.from([0x80, 0, 0, 0, 0]))).to.include({ code: 13 })
  })

  it('refuses a message over the limit at its head, and reads no more', () => {
    const { reader, messages } = reading(10)
    const fault = reader.read(Buffer.from([0, 0, 0, 0, 11]))
    expect(fault).to.deep.equal({ code: 8, message: 'a message of 11 bytes is larger than the 10 that are allowed' })
    expect(reader.read(Buffer.concat([Buffer.alloc(11), frameMessage(Buffer.from('hi'))]))).to.equal(fault)
    expect(messages).to.deep.equal([])
    expect(reader.atBoundary).to.equal(false)
  })

  it('keeps what came before the fault', () => {
    const { reader, messages } = reading()
    expect(reader.read(Buffer.concat([frameMessage(Buffer.from('hi')), Buffer.from([9, 0, 0, 0, 0])]))).to.include({
      code: 13,
    })
    expect(messages.map(String)).to.deep.equal(['hi'])
  })

  it('holds what has come, not what the head promises', () => {
    const { reader } = reading(2 ** 32)
    const before = process.memoryUsage().arrayBuffers
    reader.read(Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]))
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(1_000_000)
  })
})
