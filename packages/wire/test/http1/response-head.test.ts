import { expect } from 'chai'
import { methodId } from '../../src/http1/methods.ts'
import { framing, framingKind } from '../../src/http1/response-head.ts'
import { fieldsOf, limits, response } from './octets.ts'

const withFields = (...lines: string[]) => response(['HTTP/1.1 200 OK', ...lines, '\r\n'].join('\r\n'))

describe('parseResponseHead', () => {
  it('gives status, reason and fields', () => {
    const text = 'HTTP/1.1 404 Not \xe9 Found\r\nServer: x\r\nContent-Length: 3\r\n\r\n'
    const { head, result } = response(`${text}abc`)
    expect(result).to.equal(text.length)
    expect([head.status, head.reason, head.contentLength, head.keepAlive]).to.eql([404, 'Not \xe9 Found', 3, true])
    expect(fieldsOf(head)).to.eql([
      ['Server', 'x'],
      ['Content-Length', '3'],
    ])
  })

  it('says whether the status line may be copied', () => {
    expect(response('HTTP/1.1 200 OK\r\n\r\n').head.statusLineVerbatim).to.equal(true)
    expect(response('HTTP/1.1 200 \r\n\r\n').head).to.include({ statusLineVerbatim: true, reason: '' })
    expect(response('HTTP/1.1 200\r\n\r\n').head).to.include({ statusLineVerbatim: false, reason: '', status: 200 })
    expect(response('HTTP/1.0 200 OK\r\n\r\n').head).to.include({ statusLineVerbatim: false, minorVersion: 0 })
    expect(response('HTTP/1.2 200 OK\r\n\r\n').head).to.include({ statusLineVerbatim: false, minorVersion: 1 })
  })

  it('refuses a malformed status line as soon as it shows', () => {
    for (const text of ['HTTPS', 'ICY', 'http', '\r\nHTTP', 'HTTP/1.1\t', 'HTTP/1.1  ', 'HTTP/1.1 2x', 'HTTP/11']) {
      expect(response(text).outcome, text).to.equal('badStatusLine')
    }
    for (const status of ['099', '600', '999', '2000', '20', '000']) {
      expect(response(`HTTP/1.1 ${status} OK\r\n\r\n`).outcome, status).to.equal('badStatusLine')
    }
    expect(response('HTTP/1.1 200 O\x01').outcome).to.equal('badStatusLine')
    expect(response('HTTP/1.1 200 OK\n').outcome).to.equal('bareLf')
    expect(response('HTTP/1.1 200 OK\r\r').outcome).to.equal('bareCr')
    expect(response('HTTP/2.0 200 OK\r\n').outcome).to.equal('badVersion')
    expect(response('HTTP/1.1 200 OK\r\nA : b').outcome).to.equal('badFieldName')
    expect(response('HTTP/1.1 200 OK', { ...limits, maxHeadBytes: 10 }).outcome).to.equal('tooLarge')
  })

  it('refuses framing that is in doubt', () => {
    expect(withFields('Content-Length: 1', 'Transfer-Encoding: chunked').outcome).to.equal('conflictingFraming')
    expect(withFields('Content-Length: 1', 'Content-Length: 2').outcome).to.equal('badContentLength')
    expect(withFields('Transfer-Encoding: gzip').outcome).to.equal('unknownTransferCoding')
    expect(response('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n').outcome).to.equal('badTransferEncoding')
  })

  it('persists by version and option', () => {
    expect(withFields('Connection: close').head.keepAlive).to.equal(false)
    expect(response('HTTP/1.0 200 OK\r\n\r\n').head.keepAlive).to.equal(false)
    expect(response('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n').head.keepAlive).to.equal(true)
  })

  it('reads the timeout of Keep-Alive', () => {
    const timeout = (value: string) => withFields(`Keep-Alive: ${value}`).head.keepAliveTimeoutMs
    expect(timeout('timeout=5')).to.equal(5_000)
    expect(timeout('max=100, Timeout=60 ')).to.equal(60_000)
    expect(timeout('timeout=0,max=1')).to.equal(0)
    expect(timeout(`timeout=${'9'.repeat(30)}`)).to.equal(2_147_483_000)
    for (const value of ['', 'timeout=', 'timeout=x', 'timeout=5x', 'xtimeout=5', 'timeout', '5']) {
      expect(timeout(value), value).to.equal(-1)
    }
    expect(withFields().head.keepAliveTimeoutMs).to.equal(-1)
  })

  it('is kept by a copy that outlives the octets', () => {
    const { head } = response('HTTP/1.1 204 Nothing\r\nKeep-Alive: timeout=2\r\nX: y\r\n\r\n')
    const kept = head.retain()
    head.buf.fill(0xdb)
    expect([kept.status, kept.reason, kept.keepAliveTimeoutMs, kept.header('x')]).to.eql([204, 'Nothing', 2_000, 'y'])
  })
})

describe('framing', () => {
  const kind = (status: number, method: number, ...lines: string[]) =>
    framing(response([`HTTP/1.1 ${status} X`, ...lines, '\r\n'].join('\r\n')).head, method)

  it('is none where a response has no body, whatever its fields say', () => {
    for (const line of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
      for (const status of [100, 101, 103, 204, 304]) {
        expect(kind(status, methodId.get, line)).to.equal(framingKind.none)
      }
      expect(kind(200, methodId.head, line)).to.equal(framingKind.none)
      expect(kind(404, methodId.head, line)).to.equal(framingKind.none)
      expect(kind(200, methodId.connect, line)).to.equal(framingKind.none)
      expect(kind(404, methodId.connect, line)).not.to.equal(framingKind.none)
    }
  })

  it('is by fields elsewhere, and by the end of the connection without them', () => {
    expect(kind(200, methodId.get, 'Content-Length: 0')).to.equal(framingKind.length)
    expect(kind(500, methodId.post, 'Transfer-Encoding: chunked')).to.equal(framingKind.chunked)
    expect(kind(200, methodId.other)).to.equal(framingKind.untilClose)
  })
})
