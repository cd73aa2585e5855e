import {
  type Backend,
  startHttpBackend,
  startTcpBackend,
  startWebSocketBackend,
  Tally,
} from '../../../packages/backends/src/index.ts'
import type { ConfigInput } from '@sluice/core'
import { expect } from 'chai'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../../packages/testkit/src/scale.ts'
import { SeededRandom } from '../../../packages/testkit/src/seeded-random.ts'
import { Load } from '../support/load.ts'
import { Stage } from '../support/stage.ts'

const limit = 5
const atOnce = scaled({ test: 400, ci: 2_000, soak: 2_000 })
const stormMs = scaled({ test: 3_500, ci: 10_000, soak: 120_000 })

/** Backends of all protocols that count as one. */
class Behind {
  readonly tally = new Tally()
  readonly #backends: Backend[] = []

  static async start(): Promise<Behind> {
    const behind = new Behind()
    const { tally } = behind
    behind.#backends.push(
      await startHttpBackend({ tally, name: 'one' }),
      await startHttpBackend({ tally, name: 'two' }),
      await startTcpBackend({ tally }),
      await startTcpBackend({ tally }),
      await startWebSocketBackend({ tally }),
    )
    return behind
  }

  /** `turn`: which of the equal ones serves, and how many routes stand beside those that are used. */
  config(gate: object, turn = 0): Record<string, unknown> {
    const [http, otherHttp, tcp, otherTcp, websocket] = this.#backends.map(({ address }) => `127.0.0.1:${address.port}`)
    const shared = { bind: '127.0.0.1:0', gate: 'shared' }
    const beside = Array.from({ length: turn % 4 }, (_, i) => ({ match: { path: `/beside-${i}/*` }, upstream: 'http' }))
    const route = { name: 'all', match: { path: '/*' }, upstream: 'http' }
    return {
      threads: 2,
      gates: { shared: { limit, queue: 10_000, timeout: '120s', ...gate } },
      listeners: {
        web: { ...shared, protocol: 'http', routes: turn % 2 === 0 ? [...beside, route] : [route, ...beside] },
        raw: { ...shared, protocol: 'tcp', upstream: 'tcp' },
        live: { ...shared, protocol: 'websocket', upstream: 'websocket' },
      },
      upstreams: {
        http: { endpoints: [turn % 2 === 0 ? http : otherHttp] },
        tcp: { endpoints: [turn % 3 === 0 ? tcp : otherTcp] },
        websocket: { endpoints: [websocket] },
      },
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.close()))
  }
}

/** Looks all the time, until it is told to stop, whether the gate keeps to its limit. */
async function watch(stage: Stage, until: Promise<unknown>): Promise<void> {
  let over = false
  const end = () => {
    over = true
  }
  void until.then(end, end)
  while (!over) {
    expect(stage.gate('shared').running).to.be.at.most(limit)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('one gate over two threads and three protocols', function () {
  this.timeout(600_000)
  let behind: Behind

  beforeEach(async () => {
    behind = await Behind.start()
  })
  afterEach(async () => {
    await behind.close()
  })

  const tell = (what: string, load: Load) => {
    const { max, total } = behind.tally.stats()
    const { served, cut, lost } = load.ends
    console.log(`    ${what}: ${served} served, ${cut} cut, ${lost} lost; ${max} at most of ${total} at the backends`)
    for (const [how, times] of load.losses) console.log(`      ${times} × ${how}`)
  }

  it(`lets ${limit} of ${atOnce} through at once, whoever breaks off and whenever`, async () => {
    const stage = await Stage.start(behind.config({}))
    const load = new Load(stage, { random: new SeededRandom(0x5eed), cuts: 0.3, tally: behind.tally })
    const run = load.atOnce(atOnce)
    await Promise.all([run, watch(stage, run)])
    tell('two threads', load)
    expect(behind.tally.stats().max).to.equal(limit)
    expect(load.ends.lost).to.equal(0)
    await stage.settled()
    await eventually(() => behind.tally.stats().running === 0)
    await stage.close()
  })

  it(`lets never more than ${limit} through, cuts included, with abandoned: wait`, async () => {
    const stage = await Stage.start(behind.config({ abandoned: 'wait' }))
    const load = new Load(stage, { random: new SeededRandom(0x5eed), cuts: 0.3 })
    const run = load.atOnce(atOnce)
    await Promise.all([run, watch(stage, run)])
    tell('abandoned: wait', load)
    expect(behind.tally.stats().max).to.equal(limit)
    expect(load.ends.lost).to.equal(0)
    await stage.settled()
    await stage.close()
  })

  it('lets no more through while it is reloaded every 100 ms and a thread dies every second', async () => {
    const stage = await Stage.start(behind.config({}), { deaths: { firstMs: 50, maxMs: 50, maxDeaths: Infinity } })
    const random = new SeededRandom(0xdead)
    const load = new Load(stage, { random, cuts: 0.2, tally: behind.tally, large: false })
    const until = sleep(stormMs)
    let reloads = 0
    let deaths = 0
    const reloading = async () => {
      for (const end = performance.now() + stormMs; performance.now() < end; await sleep(100)) {
        await stage.proxy.reload(behind.config({}, ++reloads) as unknown as ConfigInput)
      }
    }
    const killing = async () => {
      for (const end = performance.now() + stormMs - 1_000; performance.now() < end; ) {
        await sleep(1_000)
        // Where the other one is not back yet, nobody would be left.
        if (stage.stats.threads.length === 2 && (await stage.proxy.killThread(random.below(2)))) deaths++
      }
    }
    await Promise.all([load.until(until, atOnce / 4), watch(stage, until), reloading(), killing()])
    tell(`${reloads} reloads, ${deaths} deaths`, load)
    expect(behind.tally.stats().max).to.be.within(1, limit)
    expect(deaths).to.be.greaterThan(0)
    expect(load.ends.served).to.be.greaterThan(0)
    await stage.settled()
    await eventually(() => stage.stats.threads.length === 2)
    await stage.close()
  })
})
