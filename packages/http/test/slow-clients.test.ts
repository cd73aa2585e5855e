import { Generation, MetricsBlock, parseConfigObject, Runtime } from '@sluice/core'
import { Acceptor } from '@sluice/wire'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { eventually, RawClient, type RawScript, RawServer } from '../../testkit/src/raw/index.ts'
import { HttpListener } from '../src/listener.ts'
import { httpRoute } from '../src/options.ts'
import { ok, request } from './proxied.ts'

const windowMs = 300

/** A listener whose clients have 1,000 bytes a second as the least rate, before a gate of 1. */
class Guarded {
  readonly faults: unknown[] = []
  readonly reasons: string[] = []
  readonly runtime = new Runtime({ faulted: (fault) => void this.faults.push(fault) })
  readonly generation: Generation
  readonly listener: HttpListener
  readonly acceptor: Acceptor
  readonly upstream: RawServer
  readonly clients: RawClient[] = []
  port = 0

  private constructor(upstream: RawServer) {
    this.upstream = upstream
    const { config } = parseConfigObject({
      listeners: {
        web: { bind: ':0', protocol: 'http', upstream: 'up', gate: { limit: 1, timeout: '30s' } },
      },
      upstreams: { up: { endpoints: [`127.0.0.1:${upstream.port}`], retries: { max: 0 } } },
    })
    this.generation = new Generation(config!, this.runtime, {
      metrics: new MetricsBlock(),
      probes: undefined,
      tlsOf: () => () => undefined,
    })
    const web = { ...config!.listeners[0]!, minRate: { bytesPerSecond: 1_000, windowMs } }
    this.listener = new HttpListener(
      this.runtime,
      {
        config: web,
        routes: web.routes.map((route) => httpRoute('web', route, this.generation.way(web, route))),
        tls: undefined,
        upgrades: [],
        handlers: [],
        ordinary: 'served',
        logged: false,
        pseudonym: 'guarded',
      },
      { refused() {} },
    )
    this.runtime.accountTo({ account: ({ reason }) => void this.reasons.push(reason) })
    this.acceptor = new Acceptor(this.listener.target({ host: '127.0.0.1', port: 0 }))
  }

  static async start(script: RawScript): Promise<Guarded> {
    const guarded = new Guarded(await RawServer.start(script))
    await guarded.generation.start()
    guarded.port = ((await guarded.acceptor.listen({ host: '127.0.0.1', port: 0 })) as { port: number }).port
    return guarded
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.connect({ port: this.port, timeoutMs: 10_000 })
    this.clients.push(client)
    return client
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()))
    await eventually(() => this.listener.connections === 0 && this.runtime.store.allConnections.total === 0)
    this.acceptor.destroy()
    this.listener.close()
    this.generation.close('all')
    await this.upstream.close()
    this.runtime.stop()
    expect(this.faults).to.deep.equal([])
  }
}

/** Sends a byte now and then until the connection ends. */
function trickle(client: RawClient, everyMs: number): void {
  const timer = setInterval(() => void client.write('x').catch(() => {}), everyMs)
  void client.ended.then(() => clearInterval(timer))
}

describe('a slow client of HTTP', () => {
  let guarded: Guarded
  afterEach(() => guarded.close())

  it('that sends its body byte by byte while it holds a permit is answered 408, and the next one is served', async () => {
    guarded = await Guarded.start(async (one, index) => {
      await one.readHead()
      if (index === 0) await one.ended
      else await one.write(ok('served'))
    })
    const attacker = await guarded.client()
    const started = performance.now()
    // More than is read before a permit is taken, so it holds one from its first bytes on.
    await attacker.write(request('POST /', 'Content-Length: 1000000') + 'x'.repeat(70_000))
    await eventually(() => guarded.upstream.accepted === 1)
    trickle(attacker, 20)
    const honest = await guarded.client()
    await honest.write(request('GET /'))
    expect(await honest.readHead()).to.match(/^HTTP\/1.1 200 /)
    expect(performance.now() - started).to.be.within(windowMs, windowMs * 20)
    expect(await attacker.readHead()).to.match(/^HTTP\/1.1 408 [\s\S]*x-sluice-reason: requestTimeout/)
    expect(guarded.reasons[0]).to.equal('requestTimeout')
  })

  it('that is as fast as it must be is left to send', async () => {
    guarded = await Guarded.start(async (one) => {
      await one.readUntil('the end')
      await one.write(ok('served'))
    })
    const client = await guarded.client()
    await client.write(request('POST /', 'Content-Length: 90007') + 'x'.repeat(70_000))
    for (let sent = 0; sent < 20_000; sent += 2_000) {
      await client.write('x'.repeat(2_000))
      const next = performance.now() + 100
      await eventually(() => performance.now() >= next)
    }
    await client.write('the end')
    expect(await client.readHead()).to.match(/^HTTP\/1.1 200 /)
  })

  it('that has sent everything has nothing to hurry for', async () => {
    guarded = await Guarded.start(async (one) => {
      await one.readUntil('the end')
      const later = performance.now() + 3 * windowMs
      await eventually(() => performance.now() >= later)
      await one.write(ok('served'))
    })
    const client = await guarded.client()
    await client.write(request('POST /', 'Content-Length: 70007') + 'x'.repeat(70_000))
    await eventually(() => guarded.upstream.accepted === 1)
    await client.write('the end')
    expect(await client.readHead()).to.match(/^HTTP\/1.1 200 /)
  })

  it('that waits for a 100 is not the one who is slow', async () => {
    guarded = await Guarded.start(async (one) => {
      await one.readHead()
      const later = performance.now() + 3 * windowMs
      await eventually(() => performance.now() >= later)
      await one.write('HTTP/1.1 100 Continue\r\n\r\n')
      await one.readUntil('body')
      await one.write(ok('served'))
    })
    const client = await guarded.client()
    await client.write(request('POST /', 'Content-Length: 4', 'Expect: 100-continue'))
    expect(await client.readHead()).to.match(/^HTTP\/1.1 100 /)
    await client.write('body')
    expect(await client.readHead()).to.match(/^HTTP\/1.1 200 /)
  })

  it('that says it waits for a 100 and sends byte by byte all the same is answered 408', async () => {
    guarded = await Guarded.start(async (one) => {
      await one.readHead()
      await one.ended
    })
    const attacker = await guarded.client()
    await attacker.write(request('POST /', 'Content-Length: 1000000', 'Expect: 100-continue'))
    await eventually(() => guarded.upstream.accepted === 1)
    trickle(attacker, 20)
    expect(await attacker.readHead()).to.match(/^HTTP\/1.1 408 /)
  })

  it('that takes its answer byte by byte is reset, and the next one is served', async () => {
    let index = 0
    guarded = await Guarded.start(async (one) => {
      for (;;) {
        await one.readHead()
        // Sent to the end or not: the first client takes next to nothing of it.
        await one.write(index++ === 0 ? ok('x'.repeat(24_000_000)) : ok('served'))
      }
    })
    const attacker = await guarded.client()
    await attacker.write(request('GET /'))
    await attacker.readExactly(1)
    attacker.pause()
    const honest = await guarded.client()
    await honest.write(request('GET /'))
    expect(await honest.readHead()).to.match(/^HTTP\/1.1 200 /)
    expect(guarded.reasons[0]).to.equal('clientGone')
    attacker.resume()
    await attacker.ended
  })

  it('is not blamed for an upstream that sends nothing', async () => {
    guarded = await Guarded.start(async (one) => {
      await one.readHead()
      await one.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsl')
      const later = performance.now() + 3 * windowMs
      await eventually(() => performance.now() >= later)
      await one.write('owly')
    })
    const client = await guarded.client()
    await client.write(request('GET /'))
    await client.readUntil('slowly')
  })

  it('is not blamed for an upstream that takes nothing', async () => {
    guarded = await Guarded.start(async (one) => {
      await one.readHead()
      one.pause()
      const later = performance.now() + 3 * windowMs
      await eventually(() => performance.now() >= later)
      one.resume()
      await one.readUntil('the end')
      await one.write(ok('served'))
    })
    const client = await guarded.client()
    const size = 24_000_000
    await client.write(request('POST /', `Content-Length: ${size + 7}`))
    void client.write(Buffer.alloc(size, 'x')).catch(() => {})
    await client.write('the end')
    expect(await client.readHead()).to.match(/^HTTP\/1.1 200 /)
  })
})
