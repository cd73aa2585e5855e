// Who is blamed for slowness: clients that keep up the least rate are not, nor those whose upstream takes nothing.
import { expect } from 'chai'
import {
  dataFrame,
  h2,
  headersFrame,
  requestFields,
  windowUpdateFrame,
} from '../../../../packages/testkit/src/http2/index.ts'
import { eventually, type RawScript, RawServer } from '../../../../packages/testkit/src/raw/index.ts'
import { Stage } from '../../support/stage.ts'
import { get, Http2Upstream, type Serve, sessionOf } from '../upstream.ts'
import { FlowingStream } from './flowing-stream.ts'
import { sessionWith } from './session-with.ts'

const windowMs = 300

const passed = async (ms: number): Promise<void> => {
  const until = performance.now() + ms
  await eventually(() => performance.now() >= until)
}

describe('the pace of a client of HTTP/2', () => {
  let stage: Stage
  afterEach(() => stage.close())

  /** Clients owe 1,000 bytes a second. */
  const open = async (address: string, upstream: object = {}, listener: object = {}): Promise<void> => {
    stage = await Stage.start(
      {
        threads: 0,
        listeners: {
          web: {
            bind: '127.0.0.1:0',
            protocol: 'http',
            upstream: 'up',
            gate: { limit: 1 },
            http2: { maxPings: 100_000 },
            ...listener,
          },
        },
        upstreams: { up: { endpoints: [address], retries: { max: 0 }, ...upstream } },
      },
      {},
      (config) => ({
        ...config,
        listeners: config.listeners.map((one) => ({ ...one, minRate: { bytesPerSecond: 1_000, windowMs } })),
      }),
    )
  }

  const http1 = async (script: RawScript): Promise<RawServer> => RawServer.start(script, { timeoutMs: 20_000 })

  it('is enough at twice the least rate, however much more the upstream sends meanwhile', async () => {
    const pieces = 4 * (windowMs / 20)
    const total = 2_000 + pieces * 1_000
    const server = await http1(async (connection) => {
      await connection.readHead()
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n${'x'.repeat(2_000)}`)
      for (let i = 0; i < pieces; i++) {
        await passed(20)
        await connection.write('x'.repeat(1_000))
      }
    })
    await open(`127.0.0.1:${server.port}`)
    stage.closesWith(server)
    const peer = await sessionWith(stage, [[4, 100]])
    await peer.send(get(1))
    await peer.next({ type: h2.data, id: 1 })
    const started = performance.now()
    let given = 0
    // Of each 20 ms: 40 bytes are taken, and 1,000 more come.
    while (performance.now() - started < 3 * windowMs) {
      await passed(20)
      const due = Math.floor((performance.now() - started) * 2) - given
      given += due
      await peer.send(windowUpdateFrame(1, due))
      expect(stage.gate('listener:web').running).to.equal(1)
    }
    await peer.send(windowUpdateFrame(1, total))
    let came = 0
    for (const { type, id, payload } of peer.frames) if (type === h2.data && id === 1) came += payload.length
    while (came < total) came += (await peer.next({ type: h2.data, id: 1 })).payload.length
    expect(came).to.equal(total)
  })

  it('is not watched while the upstream takes nothing: `idle` ends such a request, and not a 408', async () => {
    const upstream = await Http2Upstream.start()
    await open(upstream.address, { protocol: 'http2', timeouts: { idle: '800ms' } }, { timeouts: { body: '200ms' } })
    stage.closesWith(upstream)
    const peer = await sessionOf(stage)
    await peer.send(headersFrame(1, requestFields('/', 'POST', [['content-length', '1000000']]), h2.endHeaders))
    const stream = new FlowingStream(peer, 1)
    const started = performance.now()
    // More than the window of the upstream's stream, which is never given back, and than is held for it.
    expect(await stream.fill(900_000)).to.be.within(65_536, 899_999)
    const { fields } = await peer.next({ type: h2.headers, id: 1 })
    expect(performance.now() - started).to.be.at.least(800)
    expect(fields!.find(([name]) => name === 'x-sluice-reason')?.[1]).to.equal('idleTimeout')
    await eventually(() => stage.lastAccount)
    expect(stage.lastAccount).to.include({ status: '504', reason: 'idleTimeout' })
  })

  it('is not watched before the 100 that it waits for', async () => {
    const serve: Serve = async (session, id) => {
      await passed(2 * windowMs)
      await session.peer.send(headersFrame(id, [[':status', '100']], h2.endHeaders))
      await eventually(() => session.whole.includes(id))
      await session.answer(id)
    }
    const upstream = await Http2Upstream.start(serve)
    await open(upstream.address, { protocol: 'http2' })
    stage.closesWith(upstream)
    const peer = await sessionOf(stage)
    const expecting = [
      ['content-length', '4'],
      ['expect', '100-continue'],
    ] as const
    await peer.send(headersFrame(1, requestFields('/', 'POST', expecting), h2.endHeaders))
    const { fields } = await peer.next({ type: h2.headers, id: 1 })
    expect(fields![0]).to.deep.equal([':status', '100'])
    await peer.send(dataFrame(1, 'body', { end: true }))
    expect((await peer.message(1)).status).to.equal(200)
  })

  it('is watched from the first byte on when it does not wait for the 100 after all', async () => {
    const upstream = await Http2Upstream.start()
    await open(upstream.address, { protocol: 'http2' })
    stage.closesWith(upstream)
    const peer = await sessionOf(stage)
    const expecting = [
      ['content-length', '1000000'],
      ['expect', '100-continue'],
    ] as const
    await peer.send(headersFrame(1, requestFields('/', 'POST', expecting), h2.endHeaders))
    await upstream.reached(1)
    await peer.send(dataFrame(1, 'x'))
    expect((await peer.message(1)).status).to.equal(408)
  })
})

describe('`timeouts.response`', () => {
  it('begins when the request has left, and not when it has come', async () => {
    const bytes = 12_000
    const upstream = await Http2Upstream.start(
      async (session, id) => {
        // The upstream takes it in twelve steps, which last longer than `response` together.
        for (let i = 0; i < 12; i++) {
          await passed(50)
          await session.peer.send(windowUpdateFrame(id, 1_000))
        }
        await eventually(() => session.whole.includes(id))
        await session.answer(id)
      },
      () => ({ settings: [[4, 0]] }),
    )
    const stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: { up: { endpoints: [upstream.address], protocol: 'http2', timeouts: { response: '300ms' } } },
    })
    stage.closesWith(upstream)
    const client = await stage.client('web')
    await client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`)
    expect(await client.readHead()).to.match(/^HTTP\/1\.1 200 /)
    await stage.close()
  })
})
