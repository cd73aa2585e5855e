import { connect, type Socket } from 'node:net'
import { type Backend, startHttpBackend } from '../../packages/backends/src/index.ts'
import { expect } from 'chai'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../packages/testkit/src/scale.ts'
import { ask, get, request } from './support/ask.ts'
import { Stage } from './support/stage.ts'

const attackers = scaled({ test: 50, ci: 500, soak: 500 })
const limit = 3
const windowMs = 100
const headMs = 500
/** Attackers have an address of their own. */
const elsewhere = '127.0.0.2'

/** How each attacker is slow: what it begins with, and whether it goes on by a byte up or down now and then. */
const kinds = {
  'never finishes its head': { begins: 'GET / HTTP/1.1\r\nHost: a\r\nX: ', sends: true },
  'sends a byte now and then': { begins: request('POST', '/hash', ['Content-Length: 1000000']), sends: true },
  'reads a byte now and then': { begins: get('/bytes/33554432'), sends: false },
} as const

type Kind = keyof typeof kinds

/** One slow client; `ended` resolves when it is cut off. */
class Attacker {
  readonly ended: Promise<void>
  readonly #socket: Socket
  readonly #timer: NodeJS.Timeout

  constructor(port: number, kind: Kind) {
    const { begins, sends } = kinds[kind]
    this.#socket = connect({ port, host: '127.0.0.1', localAddress: elsewhere })
    this.#socket.on('error', () => undefined)
    this.#socket.write(begins)
    this.#timer = setInterval(() => {
      if (sends) this.#socket.write('x')
      else this.#socket.read(1)
    }, windowMs / 2)
    this.ended = new Promise((resolve) => {
      this.#socket.once('close', () => resolve())
    })
    // Without a reader neither an answer nor an end would be seen.
    if (sends) this.#socket.on('data', () => undefined).once('end', () => this.leave())
    void this.ended.then(() => clearInterval(this.#timer))
  }

  leave(): void {
    this.#socket.destroy()
  }
}

for (const threads of [0, 2]) {
  describe(`slow attackers at a gate of ${limit}, threads ${threads}`, function () {
    this.timeout(600_000)
    let backend: Backend
    let stage: Stage

    beforeEach(async () => {
      backend = await startHttpBackend()
    })
    afterEach(async () => {
      await stage.close()
      await backend.close()
    })

    const start = (over: Record<string, unknown>) =>
      Stage.start(
        {
          threads,
          listeners: {
            web: {
              bind: '127.0.0.1:0',
              protocol: 'http',
              upstream: `http://127.0.0.1:${backend.address.port}`,
              gate: { limit, queue: 10_000, timeout: '300s' },
              timeouts: { head: `${headMs}ms` },
              ...over,
            },
          },
        },
        {},
        (config) => ({
          ...config,
          listeners: config.listeners.map((one) => ({ ...one, minRate: { ...one.minRate, windowMs } })),
        }),
      )

    /** Asks until the answer is there; tells how long that took. */
    const honest = async () => {
      const client = await stage.client('web', { timeoutMs: 300_000 })
      const since = performance.now()
      expect((await ask(client, get('/slow?ms=1'))).status).to.equal(200)
      await client.close()
      return performance.now() - since
    }

    it(`${attackers} of each kind hold it no longer than a window of minRate each`, async () => {
      stage = await start({})
      const port = stage.port('web')
      const all = (Object.keys(kinds) as Kind[]).flatMap((kind) =>
        Array.from({ length: attackers }, () => new Attacker(port, kind)),
      )
      const atGate = 2 * attackers
      await eventually(() => stage.gate('listener:web').waiting >= atGate - limit - attackers / 2)
      const waits = await Promise.all(Array.from({ length: 20 }, honest))
      const longest = Math.max(...waits)
      const bound = (atGate / limit) * windowMs
      console.log(
        `    attackers, threads ${threads}: honest clients waited ${Math.round(longest)} ms of ${Math.round(bound)}`,
      )
      expect(longest).to.be.below(bound * 10)
      // Nobody has to end by itself: each is cut off. Who does not read does not even notice.
      await stage.settled(bound * 10)
      for (const one of all) one.leave()
      await eventually(() => stage.accounts.filter(({ reason }) => reason === 'requestTimeout').length >= atGate)
    })

    it('that come again and again are kept out by perClient', async () => {
      const perClient = 2 * limit
      stage = await start({ perClient })
      const port = stage.port('web')
      const words = Object.keys(kinds) as Kind[]
      const present = new Set<Attacker>()
      let attacking = true
      const attack = async (i: number) => {
        while (attacking) {
          const one = new Attacker(port, words[i % words.length]!)
          present.add(one)
          // Who does not read does not notice that it was cut off.
          const timer = setTimeout(() => one.leave(), 10 * windowMs)
          await one.ended
          clearTimeout(timer)
          present.delete(one)
        }
      }
      const attacks = Array.from({ length: attackers }, (_, i) => attack(i))
      await eventually(() => stage.gate('listener:web').running === limit)
      for (let round = 0; round < 3; round++) {
        const wait = await honest()
        expect(wait).to.be.below(((perClient + limit) / limit) * windowMs * 10)
      }
      attacking = false
      for (const one of present) one.leave()
      await Promise.all(attacks)
    })
  })
}
