import { expect } from 'chai'
import {
  dataFrame,
  frame,
  h2,
  headerBlock,
  headersFrame,
  pingFrame,
  type RawFields,
  type RawHttp2,
  requestFields,
} from '../../../testkit/src/http2/index.ts'
import { eventually } from '../../../testkit/src/raw/index.ts'
import { FourPairs, type FourPairsOptions, valueOf } from './four-pairs.ts'

const versions = [1, 2] as const

describe('requests of HTTP/2', () => {
  let all: FourPairs
  const start = async (options: FourPairsOptions = {}): Promise<void> => {
    all = await FourPairs.start(options)
  }
  afterEach(() => all.close())

  /** How a stream ended: with a status, or the code of its reset. */
  async function end(peer: RawHttp2, id: number): Promise<string> {
    let status = ''
    for (;;) {
      const { type, flags, payload, fields } = await peer.next({ id })
      if (type === h2.rstStream) return `${status}reset ${payload.readUInt32BE()}`
      if (fields !== undefined) status = `${valueOf(fields, ':status')} `
      if (type <= h2.headers && (flags & h2.endStream) !== 0) return status.trim()
    }
  }

  /** The session serves on. */
  async function serves(peer: RawHttp2, id: number): Promise<void> {
    await peer.send(headersFrame(id, requestFields('/after')))
    expect(await end(peer, id)).to.equal('200')
  }

  const get = (more: RawFields): RawFields => [[':method', 'GET'], [':scheme', 'http'], ...more]
  const pathed = (path: string, more: RawFields = []): RawFields =>
    get([[':path', path], [':authority', 'a.test'], ...more])

  describe('that are malformed', () => {
    const malformed: readonly (readonly [name: string, fields: RawFields])[] = [
      ['without a path', get([[':authority', 'a.test']])],
      ['with an empty path', pathed('')],
      [
        'without a method',
        [
          [':scheme', 'http'],
          [':path', '/'],
        ],
      ],
      ['with two methods', [[':method', 'GET'], ...pathed('/')]],
      ['with an unknown pseudo-field', [[':foo', 'x'], ...pathed('/')]],
      ['with a status', [[':status', '200'], ...pathed('/')]],
      ['with a pseudo-field behind others', [...pathed('/', [['x-a', '1']]), [':scheme', 'http']]],
      ['with a name in capitals', pathed('/', [['X-A', '1']])],
      ['with Connection', pathed('/', [['connection', 'keep-alive']])],
      ['with Keep-Alive', pathed('/', [['keep-alive', 'timeout=5']])],
      ['with Proxy-Connection', pathed('/', [['proxy-connection', 'close']])],
      ['with Transfer-Encoding', pathed('/', [['transfer-encoding', 'chunked']])],
      ['with Upgrade', pathed('/', [['upgrade', 'websocket']])],
      ['with TE other than trailers', pathed('/', [['te', 'gzip']])],
      ['with a line break in a value', pathed('/', [['x-a', 'b\r\nx-b: c']])],
      ['with a NUL in a value', pathed('/', [['x-a', '\0']])],
      ['with a space around a value', pathed('/', [['x-a', ' b']])],
      ['with a colon in a name', pathed('/', [['x:a', 'b']])],
      ['with a space in a name', pathed('/', [['x a', 'b']])],
      [
        'with two lengths',
        pathed('/', [
          ['content-length', '0'],
          ['content-length', '0'],
        ]),
      ],
      ['with a length that is none', pathed('/', [['content-length', '+1']])],
      [
        'with a method that is no token',
        [
          [':method', 'GE T'],
          [':scheme', 'http'],
          [':path', '/'],
          [':authority', 'a'],
        ],
      ],
      ['with a length and no body', pathed('/', [['content-length', '5']])],
    ]
    for (const [name, fields] of malformed) {
      it(`are reset, and cost no other stream: ${name}`, async () => {
        await start()
        const peer = await all.session(1)
        await peer.send(headersFrame(1, fields))
        expect(await end(peer, 1)).to.equal('reset 1')
        await serves(peer, 3)
        expect(all.seen.map(({ target }) => target)).to.deep.equal(['/after'])
      })
    }

    const refused: readonly (readonly [name: string, fields: RawFields])[] = [
      ['whose Host is not their :authority', pathed('/', [['host', 'b.test']])],
      [
        'with two Hosts',
        get([
          [':path', '/'],
          ['host', 'a.test'],
          ['host', 'b.test'],
        ]),
      ],
      [
        'with an authority that is none',
        get([
          [':path', '/'],
          [':authority', 'a.test/x'],
        ]),
      ],
      [
        'with user information in the authority',
        get([
          [':path', '/'],
          [':authority', 'user@a.test'],
        ]),
      ],
      ['with a path that is none', pathed('x')],
      ['with a space in the path', pathed('/a b')],
      ['with a fragment', pathed('/a#b')],
      ['with a backslash in the path', pathed('/a\\b')],
      ['with NUL in the path', pathed('/a%00b')],
      ['with dot segments above the root', pathed('/../x')],
      ['with half an escape', pathed('/%4')],
      ['with * for another method than OPTIONS', pathed('*')],
    ]
    for (const [name, fields] of refused) {
      it(`are answered with 400, and cost no other stream: ${name}`, async () => {
        await start()
        for (const upstream of versions) {
          const peer = await all.session(upstream)
          await peer.send(headersFrame(1, fields))
          const answer = await peer.message(1)
          expect([answer.status, valueOf(answer.fields, 'x-sluice-reason')]).to.deep.equal([400, 'badRequest'])
          await serves(peer, 3)
        }
        expect(all.seen.map(({ target }) => target)).to.deep.equal(['/after', '/after'])
      })
    }

    it('are reset when the body is longer or shorter than its length, and the upstream hears of it', async () => {
      await start()
      for (const upstream of versions) {
        const peer = await all.session(upstream)
        const fields = requestFields('/', 'POST', [['content-length', '10']])
        await peer.send(headersFrame(1, fields, h2.endHeaders), dataFrame(1, 'x'.repeat(11), { end: true }))
        expect(await end(peer, 1)).to.equal('reset 1')
        await peer.send(headersFrame(3, fields, h2.endHeaders), dataFrame(3, 'x', { end: true }))
        expect(await end(peer, 3)).to.equal('reset 1')
        await serves(peer, 5)
      }
    })

    it('are reset when pseudo-fields stand in trailers', async () => {
      await start()
      const peer = await all.session(2)
      await peer.send(headersFrame(1, requestFields('/', 'POST'), h2.endHeaders), headersFrame(1, [[':path', '/']]))
      expect(await end(peer, 1)).to.equal('reset 1')
      await serves(peer, 3)
    })
  })

  describe('for paths', () => {
    const strip = (up: string) => ({ routes: [{ match: { path: '/api/*' }, stripPrefix: '/api', upstream: up }] })
    const cases: readonly (readonly [came: string, went: string])[] = [
      ['/api/a/../b', '/b'],
      ['/api/./a/%2e%2e/b?x=/../y', '/b?x=/../y'],
      ['/api/a%2Fb', '/a%2Fb'],
      ['/api//a', '//a'],
      ['/api', '/'],
      ['/api?x', '/?x'],
      ['/%61pi/x', '/x'],
    ]
    for (const [came, went] of cases) {
      it(`strips a prefix from ${came}`, async () => {
        await start({ listener: strip })
        for (const upstream of versions) {
          for (const client of versions) {
            const { up, down } = await all.pass({ client, upstream }, { target: came }, { body: 'ok' })
            expect([down.status, up?.target], `${client}→${upstream}`).to.deep.equal([200, went])
          }
        }
      })
    }
  })

  describe('that are too large', () => {
    it('are answered with 431, for a field and for too many, and cost no other stream', async () => {
      await start()
      const peer = await all.session(1)
      await peer.send(headersFrame(1, requestFields('/', 'GET', [['x-large', 'x'.repeat(16_300)]])))
      expect(await end(peer, 1)).to.equal('431')
      const many = Array.from({ length: 101 }, (_, i) => [`x-${i}`, '1'] as const)
      await peer.send(headersFrame(3, requestFields('/', 'GET', many)))
      const answer = await peer.message(3)
      expect([answer.status, valueOf(answer.fields, 'x-sluice-reason')]).to.deep.equal([431, 'headTooLarge'])
      await serves(peer, 5)
      expect(all.seen).to.have.length(1)
    })

    it('are answered with 431 when they come in many frames', async () => {
      await start()
      const peer = await all.session(2)
      await peer.send(
        headersFrame(1, requestFields(), h2.endStream),
        frame(h2.continuation, { id: 1, payload: headerBlock([['x-a', 'x'.repeat(15_000)]]) }),
        frame(h2.continuation, { id: 1, flags: h2.endHeaders, payload: headerBlock([['x-b', 'x'.repeat(15_000)]]) }),
      )
      expect(await end(peer, 1)).to.equal('431')
      await serves(peer, 3)
    })

    it('are answered with 414 for a long target', async () => {
      await start()
      const peer = await all.session(1)
      await peer.send(headersFrame(1, requestFields(`/${'x'.repeat(9_000)}`)))
      const answer = await peer.message(1)
      expect([answer.status, valueOf(answer.fields, 'x-sluice-reason')]).to.deep.equal([414, 'uriTooLong'])
      await serves(peer, 3)
    })
  })

  describe('of other kinds', () => {
    it('are answered with 405 for CONNECT', async () => {
      await start()
      const peer = await all.session(1)
      await peer.send(
        headersFrame(
          1,
          [
            [':method', 'CONNECT'],
            [':authority', 'a.test:443'],
          ],
          h2.endHeaders,
        ),
      )
      expect(await end(peer, 1)).to.match(/^405/)
      await serves(peer, 3)
    })

    it('are reset for an extended CONNECT, which is not on offer', async () => {
      await start()
      const peer = await all.session(1)
      await peer.send(headersFrame(1, [[':protocol', 'websocket'], ...requestFields('/', 'CONNECT')], h2.endHeaders))
      expect(await end(peer, 1)).to.equal('reset 1')
      await serves(peer, 3)
    })

    it('are answered with 417 for an unknown expectation', async () => {
      await start()
      const peer = await all.session(2)
      await peer.send(headersFrame(1, requestFields('/', 'POST', [['expect', 'miracles']])))
      expect(await end(peer, 1)).to.equal('417')
    })
  })

  describe('that wait for a 100', () => {
    for (const upstream of versions) {
      it(`get it from HTTP/${upstream}, and the body goes up then`, async () => {
        await start()
        const peer = await all.session(upstream)
        const fields = requestFields('/', 'POST', [
          ['expect', '100-continue'],
          ['content-length', '5'],
        ])
        await peer.send(headersFrame(1, fields, h2.endHeaders))
        // The upstream here reads the body first: what is not sent before its 100 comes with it.
        await peer.send(dataFrame(1, 'hello', { end: true }))
        expect(await end(peer, 1)).to.equal('200')
        expect(all.seen[0]).to.include({ body: 'hello' })
        expect(valueOf(all.seen[0]!.fields, 'expect')).to.equal('100-continue')
      })
    }
  })

  describe('answered by us', () => {
    it('get what a route responds and where it redirects to', async () => {
      await start({
        listener: (up) => ({
          routes: [
            { match: { path: '/hello' }, respond: { status: 200, body: 'hello', headers: { 'X-Own': 'yes' } } },
            { match: { path: '/old/*' }, redirect: { to: 'https://{host}/new{path}?{query}', status: 308 } },
            { match: { path: '/nothing' }, respond: { status: 204 } },
            { match: { path: '/up' }, upstream: up },
          ],
        }),
      })
      const pair = { client: 2, upstream: 1 } as const
      const hello = (await all.pass(pair, { target: '/hello' })).down
      expect(hello).to.include({ status: 200, body: 'hello', length: 5 })
      expect(valueOf(hello.fields, 'x-own')).to.equal('yes')
      expect((await all.pass(pair, { target: '/hello', method: 'HEAD' })).down).to.include({ body: '', length: 5 })
      expect((await all.pass(pair, { target: '/nothing' })).down).to.include({ status: 204, length: undefined })
      const { down } = await all.pass(pair, { target: '/old/x?y=z' })
      expect(down.status).to.equal(308)
      expect(valueOf(down.fields, 'location')).to.match(/^https:\/\/a\.test\/new\/old\/x/)
      const missing = (await all.pass(pair, { target: '/missing' })).down
      expect([missing.status, valueOf(missing.fields, 'x-sluice-reason')]).to.deep.equal([404, 'noRoute'])
    })

    it('hear of a full gate with 503, when to come again, and why', async () => {
      await start({ listener: (up) => ({ upstream: up, gate: { limit: 1, queue: 0 } }) })
      const peer = await all.session(1)
      await peer.send(headersFrame(1, requestFields('/', 'POST', [['content-length', '100000']]), h2.endHeaders))
      await eventually(() => all.proxy.stats().gates.some(({ running }) => running === 1))
      await peer.send(headersFrame(3, requestFields('/')))
      const { status, fields, content } = await peer.message(3)
      expect(status).to.equal(503)
      expect(valueOf(fields, 'retry-after')).to.match(/^\d+$/)
      expect(valueOf(fields, 'x-sluice-reason')).to.equal('queueFull')
      expect(fields.map(([name]) => name).join()).not.to.match(/connection|[A-Z]/)
      expect(content.toString()).to.equal('503 Service Unavailable\n')
      await eventually(() => all.accounts.some(({ reason, status: code }) => reason === 'queueFull' && code === '503'))
    })

    it('while they still send get the whole answer, and RST_STREAM with NO_ERROR after it', async () => {
      await start({ listener: () => ({ routes: [{ match: { path: '/after' }, respond: { status: 200 } }] }) })
      const peer = await all.session(1)
      await peer.send(headersFrame(1, requestFields('/', 'POST'), h2.endHeaders), dataFrame(1, 'x'))
      const { status } = await peer.message(1)
      expect(status).to.equal(404)
      const reset = await peer.next({ id: 1, type: h2.rstStream })
      expect(reset.payload.readUInt32BE()).to.equal(0)
      // What was on its way is dropped; the connection has its credit back.
      await peer.send(dataFrame(1, 'x'.repeat(10_000)), pingFrame())
      await peer.next({ type: h2.ping })
      await serves(peer, 3)
    })
  })

  it('are accounted with their status, protocol and bytes', async () => {
    await start()
    for (const upstream of versions) {
      await all.pass({ client: 2, upstream }, { method: 'POST', body: 'hello' }, { status: 201, body: 'world!' })
    }
    await eventually(() => all.accounts.length === 2)
    for (const account of all.accounts) {
      expect(account).to.include({ protocol: 'http', status: '201', reason: 'ok' })
      expect(account.bytesIn).to.be.greaterThan(4)
      expect(account.bytesOut).to.be.greaterThan(5)
    }
  })
})
