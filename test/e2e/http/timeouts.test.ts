import { startHttpBackend } from '../../../packages/backends/src/index.ts'
import { expect } from 'chai'
import {
  eventually,
  parseResponses,
  type RawClient,
  type RawScript,
  RawServer,
} from '../../../packages/testkit/src/raw/index.ts'
import { ask, get, handshake, request, response } from '../support/ask.ts'
import { HangingServer } from '../support/hanging-server.ts'
import { Stage, type Written } from '../support/stage.ts'

const ms = 150

/**
 * Never early, and not ten times late. The proxy's time begins with what it saw or sent, a moment before this end knows of
 * it; how exact its timers are stands in the tests of the wheel.
 */
async function takes(promise: Promise<unknown>, started = performance.now()): Promise<void> {
  await promise
  expect(performance.now() - started, 'after ms').to.be.within(ms * 0.75, ms * 10)
}

async function start(script: RawScript, over: { listener?: Written; upstream?: Written } = {}): Promise<Stage> {
  const upstream = await RawServer.start(script)
  const stage = await Stage.start({
    listeners: { in: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', ...over.listener } },
    upstreams: { up: { endpoints: [`127.0.0.1:${upstream.port}`], ...over.upstream } },
  })
  return stage.closesWith(upstream)
}

const silent: RawScript = () => undefined
const answering: RawScript = async (one) => {
  for (;;) {
    await one.readHead()
    await one.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  }
}

async function refused(client: RawClient, status: number, reason: string): Promise<void> {
  const { status: got, header } = await response(client)
  expect([got, header('x-sluice-reason')]).to.deep.equal([status, reason])
}

describe('timeouts', () => {
  let stage: Stage
  afterEach(async () => {
    await stage.close()
  })

  it('close a connection silently that has sent nothing', async () => {
    stage = await start(answering, { listener: { timeouts: { head: `${ms}ms` } } })
    const started = performance.now()
    const client = await stage.client('in')
    await takes(
      client.readToEnd().then((bytes) => expect(bytes.length).to.equal(0)),
      started,
    )
    await client.close()
  })

  it('answer 408 to a head that does not come to its end, however it trickles', async () => {
    stage = await start(answering, { listener: { timeouts: { head: `${ms}ms` } } })
    const client = await stage.client('in')
    const started = performance.now()
    await client.write('GET / HTTP/1.1\r\n')
    const trickle = setInterval(() => void client.write('X: y\r\n'), 20)
    try {
      await takes(refused(client, 408, 'requestTimeout'), started)
    } finally {
      clearInterval(trickle)
    }
    expect(await client.ended).to.equal('fin')
    await client.close()
  })

  for (const size of [1_000, 100_000]) {
    it(`answer 408 to a body of ${size} bytes that stops, and not to one that is slow`, async () => {
      stage = await start(silent, { listener: { timeouts: { body: `${ms}ms` } } })
      const client = await stage.client('in')
      await client.write(`${request('POST', '/', [`Content-Length: ${size}`])}${'x'.repeat(size - 10)}`)
      for (let i = 0; i < 5; i++) {
        await new Promise((resolve) => setTimeout(resolve, ms / 2))
        await client.write('x')
      }
      await takes(refused(client, 408, 'requestTimeout'))
    })
  }

  it('answer 504 to a response head that does not come', async () => {
    stage = await start(silent, { upstream: { timeouts: { response: `${ms}ms` } } })
    const client = await stage.client('in')
    await client.write(get('/'))
    await takes(refused(client, 504, 'responseTimeout'))
  })

  it('answer 504 to a connect that hangs', async () => {
    const hanging = await HangingServer.start()
    stage = await Stage.start({
      listeners: { in: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: {
        up: {
          endpoints: [`127.0.0.1:${hanging.port}`],
          timeouts: { connect: `${ms}ms` },
          retries: { max: 0 },
        },
      },
    })
    stage.closesWith(hanging)
    const client = await stage.client('in')
    await client.write(get('/'))
    await takes(refused(client, 504, 'connectTimeout'))
  })

  it('cut a response that stops in its body', async () => {
    const half: RawScript = async (one) => {
      await one.readHead()
      await one.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    }
    stage = await start(half, { upstream: { timeouts: { idle: `${ms}ms` } } })
    const client = await stage.client('in')
    await client.write(get('/'))
    await client.readUntil('half')
    await takes(client.ended)
    await eventually(() => stage.lastAccount?.reason === 'idleTimeout')
  })

  it('reset a client that does not take its response', async () => {
    const flood: RawScript = async (one) => {
      await one.readHead()
      await one.write(`HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n${'x'.repeat(20_000_000)}`)
    }
    stage = await start(flood, {
      listener: { timeouts: { send: `${ms}ms` } },
      upstream: { timeouts: { idle: '50ms' } },
    })
    const client = await stage.client('in')
    await client.write(get('/'))
    client.pause()
    await stage.settled()
    client.resume()
    expect(await client.ended).to.equal('rst')
  })

  it('let a client read as slowly as it likes while it reads, also the last answer of a connection', async () => {
    const size = 6_000_000
    const flood: RawScript = async (one) => {
      await one.readHead()
      await one.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`)
    }
    stage = await start(flood, { listener: { timeouts: { send: '10s' } }, upstream: { timeouts: { idle: '100ms' } } })
    const client = await stage.client('in', { timeoutMs: 15_000 })
    await client.write(get('/', 'Connection: close'))
    client.pause()
    // Longer than a lingering close may take, and than the upstream's idle timeout.
    await new Promise((resolve) => setTimeout(resolve, 2_600))
    client.resume()
    const [last] = parseResponses(await client.readToEnd())
    expect(last!.body.length).to.equal(size)
    await client.close()
  })

  it('close a connection that is idle between two requests', async () => {
    stage = await start(answering, { listener: { timeouts: { keepAlive: `${ms}ms` } } })
    const client = await stage.client('in')
    await ask(client, get('/'))
    await takes(client.ended)
    expect(client.buffered.length).to.equal(0)
  })

  it('end a tunnel through which nothing passes, also when a side takes nothing', async () => {
    const backend = await RawServer.start(async (one) => {
      await one.readUntil('\n')
      await one.write('x'.repeat(20_000_000))
    })
    stage = await Stage.start({
      listeners: {
        in: { bind: '127.0.0.1:0', protocol: 'tcp', upstream: 'up', gate: { limit: 2 }, timeouts: { idle: `${ms}ms` } },
      },
      upstreams: { up: { endpoints: [`127.0.0.1:${backend.port}`] } },
    })
    stage.closesWith(backend)
    const [quiet, stuck] = await Promise.all([stage.client('in'), stage.client('in')])
    await stuck.write('\n')
    stuck.pause()
    await takes(quiet.ended)
    await stage.settled()
    expect(stage.accounts.map(({ reason }) => reason)).to.deep.equal(['idleTimeout', 'idleTimeout'])
  })
})

describe('an early answer', () => {
  let stage: Stage
  afterEach(async () => {
    await stage.close()
  })

  const own = {
    routes: [{ match: { path: '/up/*' }, upstream: 'up' }, { respond: { status: 403, body: 'no' } }],
    upstream: undefined,
  }

  it('leaves the connection alive when up to 64 KiB are missing of the request', async () => {
    stage = await start(answering, { listener: own })
    const client = await stage.client('in')
    const answer = await ask(client, request('POST', '/', ['Content-Length: 65536']))
    expect([answer.status, answer.header('connection')]).to.deep.equal([403, undefined])
    await client.write('x'.repeat(65_536) + get('/up/next'))
    expect((await response(client)).body.toString()).to.equal('ok')
  })

  it('closes otherwise, and the client sees it although it goes on sending', async () => {
    stage = await start(answering, { listener: own })
    const client = await stage.client('in')
    void client.write(request('POST', '/', ['Content-Length: 900000']) + 'x'.repeat(900_000))
    const answer = await response(client)
    expect([answer.status, answer.header('connection')]).to.deep.equal([403, 'close'])
    await client.fin()
    expect(await client.ended).to.equal('fin')
    await client.close()
  })

  it('of the upstream reaches a client that goes on sending, with Connection: close', async () => {
    const early: RawScript = async (one) => {
      await one.readHead()
      await one.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig')
    }
    stage = await start(early)
    const client = await stage.client('in')
    await client.write(request('POST', '/up', ['Content-Length: 800000']) + 'x'.repeat(100_000))
    const answer = await response(client)
    void client.write('x'.repeat(700_000))
    expect([answer.status, answer.header('connection'), answer.body.toString()]).to.deep.equal([413, 'close', 'big'])
    await client.fin()
    expect(await client.ended).to.equal('fin')
    await client.close()
  })

  it('is not waited for longer than two seconds when the client never ends', async () => {
    stage = await start(answering, { listener: own })
    const client = await stage.client('in')
    const started = performance.now()
    await ask(client, request('POST', '/', ['Content-Length: 900000']))
    await stage.settled()
    expect(performance.now() - started).to.be.within(1_900, 10_000)
  })
})

describe('a drain', () => {
  it('serves open keep-alive connections once more and closes idle ones', async () => {
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const stage = await start(async (one) => {
      await one.readHead()
      await held
      await one.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
    const [idle, busy] = await Promise.all([stage.client('in'), stage.client('in')])
    await busy.write(get('/'))
    await eventually(() => stage.stats.exchanges === 1 && stage.stats.listeners[0]!.connections === 2)
    const drained = stage.proxy.drain()
    expect(await idle.ended).to.equal('fin')
    await idle.close()
    release()
    const { status, header } = await response(busy)
    expect([status, header('connection')]).to.deep.equal([200, 'close'])
    expect(await busy.ended).to.equal('fin')
    await busy.close()
    await drained
    await stage.close()
  })

  it('says 1001 to both ends of a WebSocket, at a frame boundary', async () => {
    let heard = Buffer.alloc(0)
    let inFrame = () => {}
    const begun = new Promise<void>((resolve) => (inFrame = resolve))
    const stage = await start(
      async (one) => {
        await one.readHead()
        await one.write(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n',
        )
        await one.readUntil('he')
        inFrame()
        for (;;) {
          heard = Buffer.concat([heard, await one.readSome()])
          // A masked close frame: 88 82, a key of 4, a code of 2.
          const at = heard.indexOf('\x88\x82', 0, 'latin1')
          if (at < 0 || heard.length < at + 8) continue
          const code = ((heard[at + 6]! ^ heard[at + 2]!) << 8) | (heard[at + 7]! ^ heard[at + 3]!)
          expect(code).to.equal(1001)
          expect(heard.subarray(0, at).toString()).to.equal('llo')
          await one.write(Buffer.from([0x88, 2, 0x03, 0xe9]))
          return
        }
      },
      { listener: { protocol: 'websocket' } },
    )
    const client = await stage.client('in')
    await client.write(handshake('/'))
    await client.readHead()
    await client.write('\x81\x85\0\0\0\0he')
    await begun
    const drained = stage.proxy.drain()
    expect(await client.readUntil(Buffer.from([0x88, 2, 0x03, 0xe9]))).to.have.length(4)
    await client.write('llo')
    await client.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]))
    expect(await client.ended).to.equal('fin')
    await client.close()
    await drained
    await stage.close()
  })

  it('lets TCP run to the deadline, and cuts it then', async () => {
    const upstream = await RawServer.start(async (one) => {
      for (;;) await one.write(await one.readSome())
    })
    const stage = await Stage.start({
      drainTimeout: '300ms',
      listeners: { in: { bind: '127.0.0.1:0', protocol: 'tcp', upstream: `tcp://127.0.0.1:${upstream.port}` } },
    })
    const client = await stage.client('in')
    await client.write('before')
    await client.readUntil('before')
    const started = performance.now()
    const drained = stage.proxy.drain()
    await client.write('during')
    await client.readUntil('during')
    await client.ended
    expect(performance.now() - started).to.be.within(299, 3_000)
    await client.close()
    await drained
    await eventually(() => stage.lastAccount?.reason === 'draining')
    await stage.close()
    await upstream.close()
  })

  it('refuses new connections', async () => {
    const backend = await startHttpBackend()
    const stage = await Stage.start({
      listeners: {
        in: { bind: '127.0.0.1:0', protocol: 'http', upstream: `http://127.0.0.1:${backend.address.port}` },
      },
    })
    await stage.proxy.drain()
    const failed = await stage.client('in').then(
      () => 'connected',
      (error: NodeJS.ErrnoException) => error.code,
    )
    expect(failed).to.equal('ECONNREFUSED')
    await stage.close()
    await backend.close()
  })
})
