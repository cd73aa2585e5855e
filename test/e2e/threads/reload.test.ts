import { createServer } from 'node:net'
import type { ConfigInput } from '@sluice/core'
import {
  type Backend,
  startHttpBackend,
  startTcpBackend,
  startWebSocketBackend,
} from '../../../packages/backends/src/index.ts'
import { expect } from 'chai'
import { eventually, RawClient, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../../packages/testkit/src/scale.ts'
import { SeededRandom } from '../../../packages/testkit/src/seeded-random.ts'
import { ask, get, response } from '../support/ask.ts'
import { Authority } from '../support/certificates.ts'
import { Load } from '../support/load.ts'
import { residue, Stage } from '../support/stage.ts'

const reloads = scaled({ test: 25, ci: 100, soak: 1_000 })
const atATime = scaled({ test: 40, ci: 100, soak: 200 })

/** Limits that never change, for gates that all reloads keep: by these it is seen that no permit is counted elsewhere. */
const constant = { 'route:web/slow': 4, 'route:web/hash': 2 } as const
const patient = { queue: 1_000, timeout: '60s' }

/** Everything that a reload may change, differently each time. */
function configOf(turn: number, backends: readonly Backend[]): Record<string, unknown> {
  const [slow, http, otherHttp, tcp, otherTcp, websocket] = backends.map(({ address }) => `127.0.0.1:${address.port}`)
  const route = (name: string, limit: number, upstream: string) => ({
    name,
    match: { path: `/${name}/*` },
    upstream,
    gate: { limit, ...patient },
  })
  const kept = [route('slow', constant['route:web/slow'], 'slow'), route('hash', constant['route:web/hash'], 'http')]
  const inserted = Array.from({ length: turn % 3 }, (_, i) => route(`inserted-${turn + i}`, 1 + i, 'http'))
  // Every other time this one is gone, and what it took goes by the rest.
  const removed = turn % 2 === 0 ? [route('echo', 3, 'http')] : []
  const routes = [...inserted, ...kept, ...removed, { name: 'rest', upstream: 'http' }]
  const changing = { limit: 3 + (turn % 6), ...patient }
  const timeouts = { head: `${20 + turn}s`, keepAlive: `${30 + turn}s` }
  const listener = { bind: '127.0.0.1:0', timeouts }
  return {
    listeners: {
      web: { ...listener, protocol: 'http', routes: turn % 2 === 0 ? routes : routes.toReversed() },
      raw: { ...listener, protocol: 'tcp', upstream: 'tcp', gate: changing, timeouts: { idle: `${60 + turn}s` } },
      live: { ...listener, protocol: 'websocket', upstream: 'websocket', gate: changing },
    },
    upstreams: {
      slow: { endpoints: [slow] },
      http: { endpoints: turn % 3 === 0 ? [http] : turn % 3 === 1 ? [http, otherHttp] : [otherHttp], gate: changing },
      tcp: { endpoints: [turn % 2 === 0 ? tcp : otherTcp] },
      websocket: { endpoints: [websocket] },
    },
  }
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = await RawServer.start()
  await server.close()
  return server.port
}

const input = (config: unknown) => config as ConfigInput

/** Listeners by name on fixed ports, each of which answers with its name and the turn. */
function answering(turn: number, ports: Readonly<Record<string, number>>): { listeners: Record<string, object> } {
  const listeners = Object.entries(ports).map(([name, port]) => [
    name,
    {
      bind: `127.0.0.1:${port}`,
      protocol: 'http',
      routes: [{ name: 'only', respond: { status: 200, body: `${name} ${turn}` } }],
    },
  ])
  return { listeners: Object.fromEntries(listeners) as Record<string, object> }
}

async function bodyFrom(port: number): Promise<string> {
  const client = await RawClient.connect(port)
  const { body } = await ask(client, get('/'))
  await client.close()
  return body.toString()
}

const refused = async (port: number) =>
  RawClient.connect(port).then(
    async (client) => {
      await client.close()
      return false
    },
    (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
  )

async function failure(reload: Promise<void>): Promise<string> {
  return reload.then(
    () => expect.fail('the reload did not fail'),
    (error: Error) => error.message,
  )
}

for (const threads of [0, 2]) {
  describe(`reloads with threads ${threads}`, function () {
    this.timeout(600_000)

    it(`${reloads} of them under load lose no unit and miscount no permit`, async () => {
      const backends = await Promise.all([
        startHttpBackend({ name: 'slow' }),
        startHttpBackend({ name: 'one' }),
        startHttpBackend({ name: 'two' }),
        startTcpBackend(),
        startTcpBackend(),
        startWebSocketBackend(),
      ])
      const stage = await Stage.start({ threads, ...configOf(0, backends) })
      const load = new Load(stage, { random: new SeededRandom(0xfeed) })
      const most: Record<string, number> = {}
      let reloading = true
      const watching = (async () => {
        while (reloading) {
          for (const { id, running } of stage.stats.gates) most[id] = Math.max(most[id] ?? 0, running)
          await new Promise((resolve) => setImmediate(resolve))
        }
      })()
      const changing = (async () => {
        for (let turn = 1; turn <= reloads; turn++) {
          const { served } = load.ends
          await stage.proxy.reload(input(configOf(turn, backends)))
          await eventually(() => load.ends.served + load.ends.lost > served + atATime / 4)
        }
        reloading = false
      })()
      await Promise.all([load.until(changing, atATime), watching])
      console.log(`    ${reloads} reloads, threads ${threads}: ${load.ends.served} served, ${load.ends.lost} lost`)
      expect([...load.losses]).to.deep.equal([])
      expect(load.ends.served).to.be.greaterThan((reloads * atATime) / 4)
      for (const [id, limit] of Object.entries(constant)) expect(most[id], id).to.be.at.most(limit)
      expect(backends[0]!.stats().max).to.be.within(1, constant['route:web/slow'])
      await stage.settled()
      expect(stage.stats.generation).to.equal(reloads + 1)
      await eventually(() => stage.stats.threads.every(({ generations }) => generations.join() === String(reloads + 1)))
      // What has vanished has no figures any more once nobody goes by it, and none that is not zero before.
      expect(residue(stage.stats)).to.deep.equal([])
      await stage.close()
      await Promise.all(backends.map((backend) => backend.close()))
    })

    it('bind what is new, leave what is gone to those it serves, and keep what stays', async () => {
      const [stays, goes, comes] = [await freePort(), await freePort(), await freePort()]
      const upstream = await RawServer.start()
      const before = answering(1, { stays, goes })
      before.listeners.goes = {
        ...before.listeners.goes,
        routes: [{ name: 'only', upstream: `http://127.0.0.1:${upstream.port}` }],
      }
      const stage = await Stage.start({ threads, ...before })
      stage.closesWith(upstream)
      const served = await stage.client('goes')
      const kept = await stage.client('stays')
      await served.write(get('/'))
      const one = await upstream.accept()
      await one.readHead()
      await stage.proxy.reload(input(answering(2, { stays, comes })))
      await eventually(() => refused(goes))
      expect(await bodyFrom(comes)).to.equal('comes 2')
      expect(await bodyFrom(stays)).to.equal('stays 2')
      expect((await ask(kept, get('/'))).body.toString()).to.equal('stays 2')
      await one.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast')
      const { body, header } = await response(served)
      expect([body.toString(), header('connection')]).to.deep.equal(['last', 'close'])
      expect(await served.ended).to.equal('fin')
      await stage.close()
    })

    it('move a bound address to another listener without a connect refused', async () => {
      const [left, right] = [await freePort(), await freePort()]
      const stage = await Stage.start({ threads, ...answering(1, { one: left, two: right }) })
      let asking = true
      const seen = new Set<string>()
      const clients = Array.from({ length: 4 }, async () => {
        while (asking) seen.add(await bodyFrom(left))
      })
      for (let turn = 2; turn <= 11; turn++) {
        const swapped = turn % 2 === 0
        await stage.proxy.reload(
          input(answering(turn, swapped ? { one: right, two: left } : { one: left, two: right })),
        )
        expect(await bodyFrom(left)).to.equal(`${swapped ? 'two' : 'one'} ${turn}`)
        expect(await bodyFrom(right)).to.equal(`${swapped ? 'one' : 'two'} ${turn}`)
      }
      asking = false
      await Promise.all(clients)
      expect([...seen].every((body) => /^(?:one|two) \d+$/.test(body))).to.equal(true)
      await stage.close()
    })

    it('change nothing when a port is in use or a certificate is broken', async () => {
      const authority = new Authority()
      const [stays, comes] = [await freePort(), await freePort()]
      const blocker = createServer()
      await new Promise<void>((resolve) => blocker.listen({ port: 0, host: '127.0.0.1' }, resolve))
      const taken = (blocker.address() as { port: number }).port
      const stage = await Stage.start({ threads, ...answering(1, { stays }) })
      const client = await stage.client('stays')
      const unchanged = async () => {
        expect(stage.stats.generation).to.equal(1)
        expect(stage.stats.listeners.map(({ name }) => name)).to.deep.equal(['stays'])
        expect((await ask(client, get('/'))).body.toString()).to.equal('stays 1')
        expect(await bodyFrom(stays)).to.equal('stays 1')
        expect(await refused(comes)).to.equal(true)
      }
      const inUse = await failure(stage.proxy.reload(input(answering(2, { stays, comes, taken }))))
      expect(inUse).to.include(`127.0.0.1:${taken} is in use`)
      await unchanged()
      const broken = answering(3, { stays, comes })
      const { certFile } = authority.issue('listener')
      broken.listeners.comes = { ...broken.listeners.comes, tls: { cert: certFile, key: authority.caFile } }
      expect(await failure(stage.proxy.reload(input(broken)))).to.match(/listeners\.comes\.tls/)
      await unchanged()
      await stage.proxy.reload(input(answering(4, { stays, comes })))
      expect(await bodyFrom(comes)).to.equal('comes 4')
      await stage.close()
      await new Promise((resolve) => blocker.close(resolve))
      authority.remove()
    })

    it('count what comes over connections of a listener that has gone at the gates it had', async () => {
      const upstream = await RawServer.start()
      const routes = [{ name: 'one', upstream: `http://127.0.0.1:${upstream.port}`, gate: { limit: 1, queue: 10 } }]
      const other = { bind: '127.0.0.1:0', protocol: 'http', routes: [{ name: 'other', respond: { body: 'here' } }] }
      const both = { listeners: { goes: { bind: '127.0.0.1:0', protocol: 'http', routes }, stays: other } }
      const stage = await Stage.start({ threads, ...both })
      stage.closesWith(upstream)
      const old = await stage.client('goes')
      await old.write(get('/first'))
      const first = await upstream.accept()
      await first.readHead()
      // A response whose end is the end of its connection: the next request needs another one.
      await first.write('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n')
      await first.fin()
      expect((await response(old)).status).to.equal(204)
      await stage.proxy.reload(input({ listeners: { stays: other } }))
      await eventually(() => stage.stats.threads.every(({ generations }) => generations.at(-1) === 2))
      await stage.proxy.reload(input(both))
      await old.write(get('/old'))
      const one = await upstream.accept()
      await one.readHead()
      const next = await stage.client('goes')
      await next.write(get('/new'))
      await stage.atGate('route:goes/one', { running: 1, waiting: 1 })
      expect(upstream.connections.length).to.equal(2)
      await one.write('HTTP/1.1 204 No Content\r\n\r\n')
      expect((await response(old)).status).to.equal(204)
      await Promise.all([old.close(), next.close()])
      await stage.close()
    })

    it('change nothing when an address turns out not to be bindable in the last moment', async () => {
      const [stays, comes] = [await freePort(), await freePort()]
      const stage = await Stage.start({ threads, ...answering(1, { stays }) })
      const bad = answering(2, { stays, comes })
      bad.listeners.sock = { ...bad.listeners.comes, bind: 'unix:/nonexistent/directory/x.sock' }
      expect(await failure(stage.proxy.reload(input(bad)))).to.match(/listeners\.sock\.bind/)
      expect(stage.stats.generation).to.equal(1)
      expect(stage.stats.listeners.map(({ name }) => name)).to.deep.equal(['stays'])
      expect(await bodyFrom(stays)).to.equal('stays 1')
      await eventually(() => refused(comes))
      await stage.proxy.reload(input(answering(3, { stays, comes })))
      expect(await bodyFrom(stays)).to.equal('stays 3')
      expect(await bodyFrom(comes)).to.equal('comes 3')
      await stage.close()
    })

    it('narrow an address of all hosts down to one of them, and back', async () => {
      const port = await freePort()
      const bound = (turn: number, host: string) => {
        const config = answering(turn, { only: port })
        return { listeners: { only: { ...config.listeners.only, bind: `${host}:${port}` } } }
      }
      const stage = await Stage.start({ threads, ...bound(1, '0.0.0.0') })
      expect(await bodyFrom(port)).to.equal('only 1')
      for (const [turn, host] of [
        [2, '127.0.0.1'],
        [3, '0.0.0.0'],
      ] as const) {
        await stage.proxy.reload(input(bound(turn, host)))
        expect(await bodyFrom(port)).to.equal(`only ${turn}`)
        expect(stage.proxy.addresses['only']).to.deep.equal({ host, port })
      }
      await stage.close()
    })

    it('keep a generation as long as a unit goes by it', async () => {
      const upstream = await RawServer.start()
      const config = {
        listeners: { in: { bind: '127.0.0.1:0', protocol: 'http', upstream: `http://127.0.0.1:${upstream.port}` } },
      }
      const stage = await Stage.start({ threads, ...config })
      stage.closesWith(upstream)
      const client = await stage.client('in')
      await client.write(get('/'))
      const one = await upstream.accept()
      await one.readHead()
      await stage.proxy.reload(input(config))
      await stage.proxy.reload(input(config))
      const generations = () =>
        [...new Set(stage.stats.threads.flatMap((thread) => thread.generations))].toSorted((a, b) => a - b)
      await eventually(() => generations().join() === '1,3')
      await one.write('HTTP/1.1 204 No Content\r\n\r\n')
      expect((await response(client)).status).to.equal(204)
      await eventually(() => generations().join() === '3')
      await stage.close()
    })
  })
}
