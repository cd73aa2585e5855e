import { expect } from 'chai'
import { ChunkedDecoder, type ChunkedLimits, chunkEvent, encodeChunkHead } from '../../src/http1/chunked.ts'
import { bytes, fieldsOf, outcome, randomOf } from './octets.ts'

interface Decoded {
  end: string
  body: string
  position: number
  trailers: [string, string][]
}

/** Decodes octets given in runs that end at `splits`, each in a buffer that is overwritten afterwards. */
function decode(octets: Buffer, splits: number[] = [], limits?: ChunkedLimits): Decoded {
  const decoder = new ChunkedDecoder(limits)
  let body = ''
  let from = 0
  for (const to of [...splits, octets.length]) {
    const run = Buffer.from(octets.subarray(from, to))
    let event = decoder.next(run, 0, run.length)
    while (event === chunkEvent.data) {
      body += run.toString('latin1', decoder.dataStart, decoder.dataEnd)
      event = decoder.next(run, decoder.position, run.length)
    }
    run.fill(0xdb)
    if (event !== chunkEvent.needMore) {
      const end = event === chunkEvent.done ? 'done' : outcome(event)
      const trailers = decoder.trailers
      return { end, body, position: from + decoder.position, trailers: trailers === null ? [] : fieldsOf(trailers) }
    }
    from = to
  }
  return { end: 'more', body, position: octets.length, trailers: [] }
}

const ends = (text: string, limits?: ChunkedLimits) => decode(bytes(text), [], limits).end
const tight: ChunkedLimits = { maxExtensionBytes: 10, maxTrailerBytes: 20, maxTrailerFields: 2 }

const streams = [
  '5\r\nhello\r\n0\r\n\r\nGET',
  'A;x=y\r\n0123456789\r\n3 ; a ; b = "c\\"d;"\r\nabc\r\n0;z\r\n\r\n',
  '00f\r\n0123456789abcde\r\n000\r\nX-A: 1\r\nX-B:2\r\n\r\nrest',
  '1\r\na\r\n0\r\nTransfer-Encoding: x\r\nX-Keep: 1\r\nSet-Cookie: a\r\nx_forwarded_for: 1\r\nX-Last: 2\r\n\r\n',
  '0\r\nAuthorization: a\r\n\r\n',
  '5\r\nhello0\r\n\r\n',
  '5\r\nhello\r\n0\r\nX : y\r\n\r\n',
  '2\r\nab\r\n0\r\nA: b\r\n c\r\n\r\n',
]

describe('ChunkedDecoder', () => {
  it('gives the data, the end and the position after it', () => {
    expect(decode(bytes(streams[0]!))).to.eql({ end: 'done', body: 'hello', position: 15, trailers: [] })
    expect(decode(bytes(streams[1]!))).to.include({ end: 'done', body: '0123456789abc' })
  })

  it('keeps trailers but for those that must not be there', () => {
    expect(decode(bytes(streams[2]!)).trailers).to.eql([
      ['X-A', '1'],
      ['X-B', '2'],
    ])
    expect(decode(bytes(streams[3]!)).trailers).to.eql([
      ['X-Keep', '1'],
      ['X-Last', '2'],
    ])
    expect(decode(bytes(streams[4]!)))
      .to.include({ end: 'done' })
      .and.to.deep.include({ trailers: [] })
  })

  it('closes the trailer block up, ready to be copied', () => {
    const decoder = new ChunkedDecoder()
    const octets = bytes(streams[3]!.slice(6))
    expect(decoder.next(octets, 0, octets.length)).to.equal(chunkEvent.done)
    const trailers = decoder.trailers!
    expect(decoder.trailersDropped).to.equal(true)
    expect(trailers.buf.toString('latin1', trailers.fieldsStart, trailers.fieldsEnd)).to.equal(
      'X-Keep: 1\r\nX-Last: 2\r\n',
    )
    decoder.reset()
    expect(decoder.trailers).to.equal(null)
  })

  it('does the same wherever the octets are split', () => {
    for (const text of streams) {
      const octets = bytes(text)
      const whole = decode(octets)
      for (let i = 0; i <= octets.length; i++) {
        const { end, body, position, trailers } = decode(octets, [i])
        expect({ end, body, trailers }, `${text} at ${i}`).to.eql({
          end: whole.end,
          body: whole.body,
          trailers: whole.trailers,
        })
        if (whole.end === 'done') expect(position).to.equal(whole.position)
      }
      const everyOctet = Array.from({ length: octets.length - 1 }, (_, i) => i + 1)
      const { end, body, trailers } = decode(octets, everyOctet)
      expect({ end, body, trailers }).to.eql({ end: whole.end, body: whole.body, trailers: whole.trailers })
    }
  })

  it('refuses a size that is not plain hexadecimal digits before CRLF', () => {
    for (const text of ['g', '0x5\r\n', '+5', '-0', ' 5', '\t5', '5h', '"5"', '5\x0b', '5:', '5 \r\n', '5 5', '\r\n']) {
      expect(ends(text), text).to.equal('badChunkSize')
    }
    expect(ends('5\n')).to.equal('bareLf')
    expect(ends('5\rx')).to.equal('bareCr')
    expect(ends('5\r\r\n')).to.equal('bareCr')
  })

  it('refuses sizes beyond 2^53-1 and rows of more than 16 digits', () => {
    expect(ends('1fffffffffffff\r\n')).to.equal('more')
    expect(ends('20000000000000')).to.equal('badChunkSize')
    expect(ends('ffffffffffffffff')).to.equal('badChunkSize')
    expect(ends(`${'0'.repeat(15)}1\r\na\r\n0\r\n\r\n`)).to.equal('done')
    expect(ends(`${'0'.repeat(17)}`)).to.equal('badChunkSize')
  })

  it('refuses data that CRLF does not follow', () => {
    for (const text of ['1\r\nab', '1\r\na\n', '1\r\na\rb', '1\r\na0\r\n\r\n']) {
      expect(ends(text), text).to.equal('badChunkEnd')
    }
  })

  it('takes extensions by the grammar only', () => {
    for (const extension of [';a', ';a=b', ';a="b"', ';a=""', ' ;\ta = "b\\"\xe9" ; c', ';a="x;y"']) {
      expect(ends(`1${extension}\r\na\r\n0\r\n\r\n`), extension).to.equal('done')
    }
    for (const extension of [
      ';',
      ';;',
      ';=b',
      ';a=',
      ';a b',
      ';a ',
      ';a="b',
      ';a="b"c',
      ';a="b" ',
      ';a="\n"',
      ';a\0',
    ]) {
      expect(ends(`1${extension}\r\na\r\n0\r\n\r\n`), extension).to.equal('badChunkExtension')
    }
  })

  it('bounds the extensions of a whole message', () => {
    expect(ends('1;abcd\r\na\r\n1;efgh\r\na\r\n0\r\n\r\n', tight)).to.equal('done')
    expect(ends('1;abcd\r\na\r\n1;efghi\r\na\r\n0\r\n\r\n', tight)).to.equal('badChunkExtension')
  })

  it('bounds the trailers', () => {
    expect(ends('0\r\na: 1\r\nb: 2\r\n\r\n', tight)).to.equal('done')
    expect(ends('0\r\na: 1\r\nb: 2\r\nc', tight)).to.equal('tooManyFields')
    expect(ends(`0\r\na: ${'1'.repeat(20)}`, tight)).to.equal('tooLarge')
  })

  it('refuses trailers that are no field lines', () => {
    for (const [text, end] of [
      ['GET / HTTP/1.1\r\n', 'badFieldName'],
      ['XX', 'more'],
      ['X@', 'badFieldName'],
      [': v', 'badFieldName'],
      ['X: a\0', 'badFieldValue'],
      [' X: a', 'obsFold'],
      ['\n', 'bareLf'],
      ['\rX', 'bareCr'],
    ] as const) {
      expect(ends(`0\r\n${text}`), text).to.equal(end)
    }
  })

  it('stays with an error, and with the end', () => {
    const decoder = new ChunkedDecoder()
    const bad = bytes('x')
    expect(outcome(decoder.next(bad, 0, 1))).to.equal('badChunkSize')
    expect(outcome(decoder.next(bytes('5\r\n'), 0, 3))).to.equal('badChunkSize')
    decoder.reset()
    expect(decoder.next(bytes('0\r\n\r\n'), 0, 5)).to.equal(chunkEvent.done)
    expect(decoder.next(bytes('5\r\n'), 0, 3)).to.equal(chunkEvent.done)
    expect(decoder.position).to.equal(0)
  })
})

/** What a proxy does: whole runs as they came where `skim` allows it, otherwise data with chunk heads of its own. */
function relay(octets: Buffer, splits: number[]): { out: string; end: string; raw: number } {
  const decoder = new ChunkedDecoder()
  const head = Buffer.alloc(20)
  let out = ''
  let from = 0
  let raw = 0
  for (const to of [...splits, octets.length]) {
    const run = octets.subarray(from, to)
    let event = decoder.skim(run, 0, run.length)
    if (event === chunkEvent.rewritten) {
      event = decoder.next(run, 0, run.length)
      while (event === chunkEvent.data) {
        if (decoder.opensChunk) out += head.toString('latin1', 0, encodeChunkHead(head, 0, decoder.chunkSize))
        out += run.toString('latin1', decoder.dataStart, decoder.dataEnd)
        if (decoder.closesChunk) out += '\r\n'
        event = decoder.next(run, decoder.position, run.length)
      }
      if (event === chunkEvent.done) {
        const trailers = decoder.trailers
        out += `0\r\n${trailers === null ? '' : trailers.buf.toString('latin1', trailers.fieldsStart, trailers.fieldsEnd)}\r\n`
      }
    } else {
      out += run.toString('latin1', 0, decoder.position)
      raw++
    }
    if (event === chunkEvent.done) return { out, end: 'done', raw }
    if (event !== chunkEvent.needMore) return { out, end: outcome(event), raw }
    from = to
  }
  return { out, end: 'more', raw }
}

describe('ChunkedDecoder.skim', () => {
  const canonical = '5\r\nhello\r\nc\r\n, wide world\r\n0\r\n\r\n'

  it('lets canonical octets pass as they came', () => {
    expect(relay(bytes(canonical), [])).to.eql({ out: canonical, end: 'done', raw: 1 })
    expect(relay(bytes(`${canonical}GET`), [6])).to.eql({ out: canonical, end: 'done', raw: 2 })
  })

  it('makes the same of every spelling, however it is split', () => {
    const random = randomOf(7)
    const spelled = '05;a=b\r\nhello\r\n0C ;x="\\""\r\n, wide world\r\n000;e\r\n\r\n'
    for (const text of [canonical, spelled]) {
      const octets = bytes(text)
      for (let i = 0; i < octets.length; i++) {
        for (let k = i; k < octets.length; k++) {
          const { out, end } = relay(octets, [i, k])
          expect(end).to.equal('done')
          expect(out, `${text} at ${i}, ${k}`).to.equal(canonical)
        }
      }
      for (let n = 0; n < 200; n++) {
        const splits = Array.from({ length: 6 }, () => random(octets.length)).sort((a, b) => a - b)
        expect(relay(octets, splits).out).to.equal(canonical)
      }
    }
  })

  it('never passes on octets from which an error would be hidden', () => {
    for (const text of [
      '5\r\nhelloX',
      '5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n',
      '5\r\nhello\r\n0\r\nX : y\r\n\r\n',
    ]) {
      const octets = bytes(text)
      for (let i = 0; i <= octets.length; i++) {
        const { out } = relay(octets, [i])
        expect(out).to.be.oneOf(['5\r\nhello\r\n', '5\r\nhello\r\n0\r\n\r\n'])
      }
    }
  })

  it('lets canonical be asked over several calls of next', () => {
    const decoder = new ChunkedDecoder()
    const octets = bytes('3\r\nabc\r\n03\r\ndef\r\n')
    decoder.markCanonical()
    decoder.next(octets, 0, 5)
    expect(decoder.canonical).to.equal(true)
    decoder.next(octets, decoder.position, 6)
    expect(decoder.canonical).to.equal(false)
    decoder.next(octets, decoder.position, 8)
    expect(decoder.canonical).to.equal(true)
    decoder.next(octets, decoder.position, 13)
    expect(decoder.canonical).to.equal(false)
  })
})
