import { once } from 'node:events'
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2'
import { expect } from 'chai'
import { Authority } from '../../../test/e2e/support/certificates.ts'
import { eventually } from '../../testkit/src/raw/index.ts'
import { type Backend, randomSha256, startHttp2Backend } from '../src/index.ts'

interface Answer {
  readonly head: IncomingHttpHeaders
  readonly informational: readonly IncomingHttpHeaders[]
  readonly body: Buffer
  readonly trailers: IncomingHttpHeaders
  readonly reset: number
}

function ask(session: ClientHttp2Session, path: string, body?: Buffer, fields: object = {}): Promise<Answer> {
  return new Promise((resolve) => {
    const method = body === undefined ? 'GET' : 'POST'
    const stream = session.request({ ':method': method, ':path': path, ...fields }, { endStream: body === undefined })
    let head: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    const informational: IncomingHttpHeaders[] = []
    const chunks: Buffer[] = []
    stream.on('headers', (fields1xx) => informational.push(fields1xx))
    stream.on('response', (fieldsOfHead) => (head = fieldsOfHead))
    stream.on('trailers', (last) => (trailers = last))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => undefined)
    const done = () => resolve({ head, informational, body: Buffer.concat(chunks), trailers, reset: stream.rstCode })
    stream.on('close', done)
    // Node never closes a stream that is reset with NO_ERROR while it still sends.
    stream.on('end', () => setImmediate(() => stream.writableFinished || done()))
    if (body !== undefined) stream.end(body)
  })
}

describe('HTTP/2 backend', () => {
  let backend: Backend
  let session: ClientHttp2Session

  before(async () => {
    backend = await startHttp2Backend({ name: 'http2-1' })
  })

  beforeEach(() => {
    backend.resetStats()
    session = connect(`http://127.0.0.1:${backend.address.port}`).on('error', () => undefined)
  })

  afterEach(async () => {
    session.destroy()
    await eventually(() => backend.stats().running === 0)
  })

  after(() => backend.close())

  it('echoes method, path, fields in their order and body', async () => {
    const { head, body } = await ask(session, '/a%2Fb//c?q=1', Buffer.from('hello'), { 'x-b': ['2', '3'], 'x-a': '1' })
    expect(head).to.include({ ':status': 200, 'x-backend': 'http2-1' })
    const echo = JSON.parse(String(body)) as { rawHeaders: string[] }
    expect(echo).to.include({ method: 'POST', path: '/a%2Fb//c?q=1', httpVersion: '2.0', body: 'hello' })
    expect(echo.rawHeaders.slice(-6)).to.deep.equal(['x-b', '2', 'x-b', '3', 'x-a', '1'])
  })

  for (const size of [0, 1, 65_536, 1_000_000]) {
    it(`sends ${size} bytes with their length`, async () => {
      const { head, body } = await ask(session, `/bytes/${size}`)
      expect([head['content-length'], body.length]).to.deep.equal([String(size), size])
    })
  }

  it('hashes what it is sent', async () => {
    const { body } = await ask(session, '/hash', Buffer.alloc(300_000))
    expect(JSON.parse(String(body))).to.deep.include({ length: 300_000 })
  })

  it('sends trailers, and tells those that came', async () => {
    const { body, trailers } = await ask(session, '/random/100000?seed=3&framing=chunked')
    expect([body.length, trailers['x-sha256']]).to.deep.equal([100_000, randomSha256(100_000, 3)])
    const stream = session.request({ ':method': 'POST', ':path': '/trailers' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sent': 'yes' }))
    stream.end('abc')
    let text = ''
    for await (const chunk of stream) text += String(chunk)
    expect(JSON.parse(text)).to.deep.equal({ length: 3, trailers: { 'x-sent': 'yes' } })
  })

  it('sends informational answers first', async () => {
    const { head, informational } = await ask(session, '/informational?n=2')
    expect(informational.map((one) => one.link)).to.deep.equal([
      '</style-1.css>; rel=preload',
      '</style-2.css>; rel=preload',
    ])
    expect(head[':status']).to.equal(200)
  })

  it('asks for the body when the client waits for 100', async () => {
    const stream = session.request({ ':method': 'POST', ':path': '/hash', expect: '100-continue' })
    await once(stream, 'continue')
    stream.end('abc')
    let text = ''
    for await (const chunk of stream) text += String(chunk)
    expect(text).to.include('"length": 3')
  })

  it('resets a stream at once, after the head, in the body, or after its end', async () => {
    const none = await ask(session, '/reset')
    expect([none.head[':status'], none.reset]).to.deep.equal([undefined, constants.NGHTTP2_INTERNAL_ERROR])
    const head = await ask(session, '/reset?after=head&code=8')
    expect([head.head[':status'], head.body.length, head.reset]).to.deep.equal([200, 0, constants.NGHTTP2_CANCEL])
    const body = await ask(session, '/reset?after=body&size=1000')
    expect([body.body.length, body.reset]).to.deep.equal([500, constants.NGHTTP2_INTERNAL_ERROR])
    const all = await ask(session, '/reset?after=all', Buffer.alloc(1_000_000))
    expect([all.body.length, all.reset]).to.deep.equal([1_000, constants.NGHTTP2_NO_ERROR])
  })

  it('sends GOAWAY and serves the stream, or does not', async () => {
    const refused = [ask(session, '/slow?ms=20'), ask(session, '/goaway?refused=1')]
    expect((await Promise.all(refused)).map(({ head, reset }) => [head[':status'], reset])).to.deep.equal([
      [200, 0],
      [undefined, constants.NGHTTP2_REFUSED_STREAM],
    ])
    const other = connect(`http://127.0.0.1:${backend.address.port}`)
    const [{ head }] = await Promise.all([ask(other, '/goaway'), once(other, 'goaway'), once(other, 'close')])
    expect(head[':status']).to.equal(200)
  })

  it('breaks the connection off', async () => {
    const { head } = await ask(session, '/drop')
    expect(head[':status']).to.equal(undefined)
    await eventually(() => session.destroyed)
  })

  it('lowers the number of streams, and sends heads of any size', async () => {
    await ask(session, '/settings?streams=7')
    expect(session.remoteSettings.maxConcurrentStreams).to.equal(7)
    const { head } = await ask(session, '/head/20000')
    expect(head['x-filler-19']).to.have.length(1_000)
  })

  it('counts streams at once and those that are broken off', async () => {
    const streams = Array.from({ length: 3 }, () => session.request({ ':path': '/hang' }))
    for (const stream of streams) stream.on('error', () => undefined)
    await eventually(() => backend.stats().running === 3)
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
    await eventually(() => backend.stats().running === 0)
    await ask(session, '/hello')
    expect(backend.stats()).to.deep.equal({ running: 0, max: 3, total: 4, aborted: 3 })
  })

  it('says 400 to what makes no sense', async () => {
    expect((await ask(session, '/bytes/many')).head[':status']).to.equal(400)
  })

  it('speaks TLS when it has a certificate', async () => {
    const authority = new Authority()
    const { cert, key } = authority.issue('listener')
    const secure = await startHttp2Backend({ tls: { cert, key } })
    const other = connect(`https://localhost:${secure.address.port}`, { ca: authority.ca })
    expect((await ask(other, '/hello')).head[':status']).to.equal(200)
    other.close()
    await secure.close()
    authority.remove()
  })
})
