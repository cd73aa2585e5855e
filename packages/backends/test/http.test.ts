import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { eventually, parseResponses, RawClient } from '../../testkit/src/raw/index.ts'
import { type Backend, randomBytesOf, randomSha256, startHttpBackend } from '../src/index.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('HTTP backend', () => {
  let backend: Backend
  let base: string
  const clients: RawClient[] = []

  /** Sends raw bytes. Requests that want the whole answer end with `connection: close`. */
  const open = async (bytes: string): Promise<RawClient> => {
    const client = await RawClient.connect(backend.address.port)
    clients.push(client)
    await client.write(bytes)
    return client
  }
  const get = (path: string): Promise<RawClient> => open(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)

  before(async () => {
    backend = await startHttpBackend({ name: 'http-1' })
    base = `http://127.0.0.1:${backend.address.port}`
  })

  beforeEach(() => backend.resetStats())

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()))
    await eventually(() => backend.stats().running === 0)
  })

  after(() => backend.close())

  it('echoes method, path, headers in their order and case, and body', async () => {
    const client = await open(
      'PUT /a%2Fb//c?q=1 HTTP/1.1\r\nHost: h\r\nX-B: 2\r\nx-a: 1\r\nX-B: 3\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello',
    )
    const [response] = parseResponses(await client.readToEnd())
    expect(response!.header('x-backend')).to.equal('http-1')
    const echo = JSON.parse(response!.body.toString()) as Record<string, unknown>
    expect(echo).to.include({ backend: 'http-1', method: 'PUT', path: '/a%2Fb//c?q=1', body: 'hello' })
    const raw = ['Host', 'h', 'X-B', '2', 'x-a', '1', 'X-B', '3', 'Content-Length', '5', 'Connection', 'close']
    expect(echo.rawHeaders).to.deep.equal(raw)
  })

  it('echoes a body that is no text in base64', async () => {
    const body = new Uint8Array([0xff, 0xfe, 0])
    const echo = (await (await fetch(base, { method: 'POST', body })).json()) as { bodyBase64: string }
    expect(echo.bodyBase64).to.equal('//4A')
  })

  for (const size of [0, 1, 65_536, 65_537, 1_000_000]) {
    it(`sends ${size} bytes with their length`, async () => {
      const response = await fetch(`${base}/bytes/${size}`)
      expect(response.headers.get('content-length')).to.equal(String(size))
      expect((await response.arrayBuffer()).byteLength).to.equal(size)
    })
  }

  it('answers 400 to what it cannot do', async () => {
    for (const path of ['/bytes/x', '/bytes/', '/status/99', '/slow?ms=-1']) {
      expect((await fetch(base + path)).status, path).to.equal(400)
    }
  })

  it('answers with the status asked for', async () => {
    for (const status of [204, 304, 418, 503]) expect((await fetch(`${base}/status/${status}`)).status).to.equal(status)
  })

  it('sends slow and chunked bodies piece by piece', async () => {
    const drip = parseResponses(await (await get('/drip?n=3&ms=1&size=5')).readToEnd())[0]!
    expect(drip).to.include({ framing: 'length', complete: true })
    expect(drip.body.length).to.equal(15)
    const chunked = parseResponses(await (await get('/chunked?n=3&size=7')).readToEnd())[0]!
    expect(chunked.chunks).to.deep.equal([7, 7, 7])
  })

  it('announces and sends trailers, and tells those it got', async () => {
    const client = await open(
      'POST /trailers HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n' +
        '3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n',
    )
    const [response] = parseResponses(await client.readToEnd())
    expect(response!.header('trailer')).to.equal('x-length, x-end')
    expect(response!.trailers).to.deep.equal([
      ['x-length', '3'],
      ['x-end', 'yes'],
    ])
    expect(JSON.parse(response!.body.toString())).to.deep.equal({ length: 3, trailers: { 'x-t': '1' } })
  })

  it('answers early, and keeps the connection for the next request', async () => {
    const client = await open('POST /early?status=429 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n')
    expect(await client.readHead()).to.match(/^HTTP\/1\.1 429 /)
    await client.write('helloGET /status/204 HTTP/1.1\r\nhost: a\r\n\r\n')
    expect((await client.readUntil(/HTTP\/1\.1 204 /)).length).to.be.above(0)
  })

  it('answers early and hangs up', async () => {
    const client = await open('POST /early?close=1 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n')
    const [response] = parseResponses(await client.readToEnd())
    expect(response).to.include({ status: 413, complete: true })
  })

  it('says 100 when it wants the body, and only then', async () => {
    const request = 'host: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n'
    const wanted = await open(`POST /continue HTTP/1.1\r\n${request}`)
    expect(await wanted.readHead()).to.equal('HTTP/1.1 100 Continue\r\n\r\n')
    await wanted.write('hello')
    expect(await wanted.readHead()).to.match(/^HTTP\/1\.1 200 /)
    for (const [path, status] of [
      ['/expect-fail', 417],
      ['/early', 413],
    ]) {
      const refused = await open(`POST ${path} HTTP/1.1\r\n${request}`)
      expect(await refused.readHead(), String(path)).to.match(new RegExp(`^HTTP/1.1 ${status} `))
    }
  })

  it('sends 103 before 200', async () => {
    const responses = parseResponses(await (await get('/informational?n=2')).readToEnd())
    expect(responses.map((response) => response.status)).to.deep.equal([103, 103, 200])
  })

  it('ends a body with the connection', async () => {
    const [response] = parseResponses(await (await get('/close?size=10')).readToEnd())
    expect(response).to.include({ framing: 'close', complete: true })
    expect(response!.body.length).to.equal(10)
    expect(response!.header('transfer-encoding')).to.equal(undefined)
  })

  for (const [after, pattern] of [
    ['none', /^$/],
    ['head', /^HTTP\/1\.1 200 [^]*content-length: 1000[^]*\r\n\r\n$/],
    ['body', /\r\n\r\nx{500}$/],
  ] as const) {
    it(`breaks off with a reset after ${after}`, async () => {
      const client = await get(`/reset?after=${after}`)
      expect((await client.closed).by).to.equal('rst')
      expect(client.buffered.toString('latin1')).to.match(pattern)
    })
  }

  it('tells length and hash of a body', async () => {
    const body = randomBytesOf(300_000, 7)
    const response = await fetch(`${base}/hash`, { method: 'POST', body })
    expect(await response.json()).to.deep.equal({ length: 300_000, sha256: sha256(body), trailers: {} })
  })

  it('sends known bytes with their hash as header or trailer', async () => {
    const expected = randomSha256(200_000, 3)
    const whole = await fetch(`${base}/random/200000?seed=3`)
    expect(whole.headers.get('x-sha256')).to.equal(expected)
    expect(sha256(new Uint8Array(await whole.arrayBuffer()))).to.equal(expected)
    const [chunked] = parseResponses(await (await get('/random/200000?seed=3&framing=chunked')).readToEnd())
    expect(chunked!.trailers).to.deep.equal([['x-sha256', expected]])
    expect(sha256(chunked!.body)).to.equal(expected)
    expect(randomSha256(200_000, 4)).to.not.equal(expected)
  })

  it('sends events', async () => {
    const response = await fetch(`${base}/sse?n=2&ms=1`)
    expect(response.headers.get('content-type')).to.equal('text/event-stream')
    expect(await response.text()).to.equal('id: 1\ndata: event 1\n\nid: 2\ndata: event 2\n\n')
  })

  it('counts what runs at once, and not the questions about it', async () => {
    const hanging = await Promise.all([get('/hang'), get('/hang'), get('/hang')])
    await eventually(() => backend.stats().running === 3)
    expect(await (await fetch(`${base}/max`)).json()).to.deep.equal({ running: 3, max: 3, total: 3, aborted: 0 })
    await hanging[0]!.fin()
    hanging[1]!.rst()
    await eventually(() => backend.stats().running === 1)
    expect(backend.stats()).to.deep.equal({ running: 1, max: 3, total: 3, aborted: 2 })
    expect(await (await fetch(`${base}/max/reset`)).json()).to.deep.equal({ running: 1, max: 1, total: 1, aborted: 0 })
  })

  it('ends what hangs when it closes', async () => {
    const own = await startHttpBackend()
    const client = await RawClient.connect(own.address.port)
    await client.write('GET /hang HTTP/1.1\r\nhost: a\r\n\r\n')
    await eventually(() => own.stats().running === 1)
    await own.close()
    await client.ended
    await client.close()
    expect(own.stats().running).to.equal(0)
  })
})
