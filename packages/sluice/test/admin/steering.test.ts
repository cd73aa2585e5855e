import { connect } from 'node:net'
import { expect } from 'chai'
import { type Backend, startHttpBackend, startTcpBackend } from '@sluice/backends'
import { eventually, RawClient } from '../../../testkit/src/raw/index.ts'
import { createProxy, type Proxy } from '../../src/index.ts'
import { ask, change } from '../support/ask-admin.ts'

const addressOf = ({ address }: { address: { port: number } }): string => `127.0.0.1:${address.port}`
const gatePath = (id: string): string => `/gates/${encodeURIComponent(id)}`

// What is wrong with a body is found before any thread hears of it: one of the table is enough where there are several.
const ofTable = <T>(table: readonly T[], threads: number): readonly T[] => (threads === 0 ? table : table.slice(0, 1))

for (const threads of [0, 2]) {
  describe(`steering over the admin listener, threads: ${threads}`, () => {
    let first: Backend
    let second: Backend
    let proxy: Proxy
    let admin: number
    const clients: RawClient[] = []

    beforeEach(async () => {
      ;[first, second] = await Promise.all([startHttpBackend(), startHttpBackend()])
      proxy = await createProxy({
        threads,
        drainTimeout: '5s',
        admin: { bind: '127.0.0.1:0' },
        listeners: {
          web: {
            bind: '127.0.0.1:0',
            protocol: 'http',
            routes: [
              { name: 'slow', match: { path: '/slow' }, upstream: 'app', gate: { limit: 1, queue: 5, timeout: '30s' } },
              { name: 'named', match: { path: '/named' }, upstream: 'app', gate: 'shared' },
              { upstream: 'app' },
            ],
          },
        },
        gates: { shared: { limit: 7 } },
        upstreams: { app: { endpoints: [addressOf(first)] } },
      })
      await proxy.listen()
      admin = (proxy.adminAddress as { port: number }).port
    })
    afterEach(async () => {
      await Promise.all(clients.splice(0).map((client) => client.close()))
      await proxy.close()
      await Promise.all([first.close(), second.close()])
    })

    async function send(path: string): Promise<RawClient> {
      const client = await RawClient.connect((proxy.addresses['web'] as { port: number }).port)
      clients.push(client)
      await client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
      return client
    }

    const gate = (id: string) => proxy.stats().gates.find((one) => one.id === id)!
    const endpoints = () => proxy.stats().upstreams[0]!.endpoints

    describe('PATCH /gates/ID', () => {
      it('lets waiters through at once when the limit rises', async () => {
        const waiting = await Promise.all([send('/slow?ms=20000'), send('/slow?ms=20000')])
        await eventually(() => gate('route:web/slow').running === 1 && gate('route:web/slow').waiting === 1)
        const reply = await change(admin, 'PATCH', gatePath('route:web/slow'), { limit: 2 })
        expect(reply).to.deep.equal({
          status: 200,
          body: { id: 'route:web/slow', limit: 2, queue: 5, timeoutMs: 30_000 },
        })
        await eventually(() => gate('route:web/slow').running === 2)
        await eventually(() => first.stats().running === 2)
        await Promise.all(waiting.map((client) => client.close()))
      })

      it('lets only as many in from then on as a lowered limit says, and takes nothing from those who run', async () => {
        await change(admin, 'PATCH', gatePath('route:web/slow'), { limit: 3 })
        const three = await Promise.all([1, 2, 3].map(() => send('/slow?ms=300')))
        await eventually(() => gate('route:web/slow').running === 3)
        expect((await change(admin, 'PATCH', gatePath('route:web/slow'), { limit: 1, queue: 0 })).status).to.equal(200)
        const late = String(await (await send('/slow?ms=1')).readToEnd())
        expect(late)
          .to.match(/^HTTP\/1\.1 503 /)
          .and.to.include('queueFull')
        for (const client of three) expect(String(await client.readToEnd())).to.include('slow: 300 ms')
      })

      it('changes the queue and the timeout alone, and the ID may stand there as it is', async () => {
        const reply = await change(admin, 'PATCH', '/gates/route:web/slow', { queue: 0, timeout: '1m' })
        expect(reply.body).to.include({ limit: 1, queue: 0, timeoutMs: 60_000 })
        expect(gate('route:web/slow')).to.include({ limit: 1, queue: 0 })
        expect((await change(admin, 'PATCH', '/gates/shared', { timeout: 'off' })).body).to.include({ timeoutMs: null })
      })

      it('knows no gate that is not configured, and names the nearest', async () => {
        const near = await change(admin, 'PATCH', gatePath('route:web/slwo'), { limit: 2 })
        expect(near.status).to.equal(404)
        expect(near.body.error).to.equal('there is no gate `route:web/slwo`. Did you mean `route:web/slow`?')
        // An upstream without a gate has room, and no limit that could be another one.
        expect((await change(admin, 'PATCH', '/gates/upstream:app', { limit: 2 })).status).to.equal(404)
        const endpoint = await change(admin, 'PATCH', gatePath(`endpoint:app/${addressOf(first)}`), { limit: 2 })
        expect(endpoint.body.error).to.include('PUT /upstreams/NAME/endpoints')
        expect((await change(admin, 'PATCH', '/gates/%ff', { limit: 2 })).status).to.equal(404)
      })

      const bad: ReadonlyArray<readonly [string, unknown, string, string]> = [
        ['a limit of nothing', { limit: 0 }, 'limit', 'The number `0` must be 1 or more.'],
        ['a limit beyond all bounds', { limit: 1e7 }, 'limit', 'The number `10000000` must be 1000000 or less.'],
        ['a limit that is no number', { limit: '3' }, 'limit', '`3` is not a'],
        ['a limit of a half', { limit: 1.5 }, 'limit', '`1.5` is not a whole number.'],
        ['a limit that is empty', { limit: null }, 'limit', 'An empty value is not'],
        ['a queue below nothing', { queue: -1 }, 'queue', 'The number `-1` must be 0 or more.'],
        ['a timeout without unit', { timeout: 5 }, 'timeout', 'The duration 5 has no unit.'],
        ['an unknown key', { limti: 5 }, 'limti', 'The key `limti` is not known. Did you mean `limit`?'],
        ['a key that is set by a reload alone', { dryRun: true }, 'dryRun', 'The key `dryRun` is not known.'],
        ['nothing', {}, '', 'Write an object with `limit`, `queue` or `timeout`.'],
        ['a list', [1], '', 'Write an object with'],
      ]
      for (const [what, body, path, message] of ofTable(bad, threads)) {
        it(`refuses ${what}, and the gate stays as it is`, async () => {
          const reply = await change(admin, 'PATCH', '/gates/shared', body)
          expect(reply.status).to.equal(422)
          expect(reply.body.mistakes).to.have.length(1)
          expect(reply.body.mistakes[0]).to.include({ path })
          expect(reply.body.mistakes[0]!.message).to.include(message)
          expect(gate('shared')).to.include({ limit: 7, queue: 16 })
        })
      }

      it('tells of all mistakes at once, and of a body that is no JSON', async () => {
        const reply = await change(admin, 'PATCH', '/gates/shared', { limit: 0, queue: 'many', x: 1 })
        expect(reply.body.mistakes.map(({ path }) => path)).to.have.members(['limit', 'queue', 'x'])
        const text = await change(admin, 'PATCH', '/gates/shared', '{limit: 5}')
        expect([text.status, text.body.error]).to.deep.equal([400, text.body.error])
        expect(text.body.error).to.match(/^the body is not JSON: /)
      })
    })

    describe('PUT /upstreams/NAME/endpoints', () => {
      it('sends what comes to the new endpoints, and lets the old ones serve what they have begun', async () => {
        const old = await send('/slow?ms=500')
        await eventually(() => first.stats().running === 1)
        const reply = await change(admin, 'PUT', '/upstreams/app/endpoints', [
          { address: addressOf(second), weight: 2, limit: 9 },
        ])
        expect(reply).to.deep.equal({ status: 200, body: { generation: 2, needRestart: [] } })
        expect(String(await (await send('/')).readToEnd())).to.match(/^HTTP\/1\.1 200 /)
        expect([first.stats().total, second.stats().total]).to.deep.equal([1, 1])
        expect(endpoints().map(({ endpoint, draining }) => [endpoint, draining])).to.deep.equal([
          [addressOf(second), false],
          [addressOf(first), true],
        ])
        expect(String(await old.readToEnd())).to.include('slow: 500 ms')
        await eventually(() => endpoints().length === 1, { what: 'the old endpoint to be gone' })
      })

      it('keeps limits that were set before, until the configuration is replaced', async () => {
        await change(admin, 'PATCH', '/gates/shared', { limit: 3 })
        await change(admin, 'PUT', '/upstreams/app/endpoints', [addressOf(second)])
        expect(gate('shared')).to.include({ limit: 3, queue: 16 })
        await proxy.reload({
          listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', routes: [{ upstream: 'app', gate: 'shared' }] } },
          gates: { shared: { limit: 7 } },
          upstreams: { app: { endpoints: [addressOf(first)] } },
        })
        expect(gate('shared')).to.include({ limit: 7 })
        expect(endpoints().map(({ endpoint }) => endpoint)).to.deep.equal([addressOf(first)])
      })

      it('knows no upstream that is not configured', async () => {
        const reply = await change(admin, 'PUT', '/upstreams/ap/endpoints', [addressOf(second)])
        expect(reply).to.deep.equal({
          status: 404,
          body: { error: 'there is no upstream `ap`. Did you mean `app`?' },
        })
      })

      const bad: ReadonlyArray<readonly [string, unknown, string, string]> = [
        ['an address without port', ['127.0.0.1'], 'endpoints[0]', 'The address `127.0.0.1` has no port.'],
        ['a limit of nothing', [{ address: 'a:1', limit: 0 }], 'endpoints[0].limit', 'must be 1 or more'],
        ['an unknown key', [{ address: 'a:1', wieght: 1 }], 'endpoints[0].wieght', 'is not known in `endpoints[0]`'],
        ['the same one twice', ['a:1', 'a:1'], 'endpoints[1]', 'The endpoint `a:1` stands in `app` twice.'],
        ['an empty list', [], 'endpoints', 'The list must not be empty.'],
        ['what is no list', { a: 1 }, 'endpoints', 'An object is not a list.'],
        ['a scheme that the listener does not speak', ['tcp://a:1'], 'endpoints', 'has the scheme `tcp`'],
      ]
      for (const [what, body, path, message] of ofTable(bad, threads)) {
        it(`refuses ${what}, and nothing changes`, async () => {
          const reply = await change(admin, 'PUT', '/upstreams/app/endpoints', body)
          expect(reply.status).to.equal(422)
          expect(reply.body.error).to.equal('the endpoints stay as they are')
          expect(reply.body.mistakes).to.have.length(1)
          expect(reply.body.mistakes[0]).to.include({ path })
          expect(reply.body.mistakes[0]!.message).to.include(message)
          expect(proxy.generation).to.equal(1)
        })
      }
    })

    it('says that there is no file to reload and no log to open anew', async () => {
      expect(await change(admin, 'POST', '/reload')).to.deep.equal({
        status: 409,
        body: { error: 'the configuration does not come from a file: there is nothing to reload' },
      })
      expect((await change(admin, 'POST', '/log/reopen')).status).to.equal(409)
    })

    it('shows in /state which thread has which connections', async () => {
      const held = await Promise.all([1, 2, 3].map(() => send('/slow?ms=20000')))
      await eventually(() => proxy.stats().listeners[0]!.connections === 3)
      const { threads: shown, listeners } = proxy.stats()
      expect(shown).to.have.length(Math.max(1, threads))
      expect(listeners[0]!.connectionsByThread).to.have.length(shown.length)
      expect(listeners[0]!.connectionsByThread.reduce((sum, one) => sum + one)).to.equal(3)
      for (const one of shown) {
        expect(one).to.include({ restarts: 0 })
        expect(one.generations).to.deep.equal([1])
        expect(one.heartbeatAgeMs).to.be.within(0, 10_000)
      }
      await eventually(() => gate('route:web/slow').waiting === 2)
      expect(gate('route:web/slow').dryRun).to.equal(false)
      await eventually(() => gate('route:web/slow').oldestWaitMs >= 50)
      const { body } = await ask(admin, '/metrics')
      const [, oldest] = /^sluice_gate_oldest_wait_seconds\{gate="route:web\/slow"\} (\S+)$/m.exec(body)!
      expect(Number(oldest)).to.be.within(0.05, 10)
      expect(body).to.match(/^sluice_gate_oldest_wait_seconds\{gate="shared"\} 0$/m)
      await Promise.all(held.map((client) => client.close()))
    })
  })
}

describe('PUT /upstreams/NAME/endpoints of a tcp listener', () => {
  it('takes an endpoint out without touching its connections', async () => {
    const [first, second] = await Promise.all([
      startTcpBackend({ behaviour: 'echo' }),
      startTcpBackend({ behaviour: 'echo' }),
    ])
    const proxy = await createProxy({
      admin: { bind: '127.0.0.1:0' },
      listeners: { tcp: { bind: '127.0.0.1:0', protocol: 'tcp', upstream: 'echo' } },
      upstreams: { echo: { endpoints: [addressOf(first)] } },
    })
    await proxy.listen()
    const { port } = proxy.addresses['tcp'] as { port: number }
    const old = await RawClient.connect(port)
    await old.write('a')
    await eventually(() => first.stats().running === 1)
    const admin = (proxy.adminAddress as { port: number }).port
    expect((await change(admin, 'PUT', '/upstreams/echo/endpoints', [addressOf(second)])).status).to.equal(200)
    const socket = connect(port, '127.0.0.1')
    await eventually(() => second.stats().running === 1)
    await old.write('b')
    await old.fin()
    expect(String(await old.readToEnd())).to.equal('ab')
    socket.destroy()
    await proxy.close()
    await Promise.all([first.close(), second.close()])
  })
})
