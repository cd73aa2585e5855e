// Requests with unique ids under cancels, pipelining, reuse and resets: no answer reaches the wrong client.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { expect } from 'chai'
import { ConnectionEnded, eventually, parseResponses, RawClient } from '../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../packages/testkit/src/scale.ts'
import { type LinkMode, linkModes, ProxyProcess } from './proxy-process.ts'
import { pauseMs } from './uneven.ts'

const total = scaled({ test: 6_000, ci: 20_000, soak: 1_000_000 })
const clients = 32

const chance = (oneIn: number): boolean => Math.random() * oneIn < 1
const below = (bound: number): number => Math.floor(Math.random() * bound)

/** Answers every request with its own id and body, in one of several framings, and breaks off now and then. */
function serve(socket: Socket): void {
  let received = ''
  let busy = false
  socket.on('error', () => undefined)
  socket.on('data', (bytes) => {
    received += bytes.toString('latin1')
    if (!busy) void next()
  })
  socket.on('end', () => socket.end())

  async function next(): Promise<void> {
    busy = true
    for (;;) {
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) break
      const head = received.slice(0, end)
      const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0)
      if (received.length < end + 4 + length) break
      const body = received.slice(end + 4, end + 4 + length)
      received = received.slice(end + 4 + length)
      const id = / \/(\S+) /.exec(head)![1]!
      if (chance(4)) await new Promise((resolve) => setImmediate(resolve))
      if (chance(50)) await pauseMs(1 + below(4))
      if (!answer(id, body)) return
    }
    busy = false
  }

  function answer(id: string, body: string): boolean {
    const text = `${id}${body}`
    const kind = below(200)
    if (kind < 2) socket.resetAndDestroy()
    else if (kind < 4) socket.end(`HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nContent-Length: ${text.length + 9}\r\n\r\n${text}`)
    else if (kind < 6) socket.end(`HTTP/1.1 200 OK\r\nX-Id: ${id}\r\n\r\n${text}`)
    else if (kind < 10) {
      socket.end(`HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nConnection: close\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
    } else if (kind < 12) {
      // Surplus after the answer: whoever comes next on this connection must not get it.
      socket.write(
        `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nContent-Length: ${text.length}\r\n\r\n${text}HTTP/1.1 200 Wrong\r\n\r\n`,
      )
      return false
    } else if (kind < 60) {
      const half = text.length >> 1
      socket.write(`HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nTransfer-Encoding: chunked\r\n\r\n${half.toString(16)}\r\n`)
      socket.write(`${text.slice(0, half)}\r\n${(text.length - half).toString(16)}\r\n${text.slice(half)}\r\n0\r\n\r\n`)
      return true
    } else {
      socket.write(`HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
      return true
    }
    return false
  }
}

/** What came of all requests. */
interface Tally {
  asked: number
  right: number
  failed: number
  cut: number
  wrong: string[]
}

interface Asked {
  readonly bytes: string
  readonly answer: string
  readonly id: string
}

function ask(tally: Tally): Asked {
  const id = `id-${tally.asked++}-${below(1e9).toString(36)}`
  if (!chance(3)) return { bytes: `GET /${id} HTTP/1.1\r\nHost: a.test\r\n\r\n`, answer: id, id }
  const body = `|${id}|`.repeat(1 + below(chance(20) ? 2_000 : 20))
  return {
    bytes: `PUT /${id} HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    answer: id + body,
    id,
  }
}

/** One connection: rounds of pipelined requests until it ends or is broken off. */
async function live(port: number, tally: Tally): Promise<void> {
  const client = await RawClient.connect({ port, timeoutMs: 20_000 })
  try {
    for (let round = below(20); round >= 0 && tally.asked < total; round--) {
      const asked = Array.from({ length: 1 + below(chance(4) ? 8 : 1) }, () => ask(tally))
      const bytes = asked.map((one) => one.bytes).join('')
      const split = chance(3) ? below(bytes.length) : bytes.length
      void client.write(bytes.slice(0, split))
      if (split < bytes.length) {
        await pauseMs(below(2))
        void client.write(bytes.slice(split))
      }
      if (chance(25)) {
        if (chance(2)) await pauseMs(below(4))
        check(client.buffered, asked, tally, false)
        if (chance(2)) client.rst()
        return
      }
      if (!(await answered(client, asked, tally))) return
    }
  } finally {
    await client.close()
  }
}

/** Waits for all answers of a round; false when the connection is over. */
async function answered(client: RawClient, asked: readonly Asked[], tally: Tally): Promise<boolean> {
  let bytes = Buffer.alloc(0)
  for (;;) {
    try {
      bytes = Buffer.concat([bytes, await client.readSome()])
    } catch (error) {
      if (!(error instanceof ConnectionEnded)) throw error
      check(bytes, asked, tally, false)
      return false
    }
    const responses = parseResponses(bytes, { ended: false })
    if (responses.length < asked.length || !responses.every(({ complete }) => complete)) continue
    check(bytes, asked, tally, true)
    return true
  }
}

function check(bytes: Buffer, asked: readonly Asked[], tally: Tally, whole: boolean): void {
  const responses = parseResponses(bytes, { ended: false })
  for (const [i, { id, answer }] of asked.entries()) {
    const response = responses[i]
    if (response === undefined) tally.cut++
    else if (response.status === 502) tally.failed++
    else if (response.status !== 200 || response.header('x-id') !== id) {
      tally.wrong.push(`${id}: ${response.status} ${response.reason} for ${response.header('x-id')}`)
    } else if (!response.complete) {
      if (!answer.startsWith(response.body.toString('latin1').slice(0, answer.length)))
        tally.wrong.push(`${id}: a foreign part`)
      tally.cut++
    } else if (response.body.toString('latin1') === answer) tally.right++
    else tally.wrong.push(`${id}: a foreign body`)
  }
  if (whole && responses.length > asked.length) tally.wrong.push('more answers than questions')
}

describe('unique ids', () => {
  let server: Server
  beforeEach(() => {
    server = createServer({ noDelay: true, allowHalfOpen: true }, serve)
  })
  afterEach(() => server.close())

  function suite(mode: LinkMode, threads = 0): void {
    it(`come back to who sent them, with ${mode.name} on threads ${threads}`, async function () {
      this.timeout(scaled({ test: 60_000, ci: 180_000, soak: 3_600_000 }))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      const proxy = await ProxyProcess.start(
        {
          threads,
          listeners: {
            web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', gate: { limit: 24, queue: 1_000 } },
          },
          upstreams: {
            up: {
              endpoints: [`127.0.0.1:${port}`],
              health: { passive: { failures: 100_000 } },
              pool: { maxIdle: 8 },
            },
          },
        },
        mode,
      )
      const tally: Tally = { asked: 0, right: 0, failed: 0, cut: 0, wrong: [] }
      await Promise.all(
        Array.from({ length: clients }, async () => {
          while (tally.asked < total) await live(proxy.port('web'), tally)
        }),
      )
      await eventually(async () => (await proxy.report()).settled)
      const { faults } = await proxy.report()
      await proxy.close()
      const { wrong, ...counts } = tally
      console.log(`      ${mode.name}, threads ${threads}: ${JSON.stringify(counts)}`)
      expect(wrong).to.deep.equal([])
      expect(faults).to.equal(0)
      expect(tally.right).to.be.above(total / 2)
      expect(tally.failed + tally.cut).to.be.above(0)
    })
  }
  suite(linkModes[1]!)
  suite(linkModes[2]!)
  suite(linkModes[1]!, 2)
})
