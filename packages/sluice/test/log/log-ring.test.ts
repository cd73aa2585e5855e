import { expect } from 'chai'
import { LogRingReader, logRingMemory, LogRingWriter } from '../../src/log/log-ring.ts'

const capacity = 64

describe('LogRing', () => {
  let memory: SharedArrayBuffer
  let writer: LogRingWriter
  let reader: LogRingReader

  beforeEach(() => {
    memory = logRingMemory(capacity)
    writer = new LogRingWriter(memory)
    reader = new LogRingReader(memory)
  })

  function drained(): string {
    let text = ''
    reader.drain((lines) => (text += String(lines)))
    return text
  }

  it('gives what was written once, in order', () => {
    writer.write('a\n')
    writer.write('b\nc\n')
    expect(drained()).to.equal('a\nb\nc\n')
    expect(drained()).to.equal('')
  })

  it('gives lines whole where they lie around the end of the memory', () => {
    for (let i = 0; i < 100; i++) {
      const line = `${'é'.repeat(i % 29)}${i}\n`
      expect(writer.write(line)).to.equal(true)
      expect(drained()).to.equal(line)
    }
  })

  it('counts on where its words wrap around', () => {
    const words = new Int32Array(memory)
    words.fill(0x7fff_ffff - 3, 0, 2)
    for (let i = 0; i < 3; i++) {
      expect(writer.write('123456789\n'.repeat(6))).to.equal(true)
      expect(writer.write('12345\n')).to.equal(false)
      expect(drained()).to.equal('123456789\n'.repeat(6))
    }
  })

  it('holds as many bytes as it has, and drops a batch that does not fit, whole, and counts its lines', () => {
    expect(writer.write(`${'x'.repeat(capacity - 1)}\n`)).to.equal(true)
    expect(writer.write('a\n')).to.equal(false)
    expect(writer.write('a\nb\n')).to.equal(false)
    expect(drained()).to.have.length(capacity)
    expect(reader.takeDropped()).to.equal(3)
    expect(reader.takeDropped()).to.equal(0)
    expect(writer.write('a\n')).to.equal(true)
    expect(drained()).to.equal('a\n')
  })

  it('gives bytes that a later line does not change', () => {
    let kept: Buffer | undefined
    writer.write(`${'x'.repeat(capacity - 1)}\n`)
    reader.drain((lines) => (kept = lines))
    writer.write(`${'y'.repeat(capacity - 1)}\n`)
    expect(String(kept)).to.equal(`${'x'.repeat(capacity - 1)}\n`)
  })

  it('lets its reader go on when something has been written before, but the event loop turn', async () => {
    let turned = false
    setImmediate(() => {
      turned = true
    })
    writer.write('a\n')
    await reader.more()
    expect(turned).to.equal(true)
    expect(drained()).to.equal('a\n')
  })

  it('wakes its reader when something is written, and when it is told to', async () => {
    const more = reader.more()
    writer.write('a\n')
    await more
    expect(drained()).to.equal('a\n')
    const woken = reader.more()
    reader.wake()
    await woken
  })
})
