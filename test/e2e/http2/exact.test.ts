import { type Departure, Tally } from '../../../packages/backends/src/index.ts'
import { once } from 'node:events'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../../packages/testkit/src/scale.ts'
import { SeededRandom } from '../../../packages/testkit/src/seeded-random.ts'
import { Stage } from '../support/stage.ts'

const limit = 3
const connections = 10
const atOnce = 500
const rounds = scaled({ test: 1, ci: 2, soak: 50 })

/** A message of gRPC with four bytes. */
const message = Buffer.from([0, 0, 0, 0, 4, 1, 2, 3, 4])

/** A backend of calls that counts exactly. Calls named `hold…` wait for `release`. */
class Counting {
  readonly tally = new Tally()
  readonly seen = new Set<string>()
  readonly #server: Http2Server
  readonly #held: (() => void)[] = []

  private constructor(server: Http2Server) {
    this.#server = server
  }

  static async start(): Promise<Counting> {
    const server = createServer({ maxSessionMemory: 1_000 })
    const counting = new Counting(server)
    server.on('stream', (stream, headers) => counting.#serve(stream, headers))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return counting
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const unit = String(headers['x-unit'])
    this.seen.add(unit)
    const leave: (departure: Departure) => void = this.tally.enter()
    this.tally.name(unit, leave)
    stream.on('error', () => undefined)
    stream.once('close', () => leave({ byPeer: true, aborted: true }))
    stream.resume()
    const answer = (): void => {
      if (stream.destroyed) return
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.once('wantTrailers', () => {
        leave({ byPeer: false, aborted: false })
        stream.sendTrailers({ 'grpc-status': '0' })
      })
      stream.end(message)
    }
    if (unit.startsWith('hold')) this.#held.push(answer)
    else if (headers['x-slow'] === undefined) setImmediate(answer)
    else setTimeout(answer, Number(headers['x-slow']))
  }

  release(): void {
    for (const answer of this.#held.splice(0)) answer()
  }

  async close(): Promise<void> {
    this.#server.close()
    await once(this.#server, 'close')
  }
}

interface Ended {
  readonly status: string | undefined
  readonly cut: boolean
}

for (const abandoned of ['reset', 'wait']) {
  describe(`the gate on calls over two threads, abandoned: ${abandoned}`, function () {
    this.timeout(scaled({ test: 60_000, ci: 120_000, soak: 600_000 }))
    let backend: Counting
    let stage: Stage
    let sessions: ClientHttp2Session[]

    beforeEach(async () => {
      backend = await Counting.start()
      stage = await Stage.start({
        threads: 2,
        gates: { calls: { limit, queue: 10_000, timeout: '60s', abandoned } },
        listeners: { rpc: { bind: '127.0.0.1:0', protocol: 'grpc', upstream: 'up', gate: 'calls' } },
        upstreams: { up: { endpoints: [backend.address] } },
      })
      sessions = Array.from({ length: connections }, () => connect(`http://127.0.0.1:${stage.port('rpc')}`))
      await Promise.all(sessions.map((session) => once(session, 'connect')))
    })

    afterEach(async () => {
      for (const session of sessions) session.destroy()
      await stage.settled()
      await stage.close()
      await backend.close()
    })

    function call(unit: string, slowMs = 0): { stream: ClientHttp2Stream; ended: Promise<Ended> } {
      const session = sessions[Math.floor(Math.random() * connections)]!
      const stream = session.request({
        ':method': 'POST',
        ':path': '/echo.Echo/Say',
        'content-type': 'application/grpc',
        te: 'trailers',
        'x-unit': unit,
        ...(slowMs > 0 ? { 'x-slow': String(slowMs) } : {}),
      })
      let status: string | undefined
      let cut = false
      stream.on('response', (headers) => (status = headers['grpc-status'] as string | undefined))
      stream.on('trailers', (trailers: IncomingHttpHeaders) => (status = trailers['grpc-status'] as string))
      stream.on('error', () => undefined)
      stream.resume()
      const ended = new Promise<Ended>((resolve) => {
        stream.once('close', () => {
          cut = stream.rstCode === constants.NGHTTP2_CANCEL
          resolve({ status, cut })
        })
      })
      stream.end(message)
      return { stream, ended }
    }

    /** Looks all the time, until it is told to stop, whether the gate keeps to its limit. */
    async function watch(until: Promise<unknown>): Promise<void> {
      let over = false
      void until.finally(() => (over = true))
      while (!over) {
        expect(stage.gate('calls').running).to.be.at.most(limit)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }

    it(`lets ${limit} of ${atOnce} on ${connections} connections through at once, whoever cancels and whenever`, async () => {
      const random = new SeededRandom(0xca11)
      let served = 0
      let cuts = 0
      for (let round = 0; round < rounds; round++) {
        const calls = Array.from({ length: atOnce }, async (_, i) => {
          const unit = `r${round}-${i}`
          const { stream, ended } = call(unit, random.below(4))
          if (random.chance(0.3)) {
            for (let turns = random.below(300); turns > 0; turns--)
              await new Promise((resolve) => setImmediate(resolve))
            if (!stream.closed) {
              backend.tally.cut(unit)
              stream.close(constants.NGHTTP2_CANCEL)
            }
          }
          const { status, cut } = await ended
          if (cut) cuts++
          else {
            expect(status, unit).to.equal('0')
            served++
          }
        })
        const run = Promise.all(calls)
        await Promise.all([run, watch(run)])
        await stage.atGate('calls', { running: 0, waiting: 0 })
      }
      const { max, total } = backend.tally.stats()
      console.log(`    ${abandoned}: ${served} served, ${cuts} cancelled; ${max} at most of ${total} at the backend`)
      expect(max).to.equal(limit)
      expect(served + cuts).to.equal(rounds * atOnce)
      expect(cuts).to.be.greaterThan(0)
      await eventually(() => backend.tally.stats().running === 0)
    })

    it('never lets a cancelled waiter reach the upstream', async () => {
      const holders = Array.from({ length: limit }, (_, i) => call(`hold${i}`))
      await eventually(() => backend.seen.size === limit)
      const waiters = Array.from({ length: 200 }, (_, i) => call(`w${i}`))
      await stage.atGate('calls', { running: limit, waiting: 200 })
      for (const [i, { stream }] of waiters.entries()) if (i % 2 === 0) stream.close(constants.NGHTTP2_CANCEL)
      await stage.atGate('calls', { running: limit, waiting: 100 })
      backend.release()
      for (const { ended } of holders) expect((await ended).status).to.equal('0')
      for (const [i, { ended }] of waiters.entries()) {
        const { status, cut } = await ended
        expect({ status, cut }).to.deep.equal(
          i % 2 === 0 ? { status: undefined, cut: true } : { status: '0', cut: false },
        )
      }
      for (const [i] of waiters.entries()) expect(backend.seen.has(`w${i}`), `w${i}`).to.equal(i % 2 === 1)
      expect(backend.tally.stats().max).to.equal(limit)
    })

    it('gets all permits back when connections break off with their calls', async () => {
      for (let i = 0; i < limit; i++) call(`hold${i}`)
      await eventually(() => backend.seen.size === limit)
      for (let i = 0; i < 100; i++) call(`w${i}`)
      await stage.atGate('calls', { running: limit, waiting: 100 })
      for (const session of sessions) session.destroy()
      if (abandoned === 'wait') {
        await stage.atGate('calls', { running: limit, waiting: 0 })
        backend.release()
      }
      await stage.atGate('calls', { running: 0, waiting: 0 })
      // By `reset` those of a connection that breaks off later may be let through for a moment.
      if (abandoned === 'wait') expect(backend.seen.size).to.equal(limit)
    })
  })
}
