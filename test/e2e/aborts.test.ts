import { readdirSync } from 'node:fs'
import { startHttpBackend, startTcpBackend, startWebSocketBackend } from '../../packages/backends/src/index.ts'
import { expect } from 'chai'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../packages/testkit/src/scale.ts'
import { get, handshake, request } from './support/ask.ts'
import { Stage } from './support/stage.ts'

const total = scaled({ test: 500, ci: 2_000, soak: 20_000 })
const atOnce = 50
const heapBytes = 24 * 1024 * 1024

const descriptors = () => readdirSync('/proc/self/fd').length

async function heap(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return process.memoryUsage().heapUsed
}

/** What clients of each listener begin with. */
const beginnings: readonly (readonly [listener: string, bytes: string])[] = [
  ['web', get('/slow?ms=3')],
  ['web', get('/bytes/300000')],
  ['web', get('/chunked?n=50&size=1000&ms=1')],
  ['web', request('POST', '/echo', ['Content-Length: 5000']) + 'x'.repeat(5_000)],
  ['web', request('POST', '/hash', ['Content-Length: 400000']) + 'x'.repeat(400_000)],
  ['web', `${request('POST', '/echo', ['Transfer-Encoding: chunked'])}1388\r\n${'x'.repeat(5_000)}\r\n0\r\n\r\n`],
  ['raw', 'x'.repeat(100_000)],
  ['raw', ''],
  ['live', `${handshake('/')}\x81\x85\0\0\0\0hello`],
  ['live', handshake('/hang')],
]

describe('early aborts', function () {
  this.timeout(600_000)

  it(`leave nothing behind: ${total} clients that leave at random moments`, async () => {
    const [http, tcp, websocket] = await Promise.all([
      startHttpBackend(),
      startTcpBackend({ behaviour: 'echo' }),
      startWebSocketBackend(),
    ])
    const gate = { limit: 8, queue: 20, timeout: '200ms' }
    const stage = await Stage.start({
      listeners: {
        web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'http', gate },
        raw: { bind: '127.0.0.1:0', protocol: 'tcp', upstream: 'tcp', gate },
        live: { bind: '127.0.0.1:0', protocol: 'websocket', upstream: 'websocket', gate },
      },
      upstreams: {
        http: { endpoints: [`127.0.0.1:${http.address.port}`], gate: { limit: 6 } },
        tcp: { endpoints: [`127.0.0.1:${tcp.address.port}`], gate: { limit: 6 } },
        websocket: { endpoints: [`127.0.0.1:${websocket.address.port}`], gate: { limit: 6 } },
      },
    })
    const random = xorshift(0x5eed)
    const one = async () => {
      const [listener, bytes] = beginnings[Math.floor(random() * beginnings.length)]!
      const client = await stage.client(listener)
      // Some send all, some only a part, some nothing.
      const part = random()
      const sent = part < 0.5 ? bytes : bytes.slice(0, Math.floor(random() * bytes.length))
      if (sent !== '') void client.write(sent)
      const turns = Math.floor(random() ** 3 * 60)
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
      if (random() < 0.5) client.rst()
      else {
        void client.fin()
        if (random() < 0.5) await Promise.race([client.ended, new Promise((resolve) => setTimeout(resolve, 20))])
        await client.close()
      }
    }
    const run = async (count: number) => {
      let left = count
      const worker = async () => {
        while (left-- > 0) await one()
      }
      await Promise.all(Array.from({ length: atOnce }, worker))
      await stage.leave()
      await stage.settled(20_000)
    }

    // Caches, pools and the JIT have their share before anything is compared.
    await run(Math.ceil(total / 4))
    await eventually(() => stage.stats.upstreams.every(({ endpoints }) => endpoints[0]!.connections.idle === 0))
    const [heapBefore, descriptorsBefore] = [await heap(), descriptors()]
    stage.accounts.length = 0
    await run(total)
    await eventually(() => stage.stats.upstreams.every(({ endpoints }) => endpoints[0]!.connections.idle === 0))
    await eventually(() => expect(descriptors()).to.be.at.most(descriptorsBefore))
    const reasons = Object.groupBy(stage.accounts, ({ reason }) => reason)
    console.log(
      `    early aborts: ${Object.entries(reasons)
        .map(([reason, those]) => `${reason} ${those!.length}`)
        .join(', ')}`,
    )
    expect(Object.keys(reasons)).not.to.include('internal')
    stage.accounts.length = 0
    expect((await heap()) - heapBefore, 'heap').to.be.below(heapBytes)
    for (const backend of [http, tcp, websocket]) {
      expect(backend.stats().max).to.be.at.most(6)
      await eventually(() => backend.stats().running === 0)
    }
    await stage.close()
    await Promise.all([http.close(), tcp.close(), websocket.close()])
  })
})

/** The same moments each time. */
function xorshift(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
