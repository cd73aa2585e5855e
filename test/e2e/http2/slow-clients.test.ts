import type { Config } from '@sluice/core'
import { expect } from 'chai'
import {
  dataFrame,
  h2,
  headersFrame,
  type RawHttp2,
  requestFields,
  windowUpdateFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { Stage } from '../support/stage.ts'
import { get, Http2Upstream, post, type Serve, sessionOf } from './upstream.ts'

const windowMs = 300

/** A short window for the least rate, which cannot be written. */
const hasty = (config: Config): Config => ({
  ...config,
  listeners: config.listeners.map((one) => ({ ...one, minRate: { bytesPerSecond: 1_000, windowMs } })),
})

async function passed(ms: number): Promise<void> {
  const until = performance.now() + ms
  await eventually(() => performance.now() >= until)
}

describe('a slow client of HTTP/2', () => {
  let upstream: Http2Upstream
  let stage: Stage

  async function start(serve: Serve, listener: Record<string, unknown> = {}, change = hasty): Promise<RawHttp2> {
    upstream = await Http2Upstream.start(serve)
    stage = await Stage.start(
      {
        listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', ...listener } },
        upstreams: { up: { endpoints: [upstream.address], protocol: 'http2' } },
      },
      {},
      change,
    )
    stage.closesWith(upstream)
    return sessionOf(stage)
  }
  afterEach(() => stage.close())

  /** Answers what has come whole. */
  const whole: Serve = async (session, id) => {
    await session.peer.send(windowUpdateFrame(id, 100_000))
    await eventually(() => session.whole.includes(id) || session.resets.has(id))
    if (session.whole.includes(id)) await session.answer(id)
  }
  const unchanged = (config: Config): Config => config

  it('that sends its body byte by byte is answered 408, and its other streams are served', async () => {
    const client = await start(whole)
    const began = performance.now()
    await client.send(headersFrame(1, requestFields('/', 'POST', [['content-length', '1000000']]), h2.endHeaders))
    await client.send(...Array.from({ length: 4 }, () => dataFrame(1, 'x'.repeat(12_000))))
    const timer = setInterval(() => void client.send(dataFrame(1, 'x')), 20)
    try {
      const { status, fields } = await client.message(1)
      expect(status).to.equal(408)
      expect(fields.find(([name]) => name === 'x-sluice-reason')?.[1]).to.equal('requestTimeout')
      expect(performance.now() - began).to.be.within(windowMs, windowMs * 20)
      expect((await client.next({ id: 1, type: h2.rstStream })).payload.readUInt32BE()).to.equal(0)
    } finally {
      clearInterval(timer)
    }
    await client.send(get(3))
    expect((await client.message(3)).status).to.equal(200)
    await eventually(() => upstream.sessions[0]!.resets.get(1) === 8)
    expect(upstream.sessions).to.have.length(1)
  })

  it('that sends nothing more of its body is answered 408 after `timeouts.body`', async () => {
    const client = await start(whole, { timeouts: { body: '1s' } }, unchanged)
    const began = performance.now()
    // One that is still read into the buffer, and one that goes up.
    await client.send(post(1, { length: 1_000, sent: 500 }), post(3, { length: 100_000, sent: 500 }))
    const first = await client.next({ type: h2.headers })
    const second = await client.next({ type: h2.headers })
    for (const { fields } of [first, second]) expect(fields![0]![1]).to.equal('408')
    expect(performance.now() - began).to.be.within(900, 10_000)
    await client.send(get(5))
    expect((await client.message(5)).status).to.equal(200)
  })

  it('that takes nothing of its response is cut after `timeouts.send`, the stream alone', async () => {
    const client = await start(
      async (session, id) => {
        if (id > 1) return session.answer(id)
        const head = headersFrame(id, [[':status', '200']], h2.endHeaders)
        await session.peer.send(head, ...Array.from({ length: 3 }, () => dataFrame(id, 'x'.repeat(10_000))))
        // Its window grows with what is taken, and with nothing else.
        for (let credit = 0; !session.resets.has(id); ) {
          const given = session.peer.frames.filter((one) => one.id === id && one.type === h2.windowUpdate)
          if (given.length > credit) {
            for (const { payload } of given.slice(credit)) {
              let left = payload.readUInt32BE()
              for (; left > 0; left -= 10_000)
                await session.peer.send(dataFrame(id, 'x'.repeat(Math.min(left, 10_000))))
            }
            credit = given.length
          }
          await new Promise((resolve) => setImmediate(resolve))
        }
      },
      { timeouts: { send: '1s' } },
      unchanged,
    )
    await client.send(get(1))
    const reset = await client.next({ id: 1, type: h2.rstStream })
    expect(reset.payload.readUInt32BE()).to.equal(8)
    await eventually(() => upstream.sessions[0]!.resets.get(1) === 8)
    // What it had not taken has used up the window of its connection.
    await client.send(windowUpdateFrame(0, 65_535), get(3))
    const { status } = await client.message(3)
    expect(status).to.equal(200)
    expect(upstream.sessions).to.have.length(1)
  })

  it('that rests is sent away with GOAWAY after `timeouts.keepAlive`', async () => {
    const client = await start(whole, { timeouts: { keepAlive: '1s' } }, unchanged)
    await client.send(get(1))
    expect((await client.message(1)).status).to.equal(200)
    const began = performance.now()
    const goaway = await client.next({ type: h2.goaway })
    expect(goaway.payload.readUInt32BE(4)).to.equal(0)
    expect(performance.now() - began).to.be.within(900, 10_000)
  })

  it('that leaves a header block half sent is sent away after `timeouts.head`', async () => {
    const client = await start(whole, { timeouts: { head: '1s' } }, unchanged)
    await client.send(headersFrame(1, requestFields(), h2.endStream))
    expect((await client.ending()).code).to.equal(4)
  })

  it('is not blamed for an upstream that takes nothing', async () => {
    // This peer credits connections and never streams: it takes what its window holds.
    const client = await start(async (session, id) => {
      await passed(3 * windowMs)
      await session.answer(id)
    })
    await client.send(post(1, { length: 200_000, sent: 65_000 }))
    await upstream.reached(1)
    // Whatever credit it has it uses, up to what the upstream does not take.
    const credited = await client.next({ id: 1, type: h2.windowUpdate })
    await client.send(dataFrame(1, 'x'.repeat(Math.min(16_000, credited.payload.readUInt32BE()))))
    expect((await client.message(1)).status).to.equal(200)
  })

  it('is not blamed for an upstream that sends nothing', async () => {
    const client = await start(async (session, id) => {
      await session.peer.send(headersFrame(id, [[':status', '200']], h2.endHeaders), dataFrame(id, 'sl'))
      await passed(3 * windowMs)
      await session.peer.send(dataFrame(id, 'owly', { end: true }))
    })
    await client.send(get(1))
    expect((await client.message(1)).content.toString()).to.equal('slowly')
  })

  it('is not blamed while it waits for a 100', async () => {
    const client = await start(async (session, id) => {
      await passed(3 * windowMs)
      await session.peer.send(headersFrame(id, [[':status', '100']], h2.endHeaders))
      await whole(session, id, [])
    })
    const fields = requestFields('/', 'POST', [
      ['expect', '100-continue'],
      ['content-length', '4'],
    ])
    await client.send(headersFrame(1, fields, h2.endHeaders))
    expect((await client.next({ id: 1, type: h2.headers })).fields![0]![1]).to.equal('100')
    await client.send(dataFrame(1, 'body', { end: true }))
    expect((await client.message(1)).status).to.equal(200)
  })

  it('is not blamed while it is queued with all the credit it has used up', async () => {
    const serve: Serve = (session, id, fields) => {
      if (!fields.some(([, value]) => value === '/held')) return whole(session, id, fields)
    }
    const client = await start(serve, { gate: { limit: 1, queue: 5, timeout: '30s' }, timeouts: { body: '1s' } })
    const holder = await sessionOf(stage)
    await holder.send(get(1, '/held'))
    await stage.atGate('listener:web', { running: 1 })
    await client.send(post(1, { length: 100_000, sent: 65_535 }))
    await stage.atGate('listener:web', { running: 1, waiting: 1 })
    await passed(2_000)
    expect(stage.gate('listener:web').waiting).to.equal(1)
    await holder.close()
    await client.next({ id: 1, type: h2.windowUpdate })
    await client.send(...Array.from({ length: 2 }, () => dataFrame(1, 'x'.repeat(15_000))))
    await client.send(dataFrame(1, 'x'.repeat(100_000 - 65_535 - 30_000), { end: true }))
    expect((await client.message(1)).status).to.equal(200)
  })
})
