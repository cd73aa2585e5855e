import type { ConfigInput } from '@sluice/core'
import { expect } from 'chai'
import { eventually, type RawClient, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { get, response } from '../support/ask.ts'
import { Stage } from '../support/stage.ts'

const gateId = 'route:web/r'
const gate = { limit: 1, queue: 20, timeout: '20s' }

/** What the upstream has seen, in order. */
let arrived: string[]
let upstream: RawServer

/** One route with a gate, and others beside it. */
function config(over: { limit?: number; beside?: number; route?: boolean } = {}): Record<string, unknown> {
  const { limit = 1, beside = 0, route = true } = over
  const others = Array.from({ length: beside }, (_, i) => ({
    name: `beside${i}`,
    match: { path: `/beside${i}` },
    upstream: 'up',
  }))
  const own = { name: 'r', match: { path: '/r/*' }, upstream: 'up', gate: { ...gate, limit } }
  return {
    listeners: {
      web: {
        bind: '127.0.0.1:0',
        protocol: 'http',
        routes: [...others, ...(route ? [own] : []), { name: 'rest', upstream: 'up' }],
      },
    },
    upstreams: { up: { endpoints: [`127.0.0.1:${upstream.port}`] } },
  }
}

const reload = (stage: Stage, over: Parameters<typeof config>[0]) =>
  stage.proxy.reload(config(over) as unknown as ConfigInput)

/** Puts these clients into the queue, in their order. */
async function queue(stage: Stage, clients: readonly RawClient[]): Promise<void> {
  const before = stage.gate(gateId).waiting
  for (const [i, client] of clients.entries()) {
    await client.write(get(`/r/${i}`))
    await stage.atGate(gateId, { waiting: before + i + 1 })
  }
}

async function holder(stage: Stage, client?: RawClient): Promise<RawClient> {
  const one = client ?? (await stage.client('web'))
  await one.write(get('/r/hang'))
  await stage.atGate(gateId, { running: 1 })
  await eventually(() => arrived.includes('/r/hang'))
  return one
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `/r/${i}`)

/** A client whose connection a given thread has accepted: the kernel chooses, so as many are made as it takes. */
async function clientOn(stage: Stage, thread: number): Promise<RawClient> {
  for (;;) {
    const before = stage.stats.threads.map(({ connections }) => connections)
    const client = await stage.client('web')
    await eventually(() => stage.stats.threads.some(({ connections }, i) => connections > before[i]!))
    if (stage.stats.threads[thread]!.connections > before[thread]!) return client
    await client.close()
    await eventually(() => stage.stats.threads.every(({ connections }, i) => connections === before[i]))
  }
}

describe('units that wait', () => {
  beforeEach(async () => {
    arrived = []
    upstream = await RawServer.start(async (one) => {
      void one.ended.then(() => one.close())
      for (;;) {
        const path = /^GET (\S+)/.exec(await one.readHead())![1]!
        arrived.push(path)
        if (!path.endsWith('hang')) await one.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      }
    })
  })
  afterEach(async () => {
    await upstream.close()
  })

  for (const threads of [0, 1, 2]) {
    describe(`with threads ${threads}`, () => {
      const start = () => Stage.start({ threads, ...config() })

      it('keep their places through reloads', async () => {
        const stage = await start()
        const first = await holder(stage)
        const waiters = await Promise.all(Array.from({ length: 4 }, () => stage.client('web')))
        await queue(stage, waiters)
        for (let beside = 1; beside <= 5; beside++) {
          await reload(stage, { beside })
          expect(stage.gate(gateId)).to.include({ running: 1, waiting: 4 })
        }
        first.rst()
        for (const waiter of waiters) expect((await response(waiter)).status).to.equal(200)
        expect(arrived.slice(1)).to.deep.equal(numbers(4))
        await stage.close()
      })

      it('are served though their route has gone, and its gate counts until they are', async () => {
        const stage = await start()
        const first = await holder(stage)
        const waiters = await Promise.all(Array.from({ length: 3 }, () => stage.client('web')))
        await queue(stage, waiters)
        await reload(stage, { route: false })
        first.rst()
        for (const waiter of waiters) expect((await response(waiter)).status).to.equal(200)
        expect(arrived.slice(1)).to.deep.equal(numbers(3))
        // The same connection's next request goes by what holds now: there is no gate on its way.
        await waiters[0]!.write(get('/r/next'))
        expect((await response(waiters[0]!)).status).to.equal(200)
        await stage.close()
      })

      it('are let through by a limit that is raised, and by no one while it is lower than what runs', async () => {
        const stage = await start()
        const holding = [await holder(stage)]
        await reload(stage, { limit: 3 })
        for (let i = 2; i <= 3; i++) {
          const next = await stage.client('web')
          await next.write(get('/r/hang'))
          await stage.atGate(gateId, { running: i })
          holding.push(next)
        }
        const waiters = await Promise.all(Array.from({ length: 4 }, () => stage.client('web')))
        await queue(stage, waiters)
        await reload(stage, { limit: 1 })
        holding[0]!.rst()
        holding[1]!.rst()
        await stage.atGate(gateId, { running: 1, waiting: 4 })
        await eventually(() => stage.stats.upstreams[0]!.endpoints[0]!.connections.busy === 1)
        expect(arrived.filter((path) => path !== '/r/hang')).to.deep.equal([])
        stage.proxy.setLimits(gateId, { limit: 2 })
        for (const waiter of waiters) expect((await response(waiter)).status).to.equal(200)
        expect(arrived.filter((path) => path !== '/r/hang')).to.deep.equal(numbers(4))
        await stage.close()
      })
    })
  }

  describe('with threads 2, one of which is killed', () => {
    const start = () =>
      Stage.start({ threads: 2, ...config() }, { deaths: { firstMs: 10, maxMs: 10, maxDeaths: Infinity } })

    it('are served in order by the other thread when it had the permit', async () => {
      const stage = await start()
      const first = await holder(stage, await clientOn(stage, 0))
      const order = [0, 1, 0, 1, 1, 0]
      const waiters: RawClient[] = []
      for (const thread of order) waiters.push(await clientOn(stage, thread))
      await queue(stage, waiters)
      await stage.proxy.killThread(0)
      await first.ended
      for (const [i, waiter] of waiters.entries()) {
        if (order[i] === 1) expect((await response(waiter)).status).to.equal(200)
        else await waiter.ended
      }
      expect(arrived.slice(1)).to.deep.equal(['/r/1', '/r/3', '/r/4'])
      await back(stage)
      await stage.close()
    })

    it('are served in order by the other thread that has the permit, and the dead ones are forgotten', async () => {
      const stage = await start()
      const first = await holder(stage, await clientOn(stage, 1))
      const order = [0, 1, 0, 0, 1]
      const waiters: RawClient[] = []
      for (const thread of order) waiters.push(await clientOn(stage, thread))
      await queue(stage, waiters)
      await stage.proxy.killThread(0)
      await stage.atGate(gateId, { running: 1, waiting: 2 })
      expect(arrived).to.deep.equal(['/r/hang'])
      first.rst()
      for (const i of [1, 4]) expect((await response(waiters[i]!)).status).to.equal(200)
      expect(arrived.slice(1)).to.deep.equal(['/r/1', '/r/4'])
      await back(stage)
      await stage.close()
    })
  })

  /** The thread in the place of the dead one serves, too. */
  async function back(stage: Stage): Promise<void> {
    await eventually(() => stage.stats.threads.length === 2)
    const client = await clientOn(stage, 0)
    await client.write(get('/r/again'))
    expect((await response(client)).status).to.equal(200)
  }
})
