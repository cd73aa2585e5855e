import {
  type BindAddress,
  type ConfigInput,
  type ErrorCode,
  Generation,
  type Listener,
  type ListenerConfig,
  MetricsBlock,
  parseConfigObject,
  type Probe,
  Runtime,
} from '@sluice/core'
import { Acceptor, type AcceptTarget } from '@sluice/wire'
import { expect } from 'chai'
import { eventually } from './raw/eventually.ts'
import { RawClient } from './raw/raw-client.ts'
import { type RawScript, RawServer } from './raw/raw-server.ts'

/** A listener as every protocol makes it: it takes what an acceptor gives it. */
export interface AcceptingListener extends Listener {
  target(bind: BindAddress): AcceptTarget
}

/** What a listener is made from. */
export interface ListenerStand {
  readonly runtime: Runtime
  readonly generation: Generation
  readonly config: ListenerConfig
}

/** A protocol's listener and its words, as far as the contract needs them. */
export interface ListenerSubject {
  readonly protocol: 'http' | 'tcp' | 'websocket'
  make(stand: ListenerStand): AcceptingListener
  /** What a client sends to begin a unit. */
  readonly opening: string
  /** What an upstream says to a unit that it takes; the unit runs on after it. */
  readonly agreement: string
  /** What the client sees of the agreement. */
  readonly agreed: RegExp
  /** Asserts that the client is told the refusal, and that its connection ends as it must. */
  refused(client: RawClient, code: ErrorCode): Promise<void>
  /** Whether a peer that has ended its half may still be served by the other one. */
  readonly halfCloses: boolean
  /** A unit that no route takes; undefined where everything has a route. */
  readonly unrouted: string | undefined
  /** How the client sees that a unit which is under way is cut by `close`. */
  readonly cutBy: 'fin' | 'rst'
}

const gateId = 'listener:in'
const bind = { host: '127.0.0.1', port: 0 }
const probe: Probe = () => () => {}

/** One listener of the subject before one upstream. */
class Stand {
  readonly runtime: Runtime
  readonly generation: Generation
  readonly listener: AcceptingListener
  readonly acceptor: Acceptor
  readonly faults: unknown[] = []
  readonly reasons: string[] = []
  readonly #clients: RawClient[] = []
  #port = 0

  private constructor(subject: ListenerSubject, input: ConfigInput) {
    const parsed = parseConfigObject(input)
    if (parsed.errors !== undefined) throw new Error(parsed.errors.map(({ message }) => message).join('\n'))
    this.runtime = new Runtime({ faulted: (fault) => void this.faults.push(fault) })
    this.runtime.accountTo({ account: ({ reason }) => void this.reasons.push(reason) })
    this.generation = new Generation(parsed.config, this.runtime, {
      metrics: new MetricsBlock(),
      probes: { http: probe, tcp: probe },
      tlsOf: () => () => undefined,
    })
    const { runtime, generation } = this
    this.listener = subject.make({ runtime, generation, config: parsed.config.listeners[0]! })
    this.acceptor = new Acceptor(this.listener.target(bind))
  }

  static async start(subject: ListenerSubject, endpoint: string): Promise<Stand> {
    const stand = new Stand(subject, {
      listeners: {
        in: {
          bind: '127.0.0.1:0',
          protocol: subject.protocol,
          gate: { limit: 1, queue: 1, timeout: '150ms' },
          ...(subject.unrouted === undefined
            ? { upstream: 'up' }
            : { routes: [{ match: { path: '/unit' }, upstream: 'up' }] }),
        },
      },
      upstreams: { up: { endpoints: [endpoint], retries: { max: 0 } } },
    })
    await stand.generation.start()
    const bound = await stand.acceptor.listen(bind)
    stand.#port = 'port' in bound ? bound.port : 0
    return stand
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.connect({ port: this.#port, timeoutMs: 5_000 })
    this.#clients.push(client)
    return client
  }

  async atGate(running: number, waiting: number): Promise<void> {
    const gate = this.generation.gates.get(gateId)!
    await eventually(() => gate.running === running && gate.waiting === waiting, {
      what: `${running} running and ${waiting} waiting`,
    })
  }

  /** Everything comes back to nothing once the clients are gone. */
  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await eventually(() => this.runtime.exchanges === 0 && this.listener.connections === 0, { what: 'nothing left' })
    await this.atGate(0, 0)
    this.acceptor.destroy()
    this.listener.close()
    this.generation.close('all')
    const [endpoint] = this.generation.upstreams.get('up')!.endpoints
    await eventually(() => endpoint!.running === 0 && endpoint!.connections === 0, { what: 'no upstream connection' })
    const { fine, coarse } = this.runtime
    await eventually(() => fine.count + coarse.count === 0, { what: 'no timer' })
    this.runtime.stop()
    expect(this.faults).to.deep.equal([])
  }
}

/** Registers the contract as a suite: what every protocol's listener promises, whatever befalls its units. */
export function describeListener(name: string, subject: ListenerSubject): void {
  const { opening, agreement, agreed } = subject
  describe(`${name} keeps the contract of a listener`, () => {
    let stand: Stand
    let upstream: RawServer

    const agreeing: RawScript = async (one) => {
      void one.ended.then(() => one.close())
      await one.readSome()
      await one.write(agreement)
    }
    const start = async (script: RawScript = agreeing): Promise<void> => {
      upstream = await RawServer.start(script)
      stand = await Stand.start(subject, `127.0.0.1:${upstream.port}`)
    }
    /** A client whose unit runs. */
    const running = async (): Promise<RawClient> => {
      const client = await stand.client()
      await client.write(opening)
      await client.readUntil(agreed)
      return client
    }

    afterEach(async () => {
      await stand.end()
      await upstream.close()
    })

    if (subject.unrouted !== undefined) {
      it('refuses what has no route', async () => {
        await start()
        const client = await stand.client()
        await client.write(subject.unrouted!)
        await subject.refused(client, 'noRoute')
        expect(upstream.accepted).to.equal(0)
      })
    }

    it('refuses at once when gate and queue are full, and in time who has waited too long', async () => {
      await start()
      await running()
      const [waiting, refused] = [await stand.client(), await stand.client()]
      await waiting.write(opening)
      await stand.atGate(1, 1)
      await refused.write(opening)
      await subject.refused(refused, 'queueFull')
      await subject.refused(waiting, 'queueTimeout')
      expect(upstream.accepted).to.equal(1)
    })

    it('lets the next one through when a unit ends', async () => {
      await start()
      const first = await running()
      const next = await stand.client()
      await next.write(opening)
      await stand.atGate(1, 1)
      first.rst()
      await next.readUntil(agreed)
      await stand.atGate(1, 0)
    })

    it('refuses when no endpoint has an address', async () => {
      upstream = await RawServer.start()
      stand = await Stand.start(subject, 'no-such-name.invalid:80')
      const client = await stand.client()
      await client.write(opening)
      await subject.refused(client, 'noEndpoint')
    })

    it('tells that the upstream refuses', async () => {
      upstream = await RawServer.start()
      await upstream.close()
      stand = await Stand.start(subject, `127.0.0.1:${upstream.port}`)
      const client = await stand.client()
      await client.write(opening)
      await subject.refused(client, 'connectFailed')
    })

    it('lets nobody take a unit that the upstream breaks off for a whole one', async () => {
      let breakOff = () => {}
      await start(async (one) => {
        breakOff = () => one.rst()
        await agreeing(one, 0)
      })
      const client = await running()
      breakOff()
      await client.ended
      expect(client.buffered.toString('latin1')).not.to.include('0\r\n\r\n')
      await eventually(() => stand.reasons.length === 1)
      expect(stand.reasons).to.deep.equal(['upstreamReset'])
    })

    it('stops reading the upstream of a client that does not read, and goes on with it', async () => {
      const size = 12_000_000
      await start(async (one) => {
        void one.ended.then(() => one.close())
        await one.readSome()
        await one.write(agreement)
        await one.write(Buffer.alloc(size, 'x'))
        await one.write('end of it')
      })
      const client = await running()
      client.pause()
      const { socket } = upstream.connections[0]!
      // The kernel's buffers and ours are full: the upstream is left with the rest.
      let left = -1
      await eventually(() => {
        const same = socket.writableLength === left
        left = socket.writableLength
        return same && left > 0
      })
      client.resume()
      const bytes = await client.readUntil('end of it')
      expect(bytes.length).to.be.at.least(size)
    })

    if (subject.halfCloses) {
      it('passes a half-close on, and serves the other half', async () => {
        await start(async (one) => {
          await one.readSome()
          await one.write(agreement)
          await one.readToEnd()
          await one.write('heard')
          await one.fin()
        })
        const client = await running()
        await client.fin()
        expect((await client.readToEnd()).toString('latin1')).to.match(/heard$/)
        await eventually(() => stand.reasons.length === 1)
        expect(stand.reasons).to.deep.equal(['ok'])
      })
    } else {
      it('takes the FIN of a client that waits for its departure', async () => {
        await start()
        const client = await running()
        await client.fin()
        await client.ended
        await eventually(() => stand.reasons.length === 1)
        expect(stand.reasons).to.deep.equal(['clientGone'])
      })
    }

    it('accepts nobody once it is drained, and serves what waits', async () => {
      await start()
      const first = await running()
      const waiting = await stand.client()
      await waiting.write(opening)
      await stand.atGate(1, 1)
      await stand.acceptor.close()
      stand.listener.drain()
      const late = await stand.client().then(
        () => 'connected',
        (error: NodeJS.ErrnoException) => error.code,
      )
      expect(late).to.equal('ECONNREFUSED')
      first.rst()
      await waiting.readUntil(agreed)
    })

    it('ends everything at once when it is closed', async () => {
      await start()
      const under = await running()
      const waiting = await stand.client()
      await waiting.write(opening)
      await stand.atGate(1, 1)
      stand.listener.close()
      expect(await under.ended).to.equal(subject.cutBy)
      await subject.refused(waiting, 'draining')
      await under.close()
      await waiting.close()
      await eventually(() => stand.listener.connections === 0)
      expect(stand.reasons).to.deep.equal(['draining', 'draining'])
    })
  })
}

/** Reads an answer of ours to an HTTP request. */
export async function refusedByHttp(client: RawClient, status: number, code: ErrorCode): Promise<void> {
  const head = await client.readHead()
  expect(head).to.match(new RegExp(`^HTTP/1\\.1 ${status} `))
  expect(head).to.include(`x-sluice-reason: ${code}\r\n`)
  if (status === 503 && code !== 'draining') expect(head).to.match(/^Retry-After: \d+\r$/m)
}
