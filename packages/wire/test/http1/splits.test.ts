import { expect } from 'chai'
import { ChunkedDecoder, chunkEvent } from '../../src/http1/chunked.ts'
import { parseRequestHead, RequestHead } from '../../src/http1/request-head.ts'
import { parseResponseHead, ResponseHead } from '../../src/http1/response-head.ts'
import { bytes, limits, mutate, outcome, randomOf } from './octets.ts'

const scale = process.env.SLUICE_SCALE === 'soak' ? 100 : 1
const tight = { maxHeadBytes: 200, maxFields: 6, maxTargetBytes: 24 }

const requests = [
  'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n',
  '\r\nPOST /a.b/../c?d=%20 HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 12\r\nConnection: keep-alive, x-a\r\nX-A: b\r\n\r\n',
  'PUT http://u.test:80/p?q HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n',
  'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n\r\n',
  'OPTIONS * HTTP/1.0\r\nX-Forwarded-For: 1.2.3.4 \r\nUpgrade: websocket\r\nConnection:\tupgrade\r\n\r\n',
].map(bytes)

const responses = [
  'HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 10\r\nConnection: close\r\n\r\n',
  'HTTP/1.0 404 Not Found\r\nKeep-Alive: timeout=5, max=10\r\nConnection: keep-alive\r\n\r\n',
  'HTTP/1.1 500\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n',
].map(bytes)

const bodies = ['5\r\nhello\r\n0\r\n\r\n', 'a;b="c\\d"\r\n0123456789\r\n00\r\nX-A: 1\r\nDate: x\r\n\r\n'].map(bytes)

/**
 * The parser has no state, so how octets arrive can only matter through its answers to the prefixes: each must be
 * `more` until one says what the whole says. `more` for the whole means it for every prefix.
 */
function expectSameForPrefixes(octets: Buffer, parse: (end: number) => number): void {
  const whole = parse(octets.length)
  for (let end = 0; end < octets.length; end++) {
    const result = parse(end)
    if (result === 0) continue
    expect(outcome(result), `${JSON.stringify(octets.toString('latin1'))} up to ${end}`).to.equal(outcome(whole))
    expect(result).to.equal(whole)
  }
}

describe('a parser of heads', () => {
  const request = new RequestHead()
  const response = new ResponseHead()

  it('says of every prefix what it says of the whole, or that it needs more', () => {
    const random = randomOf(1)
    for (const bounds of [limits, tight]) {
      for (let n = 0; n < 1_500 * scale; n++) {
        const a = mutate(requests[n % requests.length]!, random)
        expectSameForPrefixes(a, (end) => parseRequestHead(request, a, 0, end, bounds))
        const b = mutate(responses[n % responses.length]!, random)
        expectSameForPrefixes(b, (end) => parseResponseHead(response, b, 0, end, bounds))
      }
    }
  })

  it('needs more of every prefix of a valid head', () => {
    for (const octets of requests) {
      expect(parseRequestHead(request, octets, 0, octets.length, limits)).to.equal(octets.length)
      for (let end = 0; end < octets.length; end++)
        expect(parseRequestHead(request, octets, 0, end, limits)).to.equal(0)
    }
    for (const octets of responses) {
      expect(parseResponseHead(response, octets, 0, octets.length, limits)).to.equal(octets.length)
      for (let end = 0; end < octets.length; end++)
        expect(parseResponseHead(response, octets, 0, end, limits)).to.equal(0)
    }
  })

  it('never throws, and stays within the octets it was given', () => {
    const random = randomOf(2)
    for (let n = 0; n < 5_000 * scale; n++) {
      const octets =
        random(2) === 0
          ? Buffer.from(Array.from({ length: random(80) }, () => random(256)))
          : mutate(requests[random(requests.length)]!, random)
      const start = octets.length === 0 ? 0 : random(octets.length)
      const consumed = parseRequestHead(request, octets, start, octets.length, limits)
      expect(consumed).to.be.at.most(octets.length - start)
      if (consumed > 0) {
        expect(request.headEnd).to.equal(start + consumed)
        const parts = [request.method, request.target, request.path, request.query, request.host]
        for (let i = 0; i < request.fieldCount; i++) parts.push(request.name(i), request.value(i))
        for (const part of parts) expect(part).not.to.match(/[\r\n\0]/)
        expect(request.retain().target).to.equal(request.target)
      }
      parseResponseHead(response, octets, start, octets.length, limits)
    }
  })
})

describe('a decoder of chunks', () => {
  function run(octets: Buffer, splits: number[]): string {
    const decoder = new ChunkedDecoder()
    let body = ''
    let from = 0
    for (const to of [...splits, octets.length]) {
      let event = decoder.next(octets, from, to)
      while (event === chunkEvent.data) {
        body += octets.toString('latin1', decoder.dataStart, decoder.dataEnd)
        event = decoder.next(octets, decoder.position, to)
      }
      if (event === chunkEvent.done) return `done at ${decoder.position}: ${body}`
      if (event !== chunkEvent.needMore) return `${outcome(event)}: ${body}`
      from = to
    }
    return `more: ${body}`
  }

  it('does the same with every split of mutated bodies', () => {
    const random = randomOf(3)
    for (let n = 0; n < 1_000 * scale; n++) {
      const octets = mutate(bodies[n % bodies.length]!, random)
      const whole = run(octets, [])
      for (let i = 0; i <= octets.length; i++) expect(run(octets, [i])).to.equal(whole)
      expect(
        run(
          octets,
          Array.from({ length: octets.length }, (_, i) => i),
        ),
      ).to.equal(whole)
    }
  })
})
