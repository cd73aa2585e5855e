import type { ConfigInput } from '@sluice/core'
import { expect } from 'chai'
import { frame, h2, type RawFrame, type RawHttp2 } from '../../../packages/testkit/src/http2/index.ts'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { Stage } from '../support/stage.ts'
import { get, Http2Upstream, sessionOf } from './upstream.ts'

const pong = ({ payload }: RawFrame): Buffer => frame(h2.ping, { flags: h2.ack, payload })

/** The last stream that a GOAWAY names, and its code. */
async function goaway(peer: RawHttp2): Promise<readonly [last: number, code: number]> {
  const { payload } = await peer.next({ type: h2.goaway })
  return [payload.readUInt32BE(0), payload.readUInt32BE(4)]
}

for (const threads of [0, 2]) {
  describe(`HTTP/2 through the ends of a proxy, threads ${threads}`, () => {
    let upstream: Http2Upstream
    let stage: Stage

    const config = (more: Record<string, unknown> = {}) => ({
      threads,
      listeners: {
        web: {
          bind: '127.0.0.1:0',
          protocol: 'http',
          routes: [{ name: 'all', upstream: 'up', gate: { limit: 20 }, ...more }],
        },
      },
      upstreams: { up: { endpoints: [upstream.address], protocol: 'http2' } },
    })
    beforeEach(async () => {
      upstream = await Http2Upstream.start()
      stage = await Stage.start(config(), { deaths: { firstMs: 50, maxMs: 50, maxDeaths: Infinity } })
      stage.closesWith(upstream)
    })
    afterEach(() => stage.close())

    const answerAll = async (body: string) => {
      for (const session of upstream.sessions) for (const id of session.running) await session.answer(id, body)
    }

    it('drains in two steps: what runs and what is on its way is served, then the connection closes', async () => {
      const client = await sessionOf(stage)
      await client.send(get(1))
      await upstream.reached(1)
      const drained = stage.proxy.drain()
      expect(await goaway(client)).to.deep.equal([0x7fff_ffff, 0])
      const ping = await client.next({ type: h2.ping })
      // On its way when the first GOAWAY was sent.
      await client.send(get(3), pong(ping))
      expect(await goaway(client)).to.deep.equal([3, 0])
      // What comes now the client knows to be lost: nobody answers it.
      await client.send(get(5))
      await upstream.reached(2)
      await answerAll('served')
      expect((await client.message(1)).content.toString()).to.equal('served')
      expect((await client.message(3)).content.toString()).to.equal('served')
      expect((await client.ending()).code).to.equal(0)
      expect(client.frames.some(({ id }) => id === 5)).to.equal(false)
      await client.close()
      await drained
      expect(upstream.heads).to.equal(2)
      await eventually(() => upstream.sessions.every(({ closed }) => closed))
    })

    it('drains what rests at once, with GOAWAY', async () => {
      const client = await sessionOf(stage)
      const drained = stage.proxy.drain()
      expect(await goaway(client)).to.deep.equal([0x7fff_ffff, 0])
      await client.send(pong(await client.next({ type: h2.ping })))
      expect(await goaway(client)).to.deep.equal([0, 0])
      expect((await client.ending()).code).to.equal(0)
      await client.close()
      await drained
    })

    it('serves waiters of a gate while it drains', async () => {
      await stage.proxy.reload(config({ gate: { limit: 1, queue: 5, timeout: '30s' } }) as unknown as ConfigInput)
      const client = await sessionOf(stage)
      await client.send(get(1), get(3))
      await stage.atGate('route:web/all', { running: 1, waiting: 1 })
      const drained = stage.proxy.drain()
      await client.send(pong(await client.next({ type: h2.ping })))
      await upstream.reached(1)
      await answerAll('first')
      await upstream.reached(2)
      await answerAll('second')
      expect((await client.message(3)).content.toString()).to.equal('second')
      expect((await client.ending()).code).to.equal(0)
      await client.close()
      await drained
    })

    it('keeps streams over a reload, and its connections go by the new configuration', async () => {
      const client = await sessionOf(stage)
      await client.send(get(1))
      await upstream.reached(1)
      const respond = { status: 200, body: 'new' }
      const { upstream: _gone, ...route } = config().listeners.web.routes[0]!
      const next = {
        ...config(),
        listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', routes: [{ ...route, respond }] } },
      }
      await stage.proxy.reload(next as unknown as ConfigInput)
      await client.send(get(3))
      expect((await client.message(3)).content.toString()).to.equal('new')
      await answerAll('old')
      expect((await client.message(1)).content.toString()).to.equal('old')
    })

    if (threads === 0) return
    it('gives back what a killed thread held, and the others serve on', async () => {
      const clients: RawHttp2[] = []
      // Until each thread has some.
      for (let i = 0; i < 16; i++) clients.push(await sessionOf(stage))
      await Promise.all(clients.map((client) => client.send(get(1))))
      await stage.atGate('route:web/all', { running: 16 })
      await eventually(() => stage.proxy.killThread(0))
      const left = await eventually(() => {
        const alive = clients.filter(
          ({ connection }) => !connection.socket.destroyed && !connection.socket.readableEnded,
        )
        return stage.gate('route:web/all').running === alive.length && alive.length < 16 ? alive : undefined
      })
      await eventually(
        () =>
          upstream.sessions.reduce((sum, { closed, running }) => sum + (closed ? 0 : running.size), 0) === left.length,
      )
      for (const session of upstream.sessions) {
        if (!session.closed) for (const id of session.running) await session.answer(id)
      }
      for (const client of left) expect((await client.message(1)).content.toString()).to.equal('done')
      await stage.atGate('route:web/all', { running: 0, waiting: 0 })
    })
  })
}
