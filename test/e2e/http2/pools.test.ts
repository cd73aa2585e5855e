import { expect } from 'chai'
import { dataFrame, frame, goawayFrame, h2, settingsFrame } from '../../../packages/testkit/src/http2/index.ts'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { scale } from '../../../packages/testkit/src/scale.ts'
import { Stage } from '../support/stage.ts'
import { get, Http2Upstream, post, type Serve, sessionOf } from './upstream.ts'

const maxConcurrentStreams = 3

describe('sessions to an upstream of HTTP/2', () => {
  let upstream: Http2Upstream
  let stage: Stage

  const start = async (
    more: Record<string, unknown> = {},
    streams: (index: number) => number | undefined = () => undefined,
    serve?: Serve,
  ): Promise<void> => {
    upstream = await Http2Upstream.start(serve, (index) => {
      const bound = streams(index)
      return bound === undefined ? {} : { settings: [[maxConcurrentStreams, bound]] }
    })
    stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: {
        up: { endpoints: [upstream.address], protocol: 'http2', gate: { limit: 1_000, queue: 1_000 }, ...more },
      },
    })
    stage.closesWith(upstream)
  }
  afterEach(() => stage.close())

  const ids = (count: number) => Array.from({ length: count }, (_, i) => 1 + 2 * i)
  const waiting = () => stage.gate('upstream:up').waiting

  it('carry many exchanges each, of many clients', async () => {
    await start()
    for (let i = 0; i < 3; i++) await (await sessionOf(stage)).send(...ids(30).map((id) => get(id)))
    await upstream.reached(90)
    expect(upstream.sessions).to.have.length(1)
    expect(upstream.sessions[0]!.mostRunning).to.equal(90)
  })

  it('carry no more than pool.maxStreams each, and as many are made as it takes', async () => {
    await start({ pool: { maxStreams: 3 } })
    await (await sessionOf(stage)).send(...ids(7).map((id) => get(id)))
    await upstream.reached(7)
    expect(upstream.sessions.map(({ mostRunning }) => mostRunning)).to.have.members([3, 3, 1])
  })

  it('are no more than maxConnections: who does not fit waits, in order, and is served in time', async () => {
    await start({ pool: { maxStreams: 3, maxConnections: 2 } })
    const client = await sessionOf(stage)
    await client.send(...ids(10).map((id) => get(id, `/${id}`)))
    await upstream.reached(6)
    await eventually(() => waiting() === 4)
    expect(upstream.sessions).to.have.length(2)
    for (let served = 0; served < 10; served++) {
      const session = upstream.sessions.find(({ running }) => running.size > 0)!
      await session.answer([...session.running][0]!)
      await upstream.reached(Math.min(10, 7 + served))
    }
    for (const { mostRunning } of upstream.sessions) expect(mostRunning).to.equal(3)
    await eventually(() => stage.accounts.length === 10)
    expect(stage.accounts.every(({ reason }) => reason === 'ok')).to.equal(true)
    expect(upstream.sessions).to.have.length(2)
  })

  it('keep to the peer’s MAX_CONCURRENT_STREAMS of 1', async () => {
    await start({ pool: { maxConnections: 3 } }, () => 1)
    const client = await sessionOf(stage)
    await client.send(...ids(8).map((id) => get(id)))
    await upstream.reached(3)
    for (let served = 0; served < 8; served++) {
      const session = upstream.sessions.find(({ running }) => running.size > 0)!
      await session.answer([...session.running][0]!)
      await upstream.reached(Math.min(8, 4 + served))
    }
    for (const { mostRunning } of upstream.sessions) expect(mostRunning).to.equal(1)
    await eventually(() => stage.accounts.length === 8)
    expect(stage.accounts.every(({ reason }) => reason === 'ok')).to.equal(true)
  })

  it('that take no stream at all are given up: 502, and not made again for ever', async () => {
    await start({ retries: { max: 0 } }, () => 0)
    const client = await sessionOf(stage)
    await client.send(get(1))
    expect((await client.message(1)).status).to.equal(502)
    expect(upstream.sessions).to.have.length(1)
  })

  it('that take fewer for a while are used again when they take more', async () => {
    await start({ pool: { maxConnections: 1 } })
    const client = await sessionOf(stage)
    await client.send(get(1))
    await upstream.reached(1)
    const [session] = upstream.sessions
    await session!.peer.send(settingsFrame([maxConcurrentStreams, 1]))
    await eventually(
      () => session!.peer.frames.filter(({ type, flags }) => type === h2.settings && flags === 1).length === 2,
    )
    await client.send(get(3), get(5))
    await eventually(() => waiting() + stage.stats.upstreams[0]!.running === 3)
    expect(session!.heads).to.deep.equal([1])
    await session!.peer.send(settingsFrame([maxConcurrentStreams, 10]))
    await upstream.reached(3)
    for (const id of [1, 3, 5]) await session!.answer(id)
    for (const id of [1, 3, 5]) await client.next({ id, type: h2.headers })
    expect(upstream.sessions).to.have.length(1)
  })

  it('that their peer sends away serve what runs; what comes goes to another one', async () => {
    await start()
    const client = await sessionOf(stage)
    await client.send(get(1))
    await upstream.reached(1)
    const [first] = upstream.sessions
    await first!.peer.send(goawayFrame(0x7fff_ffff, 0), goawayFrame(1, 0))
    await eventually(() => stage.stats.upstreams[0]!.endpoints[0]!.connections.busy === 1)
    await first!.peer.send(frame(h2.ping, { payload: 'received' }))
    await eventually(() => first!.peer.frames.some(({ type, flags }) => type === h2.ping && flags === h2.ack))
    await client.send(get(3))
    await upstream.reached(2)
    expect(upstream.sessions.map(({ heads }) => heads)).to.deep.equal([[1], [1]])
    await first!.answer(1, 'first')
    expect((await client.message(1)).content.toString()).to.equal('first')
    await eventually(() => first!.closed)
    await upstream.sessions[1]!.answer(1, 'second')
    expect((await client.message(3)).content.toString()).to.equal('second')
  })

  it('that are older than maxAge carry on, and are replaced', async () => {
    await start({ pool: { maxAge: '1s' } })
    const client = await sessionOf(stage)
    await client.send(get(1))
    await upstream.reached(1)
    // maxAge is met by some more or less.
    for (let id = 3; upstream.sessions.length < 2; id += 2) {
      await client.send(get(id))
      await upstream.reached((id + 1) / 2)
      const session = upstream.sessions.findLast(({ running }) => running.size > 0)!
      if (session !== upstream.sessions[0]) break
      await session.answer(session.heads.at(-1)!)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(upstream.sessions[0]!.closed).to.equal(false)
    await upstream.sessions[0]!.answer(1, 'old')
    expect((await client.message(1)).content.toString()).to.equal('old')
    await eventually(() => upstream.sessions[0]!.closed, { what: 'the old session is closed' })
    expect(upstream.sessions[0]!.goaway).to.equal(0)
  })

  it('that rest are closed with GOAWAY after idleTimeout', async () => {
    await start({ pool: { idleTimeout: '50ms' } }, undefined, (session, id) => session.answer(id))
    const client = await sessionOf(stage)
    await client.send(get(1))
    expect((await client.message(1)).status).to.equal(200)
    await eventually(() => upstream.sessions[0]!.closed)
    expect(upstream.sessions[0]!.goaway).to.equal(0)
  })

  it('are asked whether they live when nothing comes for `ping`, and live on when they answer', async () => {
    await start({ pool: { ping: '1s' } })
    const client = await sessionOf(stage)
    await client.send(get(1))
    await upstream.reached(1)
    const [session] = upstream.sessions
    for (let pings = 1; pings <= 1; pings++) {
      await eventually(() => session!.pings >= pings)
      const asked = session!.peer.frames.filter(({ type, flags }) => type === h2.ping && flags === 0)[pings - 1]!
      await session!.peer.send(frame(h2.ping, { flags: h2.ack, payload: asked.payload }))
    }
    await session!.answer(1)
    expect((await client.message(1)).status).to.equal(200)
  })

  const whereSlow = scale() === 'test' ? it.skip : it
  whereSlow('that do not answer for 20 s are given up, and what they carry fails', async function () {
    this.timeout(60_000)
    await start({ pool: { ping: '1s' }, retries: { max: 0 } })
    const client = await stage.client('web', { timeoutMs: 50_000 })
    const began = performance.now()
    await client.write('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi')
    expect(await client.readHead()).to.match(/^HTTP\/1\.1 502 [^]*x-sluice-reason: upstreamReset/)
    expect(performance.now() - began).to.be.greaterThan(20_000)
  })

  it('that have broken the rules while they rest are lent to nobody, though their sockets live on', async () => {
    upstream = await Http2Upstream.start((session, id) => session.answer(id), undefined, { answersFin: false })
    stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: { up: { endpoints: [upstream.address], protocol: 'http2' } },
    })
    stage.closesWith(upstream)
    const client = await sessionOf(stage)
    await client.send(get(1))
    expect((await client.message(1)).status).to.equal(200)
    const [first] = upstream.sessions
    await eventually(() => stage.stats.upstreams[0]!.endpoints[0]!.connections.idle === 1)
    await first!.peer.send(dataFrame(99, 'nobody asked'))
    await eventually(() => first!.goaway === 1)
    expect(first!.closed).to.equal(false)
    // Not repeated when the first session loses it.
    await client.send(post(3, { length: 10 }))
    expect((await client.message(3)).status).to.equal(200)
    expect(upstream.sessions.map(({ heads }) => heads)).to.deep.equal([[1], [1]])
  })

  it('that do not answer in time are told so by RST_STREAM, and used on', async () => {
    await start({ timeouts: { response: '100ms' }, retries: { max: 0 } })
    const client = await sessionOf(stage)
    await client.send(get(1))
    expect((await client.message(1)).status).to.equal(504)
    const [session] = upstream.sessions
    await eventually(() => session!.resets.get(1) === 8)
    await client.send(get(3))
    await upstream.reached(2)
    await session!.answer(3)
    expect((await client.message(3)).status).to.equal(200)
    expect(upstream.sessions).to.have.length(1)
  })

  it('whose stream is given up while it is sent to are used on', async () => {
    await start()
    const client = await sessionOf(stage)
    await client.send(post(1, { length: 200_000, sent: 60_000 }))
    await upstream.reached(1)
    await client.send(frame(h2.rstStream, { id: 1, payload: [0, 0, 0, 8] }), get(3))
    await upstream.reached(2)
    const [session] = upstream.sessions
    expect(session!.resets.get(1)).to.equal(8)
    await session!.answer(3)
    expect((await client.message(3)).status).to.equal(200)
    expect(upstream.sessions).to.have.length(1)
  })
})
