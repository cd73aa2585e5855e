// Requests with unique ids on many streams of many sessions, under cancels, resets and GOAWAY: no answer reaches the
// wrong client.
import { once } from 'node:events'
import {
  Agent,
  createServer as createHttp1Server,
  type IncomingMessage,
  request as requestHttp1,
  type Server,
} from 'node:http'
import {
  type ClientHttp2Session,
  connect,
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { scaled } from '../../packages/testkit/src/scale.ts'
import { type LinkMode, linkModes, ProxyProcess } from './proxy-process.ts'
import { pauseMs } from './uneven.ts'

const total = scaled({ test: 4_000, ci: 15_000, soak: 1_000_000 })
const clients = 8

const chance = (oneIn: number): boolean => Math.random() * oneIn < 1
const below = (bound: number): number => Math.floor(Math.random() * bound)
const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = constants

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}

/** Answers with the id and the body that came, and breaks off now and then. */
async function serveHttp2(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
  const id = headers[':path']!.slice(1)
  if (chance(100)) return stream.close(NGHTTP2_REFUSED_STREAM)
  const body = await textOf(stream)
  if (chance(4)) await new Promise((resolve) => setImmediate(resolve))
  if (chance(50)) await pauseMs(1 + below(4))
  if (stream.destroyed) return
  if (chance(60)) return stream.close(NGHTTP2_INTERNAL_ERROR)
  if (chance(60)) {
    // Node ends a stream before it resets it: without a length half an answer would be a whole one.
    stream.respond({ ':status': 200, 'x-id': id, 'content-length': id.length + body.length + 1 })
    stream.write(id)
    return stream.close(NGHTTP2_INTERNAL_ERROR)
  }
  stream.respond({ ':status': 200, 'x-id': id }, { waitForTrailers: chance(3) })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': id }))
  stream.write(id)
  stream.end(body)
  // Gracefully, while others run.
  if (chance(400)) stream.session?.close()
}

/** What came of all requests. */
interface Tally {
  asked: number
  right: number
  failed: number
  cut: number
  wrong: string[]
}

function ask(tally: Tally): { id: string; body: string } {
  const id = `id-${tally.asked++}-${below(1e9).toString(36)}`
  return { id, body: chance(3) ? `|${id}|`.repeat(1 + below(chance(20) ? 4_000 : 20)) : '' }
}

function judge(
  tally: Tally,
  { id, body }: { id: string; body: string },
  status: number,
  came: { id: unknown; text: string; whole: boolean },
): void {
  if (status === 502) tally.failed++
  else if (status !== 200 || came.id !== id) tally.wrong.push(`${id}: ${status} for ${String(came.id)}`)
  else if (came.whole && came.text === id + body) tally.right++
  else if (!came.whole && (id + body).startsWith(came.text)) tally.cut++
  else tally.wrong.push(`${id}: a foreign body`)
}

async function askHttp2(session: ClientHttp2Session, tally: Tally): Promise<void> {
  if (session.closed || session.destroyed) return
  const asked = ask(tally)
  const bodiless = asked.body === ''
  const stream = session.request(
    { ':method': bodiless ? 'GET' : 'PUT', ':path': `/${asked.id}` },
    { endStream: bodiless },
  )
  let head: IncomingHttpHeaders | undefined
  let text = ''
  stream.on('response', (headers) => (head = headers))
  stream.on('data', (bytes: Buffer) => (text += bytes.toString()))
  stream.on('trailers', (trailers: IncomingHttpHeaders) => {
    if (trailers['x-sum'] !== asked.id) tally.wrong.push(`${asked.id}: foreign trailers`)
  })
  let ended = false
  stream.on('end', () => (ended = true))
  stream.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  if (!bodiless) stream.end(asked.body)
  if (chance(8)) {
    if (chance(2)) await pauseMs(below(4))
    stream.close(NGHTTP2_CANCEL)
  }
  await closed
  const whole = ended && stream.rstCode === 0
  if (head === undefined) tally.cut++
  else judge(tally, asked, Number(head[':status']), { id: head['x-id'], text, whole })
}

/** Rounds of many streams at once, until the session ends or is broken off. */
async function liveHttp2(port: number, tally: Tally): Promise<void> {
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => undefined)
  try {
    for (let round = below(10); round >= 0 && tally.asked < total && !session.closed; round--) {
      const streams = Array.from({ length: 1 + below(chance(4) ? 60 : 8) }, () => askHttp2(session, tally))
      if (chance(25)) {
        await pauseMs(below(3))
        session.destroy()
      }
      await Promise.all(streams)
    }
  } finally {
    session.destroy()
  }
}

async function askHttp1(port: number, agent: Agent, tally: Tally): Promise<void> {
  const asked = ask(tally)
  const headers = { 'content-length': asked.body.length }
  const request = requestHttp1({
    port,
    agent,
    path: `/${asked.id}`,
    method: asked.body === '' ? 'GET' : 'PUT',
    headers,
  })
  const closed = new Promise<void>((resolve) => request.once('close', () => resolve()))
  request.on('error', () => undefined)
  request.end(asked.body)
  let response: IncomingMessage | undefined
  const responded = new Promise<void>((resolve) => {
    request.once('response', (came) => {
      response = came
      resolve()
    })
  })
  if (chance(8)) {
    if (chance(2)) await pauseMs(below(4))
    request.destroy()
  }
  await Promise.race([responded, closed])
  if (response === undefined) tally.cut++
  else {
    let text = ''
    try {
      for await (const chunk of response) text += String(chunk)
    } catch {
      // It was cut; what came of it is judged.
    }
    judge(tally, asked, response.statusCode!, { id: response.headers['x-id'], text, whole: response.complete })
  }
}

async function liveHttp1(port: number, tally: Tally): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  for (let round = below(10); round >= 0 && tally.asked < total; round--) {
    await Promise.all(Array.from({ length: 8 }, () => askHttp1(port, agent, tally)))
  }
  agent.destroy()
}

describe('unique ids over HTTP/2', () => {
  let two: Http2Server
  let one: Server
  before(async () => {
    two = createServer({ maxSessionMemory: 1_000 })
    two.on('stream', (stream, headers) => {
      stream.on('error', () => undefined)
      serveHttp2(stream, headers).catch(() => stream.destroy())
    })
    two.on('sessionError', () => undefined)
    one = createHttp1Server((request, response) => {
      response.on('error', () => undefined)
      void textOf(request).then(
        async (body) => {
          if (chance(50)) await pauseMs(below(4))
          if (chance(100)) response.socket?.resetAndDestroy()
          response.setHeader('x-id', request.url!.slice(1))
          response.end(request.url!.slice(1) + body)
        },
        () => undefined,
      )
    })
    for (const server of [one, two]) await once(server.listen(0, '127.0.0.1'), 'listening')
  })
  after(() => {
    one.close()
    two.close()
  })

  function suite(mode: LinkMode, pair: '1→2' | '2→1' | '2→2', threads = 0): void {
    it(`come back to who sent them, ${pair}, with ${mode.name} on threads ${threads}`, async function () {
      this.timeout(scaled({ test: 60_000, ci: 300_000, soak: 3_600_000 }))
      const server = pair === '2→1' ? one : two
      const proxy = await ProxyProcess.start(
        {
          threads,
          listeners: {
            web: {
              bind: '127.0.0.1:0',
              protocol: 'http',
              upstream: 'up',
              gate: { limit: 48, queue: 10_000, timeout: '60s' },
            },
          },
          upstreams: {
            up: {
              endpoints: [`127.0.0.1:${(server.address() as AddressInfo).port}`],
              protocol: server === two ? 'http2' : 'http1',
              health: { passive: { failures: 100_000 } },
              pool: { maxStreams: 10 },
            },
          },
        },
        mode,
      )
      const tally: Tally = { asked: 0, right: 0, failed: 0, cut: 0, wrong: [] }
      const live = pair === '1→2' ? liveHttp1 : liveHttp2
      await Promise.all(
        Array.from({ length: clients }, async () => {
          while (tally.asked < total) await live(proxy.port('web'), tally)
        }),
      )
      await eventually(async () => (await proxy.report()).settled)
      const { faults } = await proxy.report()
      await proxy.close()
      const { wrong, ...counts } = tally
      console.log(`      ${pair}, ${mode.name}, threads ${threads}: ${JSON.stringify(counts)}`)
      expect(wrong).to.deep.equal([])
      expect(faults).to.equal(0)
      expect(tally.right).to.be.above(total / 2)
      expect(tally.failed + tally.cut).to.be.above(0)
    })
  }
  suite(linkModes[1]!, '2→2')
  suite(linkModes[1]!, '2→1')
  suite(linkModes[1]!, '1→2')
  suite(linkModes[1]!, '2→2', 2)
})
