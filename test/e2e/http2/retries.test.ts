import { expect } from 'chai'
import { goawayFrame, h2, RawHttp2, rstFrame } from '../../../packages/testkit/src/http2/index.ts'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { Stage } from '../support/stage.ts'
import { get, Http2Upstream, post, type Serve, sessionOf } from './upstream.ts'

describe('a request that an upstream of HTTP/2 has not acted on', () => {
  let upstream: Http2Upstream
  let stage: Stage

  const start = async (serve: Serve, more: Record<string, unknown> = {}): Promise<void> => {
    upstream = await Http2Upstream.start(serve)
    stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: { up: { endpoints: [upstream.address], protocol: 'http2', ...more } },
    })
    stage.closesWith(upstream)
  }
  afterEach(() => stage.close())

  /** Refuses the first requests, and serves the others. */
  const refusing =
    (count: number): Serve =>
    async (session, id) => {
      const before = upstream.heads
      await eventually(() => session.whole.includes(id))
      if (before <= count) await session.peer.send(rstFrame(id, 7))
      else await session.answer(id, String(session.whole.length))
    }

  const cases: readonly (readonly [name: string, request: (id: number) => Buffer])[] = [
    ['a GET', get],
    ['a POST', (id) => post(id, { length: 1_000 })],
    ['a POST with a body as large as the buffer', (id) => post(id, { length: 65_000 })],
  ]
  for (const [name, request] of cases) {
    it(`is sent again after REFUSED_STREAM, on the same session: ${name}`, async () => {
      await start(refusing(1))
      const client = await sessionOf(stage)
      await client.send(request(1))
      expect((await client.message(1)).status).to.equal(200)
      expect(upstream.sessions.map(({ heads }) => heads)).to.deep.equal([[1, 3]])
      await eventually(() => stage.lastAccount)
      expect(stage.lastAccount).to.include({ reason: 'ok', attempts: 2 })
    })
  }

  it('is refused for good after `max` repetitions', async () => {
    await start(refusing(10))
    const client = await sessionOf(stage)
    await client.send(get(1))
    expect((await client.message(1)).status).to.equal(502)
    expect(upstream.heads).to.equal(2)
  })

  it('is not sent again when its body was streamed, larger than the buffer', async () => {
    await start(
      async (session, id) => {
        if (id === 1) return session.answer(id)
        await eventually(() => session.peer.frames.some((one) => one.id === id && one.type === h2.data))
        await session.peer.send(rstFrame(id, 7))
      },
      { buffer: { request: '1KiB' } },
    )
    const client = await sessionOf(stage)
    // What comes while a connection is made is kept: this one finds it made.
    await client.send(get(1))
    expect((await client.message(1)).status).to.equal(200)
    await client.send(post(3, { length: 100_000, sent: 50_000 }))
    expect((await client.message(3)).status).to.equal(502)
    expect(upstream.heads).to.equal(2)
  })

  it('is sent again on another session when it lies above the last stream of a GOAWAY', async () => {
    await start(async (session, id) => {
      await eventually(() => session.whole.includes(id))
      if (upstream.sessions.length === 1) await session.peer.send(goawayFrame(0, 0))
      else await session.answer(id)
    })
    const client = await sessionOf(stage)
    await client.send(post(1, { length: 1_000 }))
    expect((await client.message(1)).status).to.equal(200)
    expect(upstream.sessions.map(({ heads }) => heads)).to.deep.equal([[1], [1]])
  })

  it('is sent again while those below the last stream of the GOAWAY are served to their end', async () => {
    await start(async (session, id) => {
      if (upstream.sessions.length > 1) return session.answer(id)
      if (session.heads.length === 2) await session.peer.send(goawayFrame(1, 0))
    })
    const client = await sessionOf(stage)
    await client.send(get(1), get(3))
    expect((await client.message(3)).status).to.equal(200)
    await upstream.sessions[0]!.answer(1)
    expect((await client.message(1)).status).to.equal(200)
    await eventually(() => upstream.sessions[0]!.closed, { what: 'the session that was sent away is closed' })
  })

  it('is not sent again when the stream was reset otherwise, whatever the method', async () => {
    await start((session, id) => session.peer.send(rstFrame(id, 8)))
    const client = await sessionOf(stage)
    await client.send(get(1), post(3, { length: 100 }))
    expect((await client.message(1)).status).to.equal(502)
    expect((await client.message(3)).status).to.equal(502)
    expect(upstream.heads).to.equal(2)
  })

  it('is sent again when a session broke that had served before: GET, and POST not', async () => {
    await start(async (session, id) => {
      if (upstream.heads === 1 || upstream.sessions.length > 1) await session.answer(id)
      else if (session.heads.length === 3) session.peer.connection.rst()
    })
    const client = await sessionOf(stage)
    await client.send(get(1))
    expect((await client.message(1)).status).to.equal(200)
    await client.send(get(3), post(5, { length: 10 }))
    expect((await client.message(5)).status).to.equal(502)
    // What came of 3 has come before.
    expect(client.frames.find(({ id, fields }) => id === 3 && fields !== undefined)).to.equal(undefined)
    expect((await client.message(3)).status).to.equal(200)
  })

  it('of HTTP/1.1 clients is sent again as well', async () => {
    await start(refusing(1))
    const client = await stage.client('web')
    await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello')
    expect(await client.readHead()).to.match(/^HTTP\/1\.1 200 /)
    expect(upstream.heads).to.equal(2)
  })

  it('belongs to its own client, whichever of many are refused', async () => {
    await start(
      async (session, id, fields) => {
        const path = fields.find(([name]) => name === ':path')![1]
        if (session.heads.length % 3 === 0) await session.peer.send(rstFrame(id, 7))
        else await session.answer(id, path)
      },
      { retries: { max: 10 } },
    ) // prettier-ignore
    const clients: RawHttp2[] = []
    for (let i = 0; i < 4; i++) clients.push(await sessionOf(stage))
    await Promise.all(
      clients.map(async (client, one) => {
        const ids = Array.from({ length: 25 }, (_, i) => 1 + 2 * i)
        await client.send(...ids.map((id) => get(id, `/${one}-${id}`)))
        const bodies = new Map<number, string>()
        let ended = 0
        while (ended < ids.length) {
          const { id, payload, flags } = await client.next({ type: h2.data })
          bodies.set(id, (bodies.get(id) ?? '') + payload.toString())
          if ((flags & h2.endStream) !== 0) ended++
        }
        for (const id of ids) expect(bodies.get(id)).to.equal(`/${one}-${id}`)
      }),
    )
  })
})
