import {
  type Backend,
  startHttpBackend,
  startTcpBackend,
  startWebSocketBackend,
  type TcpBackend,
} from '../../../packages/backends/src/index.ts'
import { expect } from 'chai'
import { eventually, type RawClient } from '../../../packages/testkit/src/raw/index.ts'
import { ask, get, handshake, request, response } from '../support/ask.ts'
import { Stage } from '../support/stage.ts'

const limit = 3
const queue = 10
const timeoutMs = 500
const clients = 200
const gate = { limit, queue, timeout: `${timeoutMs}ms` }
const gateId = 'route:in/r'

/** The bodies with which uploads are refused, by name. */
const uploads: Readonly<Record<string, (body?: 'half') => string>> = {
  '100 B': (half) => upload(100, half),
  '60,000 B': (half) => upload(60_000, half),
  '1 MiB': (half) => upload(1_048_576, half),
  chunked: (half) =>
    request('POST', '/slow?ms=5000', ['Transfer-Encoding: chunked']) +
    `186a0\r\n${'x'.repeat(100_000)}\r\n${half === 'half' ? '' : '0\r\n\r\n'}`,
}

function upload(size: number, half?: 'half'): string {
  const sent = half === 'half' ? size / 2 : size
  return request('POST', '/slow?ms=5000', [`Content-Length: ${size}`]) + 'x'.repeat(sent)
}

function stageOf(protocol: string, port: number, over: Record<string, unknown> = {}): Promise<Stage> {
  return Stage.start({
    listeners: {
      in: { bind: '127.0.0.1:0', protocol, routes: [{ name: 'r', upstream: 'up', gate }], ...over },
    },
    upstreams: { up: { endpoints: [`127.0.0.1:${port}`], timeouts: { response: '20s' } } },
  })
}

describe('a gate with limit 3, queue 10 and timeout 500 ms', () => {
  describe('on http', () => {
    let backend: Backend
    let stage: Stage

    before(async () => {
      backend = await startHttpBackend()
    })
    after(async () => {
      await backend.close()
    })
    beforeEach(async () => {
      backend.resetStats()
      stage = await stageOf('http', backend.address.port)
    })
    afterEach(async () => {
      await stage.close()
    })

    it(`runs 3, holds 10 and refuses the rest of ${clients} at once`, async () => {
      const all = await Promise.all(Array.from({ length: clients }, () => stage.client('in')))
      const started = performance.now()
      const answers = all.map(async (client) => {
        const { status, header } = await ask(client, get('/slow?ms=1500'))
        const reason = header('x-sluice-reason') ?? 'ok'
        if (status === 503) expect(header('retry-after')).to.match(/^\d+$/)
        return { status, reason, afterMs: performance.now() - started }
      })
      await stage.atGate(gateId, { running: limit, waiting: queue })
      const by = group(await Promise.all(answers), ({ status, reason }) => `${status} ${reason}`)
      expect(Object.fromEntries(Object.entries(by).map(([what, those]) => [what, those!.length]))).to.deep.equal({
        '200 ok': limit,
        '503 queueFull': clients - limit - queue,
        '503 queueTimeout': queue,
      })
      for (const { afterMs } of by['503 queueTimeout']!) expect(afterMs).to.be.within(timeoutMs - 1, timeoutMs * 10)
      for (const { afterMs } of by['503 queueFull']!) expect(afterMs).to.be.below(timeoutMs * 5)
      expect(backend.stats().max).to.equal(limit)
      expect(backend.stats().total).to.equal(limit)
      await stage.leave()
      await stage.settled()
    })

    it('serves all when they come again in time, never more than 3 at once', async () => {
      const all = await Promise.all(Array.from({ length: limit + queue }, () => stage.client('in')))
      const answers = await Promise.all(all.map((client) => ask(client, get('/slow?ms=20'))))
      expect(answers.map(({ status }) => status)).to.deep.equal(all.map(() => 200))
      expect(backend.stats().max).to.equal(limit)
    })

    for (const [size, bytes] of Object.entries(uploads)) {
      for (const part of ['whole', 'half'] as const) {
        it(`tells a POST of ${size}, ${part} of it sent, that the queue is full: no reset`, async () => {
          await fill(stage)
          const client = await stage.client('in')
          void client.write(bytes(part === 'half' ? 'half' : undefined))
          if (part === 'half' && size === '100 B') {
            // It is read before it asks for a permit: nothing can be said before it is there.
            void client.write('x'.repeat(50))
          } else if (part === 'half' && size === '60,000 B') void client.write('x'.repeat(30_000))
          const { status, header } = await response(client)
          expect([status, header('x-sluice-reason')]).to.deep.equal([503, 'queueFull'])
          await client.fin()
          expect(await client.ended).to.equal('fin')
          await client.close()
          await stage.leave()
        })
      }

      it(`tells a POST of ${size} that it has waited too long: no reset`, async () => {
        await fill(stage, { waiting: 0 })
        const client = await stage.client('in')
        const started = performance.now()
        void client.write(bytes())
        const { status, header } = await response(client)
        expect([status, header('x-sluice-reason')]).to.deep.equal([503, 'queueTimeout'])
        expect(performance.now() - started).to.be.within(timeoutMs - 1, timeoutMs * 10)
        await client.fin()
        expect(await client.ended).to.equal('fin')
        await client.close()
        await stage.leave()
      })
    }

    for (const sent of [0, 100, 60_000]) {
      for (const leave of ['fin', 'rst'] as const) {
        it(`forgets a waiter that leaves by ${leave.toUpperCase()} with ${sent} bytes of its body sent`, async () => {
          await fill(stage, { waiting: 0 })
          await eventually(() => backend.stats().total === limit)
          const client = await stage.client('in')
          await client.write(
            sent === 0 ? get('/slow?ms=1') : request('POST', '/slow', [`Content-Length: ${sent}`]) + 'x'.repeat(sent),
          )
          await stage.atGate(gateId, { waiting: 1 })
          if (leave === 'fin') await client.fin()
          else client.rst()
          await stage.atGate(gateId, { running: limit, waiting: 0 })
          await stage.leave()
          await stage.settled()
          expect(backend.stats().total).to.equal(limit)
        })
      }
    }

    it('answers Expect: 100-continue under a full gate without reading the body', async () => {
      await fill(stage)
      const client = await stage.client('in')
      const expecting = request('POST', '/echo', ['Content-Length: 5', 'Expect: 100-continue'])
      const { status, header } = await ask(client, expecting)
      expect([status, header('x-sluice-reason'), header('connection')]).to.deep.equal([503, 'queueFull', 'close'])
      await stage.leave()
    })

    it('passes the 100 on once the permit is there', async () => {
      const [holder] = await fill(stage, { waiting: 0 })
      const client = await stage.client('in')
      await client.write(request('POST', '/continue', ['Content-Length: 5', 'Expect: 100-continue']))
      await stage.atGate(gateId, { waiting: 1 })
      holder!.rst()
      expect(await client.readHead()).to.match(/^HTTP\/1.1 100 /)
      await client.write('12345')
      expect((await response(client)).status).to.equal(200)
      await stage.leave()
    })

    it('takes no permit for a body that is still being read', async () => {
      const slow = await stage.client('in')
      await slow.write(`${request('POST', '/echo', ['Content-Length: 1000'])}${'x'.repeat(999)}`)
      await eventually(() => stage.stats.exchanges === 1)
      await fill(stage, { waiting: 0 })
      expect(stage.gate(gateId)).to.include({ running: limit, waiting: 0 })
      await slow.write('x')
      await stage.atGate(gateId, { waiting: 1 })
      await stage.leave()
    })
  })

  describe('on http with halfClose', () => {
    it('serves a waiter that has sent its FIN', async () => {
      const backend = await startHttpBackend()
      const stage = await stageOf('http', backend.address.port, { halfClose: true })
      const holders = await fill(stage, { waiting: 0 })
      const client = await stage.client('in')
      await client.write(get('/one') + get('/two'))
      await stage.atGate(gateId, { waiting: 1 })
      await client.fin()
      // A FIN of theirs would not be an end, either.
      for (const holder of holders) holder.rst()
      expect((await response(client)).body.toString()).to.include('/one')
      expect((await response(client)).body.toString()).to.include('/two')
      expect(await client.ended).to.equal('fin')
      await stage.close()
      await backend.close()
    })
  })

  describe('on tcp', () => {
    const id = 'listener:in'
    let backend: TcpBackend
    let stage: Stage

    before(async () => {
      backend = await startTcpBackend({ behaviour: 'echo' })
    })
    after(async () => {
      await backend.close()
    })
    beforeEach(async () => {
      backend.resetStats()
      const { port } = backend.address
      stage = await stageOf('tcp', port, { routes: undefined, upstream: `tcp://127.0.0.1:${port}`, gate })
    })
    afterEach(async () => {
      await stage.close()
    })

    it(`runs 3, holds 10 and closes the rest of ${clients}`, async () => {
      const started = performance.now()
      const all = await Promise.all(Array.from({ length: clients }, () => stage.client('in')))
      let refused = 0
      const ends = all.map(async (client) => {
        const by = await client.ended
        refused++
        await client.close()
        return { by, afterMs: performance.now() - started }
      })
      await eventually(() => refused === clients - limit - queue)
      expect(stage.gate(id)).to.include({ running: limit, waiting: queue })
      expect(backend.stats().max).to.equal(limit)
      await eventually(() => refused === clients - limit)
      expect(performance.now() - started).to.be.within(timeoutMs - 1, timeoutMs * 10)
      expect(backend.stats()).to.include({ running: limit, total: limit })
      await stage.leave()
      for (const { by } of await Promise.all(ends)) expect(by).to.equal('fin')
      await stage.settled()
    })

    for (const sent of [0, 100, 60_000]) {
      for (const leave of ['fin', 'rst'] as const) {
        it(`forgets a waiter that leaves by ${leave.toUpperCase()} with ${sent} bytes sent`, async () => {
          await Promise.all(Array.from({ length: limit }, () => stage.client('in')))
          await stage.atGate(id, { running: limit })
          const client = await stage.client('in')
          if (sent > 0) await client.write('x'.repeat(sent))
          await stage.atGate(id, { waiting: 1 })
          if (leave === 'fin') await client.fin()
          else client.rst()
          await stage.atGate(id, { running: limit, waiting: 0 })
          await stage.leave()
          await stage.settled()
          expect(backend.stats().total).to.equal(limit)
        })
      }
    }

    it('sends what a waiter has said first, whole', async () => {
      const [holder] = await Promise.all(Array.from({ length: limit }, () => stage.client('in')))
      await stage.atGate(id, { running: limit })
      const client = await stage.client('in')
      const text = Array.from({ length: 30_000 }, (_, i) => `${i} `).join('')
      void client.write(text)
      await stage.atGate(id, { waiting: 1 })
      holder!.rst()
      let received = ''
      while (received.length < text.length) received += (await client.readSome()).toString('latin1')
      expect(received === text).to.equal(true)
    })
  })

  describe('on websocket', () => {
    it(`runs 3, holds 10 and answers the rest of ${clients}`, async () => {
      const backend = await startWebSocketBackend()
      const stage = await stageOf('websocket', backend.address.port)
      const all = await Promise.all(Array.from({ length: clients }, () => stage.client('in')))
      const answers = all.map(async (client) => {
        const { status, header } = await ask(client, handshake('/'))
        return `${status} ${header('x-sluice-reason') ?? 'ok'}`
      })
      await stage.atGate(gateId, { running: limit, waiting: queue })
      const by = group(await Promise.all(answers), (one) => one)
      expect(Object.fromEntries(Object.entries(by).map(([what, those]) => [what, those!.length]))).to.deep.equal({
        '101 ok': limit,
        '503 queueFull': clients - limit - queue,
        '503 queueTimeout': queue,
      })
      expect(backend.stats()).to.include({ max: limit, total: limit })
      await stage.close()
      await backend.close()
    })
  })
})

/** Takes every permit, and every place in the queue unless told otherwise. */
async function fill(stage: Stage, { waiting = queue } = {}): Promise<RawClient[]> {
  const all = await Promise.all(Array.from({ length: limit + waiting }, () => stage.client('in')))
  for (const client of all) await client.write(get('/hang'))
  await stage.atGate(gateId, { running: limit, waiting })
  return all
}

function group<T>(all: readonly T[], by: (one: T) => string): Partial<Record<string, T[]>> {
  return Object.groupBy(all, by)
}
