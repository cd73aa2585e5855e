import { type Backend, startHttpBackend, startTcpBackend } from '../../../packages/backends/src/index.ts'
import { expect } from 'chai'
import { eventually, type RawClient, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { ask, get, handshake, request, response } from '../support/ask.ts'
import { Stage, type Written } from '../support/stage.ts'

const http = { bind: '127.0.0.1:0', protocol: 'http' }

describe('gates on the way of a unit', () => {
  let backend: Backend
  let other: Backend

  before(async () => {
    ;[backend, other] = await Promise.all([startHttpBackend({ name: 'one' }), startHttpBackend({ name: 'two' })])
  })
  after(async () => {
    await Promise.all([backend.close(), other.close()])
  })
  beforeEach(() => {
    backend.resetStats()
    other.resetStats()
  })

  const addresses = () => [backend, other].map(({ address }) => `127.0.0.1:${address.port}`)

  /** Runs 40 requests through and gives back the most that were seen at once. */
  async function most(config: Written, paths: readonly string[] = ['/slow?ms=5']): Promise<number> {
    const stage = await Stage.start(config)
    const all = await Promise.all(Array.from({ length: 40 }, () => stage.client('in')))
    const answers = await Promise.all(all.map((client, i) => ask(client, get(paths[i % paths.length]!))))
    expect(answers.map(({ status }) => status)).to.deep.equal(all.map(() => 200))
    await stage.close()
    return Math.max(backend.stats().max, other.stats().max)
  }

  const wide = { queue: 100, timeout: '10s' }

  it('lets the smallest limit decide, wherever it stands', async () => {
    for (const [listener, route, upstream, endpoint] of [
      [2, 5, 6, 7],
      [5, 2, 6, 7],
      [6, 5, 2, 7],
      [6, 7, 5, 2],
    ] as const) {
      backend.resetStats()
      const seen = await most({
        listeners: {
          in: {
            ...http,
            gate: { limit: listener, ...wide },
            routes: [{ upstream: 'up', gate: { limit: route, ...wide } }],
          },
        },
        upstreams: {
          up: { endpoints: [{ address: addresses()[0], limit: endpoint }], gate: { limit: upstream, ...wide } },
        },
      })
      expect(seen).to.equal(2)
    }
  })

  it('counts the units of an upstream over its endpoints, and those of an endpoint alone', async () => {
    const seen = await most({
      listeners: { in: { ...http, upstream: 'up' } },
      upstreams: {
        up: {
          endpoints: [
            { address: addresses()[0], limit: 1 },
            { address: addresses()[1], limit: 4 },
          ],
          gate: { limit: 3, ...wide },
        },
      },
    })
    expect(seen).to.be.within(1, 3)
    expect(backend.stats().max).to.equal(1)
    expect(other.stats().max).to.be.within(2, 3)
  })

  it('shares a named gate between two routes', async () => {
    const seen = await most(
      {
        gates: { shared: { limit: 2, ...wide } },
        listeners: {
          in: {
            ...http,
            routes: [
              { match: { path: '/slow' }, upstream: 'up', gate: 'shared' },
              { match: { path: '/slow/*' }, upstream: 'up', gate: 'shared' },
            ],
          },
        },
        upstreams: { up: { endpoints: [addresses()[0]] } },
      },
      ['/slow?ms=5', '/slow/b?ms=5'],
    )
    expect(seen).to.equal(2)
  })

  it('shares a named gate between listeners of different protocols', async () => {
    const echo = await startTcpBackend({ behaviour: 'echo' })
    const stage = await Stage.start({
      gates: { shared: { limit: 1, queue: 5, timeout: '5s' } },
      listeners: {
        in: { ...http, upstream: 'up', gate: 'shared' },
        raw: { bind: '127.0.0.1:0', protocol: 'tcp', upstream: 'echo', gate: 'shared' },
        live: { bind: '127.0.0.1:0', protocol: 'websocket', upstream: 'up', gate: 'shared' },
      },
      upstreams: {
        up: { endpoints: [addresses()[0]] },
        echo: { endpoints: [`127.0.0.1:${echo.address.port}`] },
      },
    })
    const raw = await stage.client('raw')
    await stage.atGate('shared', { running: 1 })
    const web = await stage.client('in')
    await web.write(get('/hello'))
    await stage.atGate('shared', { running: 1, waiting: 1 })
    const live = await stage.client('live')
    await live.write(handshake('/'))
    await stage.atGate('shared', { running: 1, waiting: 2 })
    expect(backend.stats().total).to.equal(0)
    raw.rst()
    expect((await response(web)).status).to.equal(200)
    // A backend without WebSockets answers the handshake as a plain request.
    expect((await response(live)).status).to.be.oneOf([200, 426])
    await stage.close()
    await echo.close()
  })

  it('serves waiters in the order in which they came', async () => {
    const order: string[] = []
    const upstream = await RawServer.start(async (one) => {
      for (;;) {
        const path = /^GET (\S+)/.exec(await one.readHead())![1]!
        order.push(path)
        if (path !== '/hold') await one.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      }
    })
    const stage = await Stage.start({
      listeners: { in: { ...http, upstream: 'up', gate: { limit: 1, queue: 50, timeout: '5s' } } },
      upstreams: { up: { endpoints: [`127.0.0.1:${upstream.port}`] } },
    })
    const holder = await stage.client('in')
    await holder.write(get('/hold'))
    await stage.atGate('listener:in', { running: 1 })
    const waiters: RawClient[] = []
    for (let i = 0; i < 20; i++) {
      const waiter = await stage.client('in')
      waiters.push(waiter)
      await waiter.write(get(`/${i}`))
      await stage.atGate('listener:in', { waiting: i + 1 })
    }
    // Some of them leave, and those who come now do not overtake.
    for (const i of [0, 7, 19]) waiters[i]!.rst()
    await stage.atGate('listener:in', { waiting: 17 })
    holder.rst()
    await Promise.all(waiters.map(async (waiter, i) => ([0, 7, 19].includes(i) ? undefined : response(waiter))))
    const stayed = waiters.map((_, i) => i).filter((i) => ![0, 7, 19].includes(i))
    expect(order).to.deep.equal(['/hold', ...stayed.map((i) => `/${i}`)])
    await stage.close()
    await upstream.close()
  })

  it('does not let a busy endpoint hold up those that wait for any', async () => {
    const stage = await Stage.start({
      listeners: { in: { ...http, upstream: 'up' } },
      upstreams: { up: { endpoints: addresses().map((address) => ({ address, limit: 1 })) } },
    })
    const [a, b, c] = await Promise.all([stage.client('in'), stage.client('in'), stage.client('in')])
    await a.write(get('/hang'))
    await b.write(get('/slow?ms=50'))
    await eventually(() => stage.stats.upstreams[0]!.running === 2)
    expect((await ask(c, get('/hello'))).status).to.equal(200)
    await stage.close()
  })

  it('gives the upstream permit back with the last byte of the upstream, the route permit with the last to the client', async () => {
    const size = 8_000_000
    const stage = await Stage.start({
      listeners: { in: { ...http, routes: [{ name: 'r', upstream: 'up', gate: { limit: 1 } }] } },
      upstreams: { up: { endpoints: [addresses()[0]], gate: { limit: 1 } } },
    })
    const client = await stage.client('in')
    client.pause()
    await client.write(get(`/bytes/${size}`))
    await stage.atGate('route:in/r', { running: 1 })
    client.resume()
    const { body } = await response(client)
    expect(body.length).to.equal(size)
    await stage.atGate('route:in/r', { running: 0 })
    await stage.close()
  })

  it('answers a route without an upstream through its gate', async () => {
    const stage = await Stage.start({
      listeners: {
        in: {
          ...http,
          routes: [
            { match: { path: '/own' }, redirect: { to: '/new{path}{query}' }, gate: 'shared' },
            { upstream: 'up', gate: 'shared' },
          ],
        },
      },
      gates: { shared: { limit: 1, queue: 2, timeout: '5s' } },
      upstreams: { up: { endpoints: [addresses()[0]] } },
    })
    const [holder, waiter] = await Promise.all([stage.client('in'), stage.client('in')])
    await holder.write(get('/hang'))
    await stage.atGate('shared', { running: 1 })
    await waiter.write(get('/own?a=1'))
    await stage.atGate('shared', { waiting: 1 })
    holder.rst()
    expect((await response(waiter)).header('location')).to.equal('/new/own?a=1')
    await stage.close()
  })

  it('reads a chunked body that fits the buffer before it takes a permit', async () => {
    const stage = await Stage.start({
      listeners: { in: { ...http, upstream: 'up', gate: { limit: 1 } } },
      upstreams: { up: { endpoints: [addresses()[0]] } },
    })
    const client = await stage.client('in')
    await client.write(`${request('POST', '/echo', ['Transfer-Encoding: chunked'])}3\r\nabc\r\n`)
    await eventually(() => stage.stats.exchanges === 1)
    expect(stage.gate('listener:in').running).to.equal(0)
    await client.write('0\r\n\r\n')
    expect((await response(client)).body.toString()).to.include('"body": "abc"')
    await stage.close()
  })
})
