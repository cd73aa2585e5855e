import {
  type Backend,
  startHttpBackend,
  startTcpBackend,
  startWebSocketBackend,
} from '../../../packages/backends/src/index.ts'
import { expect } from 'chai'
import { type Command, sluice, withFiles } from '../../../packages/sluice/test/support/command.ts'
import { ConnectionEnded, eventually, RawClient } from '../../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../../packages/testkit/src/scale.ts'
import { ask, get, handshake, response } from '../support/ask.ts'

const clients = scaled({ test: 60, ci: 200, soak: 400 })
const drainTimeoutMs = 2_000
const gate = { limit: 5, queue: 1_000, timeout: '20s' }

/** How a client that retries nothing came to its end. */
type Ending =
  | 'told' // its last answer said Connection: close
  | 'idle' // its connection was closed while it had nothing to ask
  | 'refused' // nobody listened any more
  | 'reset' // it was connected, and closed before its first answer
  | 'failed' // a request on a connection that had served before was left without an answer

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** How a client goes about it. */
interface Habit {
  readonly thinkMs: number
  /** Takes a new connection for each request. */
  readonly hasty: boolean
}

/** Asks on one connection until it is closed, then on another one, until nobody listens; retries nothing. */
async function askOn(port: number, { thinkMs, hasty }: Habit, endings: Ending[]): Promise<void> {
  for (;;) {
    let client: RawClient
    try {
      client = await RawClient.connect({ port, timeoutMs: 30_000 })
    } catch (error) {
      endings.push((error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'refused' : 'reset')
      return
    }
    const ending = await askUntilClosed(client, thinkMs, hasty ? 1 : Infinity)
    await client.close()
    if (ending === undefined) continue
    endings.push(ending)
    if (ending === 'reset' || ending === 'failed') return
  }
}

async function askUntilClosed(client: RawClient, thinkMs: number, requests: number): Promise<Ending | undefined> {
  let closed = false
  void client.ended.then(() => (closed = true))
  for (let asked = 0; asked < requests; asked++) {
    if (closed) return asked === 0 ? 'reset' : 'idle'
    try {
      const { status, header } = await ask(client, get('/slow?ms=2'))
      expect(status).to.equal(200)
      if (header('connection') === 'close') {
        await client.readToEnd()
        return 'told'
      }
    } catch (error) {
      if (!(error instanceof ConnectionEnded)) throw error
      return asked === 0 ? 'reset' : 'failed'
    }
    if (thinkMs > 0) await sleep(Math.random() * thinkMs)
  }
  return undefined
}

describe('SIGTERM under load', function () {
  this.timeout(60_000)
  let http: Backend
  let tcp: Backend
  let websocket: Backend

  before(async () => {
    http = await startHttpBackend()
    tcp = await startTcpBackend()
    websocket = await startWebSocketBackend()
  })
  after(async () => {
    await Promise.all([http, tcp, websocket].map((backend) => backend.close()))
  })

  const at = ({ address }: Backend) => `127.0.0.1:${address.port}`

  /** Runs `sluice run` with a listener of each protocol. */
  async function running(over: Record<string, unknown>, use: (proxy: Command) => Promise<void>): Promise<void> {
    const config = {
      drainTimeout: `${drainTimeoutMs}ms`,
      admin: { bind: '127.0.0.1:0' },
      listeners: {
        web: { bind: '127.0.0.1:0', protocol: 'http', upstream: `http://${at(http)}`, gate },
        raw: { bind: '127.0.0.1:0', protocol: 'tcp', upstream: `tcp://${at(tcp)}` },
        live: { bind: '127.0.0.1:0', protocol: 'websocket', upstream: `ws://${at(websocket)}` },
      },
      ...over,
    }
    await withFiles({ 'sluice.yaml': JSON.stringify(config) }, async (cwd) => {
      const proxy = sluice(['run'], { cwd })
      try {
        await use(proxy)
      } finally {
        proxy.child.kill('SIGKILL')
        await proxy.exit
      }
    })
  }

  for (const threads of [0, 2]) {
    describe(`with threads ${threads}`, () => {
      it('fails no request on an open connection, and serves those who wait', async () => {
        await running({ threads }, async (proxy) => {
          const port = await proxy.port('web')
          http.resetStats()
          const endings: Ending[] = []
          // Some have the next request ready, some take their time, some come anew each time.
          const habit = (i: number) => ({ thinkMs: (i % 3) * 30, hasty: i % 4 === 0 })
          const asking = Array.from({ length: clients }, (_, i) => askOn(port, habit(i), endings))
          await eventually(() => http.stats().total > clients * 3)
          proxy.child.kill('SIGTERM')
          await Promise.all(asking)
          expect(await proxy.exit).to.equal(0)
          const counts = Object.fromEntries(
            Object.entries(Object.groupBy(endings, (one) => one)).map(([one, those]) => [one, those.length]),
          )
          console.log(`    SIGTERM, threads ${threads}: ${JSON.stringify(counts)}`)
          expect(counts.failed ?? 0).to.equal(0)
          expect(counts.told).to.be.at.least(clients / 2)
          // Between the last look at the queue and the close of the socket somebody may slip in, for each thread.
          expect(counts.reset ?? 0).to.be.at.most(2 * Math.max(threads, 1))
        })
      })

      it('goes on accepting for drainDelay while /readyz says 503', async () => {
        await running({ threads, drainDelay: '600ms' }, async (proxy) => {
          const [port, admin] = [await proxy.port('web'), await proxy.port('admin')]
          const ready = async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).status
          expect(await ready()).to.equal(200)
          const killedAt = performance.now()
          proxy.child.kill('SIGTERM')
          await eventually(async () => (await ready()) === 503)
          const client = await RawClient.connect(port)
          expect((await ask(client, get('/delayed'))).status).to.equal(200)
          await client.close()
          expect(await proxy.exit).to.equal(0)
          expect(performance.now() - killedAt).to.be.at.least(600)
        })
      })

      it('ends WebSockets with 1001 at the end of a frame, and leaves tunnels until the deadline', async () => {
        await running({ threads }, async (proxy) => {
          const [raw, live] = [await proxy.port('raw'), await proxy.port('live')]
          const [staying, leaving] = [await RawClient.connect(raw), await RawClient.connect(raw)]
          for (const tunnel of [staying, leaving]) {
            await tunnel.write('before')
            await tunnel.readExactly(6)
          }
          const sockets = await Promise.all(Array.from({ length: 10 }, () => talk(live)))
          await eventually(() => websocket.stats().running === 10)
          const killedAt = performance.now()
          proxy.child.kill('SIGTERM')
          for (const heard of await Promise.all(sockets.map(({ heard }) => heard))) {
            expect(heard.subarray(-4)).to.deep.equal(Buffer.from([0x88, 0x02, 0x03, 0xe9]))
            expect(heard.subarray(0, -4).toString('latin1')).to.match(/^(?:\x81\x05hello)*$/)
          }
          await leaving.write('after')
          expect((await leaving.readExactly(5)).toString()).to.equal('after')
          await leaving.fin()
          expect(await leaving.ended).to.equal('fin')
          await staying.ended
          expect(performance.now() - killedAt).to.be.within(drainTimeoutMs - 1, drainTimeoutMs * 10)
          expect(await proxy.exit).to.equal(0)
          await Promise.all([staying.close(), leaving.close()])
        })
      })
    })
  }
})

/** A WebSocket on which a client says hello again and again until it is told goodbye; gives all that it heard. */
async function talk(port: number): Promise<{ heard: Promise<Buffer> }> {
  const client = await RawClient.connect(port)
  await client.write(handshake('/'))
  expect((await response(client)).status).to.equal(101)
  let over = false
  const heard = client.readUntil(/\x88\x02[^]{2}$/).then(async (all) => {
    over = true
    // Its answer is a close frame, too.
    await client.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]))
    await client.ended
    await client.close()
    return all
  })
  void (async () => {
    while (!over) {
      await client.write('\x81\x85\0\0\0\0hello')
      await sleep(2)
    }
  })()
  return { heard }
}
