import { type Backend, startHttpBackend } from '../../../packages/backends/src/index.ts'
import { expect } from 'chai'
import { createServer } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:net'
import {
  deferred,
  eventually,
  RawClient,
  RawConnection,
  type RawScript,
  RawServer,
} from '../../../packages/testkit/src/raw/index.ts'
import { ask, get, request, response } from '../support/ask.ts'
import { Authority } from '../support/certificates.ts'
import { Stage, type Written } from '../support/stage.ts'

const listener = { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' }
const at = ({ port }: { port: number }) => `127.0.0.1:${port}`

async function start(upstream: Written, over: Written = {}): Promise<Stage> {
  return Stage.start({ listeners: { in: { ...listener, ...over } }, upstreams: { up: upstream } })
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const answering: RawScript = async (one) => {
  void one.ended.then(() => one.close())
  for (;;) {
    const length = Number(/^content-length: (\d+)/im.exec(await one.readHead())?.[1] ?? 0)
    for (let left = length; left > 0; ) left -= (await one.readSome()).length
    await one.write(ok)
  }
}

/** A port where nobody listens. */
async function deadPort(): Promise<{ port: number }> {
  const server = await RawServer.start()
  await server.close()
  return { port: server.port }
}

describe('retries', () => {
  it('send what could not connect to another endpoint, a POST too', async () => {
    const upstream = await RawServer.start(answering)
    const stage = await start({ endpoints: [at(await deadPort()), at(upstream)] })
    for (let i = 0; i < 4; i++) {
      const client = await stage.client('in')
      const { status } = await ask(client, `${request('POST', '/', ['Content-Length: 2'])}hi`)
      expect(status).to.equal(200)
    }
    expect(Math.max(...stage.accounts.map(({ attempts }) => attempts))).to.equal(2)
    await stage.close()
    await upstream.close()
  })

  it('do not repeat a request of which the last run has gone up without being kept', async () => {
    const stored = 65_536
    const tail = 4_464
    const release = deferred<void>()
    const upstream = await RawServer.start(async (one, index) => {
      await one.readHead()
      await release.promise
      await one.write(ok)
      if (index > 0) return
      await one.readHead()
      await one.readExactly(stored + tail)
      one.rst()
    })
    const stage = await start({ endpoints: [at(upstream)], gate: { limit: 1 } })
    const [first, second] = [await stage.client('in'), await stage.client('in')]
    await first.write(get('/'))
    await eventually(() => stage.stats.upstreams[0]!.running === 1)
    // Waits with as much of its body as is kept, and gets the connection of the first.
    await second.write(request('PUT', '/', [`Content-Length: ${stored + tail}`]) + 'x'.repeat(stored))
    await eventually(() => stage.stats.upstreams[0]!.waiting === 1)
    release.resolve()
    await response(first)
    await eventually(() => stage.stats.upstreams[0]!.running === 1)
    await second.write('x'.repeat(tail))
    const { status } = await response(second)
    expect([status, upstream.accepted]).to.deep.equal([502, 1])
    await stage.close()
    await upstream.close()
  })

  for (const [what, bytes, expected] of [
    ['repeat a GET', get('/'), '200 ok'],
    [
      'do not repeat a POST whose body was sent',
      `${request('POST', '/', ['Content-Length: 2'])}hi`,
      '502 upstreamReset',
    ],
  ] as const) {
    it(`${what} that met a connection which had been used before and broke`, async () => {
      const upstream = await RawServer.start(async (one, index) => {
        await one.readHead()
        await one.write(ok)
        await one.readHead()
        // Gone after the second request has come: as a peer that closes what it thinks is idle.
        if (index === 0) one.rst()
        else await one.write(ok)
      })
      const fresh = await start({ endpoints: [at(upstream)] })
      const client = await fresh.client('in')
      expect((await ask(client, get('/'))).status).to.equal(200)
      const { status, header } = await ask(client, bytes)
      expect(`${status} ${header('x-sluice-reason') ?? 'ok'}`).to.equal(expected)
      await fresh.close()
      await upstream.close()
    })
  }
})

describe('balancing', () => {
  let backends: Backend[]
  before(async () => {
    backends = await Promise.all(['a', 'b', 'c'].map((name) => startHttpBackend({ name })))
  })
  after(async () => {
    await Promise.all(backends.map((one) => one.close()))
  })

  const spread = async (stage: Stage, count: number): Promise<string> => {
    const client = await stage.client('in')
    let seen = ''
    for (let i = 0; i < count; i++) seen += (await ask(client, get('/'))).header('x-backend')
    return seen
  }

  it('goes round', async () => {
    const stage = await start({ endpoints: backends.map(({ address }) => at(address)) })
    expect(await spread(stage, 9)).to.equal('abcabcabc')
    await stage.close()
  })

  it('goes by weight, evenly mixed', async () => {
    const weights = [5, 1, 1]
    const endpoints = backends.map(({ address }, i) => ({ address: at(address), weight: weights[i] }))
    const stage = await start({ endpoints, balance: 'weightedRoundRobin' })
    expect(await spread(stage, 14)).to.equal('aabacaaaabacaa')
    await stage.close()
  })

  it('leaves out an endpoint whose connects fail, and takes it back', async () => {
    const dead = await deadPort()
    const stage = await start({
      endpoints: [at(backends[0]!.address), at(dead)],
      health: { passive: { failures: 2, eject: '200ms' } },
    })
    const state = () => stage.stats.upstreams[0]!.endpoints[1]!
    await spread(stage, 4)
    expect(state()).to.include({ ejected: true, healthy: false })
    const before = stage.accounts.length
    await spread(stage, 6)
    expect(stage.accounts.slice(before).every(({ attempts }) => attempts === 1)).to.equal(true)
    await eventually(() => !state().ejected)
    await stage.close()
  })

  for (const type of ['http', 'tcp'] as const) {
    it(`follows what probes over ${type} say`, async () => {
      const dead = await deadPort()
      const stage = await start({
        endpoints: [at(backends[0]!.address), at(dead)],
        health: {
          active: {
            type,
            interval: '100ms',
            timeout: '500ms',
            fall: 2,
            rise: 2,
            ...(type === 'http' ? { path: '/healthz' } : {}),
          },
        },
      })
      const healthy = () => stage.stats.upstreams[0]!.endpoints.map((one) => one.healthy)
      await eventually(() => expect(healthy()).to.deep.equal([true, false]))
      expect(await spread(stage, 4)).to.equal('aaaa')
      const revived = await startHttpBackend({ name: 'd', port: dead.port })
      await eventually(() => expect(healthy()).to.deep.equal([true, true]))
      expect((await spread(stage, 4)).split('').toSorted().join('')).to.equal('aadd')
      await stage.close()
      await revived.close()
    })
  }

  it('resolves names in the background', async () => {
    const stage = await start({ endpoints: [`localhost:${backends[0]!.address.port}`, 'no-such-name.invalid:80'] })
    expect(stage.stats.upstreams[0]!.endpoints[0]!.addresses).not.to.have.length(0)
    expect(await spread(stage, 4)).to.equal('aaaa')
    await stage.close()
  })

  it('answers 503 noEndpoint when no name resolves', async () => {
    const stage = await start({ endpoints: ['no-such-name.invalid:80'] })
    const client = await stage.client('in')
    const { status, header } = await ask(client, get('/'))
    expect([status, header('x-sluice-reason'), header('retry-after')]).to.deep.equal([503, 'noEndpoint', '1'])
    await stage.close()
  })
})

describe('the pool', () => {
  const connections = (stage: Stage) => stage.stats.upstreams[0]!.endpoints[0]!.connections

  /** Has `count` requests run at once, and gives back how many connections were idle afterwards at most. */
  async function atOnce(stage: Stage, upstream: RawServer, gate: { open(): void }, count: number): Promise<void> {
    const clients = await Promise.all(Array.from({ length: count }, () => stage.client('in')))
    const answers = clients.map((client) => ask(client, get('/')))
    await eventually(() => upstream.accepted >= count)
    gate.open()
    await Promise.all(answers)
  }

  async function holding(): Promise<{ upstream: RawServer; gate: { open(): void } }> {
    const gate = deferred()
    const upstream = await RawServer.start(async (one) => {
      void one.ended.then(() => one.close())
      for (;;) {
        await one.readHead()
        await gate.promise
        await one.write(ok)
      }
    })
    return { upstream, gate: { open: () => gate.resolve() } }
  }

  it('keeps maxIdle connections', async () => {
    const { upstream, gate } = await holding()
    const stage = await start({ endpoints: [at(upstream)], pool: { maxIdle: 2 } })
    await atOnce(stage, upstream, gate, 8)
    await eventually(() => expect(connections(stage)).to.deep.equal({ connecting: 0, idle: 2, busy: 0 }))
    await eventually(() => upstream.open === 2)
    await stage.close()
    await upstream.close()
  })

  it('makes no more than maxConnections, and the others wait', async () => {
    const upstream = await RawServer.start(answering)
    const stage = await start({ endpoints: [at(upstream)], pool: { maxConnections: 2 } })
    const clients = await Promise.all(Array.from({ length: 20 }, () => stage.client('in')))
    await Promise.all(clients.map((client) => ask(client, get('/'))))
    expect(upstream.accepted).to.be.at.most(2)
    await stage.close()
    await upstream.close()
  })

  for (const [what, pool, keepAlive] of [
    ['after idleTimeout', { idleTimeout: '100ms' }, ''],
    ['a second before the peer would', {}, 'Keep-Alive: timeout=1\r\n'],
  ] as const) {
    it(`closes an idle connection ${what}`, async () => {
      const upstream = await RawServer.start(async (one) => {
        void one.ended.then(() => one.close())
        await one.readHead()
        await one.write(`HTTP/1.1 200 OK\r\n${keepAlive}Content-Length: 2\r\n\r\nok`)
      })
      const stage = await start({ endpoints: [at(upstream)], pool })
      const client = await stage.client('in')
      await ask(client, get('/'))
      await eventually(() => upstream.open === 0)
      await eventually(() => expect(connections(stage)).to.deep.equal({ connecting: 0, idle: 0, busy: 0 }))
      await stage.close()
      await upstream.close()
    })
  }

  it('keeps connections for ever with idleTimeout: off', async () => {
    const upstream = await RawServer.start(answering)
    const stage = await start({
      endpoints: [at(upstream)],
      pool: { idleTimeout: 'off' },
      timeouts: { response: '50ms' },
    })
    const client = await stage.client('in')
    await ask(client, get('/'))
    await new Promise((resolve) => setTimeout(resolve, 120))
    await ask(client, get('/'))
    expect(upstream.accepted).to.equal(1)
    await stage.close()
    await upstream.close()
  })
})

describe('the fields about the origin', () => {
  const claims = [
    'X-Forwarded-For: 203.0.113.7, 10.1.1.1',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: claimed.example',
    'X-Real-IP: 203.0.113.9',
    'Forwarded: for=203.0.113.8',
    'X_Forwarded_For: 203.0.113.6',
    'X-Client-Cert: forged',
  ]

  async function seen(over: Written): Promise<Record<string, string>> {
    const backend = await startHttpBackend()
    const stage = await start({ endpoints: [at(backend.address)] }, over)
    const client = await stage.client('in')
    const { body } = await ask(client, get('/', ...claims))
    await stage.close()
    await backend.close()
    return (JSON.parse(body.toString()) as { headers: Record<string, string> }).headers
  }

  it('are ours alone from a stranger', async () => {
    const headers = await seen({})
    expect(headers).to.include({
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'e2e.example',
    })
    expect(headers).not.to.have.any.keys('forwarded', 'x_forwarded_for', 'x-client-cert')
    expect(headers['via']).to.match(/^1\.1 sluice-/)
  })

  it('are kept and appended to from a trusted proxy', async () => {
    expect(await seen({ trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] })).to.include({
      'x-forwarded-for': '203.0.113.7, 10.1.1.1, 127.0.0.1',
      'x-real-ip': '203.0.113.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'claimed.example',
    })
  })
})

describe('Unix sockets', () => {
  let dir: string
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-unix-'))
  })
  after(() => {
    rmSync(dir, { recursive: true })
  })

  for (const protocol of ['http', 'tcp'] as const) {
    it(`carry ${protocol} on both sides, and a reset on either ends as it must`, async () => {
      const [front, back] = [join(dir, `${protocol}-front.sock`), join(dir, `${protocol}-back.sock`)]
      let breaking = false
      const upstream = createServer({ allowHalfOpen: true }, (socket) => {
        const one = new RawConnection(socket)
        void one.ended.then(() => one.close())
        void (async () => {
          for (;;) {
            await one.readUntil('\r\n\r\n')
            if (breaking) await one.close()
            else await one.write(ok)
          }
        })().catch(() => undefined)
      })
      await new Promise<void>((resolve) => upstream.listen(back, resolve))
      const stage = await Stage.start({
        listeners: { in: { bind: `unix:${front}`, protocol, upstream: 'up', gate: { limit: 1, queue: 0 } } },
        upstreams: { up: { endpoints: [`unix:${back}`], timeouts: { response: '200ms' } } },
      })
      const open = async () => {
        const socket = connect({ path: front, allowHalfOpen: true })
        await new Promise((resolve) => socket.once('connect', resolve))
        return new RawConnection(socket, { timeoutMs: 3_000 })
      }
      const client = await open()
      await client.write(get('/'))
      await client.readUntil('ok')
      await client.close()
      await stage.settled()
      // A client that leaves in the middle.
      const leaver = await open()
      await leaver.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n')
      await leaver.close()
      await stage.settled()
      // An upstream that breaks.
      breaking = true
      const last = await open()
      await last.write(get('/'))
      if (protocol === 'http') expect(await last.readHead()).to.include(' 502 ')
      else await last.ended
      await last.close()
      await stage.settled()
      // Nobody there: for TCP the answer is a reset, which a Unix socket does not have.
      await new Promise((resolve) => upstream.close(resolve))
      const late = await open()
      await late.write(get('/'))
      if (protocol === 'http') expect(await late.readHead()).to.include('x-sluice-reason: connectFailed')
      else await late.ended
      await late.close()
      await stage.close()
    })
  }
})

describe('TLS', () => {
  let authority: Authority
  let right: ReturnType<Authority['issue']>
  let wrong: ReturnType<Authority['issue']>
  before(() => {
    authority = new Authority()
    right = authority.issue('right')
    wrong = authority.issue('wrong')
  })
  after(() => {
    authority.remove()
  })

  const secure = () => ({ tls: { cert: right.certFile, key: right.keyFile } })
  const trusting = () => ({ tls: { ca: authority.ca, servername: 'right.example' } })

  it('is spoken on a listener and towards an upstream', async () => {
    const upstream = await RawServer.start(answering, { tls: { cert: right.cert, key: right.key } })
    const stage = await start(
      { endpoints: [at(upstream)], tls: { ca: authority.caFile, serverName: 'right.example' } },
      secure(),
    )
    const client = await stage.client('in', trusting())
    for (let i = 0; i < 3; i++) expect((await ask(client, get('/'))).body.toString()).to.equal('ok')
    expect(upstream.accepted).to.equal(1)
    await stage.close()
    await upstream.close()
  })

  for (const [what, tls, port] of [
    ['an upstream with another name', () => ({ ca: authority.caFile, serverName: 'right.example' }), 'wrong'],
    ['an upstream of an unknown authority', () => ({ serverName: 'right.example' }), 'right'],
    ['an upstream in the clear', () => ({ ca: authority.caFile, serverName: 'right.example' }), 'plain'],
  ] as const) {
    it(`answers 502 connectFailed for ${what}`, async () => {
      const certificate = port === 'wrong' ? wrong : right
      const upstream = await RawServer.start(
        port === 'plain' ? (one) => one.write('SSH-2.0-hello\r\n') : answering,
        port === 'plain' ? {} : { tls: { cert: certificate.cert, key: certificate.key } },
      )
      const stage = await start({ endpoints: [at(upstream)], tls: tls() })
      const client = await stage.client('in')
      const { status, header } = await ask(client, get('/'))
      expect([status, header('x-sluice-reason')]).to.deep.equal([502, 'connectFailed'])
      await stage.close()
      await upstream.close()
    })
  }

  it('survives plain bytes, garbage, resets and a handshake that never ends', async () => {
    const upstream = await RawServer.start(answering)
    const stage = await start({ endpoints: [at(upstream)] }, secure())
    const port = stage.port('in')
    const plain = await RawClient.connect(port)
    await plain.write(get('/'))
    await plain.ended
    await plain.close()
    // A ClientHello that announces more than it brings.
    const halves = await Promise.all(Array.from({ length: 4 }, () => RawClient.connect(port)))
    for (const half of halves) await half.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03')
    halves[0]!.rst()
    await halves[1]!.fin()
    const client = await stage.client('in', trusting())
    expect((await ask(client, get('/'))).status).to.equal(200)
    await client.close()
    await Promise.all(halves.slice(0, 3).map((half) => half.close()))
    // The last one is still in its handshake when everything is closed.
    await stage.proxy.close()
    await stage.close()
    await halves[3]!.ended
    await halves[3]!.close()
    await upstream.close()
  })
})

describe('slow peers', () => {
  it('may send and read byte by byte', async () => {
    const upstream = await RawServer.start(async (one) => {
      await one.readHead()
      for (const octet of ok) {
        await one.write(octet)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })
    const stage = await start({ endpoints: [at(upstream)] })
    const client = await stage.client('in')
    for (const octet of get('/')) await client.write(octet)
    expect((await response(client)).body.toString()).to.equal('ok')
    await stage.close()
    await upstream.close()
  })
})
