// Each key of the configuration here has a test that fails when the key is ignored.
import { expect } from 'chai'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConfigInput, createProxy } from 'sluice'
import { eventually, RawClient, type RawScript, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { ask, get, handshake, request } from '../support/ask.ts'
import { Stage, type Written } from '../support/stage.ts'

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

interface Over {
  readonly listener?: Written
  readonly upstream?: Written
}

async function start(script: RawScript, { listener, upstream }: Over): Promise<Stage> {
  const server = await RawServer.start(script)
  const stage = await Stage.start({
    listeners: { in: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', ...listener } },
    upstreams: { up: { endpoints: [`127.0.0.1:${server.port}`], ...upstream } },
  })
  return stage.closesWith(server)
}

/** Answers every request with its target. */
const telling: RawScript = async (one) => {
  for (;;) {
    const target = (await one.readHead()).split(' ')[1]!
    await one.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`)
  }
}

/** The status of one request, with our reason or the body. */
async function outcome(over: Over, bytes: string): Promise<string> {
  const stage = await start(telling, over)
  try {
    const { status, header, body } = await ask(await stage.client('in'), bytes)
    return `${status} ${header('x-sluice-reason') ?? body.toString()}`
  } finally {
    await stage.close()
  }
}

describe('the key reasonHeader', () => {
  it('hides the reason of an answer when it is false, and the answer stays', async () => {
    const own = { upstream: undefined, routes: [{ match: { path: '/only' }, upstream: 'up' }] }
    const stage = await start(telling, { listener: { ...own, reasonHeader: false } })
    const { status, header } = await ask(await stage.client('in'), get('/'))
    expect([status, header('x-sluice-reason')]).to.deep.equal([404, undefined])
    await eventually(() => stage.lastAccount?.reason === 'noRoute')
    await stage.close()
    expect(await outcome({ listener: own }, get('/'))).to.equal('404 noRoute')
  })
})

describe('the keys limits', () => {
  // Each request is far below the default, and just above or at what is written.
  const fields = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y`)
  const target = (length: number) => `/${'t'.repeat(length - 1)}`
  /** A head of exactly so many bytes. */
  const head = (size: number) => get('/', `X: ${'x'.repeat(size - get('/', 'X: ').length)}`)

  for (const [key, limits, within, beyond, refusal] of [
    ['head', { head: '1KiB' }, head(1_024), head(1_025), '431 headTooLarge'],
    // `Host` is the first.
    ['fields', { fields: 5 }, get('/', ...fields(4)), get('/', ...fields(5)), '431 headTooLarge'],
    ['target', { target: '300B' }, get(target(300)), get(target(301)), '414 uriTooLong'],
  ] as const) {
    it(`${key} lets pass what is as large, and refuses what is larger`, async () => {
      expect(await outcome({ listener: { limits } }, within)).to.match(/^200 /)
      expect(await outcome({ listener: { limits } }, beyond)).to.equal(refusal)
    })
  }

  for (const [key, limits, bytes] of [
    ['head', { head: '64KiB' }, head(40_000)],
    ['fields', { fields: 200 }, get('/', ...fields(150))],
    ['target', { target: '12KiB' }, get(target(10_000))],
  ] as const) {
    it(`${key} raises the bound above its default`, async () => {
      expect(await outcome({ listener: { limits } }, bytes)).to.match(/^200 /)
    })
  }
})

describe('the key path', () => {
  const routes = [
    { match: { path: '/private/*' }, respond: { status: 403, body: 'private' } },
    { match: { path: '/*' }, upstream: 'up' },
  ]
  const seen = (path: string | undefined, target: string) =>
    outcome({ listener: { upstream: undefined, routes, ...(path === undefined ? {} : { path }) } }, get(target))

  for (const [path, dotted, encoded, invalid] of [
    [undefined, '403 private', '403 private', '400 badRequest'],
    ['normalize', '403 private', '403 private', '400 badRequest'],
    ['strict', '400 badRequest', '400 badRequest', '400 badRequest'],
    ['raw', '200 /open/../private/x', '200 /%70rivate/x', '200 /a%zz'],
  ] as const) {
    it(`${path ?? '(absent)'} routes dot segments, encoded letters and invalid escapes as it says`, async () => {
      expect(await seen(path, '/open/../private/x')).to.equal(dotted)
      expect(await seen(path, '/%70rivate/x')).to.equal(encoded)
      expect(await seen(path, '/a%zz')).to.equal(invalid)
      expect(await seen(path, '/open/x')).to.equal('200 /open/x')
    })
  }
})

describe('the keys timeouts.idle and timeouts.send', () => {
  const ms = 150
  const timeouts = { idle: `${ms}ms` }
  const echo: RawScript = async (one) => {
    for (;;) await one.write(await one.readSome())
  }
  const goingAway = Buffer.from([0x88, 2, 0x03, 0xe9])
  const agreeing: RawScript = async (one) => {
    await one.readHead()
    await one.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
    )
    await one.readUntil(Buffer.from([0x88, 0x82]))
    await one.write(goingAway)
  }

  for (const protocol of ['tcp', 'websocket'] as const) {
    it(`send resets a ${protocol} client that takes nothing`, async () => {
      const flood: RawScript = async (one) => {
        const head = await one.readHead()
        if (protocol === 'websocket') {
          expect(head).to.match(/^GET /)
          await one.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
        }
        // More than the kernel and the proxy take for a client that does not read.
        await one.write(Buffer.alloc(32_000_000)).catch(() => undefined)
      }
      const stage = await start(flood, { listener: { protocol, timeouts: { send: `${ms}ms` } } })
      const client = await stage.client('in')
      await client.write(protocol === 'tcp' ? 'hello\r\n\r\n' : handshake('/'))
      client.pause()
      await eventually(() => stage.lastAccount?.reason === 'requestTimeout')
      await client.close()
      await stage.settled()
      await stage.close()
    })
  }

  for (const protocol of ['tcp', 'websocket'] as const) {
    for (const side of ['listener', 'upstream'] as const) {
      it(`of the ${side} ends a quiet ${protocol} tunnel, not early and not late`, async () => {
        const over = { listener: { protocol }, upstream: {} }
        const stage = await start(protocol === 'tcp' ? echo : agreeing, {
          ...over,
          [side]: { ...over[side], timeouts },
        })
        const client = await stage.client('in')
        const started = performance.now()
        await client.write(protocol === 'tcp' ? 'hello\r\n\r\n' : handshake('/'))
        await client.readHead()
        // However it is told: this is about the key. A FIN, or whatever comes before it.
        await client.readSome().catch(() => undefined)
        expect(performance.now() - started).to.be.within(ms - 1, ms * 10)
        if (protocol === 'websocket') await client.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]))
        await client.ended
        await client.close()
        await stage.settled()
        await eventually(() => stage.lastAccount?.reason === 'idleTimeout')
        await stage.close()
      })
    }
  }
})

describe('the keys retries', () => {
  /** The first connection breaks after the request, the second answers. */
  const breaking: RawScript = async (one, index) => {
    const length = Number(/^content-length: (\d+)/im.exec(await one.readHead())?.[1] ?? 0)
    if (length > 0) await one.readExactly(length)
    if (index === 0) one.rst()
    else await one.write(ok)
  }
  const post = `${request('POST', '/', ['Content-Length: 2'])}hi`
  const opted = { on: ['resetBeforeResponse'] }

  for (const [what, retries, bytes, expected] of [
    ['by default a reset is not repeated', {}, get('/'), '502 after 1'],
    ['`resetBeforeResponse` repeats a GET', opted, get('/'), '200 after 2'],
    ['`resetBeforeResponse` does not repeat a POST', opted, post, '502 after 1'],
    ['`retryNonIdempotent` repeats a POST', { ...opted, retryNonIdempotent: true }, post, '200 after 2'],
    ['`max: 0` repeats nothing', { ...opted, max: 0 }, get('/'), '502 after 1'],
  ] as const) {
    it(what, async () => {
      const stage = await start(breaking, { upstream: { retries } })
      const { status } = await ask(await stage.client('in'), bytes)
      await stage.leave()
      await stage.settled()
      expect(`${status} after ${stage.lastAccount?.attempts}`).to.equal(expected)
      await stage.close()
    })
  }

  /** One request over two endpoints of which the first is dead. */
  async function overDead(retries: Written): Promise<string> {
    const dead = await RawServer.start()
    await dead.close()
    const alive = await RawServer.start(telling)
    const endpoints = [dead, alive].map(({ port }) => `127.0.0.1:${port}`)
    const stage = await Stage.start({
      listeners: { in: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: { up: { endpoints, retries } },
    })
    stage.closesWith(alive)
    const { status, header } = await ask(await stage.client('in'), get('/'))
    await stage.close()
    return `${status} ${header('x-sluice-reason') ?? 'ok'}`
  }

  it('`max: 0` and `on: []` leave a failed connect as it is, which is repeated otherwise', async () => {
    expect(await overDead({})).to.equal('200 ok')
    expect(await overDead({ max: 0 })).to.equal('502 connectFailed')
    expect(await overDead({ on: [] })).to.equal('502 connectFailed')
  })
})

describe('the key log.level', () => {
  /** The process log of a proxy that meets one bug, which is logged as an error. */
  async function logged(level: string): Promise<string[]> {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-level-'))
    const file = join(directory, 'log')
    try {
      const config = {
        log: { level, file },
        listeners: { in: { bind: '127.0.0.1:0', protocol: 'http', routes: [{ respond: { status: 204 } }] } },
      }
      const onExchange = () => {
        throw new Error('a bug of the test')
      }
      const proxy = await createProxy(config as ConfigInput, { onExchange })
      await proxy.listen()
      const client = await RawClient.connect((proxy.addresses['in'] as { port: number }).port)
      await ask(client, get('/'))
      await client.close()
      await proxy.drain()
      await proxy.close()
      const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
      return lines.map((line) => (JSON.parse(line) as { level: string }).level)
    } finally {
      rmSync(directory, { recursive: true })
    }
  }

  for (const [level, expected] of [
    ['info', ['error']],
    ['error', ['error']],
    ['fatal', []],
    ['silent', []],
  ] as const) {
    it(`${level} ${expected.length === 0 ? 'hides' : 'shows'} an error`, async () => {
      expect((await logged(level)).filter((one) => one === 'error')).to.deep.equal(expected)
    })
  }
})
