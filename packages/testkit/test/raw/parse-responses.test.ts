import { expect } from 'chai'
import { parseResponses } from '../../src/raw/index.ts'

const parse = (text: string, options = {}) => parseResponses(Buffer.from(text, 'latin1'), options)

describe('parseResponses', () => {
  it('takes pipelined responses apart, informational ones among them', () => {
    const [hints, first, second] = parse(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: 1\r\nx-a: 2\r\n\r\nabc' +
        'HTTP/1.1 204 No Content\r\n\r\n',
    )
    expect(hints).to.include({ status: 103, framing: 'none', complete: true })
    expect(first).to.include({ status: 200, reason: 'OK', framing: 'length', complete: true })
    expect(first!.body.toString()).to.equal('abc')
    expect(first!.headers[1]).to.deep.equal(['X-A', '1'])
    expect(first!.header('X-a')).to.equal('1, 2')
    expect(second).to.include({ status: 204, framing: 'none' })
  })

  it('reads chunks with their sizes, and trailers', () => {
    const [response] = parse(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n',
    )
    expect(response!.body.toString()).to.equal('abcde')
    expect(response!.chunks).to.deep.equal([3, 2])
    expect(response!.trailers).to.deep.equal([['x-sum', '5']])
  })

  it('knows the answer to HEAD by its request', () => {
    const bytes = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx'
    const [head, get] = parse(bytes, { methods: ['HEAD', 'GET'] })
    expect(head!.body.length).to.equal(0)
    expect(get!.body.toString()).to.equal('x')
  })

  it('bounds a body without length by the end of the connection', () => {
    const bytes = 'HTTP/1.1 200 OK\r\n\r\nall of it'
    expect(parse(bytes)[0]).to.include({ framing: 'close', complete: true })
    expect(parse(bytes, { ended: false })[0]!.complete).to.equal(false)
  })

  it('tells a response that was cut off', () => {
    expect(parse('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab')[0]!.complete).to.equal(false)
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
    const head = chunked.indexOf('\r\n\r\n') + 4
    for (let end = head; end < chunked.length; end++) {
      expect(parse(chunked.slice(0, end))[0]!.complete, `cut at ${end}`).to.equal(false)
    }
    expect(parse(chunked)[0]!.complete).to.equal(true)
    expect(parse('HTTP/1.1 200 OK\r\nContent-Le')).to.deep.equal([])
  })

  it('gives all that follows a 101', () => {
    const [response] = parse('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x01a')
    expect(response!.framing).to.equal('upgrade')
    expect(response!.body.length).to.equal(3)
  })

  it('throws where a byte does not fit', () => {
    expect(() => parse('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabHTTP/1.1 200 OK\r\n\r\n')).to.throw(
      /no status line/,
    )
    expect(() => parse('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab')).to.throw('surplus bytes: "b"')
    expect(() => parse('HTTP/1.1 200 OK\nA: b\r\n\r\n')).to.throw(/bare CR or LF/)
    expect(() => parse('HTTP/1.1 200 OK\r\nA : b\r\n\r\n')).to.throw(/no header field/)
    expect(() => parse('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na')).to.throw(
      /content-length 1, 2/,
    )
    expect(() => parse('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n')).to.throw(/no chunk size/)
    expect(() => parse('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n')).to.throw(/does not end/)
  })
})
