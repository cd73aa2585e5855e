import type { ErrorCode, ListenerConfig } from '@sluice/core'
import { expect } from 'chai'
import { ListenerStand, type ListenerSubject } from './listener-stand.ts'
import { eventually } from './raw/eventually.ts'
import type { RawClient } from './raw/raw-client.ts'
import { type RawScript, RawServer } from './raw/raw-server.ts'

/** Registers the contract as a suite: what every protocol's listener promises, whatever befalls its units. */
export function describeListener(name: string, subject: ListenerSubject): void {
  const { opening, agreement, agreed } = subject
  describe(`${name} keeps the contract of a listener`, () => {
    let stand: ListenerStand
    let upstream: RawServer

    const agreeing: RawScript = async (one) => {
      void one.ended.then(() => one.close())
      await one.readSome()
      await one.write(agreement)
    }
    const start = async (script: RawScript = agreeing, changes: Partial<ListenerConfig> = {}): Promise<void> => {
      upstream = await RawServer.start(script)
      stand = await ListenerStand.start(subject, `127.0.0.1:${upstream.port}`, changes)
    }
    /** How the connection of one who may not come in ends; the reset may be there before its connect is noticed. */
    const turnedAway = (): Promise<string> =>
      stand.client().then(
        (client) => client.ended,
        (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? 'rst' : String(error.code)),
      )
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
      stand = await ListenerStand.start(subject, 'no-such-name.invalid:80')
      const client = await stand.client()
      await client.write(opening)
      await subject.refused(client, 'noEndpoint')
    })

    it('tells that the upstream refuses', async () => {
      upstream = await RawServer.start()
      await upstream.close()
      stand = await ListenerStand.start(subject, `127.0.0.1:${upstream.port}`)
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

    for (const key of ['maxConnections', 'perClient'] as const) {
      it(`turns away who would be one too many by ${key}, until another has left`, async () => {
        await start(agreeing, { [key]: 2 })
        const first = await stand.client()
        await stand.client()
        await eventually(() => stand.listener.connections === 2)
        expect(await turnedAway()).to.equal('rst')
        expect(stand.refused).to.equal(1)
        await first.close()
        await eventually(() => stand.listener.connections === 1)
        await stand.client()
        await eventually(() => stand.listener.connections === 2)
        expect(stand.refused).to.equal(1)
      })
    }

    it('goes by other options once it is given them', async () => {
      await start(agreeing, { maxConnections: 1 })
      await running()
      expect(await turnedAway()).to.equal('rst')
      stand.configure({ maxConnections: 2 })
      await stand.client()
      await eventually(() => stand.listener.connections === 2)
    })

    it('refuses new units while too much is held in memory, and serves those that run', async () => {
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
      stand.held.maxBytes = 65_536
      await eventually(() => stand.held.exceeded, { what: 'much is held' })
      const refused = await stand.client()
      await refused.write(opening)
      await subject.refused(refused, 'overloaded')
      client.resume()
      await client.readUntil('end of it')
      await eventually(() => !stand.held.exceeded, { what: 'it is taken' })
    })

    it('resets a client that takes less than the least rate of what waits for it', async () => {
      const windowMs = 300
      // A rate that no window sees, of which the kernel's own buffers take a few MiB at once.
      await start(
        async (one) => {
          void one.ended.then(() => one.close())
          await one.readSome()
          await one.write(agreement)
          await one.write(Buffer.alloc(24_000_000, 'x'))
        },
        { minRate: { bytesPerSecond: 1_000_000, windowMs } },
      )
      const started = performance.now()
      const client = await running()
      client.pause()
      const [{ ended }] = [upstream.connections[0]!]
      expect(await ended).to.be.oneOf(['rst', 'fin'])
      expect(performance.now() - started).to.be.at.least(windowMs)
      await eventually(() => stand.reasons.length === 1)
      expect(stand.reasons[0]).to.be.oneOf(['clientGone', 'requestTimeout'])
      client.resume()
    })

    it('leaves a client alone that has nothing to take', async () => {
      await start(agreeing, { minRate: { bytesPerSecond: 1_000_000, windowMs: 20 } })
      const client = await running()
      // Many windows pass.
      const until = performance.now() + 200
      await eventually(() => performance.now() > until)
      expect(stand.reasons).to.deep.equal([])
      await client.close()
    })

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
