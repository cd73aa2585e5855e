import { connect } from 'node:net'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { eventually, type RawClient, type RawScript, RawServer } from '../../packages/testkit/src/raw/index.ts'
import { Stage, type Written } from './support/stage.ts'

const request = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const answered: RawScript = async (one) => {
  for (;;) {
    await one.readHead()
    await one.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  }
}

describe('self-protection', () => {
  let stage: Stage
  let upstream: RawServer | undefined

  afterEach(async () => {
    await stage.close()
    await upstream?.close()
    upstream = undefined
  })

  async function start(listener: Written, more: Written = {}, script: RawScript = answered): Promise<void> {
    upstream = await RawServer.start(script)
    stage = await Stage.start({
      listeners: { in: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', ...listener } },
      upstreams: { up: { endpoints: [`127.0.0.1:${upstream.port}`], retries: { max: 0 } } },
      ...more,
    })
  }

  /** How the connection of one who may not come in ends; the reset may be there before its connect is noticed. */
  const turnedAway = (): Promise<string> =>
    stage.client('in').then(
      (client) => client.ended,
      (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? 'rst' : String(error.code)),
    )

  const connections = (): number => stage.stats.listeners[0]!.connections

  async function refusedInMetrics(): Promise<string | undefined> {
    const { port } = stage.proxy.adminAddress as { port: number }
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    return /^sluice_connections_refused_total\{listener="in"\} (\d+)$/m.exec(text)?.[1]
  }

  for (const threads of [0, 2]) {
    for (const key of ['maxConnections', 'perClient']) {
      it(`${key} holds over all threads, of which there are ${threads}`, async function () {
        this.timeout(20_000)
        await start({ [key]: 4 }, { threads, admin: { bind: '127.0.0.1:0' } })
        const clients: RawClient[] = []
        for (let i = 0; i < 4; i++) {
          const client = await stage.client('in')
          await client.write(request)
          await client.readUntil('ok')
          clients.push(client)
        }
        for (let i = 0; i < 3; i++) expect(await turnedAway()).to.equal('rst')
        await eventually(async () => (await refusedInMetrics()) === '3')
        for (const client of clients) await client.close()
        await eventually(() => connections() === 0)
        const next = await stage.client('in')
        await next.write(request)
        await next.readUntil('ok')
      })
    }
  }

  it('maxBuffered refuses new requests while it is held for others, and serves them afterwards', async () => {
    const size = 12_000_000
    await start({}, { maxBuffered: '64KiB' }, async (one) => {
      for (;;) {
        const head = await one.readHead()
        const body = head.startsWith('GET /long') ? 'x'.repeat(size) : 'ok'
        await one.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      }
    })
    const slow = await stage.client('in')
    await slow.write(request.replace('/', '/long'))
    await slow.readHead()
    slow.pause()
    const client = await stage.client('in')
    await eventually(async () => {
      await client.write(request)
      const head = await client.readHead()
      await client.readExactly(Number(/Content-Length: (\d+)/i.exec(head)![1]))
      return /^HTTP\/1.1 503 [\s\S]*Retry-After: \d+\r\n/.test(head) && head.includes('x-sluice-reason: overloaded')
    })
    slow.resume()
    await slow.readExactly(size)
    await client.write(request)
    expect(await client.readHead()).to.match(/^HTTP\/1.1 200 /)
  })

  it('maxWaiting is what may wait at all gates together, where there are threads', async function () {
    this.timeout(20_000)
    await start({ gate: { limit: 1, queue: 1_000 } }, { threads: 1, maxWaiting: 64 }, () => {})
    const clients = await Promise.all(Array.from({ length: 160 }, () => stage.client('in')))
    for (const client of clients) await client.write(request)
    const refused = Promise.all(clients.map((client) => client.readHead().catch(() => '')))
    // One runs; a thread may have a chunk of 64 places more than was asked for, to begin with.
    await stage.atGate('listener:in', { running: 1, waiting: 128 })
    await eventually(() => stage.accounts.length === 160 - 1 - 128)
    expect(stage.accounts.map(({ reason }) => reason)).to.deep.equal(stage.accounts.map(() => 'queueFull'))
    await stage.leave()
    expect((await refused).filter((head) => head.includes('x-sluice-reason: queueFull'))).to.have.length(31)
  })

  it('backlog is what the system keeps until it is accepted', async function () {
    if (process.platform !== 'linux') this.skip()
    this.timeout(20_000)
    await start({ backlog: 1 }, { threads: 0 })
    const started = performance.now()
    const port = stage.port('in')
    // All at once, before the listener of the same thread can accept any: what has no room is asked for once more after
    // a second, by TCP.
    const sockets = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'))
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
    expect(performance.now() - started).to.be.at.least(900)
    for (const socket of sockets) socket.destroy()
  })

  it('heads that are never finished take no permit, and are answered 408 in time', async () => {
    await start({ gate: { limit: 3, queue: 0 }, timeouts: { head: '300ms' } })
    const attackers = await Promise.all(Array.from({ length: 30 }, () => stage.client('in')))
    const started = performance.now()
    for (const attacker of attackers) await attacker.write(request.slice(0, -2))
    const honest = await stage.client('in')
    await honest.write(request)
    await honest.readUntil('ok')
    for (const attacker of attackers) expect(await attacker.readHead()).to.match(/^HTTP\/1.1 408 /)
    expect(performance.now() - started).to.be.within(299, 3_000)
  })
})
