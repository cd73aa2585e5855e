import { expect } from 'chai'
import { eventually, RawServer } from '../../packages/testkit/src/raw/index.ts'
import { get, response } from './support/ask.ts'
import { HangingServer } from './support/hanging-server.ts'
import { Stage } from './support/stage.ts'

const gate = { limit: 1, queue: 20, timeout: '5s' }

/** A stage whose upstream answers `/ok` and leaves `/hang` without an answer. */
async function startOn(
  threads: number,
  over: Record<string, unknown> = {},
  upstreamOver: Record<string, unknown> = {},
): Promise<Stage> {
  const upstream = await RawServer.start(async (one) => {
    void one.ended.then(() => one.close())
    for (;;) {
      if (!(await one.readHead()).startsWith('GET /hang'))
        await one.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    }
  })
  const stage = await Stage.start({
    threads,
    listeners: {
      web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', gate },
      raw: { bind: '127.0.0.1:0', protocol: 'tcp', upstream: 'up', gate: { ...gate } },
    },
    upstreams: { up: { endpoints: [`127.0.0.1:${upstream.port}`], gate: { ...gate, limit: 2 }, ...upstreamOver } },
    ...over,
  })
  return stage.closesWith(upstream)
}

for (const threads of [0, 2]) {
  describe(`races with threads ${threads}`, () => {
    const start = (...over: [Record<string, unknown>?, Record<string, unknown>?]) => startOn(threads, ...over)

    it('a grant and the departure of who is granted, in one turn, give the permit to the next', async () => {
      const stage = await start()
      for (let round = 0; round < 50; round++) {
        const [holder, leaver, next] = await Promise.all([
          stage.client('web'),
          stage.client('web'),
          stage.client('web'),
        ])
        await holder!.write(get('/hang'))
        await stage.atGate('listener:web', { running: 1 })
        await leaver!.write(get('/ok?leaver'))
        await stage.atGate('listener:web', { waiting: 1 })
        await next!.write(get('/ok?next'))
        await stage.atGate('listener:web', { waiting: 2 })
        // Both resets are read in one turn of the proxy's loop, in either order.
        if (round % 2 === 0) {
          holder!.rst()
          leaver!.rst()
        } else {
          leaver!.rst()
          holder!.rst()
        }
        expect((await response(next!)).status).to.equal(200)
        await next!.close()
      }
      await stage.close()
    })

    it('a timeout and a grant in one turn answer each waiter once', async () => {
      const short = { limit: 1, queue: 50, timeout: '30ms' }
      const stage = await start({
        listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', gate: short } },
      })
      for (let round = 0; round < 10; round++) {
        const all = await Promise.all(Array.from({ length: 10 }, () => stage.client('web')))
        const [holder, ...waiters] = all
        await holder!.write(get('/hang'))
        await stage.atGate('listener:web', { running: 1 })
        const answers = waiters.map(async (waiter) => {
          await waiter.write(get('/ok'))
          return response(waiter)
        })
        // On a slow machine the first may have waited long enough before the last has come.
        let answered = false
        void Promise.race(answers).then(() => (answered = true))
        await eventually(() => answered || stage.gate('listener:web').waiting === waiters.length)
        // The loop is kept busy until the deadline has passed: its next turn sees the reset and the timers.
        const until = performance.now() + 29 + (round % 3)
        holder!.rst()
        while (performance.now() < until);
        for (const { status, header } of await Promise.all(answers)) {
          if (status !== 200) expect([status, header('x-sluice-reason')]).to.deep.equal([503, 'queueTimeout'])
        }
        // Nothing more comes to anybody: each has been answered once.
        await stage.leave()
        for (const waiter of waiters) expect(waiter.buffered.length).to.equal(0)
      }
      await stage.close()
    })

    it('a connect that fails after its clients have left harms nobody', async () => {
      const hanging = await HangingServer.start()
      const stage = await start({}, { endpoints: [`127.0.0.1:${hanging.port}`], timeouts: { connect: '100ms' } })
      stage.closesWith(hanging)
      const [web, raw] = await Promise.all([stage.client('web'), stage.client('raw')])
      await web.write(get('/ok'))
      await eventually(() => stage.stats.upstreams[0]!.endpoints[0]!.connections.connecting === 2)
      web.rst()
      raw.rst()
      await stage.settled()
      await eventually(() => stage.accounts.length === 2)
      expect(stage.accounts.map(({ reason }) => reason)).to.deep.equal(['clientGone', 'clientGone'])
      await stage.close()
    })

    it('a connect in progress serves whoever comes next when its client has left', async () => {
      const stage = await start()
      for (let round = 0; round < 20; round++) {
        const [one, two] = await Promise.all([stage.client('web'), stage.client('web')])
        void one.write(get('/ok'))
        one.rst()
        await two.write(get('/ok'))
        expect((await response(two)).body.toString()).to.equal('ok')
      }
      await stage.close()
    })

    it('a drain while units wait serves them, each with Connection: close', async () => {
      const stage = await start()
      const [holder, ...waiters] = await Promise.all(Array.from({ length: 4 }, () => stage.client('web')))
      await holder!.write(get('/hang'))
      await stage.atGate('listener:web', { running: 1 })
      for (const waiter of waiters) await waiter.write(get('/ok'))
      await stage.atGate('listener:web', { waiting: 3 })
      const drained = stage.proxy.drain()
      expect(stage.stats.state).to.equal('draining')
      holder!.rst()
      for (const waiter of waiters) {
        const { status, header } = await response(waiter)
        expect(status).to.equal(200)
        // A thread hears of it by message, and until then keeps the connection; it ends all the same.
        expect(header('connection')).to.be.oneOf(threads === 0 ? ['close'] : ['close', undefined])
        expect(await waiter.ended).to.equal('fin')
        await waiter.close()
      }
      await drained
      await stage.close()
    })

    it('a close while units are forwarded and wait tells them that we are draining', async () => {
      const stage = await start()
      const [running, waiting, raw, rawWaiting] = await Promise.all([
        stage.client('web'),
        stage.client('web'),
        stage.client('raw'),
        stage.client('raw'),
      ])
      await running.write(get('/hang'))
      await stage.atGate('listener:web', { running: 1 })
      await waiting.write(get('/ok'))
      await stage.atGate('listener:web', { waiting: 1 })
      await stage.atGate('listener:raw', { running: 1, waiting: 1 })
      const closed = stage.proxy.close()
      for (const client of [running, waiting]) {
        const { status, header } = await response(client)
        expect([status, header('x-sluice-reason'), header('connection')]).to.deep.equal([503, 'draining', 'close'])
      }
      for (const client of [running, waiting, raw, rawWaiting]) {
        expect(await client.ended).to.equal('fin')
        await client.close()
      }
      await closed
      await stage.close()
    })

    it('a close while a response flows cuts it so that nobody takes it for whole', async () => {
      const upstream = await RawServer.start(async (one) => {
        await one.readHead()
        await one.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
      })
      const stage = await Stage.start({
        threads,
        listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: `http://127.0.0.1:${upstream.port}` } },
      })
      const client = await stage.client('web')
      await client.write(get('/'))
      await client.readUntil('abc\r\n')
      const closed = stage.proxy.close()
      expect((await client.readToEnd()).toString()).to.equal('')
      await client.close()
      await closed
      await stage.close()
      await upstream.close()
    })
  })
}
