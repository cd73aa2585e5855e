import { expect } from 'chai'
import { fieldId, HOP_BY_HOP_MASK, ORIGIN_MASK } from '../../src/http1/field-names.ts'
import { methodId } from '../../src/http1/methods.ts'
import { parseRequestHead, RequestHead, targetForm } from '../../src/http1/request-head.ts'
import { bytes, fieldsOf, limits, request } from './octets.ts'

const get = (target: string, rest = 'Host: a.test\r\n') => request(`GET ${target} HTTP/1.1\r\n${rest}\r\n`)
const withFields = (...lines: string[]) => get('/', ['Host: a.test', ...lines, ''].join('\r\n'))

describe('parseRequestHead', () => {
  it('gives the octets of the head and leaves what follows', () => {
    const head = 'POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n'
    const { head: parsed, result } = request(`${head}abcGET`)
    expect(result).to.equal(head.length)
    expect(parsed.contentLength).to.equal(3)
    expect(parsed.headEnd).to.equal(head.length)
  })

  it('reads from any place of a buffer', () => {
    const text = 'GET /x?y HTTP/1.1\r\nHost: a.test\r\nA: b\r\n\r\n'
    const buf = bytes(`#####${text}#####`)
    const head = new RequestHead()
    expect(parseRequestHead(head, buf, 5, buf.length, limits)).to.equal(text.length)
    expect([head.method, head.path, head.query, head.host, head.header('a')]).to.eql(['GET', '/x', '?y', 'a.test', 'b'])
  })

  it('keeps fields in order, in their letter case, without the whitespace around values', () => {
    const { head } = withFields('X-A: \t b c \t', 'x-a:d', 'Empty:', 'Blank: \t ')
    expect(fieldsOf(head)).to.eql([
      ['Host', 'a.test'],
      ['X-A', 'b c'],
      ['x-a', 'd'],
      ['Empty', ''],
      ['Blank', ''],
    ])
    expect(head.header('X-a')).to.equal('b c, d')
    expect(head.header('none')).to.equal(undefined)
    expect(head.buf.toString('latin1', head.lineStart(2), head.lineStart(3))).to.equal('x-a:d\r\n')
    expect(head.lineStart(head.fieldCount)).to.equal(head.fieldsEnd)
  })

  it('joins Cookie lines with a semicolon', () => {
    expect(withFields('Cookie: a=1', 'Cookie: b=2').head.header('cookie')).to.equal('a=1; b=2')
  })

  it('takes one empty line before the request line and counts it', () => {
    const text = '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'
    const { head, result } = request(text)
    expect(result).to.equal(text.length)
    expect(head.headStart).to.equal(2)
    expect(request(`\r\n${text}`).outcome).to.equal('badRequestLine')
    expect(request('\n').outcome).to.equal('bareLf')
    expect(request('\rG').outcome).to.equal('bareCr')
    expect(request('\r\n').outcome).to.equal('more')
  })

  describe('method', () => {
    it('is known by a number, and others by their name', () => {
      for (const [name, id] of Object.entries(methodId).slice(1)) {
        const target = name === 'connect' ? 'a.test:1' : '/'
        const { head } = request(`${name.toUpperCase()} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)
        expect([head.methodId, head.method]).to.eql([id, name.toUpperCase()])
      }
      const { head } = request('PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n')
      expect([head.methodId, head.method]).to.eql([methodId.other, 'PROPFIND'])
    })

    it('differs from a known one when its letter case does', () => {
      const { head } = request('get / HTTP/1.1\r\nHost: a\r\n\r\n')
      expect([head.methodId, head.method]).to.eql([methodId.other, 'get'])
    })

    it('is refused as soon as an octet cannot belong to it', () => {
      expect(request('G\x01').outcome).to.equal('badMethod')
      expect(request('\x16\x03\x01').outcome).to.equal('badMethod')
      expect(request('G(').outcome).to.equal('badMethod')
      expect(request(' GET').outcome).to.equal('badRequestLine')
      expect(request('GET\r').outcome).to.equal('badRequestLine')
      expect(request('GET\n').outcome).to.equal('bareLf')
      expect(request('G'.repeat(32)).outcome).to.equal('more')
      expect(request('G'.repeat(33)).outcome).to.equal('methodTooLong')
    })
  })

  describe('target', () => {
    it('in origin-form is path and query', () => {
      const { head } = get('/a/b?c=d?e')
      expect([head.targetForm, head.target, head.path, head.query]).to.eql([
        targetForm.origin,
        '/a/b?c=d?e',
        '/a/b',
        '?c=d?e',
      ])
      expect(get('/').head.queryStart).to.equal(-1)
      expect(get('/?').head.query).to.equal('?')
    })

    it('says whether the path is its own normal form', () => {
      for (const target of ['/', '/a.b/c..d/e.', '//', "/;v=1/~u/@:!$&'()*+,=", '/a?/../%zz']) {
        expect(get(target).head.plainPath, target).to.equal(true)
      }
      for (const target of ['/.', '/./a', '/a/../b', '/.well-known', '/%41', '/a\\b', '/a"b', '/a|b', '/..;/']) {
        expect(get(target).head.plainPath, target).to.equal(false)
      }
    })

    it('in absolute-form names the host, whatever Host says', () => {
      const { head } = get('http://b.test:81/p?q')
      expect([head.targetForm, head.scheme, head.host, head.path, head.query]).to.eql([
        targetForm.absolute,
        'http',
        'b.test:81',
        '/p',
        '?q',
      ])
      expect(get('HTTPS://b.test').head).to.include({ scheme: 'https', path: '/', plainPath: true, host: 'b.test' })
      expect(get('http://b.test?q').head).to.include({ path: '/', query: '?q' })
      expect(request('OPTIONS http://b.test HTTP/1.1\r\nHost: b.test\r\n\r\n').head.path).to.equal('*')
    })

    it('in absolute-form has an authority without userinfo, in a scheme that is known', () => {
      for (const target of ['http://', 'http:///p', 'http://:80/', 'http://u@a/', 'http://a:x/', 'http://[::1/']) {
        expect(get(target).outcome, target).to.equal('badHost')
      }
      for (const target of ['ftp://a/', 'http:/a', 'httpx://a/', 'a:80', 'admin/a', '?x', '*', '!']) {
        expect(get(target).outcome, target).to.equal('badTarget')
      }
    })

    it('in authority-form belongs to CONNECT alone and has a port', () => {
      const connect = (target: string) => request(`CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
      const { head } = connect('[::1]:443')
      expect([head.targetForm, head.host, head.path]).to.eql([targetForm.authority, '[::1]:443', ''])
      for (const target of ['a', 'a:', 'a:0', ':1', 'a:65536', '/', 'http://a:1/', '*', '[::1]', 'u@a:1', 'a:1:1']) {
        expect(connect(target).outcome, target).to.equal('badTarget')
      }
    })

    it('in asterisk-form belongs to OPTIONS alone', () => {
      const { head, outcome } = request('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')
      expect([outcome, head.targetForm, head.path]).to.eql(['ok', targetForm.asterisk, '*'])
      expect(request('OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n').outcome).to.equal('badTarget')
    })

    it('holds no fragment, control or octet beyond ASCII', () => {
      for (const target of ['/a#b', '/a\tb', '/a\x7fb', '/\xe9', '/?\x80', '/\0']) {
        expect(get(target).outcome, target).to.equal('badTarget')
      }
    })

    it('is refused when it exceeds its bound, and not when it ends right at it', () => {
      const bounds = { ...limits, maxTargetBytes: 10 }
      expect(request('GET /123456789 HTTP/1.1\r\nHost: a\r\n\r\n', bounds).outcome).to.equal('ok')
      expect(request('GET /123456789', bounds).outcome).to.equal('more')
      expect(request('GET /1234567890', bounds).outcome).to.equal('targetTooLong')
      expect(request('GET /?234567890', bounds).outcome).to.equal('targetTooLong')
    })
  })

  describe('version', () => {
    const line = (version: string) => request(`GET / ${version}\r\nHost: a\r\n\r\n`)

    it('is 1.0, or counts as 1.1 from there up', () => {
      expect(line('HTTP/1.0').head.minorVersion).to.equal(0)
      expect(line('HTTP/1.1').head.minorVersion).to.equal(1)
      expect(line('HTTP/1.9').head.minorVersion).to.equal(1)
    })

    it('of another major number is refused as such', () => {
      for (const version of ['HTTP/0.9', 'HTTP/2.0', 'HTTP/3.0']) expect(line(version).outcome).to.equal('badVersion')
    })

    it('has one spelling', () => {
      for (const version of ['http/1.1', 'HTTP/1', 'HTTP/1.', 'HTTP/1.10', 'HTTP/11.1', 'HTTP/1.1 ', 'HTTP/ 1.1', '']) {
        expect(line(version).outcome, version).to.equal('badRequestLine')
      }
      expect(request('GET /\r\n').outcome).to.equal('badRequestLine')
      expect(request('GET  /').outcome).to.equal('badRequestLine')
      expect(request('GET / HTTP/1.1\n').outcome).to.equal('bareLf')
      expect(request('GET / HTTP/1.1\rX').outcome).to.equal('bareCr')
    })
  })

  describe('field lines', () => {
    it('with a name that is no token are refused', () => {
      for (const line of ['A : b', 'A\t: b', ': b', 'A', 'A\x00: b', '\xe9: b', 'A(: b', 'A\r: b']) {
        expect(withFields(line).outcome, line).to.equal('badFieldName')
      }
    })

    it('with a control octet in the value are refused', () => {
      for (const octet of ['\0', '\x01', '\x08', '\x0b', '\x0c', '\x1f', '\x7f']) {
        expect(withFields(`A: b${octet}c`).outcome).to.equal('badFieldValue')
      }
      expect(withFields('A: \xe9 \x80\xff').outcome).to.equal('ok')
    })

    it('end in CRLF and nothing else', () => {
      expect(withFields('A: b\nC: d').outcome).to.equal('bareLf')
      expect(withFields('A: b\rC: d').outcome).to.equal('bareCr')
      expect(withFields('A: b\r').outcome).to.equal('bareCr')
      expect(withFields('A\n').outcome).to.equal('bareLf')
      expect(get('/', 'Host: a\r\n\n').outcome).to.equal('bareLf')
      expect(get('/', 'Host: a\r\n\rX').outcome).to.equal('bareCr')
    })

    it('are not folded and not indented', () => {
      expect(withFields('A: b', ' c').outcome).to.equal('obsFold')
      expect(withFields('A: b', '\tc').outcome).to.equal('obsFold')
      expect(get('/', ' Host: a\r\n').outcome).to.equal('obsFold')
    })

    it('are refused beyond the bounds', () => {
      const bounds = { ...limits, maxFields: 2, maxHeadBytes: 60 }
      const start = 'GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n'
      expect(request(`${start}\r\n`, bounds).outcome).to.equal('ok')
      expect(request(`${start}C`, bounds).outcome).to.equal('tooManyFields')
      const filled = `GET / HTTP/1.1\r\nHost: a\r\nA: ${'b'.repeat(28)}\r\n\r\n`
      expect(filled.length).to.equal(60)
      expect(request(filled, bounds).outcome).to.equal('ok')
      expect(request(filled.replace('b', 'bb'), bounds).outcome).to.equal('tooLarge')
      expect(request(filled.replace('b', 'bb').slice(0, 59), bounds).outcome).to.equal('more')
    })

    it('grow the table for a larger bound', () => {
      const lines = Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}`)
      const { head } = request(`GET / HTTP/1.1\r\nHost: a\r\n${lines.join('\r\n')}\r\n\r\n`, {
        ...limits,
        maxFields: 301,
      })
      expect([head.fieldCount, head.value(300)]).to.eql([301, '299'])
    })
  })

  describe('Host', () => {
    it('is required in HTTP/1.1, once, and may be absent in HTTP/1.0', () => {
      expect(get('/', '').outcome).to.equal('missingHost')
      expect(get('http://a.test/', '').outcome).to.equal('missingHost')
      expect(withFields('hOST: b').outcome).to.equal('duplicateHost')
      const { head, outcome } = request('GET / HTTP/1.0\r\n\r\n')
      expect([outcome, head.host, head.hostStart]).to.eql(['ok', '', -1])
    })

    it('may be empty, and is refused when it is no host and port', () => {
      expect(get('/', 'Host:\r\n').outcome).to.equal('ok')
      expect(get('/', 'Host: a b\r\n').outcome).to.equal('badHost')
      expect(get('http://a/', 'Host: a/b\r\n').outcome).to.equal('badHost')
    })
  })

  describe('framing', () => {
    it('by Content-Length is one decimal number', () => {
      expect(withFields('Content-Length: 0010').head.contentLength).to.equal(10)
      expect(withFields(`Content-Length: ${Number.MAX_SAFE_INTEGER}`).head.contentLength).to.equal(
        Number.MAX_SAFE_INTEGER,
      )
      for (const value of ['', '-1', '+1', '1 1', '0x1', '1,1', '1.0', 'a', '9007199254740992', '9'.repeat(40)]) {
        expect(withFields(`Content-Length: ${value}`).outcome, value).to.equal('badContentLength')
      }
      expect(withFields('Content-Length: 1', 'Content-Length: 1').outcome).to.equal('badContentLength')
      expect(get('/').head.contentLength).to.equal(-1)
    })

    it('by Transfer-Encoding is exactly chunked', () => {
      expect(withFields('Transfer-Encoding: cHuNkEd').head.chunked).to.equal(true)
      for (const value of ['', ',', 'chunked,', ',chunked', '"chunked"', 'chunked;q=1', 'chunked, gzip', 'chunked x']) {
        expect(withFields(`Transfer-Encoding: ${value}`).outcome, value).to.equal('badTransferEncoding')
      }
      for (const value of ['gzip', 'gzip, chunked', 'identity', 'xchunked', 'gzip , br,chunked']) {
        expect(withFields(`Transfer-Encoding: ${value}`).outcome, value).to.equal('unknownTransferCoding')
      }
      const twice = withFields('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')
      expect(twice.outcome).to.equal('badTransferEncoding')
      const old = request('POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n')
      expect(old.outcome).to.equal('badTransferEncoding')
    })

    it('by both is refused, in either order', () => {
      for (const lines of [
        ['Content-Length: 1', 'Transfer-Encoding: chunked'],
        ['Transfer-Encoding: chunked', 'Content-Length: 1'],
      ]) {
        expect(withFields(...lines).outcome).to.equal('conflictingFraming')
      }
    })
  })

  describe('connection', () => {
    it('persists by version and option', () => {
      const keeps = (version: string, line: string) =>
        request(`GET / HTTP/${version}\r\nHost: a\r\n${line}\r\n`).head.keepAlive
      expect(keeps('1.1', '')).to.equal(true)
      expect(keeps('1.1', 'Connection: close\r\n')).to.equal(false)
      expect(keeps('1.1', 'Connection: keep-alive, CLOSE\r\n')).to.equal(false)
      expect(keeps('1.0', '')).to.equal(false)
      expect(keeps('1.0', 'Connection: Keep-Alive\r\n')).to.equal(true)
      expect(keeps('1.0', 'Connection: keep-alive\r\nConnection: close\r\n')).to.equal(false)
    })

    it('names fields that end here, over several lines and in any letter case', () => {
      const { head } = withFields('Connection: close, X-a', 'X-A: 1', 'connection: ,te,x-B ,', 'x-b: 2', 'X-C: 3')
      expect(head.connectionNamesOthers).to.equal(true)
      expect([1, 2, 3, 4, 5].filter((i) => head.isNamedByConnection(i)).map((i) => head.name(i))).to.eql(['X-A', 'x-b'])
      expect(withFields('Connection: close, Keep-Alive, upgrade, TE').head.connectionNamesOthers).to.equal(false)
    })

    it('cannot name Host or framing away', () => {
      const { head } = withFields('Connection: host, content-length', 'Content-Length: 0')
      expect([0, 1, 2].some((i) => head.isNamedByConnection(i))).to.equal(false)
    })

    it('is refused when an option is no token', () => {
      for (const value of ['a b', '"close"', 'close;', 'a,b c']) {
        expect(withFields(`Connection: ${value}`).outcome).to.equal('badConnection')
      }
    })

    it('is upgraded when both fields ask for it, in HTTP/1.1', () => {
      expect(withFields('Connection: Upgrade', 'Upgrade: websocket').head.upgrade).to.equal(true)
      expect(withFields('Upgrade: websocket').head.upgrade).to.equal(false)
      expect(withFields('Connection: upgrade').head).to.include({ upgrade: false, connectionUpgrade: true })
      const old = request('GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n').head
      expect(old).to.include({ upgrade: false, connectionUpgrade: false })
    })
  })

  it('reads Expect, which HTTP/1.0 cannot ask for', () => {
    expect(withFields('Expect: 100-Continue').head).to.include({ expectContinue: true, expectsOther: false })
    expect(withFields('Expect: x').head).to.include({ expectContinue: false, expectsOther: true })
    const old = request('POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n').head
    expect(old).to.include({ expectContinue: false, expectsOther: false })
  })

  it('finds trailers in TE', () => {
    expect(withFields('TE: deflate;q=0.5 , Trailers').head.teTrailers).to.equal(true)
    expect(withFields('TE: xtrailers', 'TE: trailers').head.teTrailers).to.equal(true)
    expect(withFields('TE: deflate, trailersx').head.teTrailers).to.equal(false)
  })

  it('tells by one mask whether anything has to be dropped', () => {
    expect(withFields('Accept: x').head.seen & (HOP_BY_HOP_MASK | ORIGIN_MASK)).to.equal(0)
    expect(withFields('Keep-Alive: x').head.seen & HOP_BY_HOP_MASK).not.to.equal(0)
    expect(withFields('X-Real_Ip: x').head.seen & ORIGIN_MASK).not.to.equal(0)
    const { head } = withFields('Date: x', 'Via: y', 'via: z')
    expect(head.indexOf(fieldId.via)).to.equal(2)
    expect(head.indexOf(fieldId.via, 3)).to.equal(3)
    expect(head.indexOf(fieldId.server)).to.equal(-1)
  })

  it('forgets the head before', () => {
    const head = new RequestHead()
    const first = bytes(
      'POST http://b/?q HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\nTransfer-Encoding: chunked\r\nExpect: x\r\n\r\n',
    )
    const second = bytes('GET /a HTTP/1.1\r\nHost: c\r\n\r\n')
    parseRequestHead(head, first, 0, first.length, limits)
    parseRequestHead(head, second, 0, second.length, limits)
    const fresh = new RequestHead()
    parseRequestHead(fresh, second, 0, second.length, limits)
    const stateOf = (one: RequestHead) => JSON.stringify(one, (key, value) => (key === 'table' ? 0 : value))
    expect(stateOf(head)).to.equal(stateOf(fresh))
  })
})

describe('RequestHead.retain', () => {
  it('outlives the lent octets', () => {
    const text =
      '\r\nPUT http://b.test/p?q HTTP/1.1\r\nHost: a\r\nConnection: x-a\r\nX-A: 1\r\nContent-Length: 7\r\n\r\n'
    const buf = bytes(`###${text}body`)
    const head = new RequestHead()
    parseRequestHead(head, buf, 3, buf.length, limits)
    const kept = head.retain()
    buf.fill(0xdb)
    parseRequestHead(head, bytes('GET / HTTP/1.1\r\nHost: z\r\n\r\n'), 0, 29, limits)
    expect([kept.method, kept.target, kept.path, kept.query, kept.host, kept.contentLength]).to.eql([
      'PUT',
      'http://b.test/p?q',
      '/p',
      '?q',
      'b.test',
      7,
    ])
    expect(fieldsOf(kept).length).to.equal(4)
    expect(kept.header('x-a')).to.equal('1')
    expect(kept.isNamedByConnection(2)).to.equal(true)
    expect(kept.buf.length).to.equal(text.length - 2)
    expect(kept.lineStart(4)).to.equal(kept.fieldsEnd)
    expect(kept.retain().path).to.equal('/p')
  })
})
