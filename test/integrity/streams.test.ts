// Streams in both directions at once through slow and bursty peers: what arrives has the hash of what was sent.
import {
  createServer as createHttpServer,
  type IncomingMessage,
  request as httpRequest,
  type ServerResponse,
} from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { scale, scaled } from '../../packages/testkit/src/scale.ts'
import { certificate } from '../../packages/wire/test/link/certificate.ts'
import { type LinkMode, linkModes, ProxyProcess } from './proxy-process.ts'
import { pauseMs, randomRun, readUnevenly, sendUnevenly } from './uneven.ts'

/** Few and long in `npm test`: the kernel alone holds several MiB of a stream before anything else has to. */
const connections = scaled({ test: 3, ci: 8, soak: 64 })
/** Of one stream in one direction; the soak moves 2 GB each way. */
const each = scaled({ test: 7, ci: 16, soak: 32 }) * 1_048_576

/** Both ends of one stream: what they sent and what they got. */
interface Ends {
  sentUp?: string
  sentDown?: string
  gotUp?: string
  gotDown?: string
}

type Play = (port: number, streams: Ends[]) => Promise<void>

const mebibyte = 1_048_576

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
}

/** The first octet of a stream says which one it is. */
async function serveDuplex(socket: Socket, streams: Ends[]): Promise<void> {
  socket.on('error', () => undefined)
  const first = await new Promise<Buffer>((resolve) => {
    socket.once('readable', () => resolve(socket.read(1) as Buffer))
  })
  const ends = streams[first[0]!]!
  const read = readUnevenly(socket)
  ends.sentDown = await sendUnevenly(socket, each)
  socket.end()
  ends.gotUp = (await read).hash
}

async function playDuplex(socket: Socket, ends: Ends, index: number): Promise<void> {
  socket.write(Buffer.from([index]))
  const read = readUnevenly(socket)
  ends.sentUp = await sendUnevenly(socket, each)
  socket.end()
  ends.gotDown = (await read).hash
}

const playTcp: Play = async (port, streams) => {
  await Promise.all(
    streams.map((ends, i) => playDuplex(connect({ port, host: '127.0.0.1', allowHalfOpen: true }), ends, i)),
  )
}

const playTls: Play = async (port, streams) => {
  const options = { port, host: '127.0.0.1', ca: certificate.cert, servername: 'sluice.test', allowHalfOpen: true }
  await Promise.all(streams.map((ends, i) => playDuplex(connectTls(options), ends, i)))
}

const playHttp =
  (framing: 'length' | 'chunked'): Play =>
  async (port, streams) => {
    await Promise.all(
      streams.map(async (ends, i) => {
        const sized = framing === 'length' ? { 'content-length': each } : {}
        const req = httpRequest({ port, method: 'POST', path: `/${framing}/${i}`, agent: false, headers: sized })
        const answered = new Promise<Readable>((resolve, reject) => {
          req.once('response', resolve)
          req.once('error', reject)
        })
        const sent = sendUnevenly(req, each).then((hash) => {
          ends.sentUp = hash
          req.end()
        })
        const read = await readUnevenly(await answered)
        await sent
        ends.gotDown = read.hash
      }),
    )
  }

/** All streams on one session: none may keep the others from their credit. */
const playHttp2 =
  (framing: 'length' | 'chunked'): Play =>
  async (port, streams) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    await Promise.all(
      streams.map(async (ends, i) => {
        const sized = framing === 'length' ? { 'content-length': each } : {}
        const stream = session.request({ ':method': 'POST', ':path': `/${framing}/${i}`, ...sized })
        const read = readUnevenly(stream)
        ends.sentUp = await sendUnevenly(stream, each)
        stream.end()
        ends.gotDown = (await read).hash
      }),
    )
    session.close()
  }

async function sendMessages(socket: WebSocket): Promise<string> {
  const hash = createHash('sha256')
  for (let left = each; left > 0; ) {
    const run = randomRun(left)
    left -= run.length
    hash.update(run)
    await new Promise<void>((resolve, reject) =>
      socket.send(run, (error) => (error == null ? resolve() : reject(error))),
    )
  }
  return hash.digest('hex')
}

function readMessages(socket: WebSocket): Promise<string> {
  const hash = createHash('sha256')
  let left = each
  return new Promise((resolve, reject) => {
    socket.on('message', (run: Buffer) => {
      hash.update(run)
      left -= run.length
      if (left === 0) resolve(hash.digest('hex'))
      else if (run.length % 8 === 0) {
        socket.pause()
        void pauseMs(run.length % 10).then(() => socket.resume())
      }
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`closed with ${left} bytes missing`)))
  })
}

const playWebSocket: Play = async (port, streams) => {
  await Promise.all(
    streams.map(async (ends, i) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/${i}`, { perMessageDeflate: false })
      const read = readMessages(socket)
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
      ends.sentUp = await sendMessages(socket)
      ends.gotDown = await read
      socket.close()
    }),
  )
}

describe('integrity of streams', () => {
  let folder: string
  let streams: Ends[] = []
  const ports: Record<'tcp' | 'tls' | 'http' | 'http2' | 'ws', number> = { tcp: 0, tls: 0, http: 0, http2: 0, ws: 0 }
  const servers: Server[] = []

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-integrity-'))
    writeFileSync(join(folder, 'key.pem'), certificate.key)
    writeFileSync(join(folder, 'cert.pem'), certificate.cert)
    const duplex = (socket: Socket): void => void serveDuplex(socket, streams).catch(() => socket.destroy())
    const tcp = createServer({ allowHalfOpen: true }, duplex)
    const tls = createTlsServer({ ...certificate, allowHalfOpen: true }, duplex)
    const both = (req: IncomingMessage | Http2ServerRequest, res: ServerResponse | Http2ServerResponse): void => {
      const [, framing, index] = req.url!.split('/')
      const ends = streams[Number(index)]!
      if (framing === 'length') res.setHeader('content-length', each)
      // The answer begins before the request has come: both directions flow at once.
      // Not in the types of HTTP/2's one.
      if ('flushHeaders' in res) res.flushHeaders()
      // It ends after the request: once an answer is complete, nobody needs the rest of what was asked.
      const read = readUnevenly(req).then(({ hash }) => (ends.gotUp = hash))
      void sendUnevenly(res, each, read)
        .then((hash) => {
          ends.sentDown = hash
          res.end()
        })
        .catch(() => res.destroy())
    }
    const http = createHttpServer(both)
    const http2 = createHttp2Server(both)
    const ws = createHttpServer()
    new WebSocketServer({ server: ws, perMessageDeflate: false }).on('connection', (socket, req) => {
      const ends = streams[Number(req.url!.slice(1))]!
      socket.on('error', () => undefined)
      void readMessages(socket).then(
        (hash) => (ends.gotUp = hash),
        () => undefined,
      )
      void sendMessages(socket).then(
        (hash) => (ends.sentDown = hash),
        () => undefined,
      )
    })
    servers.push(tcp, tls, http, http2, ws)
    ports.tcp = await listen(tcp)
    ports.tls = await listen(tls)
    ports.http = await listen(http)
    ports.http2 = await listen(http2)
    ports.ws = await listen(ws)
  })

  after(async () => {
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  function configuration(): unknown {
    const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
    const bind = '127.0.0.1:0'
    return {
      listeners: {
        tcp: { bind, protocol: 'tcp', upstream: 'tcp' },
        tlsIn: { bind, protocol: 'tcp', tls, upstream: 'tcp' },
        tlsBoth: { bind, protocol: 'tcp', tls, upstream: 'tls' },
        tlsOut: { bind, protocol: 'tcp', upstream: 'tls' },
        http: { bind, protocol: 'http', upstream: 'http' },
        http2: { bind, protocol: 'http', upstream: 'http2' },
        ws: { bind, protocol: 'websocket', upstream: 'ws' },
      },
      upstreams: {
        tcp: { endpoints: [`127.0.0.1:${ports.tcp}`] },
        tls: { endpoints: [`127.0.0.1:${ports.tls}`], tls: { ca: tls.cert, serverName: 'sluice.test' } },
        http: { endpoints: [`127.0.0.1:${ports.http}`] },
        http2: { endpoints: [`127.0.0.1:${ports.http2}`], protocol: 'http2' },
        ws: { endpoints: [`127.0.0.1:${ports.ws}`] },
      },
    }
  }

  const plays: readonly (readonly [title: string, listener: string, play: Play])[] = [
    ['tcp', 'tcp', playTcp],
    ['TLS from clients', 'tlsIn', playTls],
    ['TLS towards upstreams', 'tlsOut', playTcp],
    ['TLS on both sides', 'tlsBoth', playTls],
    ['http with lengths', 'http', playHttp('length')],
    ['http with chunks', 'http', playHttp('chunked')],
    ['http 1→2', 'http2', playHttp('length')],
    ['http 2→1', 'http', playHttp2('chunked')],
    ['http 2→2', 'http2', playHttp2('length')],
    ['websocket', 'ws', playWebSocket],
  ]

  function suite(mode: LinkMode): void {
    describe(`with ${mode.name}`, function () {
      this.timeout(scaled({ test: 30_000, ci: 180_000, soak: 3_600_000 }))
      let proxy: ProxyProcess

      // One for each transfer: what one leaves of memory must not be held against the next.
      beforeEach(async () => {
        proxy = await ProxyProcess.start(configuration(), mode)
      })

      for (const [title, listener, play] of plays) {
        it(`${title}: every stream arrives as it was sent, both ways`, async () => {
          streams = Array.from({ length: connections }, () => ({}))
          let peakBytes = 0
          const watch = setInterval(
            () => {
              void proxy.report().then(({ rssBytes }) => (peakBytes = Math.max(peakBytes, rssBytes)))
            },
            scaled({ test: 1_000, ci: 1_000, soak: 5_000 }),
          )
          try {
            await play(proxy.port(listener), streams)
            await eventually(() =>
              streams.every(({ gotUp, sentDown }) => gotUp !== undefined && sentDown !== undefined),
            )
          } finally {
            clearInterval(watch)
          }
          for (const { sentUp, sentDown, gotUp, gotDown } of streams) {
            expect(gotUp, 'up').to.equal(sentUp)
            expect(gotDown, 'down').to.equal(sentDown)
          }
          await eventually(async () => (await proxy.report()).settled)
          if (scale() === 'soak') {
            const bound = proxy.first.rssBytes + 64 * mebibyte + connections * 262_144
            expect(peakBytes, 'peak of the resident memory').to.be.below(bound)
          }
        })
      }

      afterEach(async () => {
        const { faults, rssBytes } = await proxy.report()
        expect(faults).to.equal(0)
        // Far above what it should be, so that only a leak reaches it.
        expect(rssBytes - proxy.first.rssBytes).to.be.below(256 * mebibyte)
        await proxy.close()
      })
    })
  }
  // Poisoned links are the owned ones, only stricter.
  for (const mode of scale() === 'test' ? linkModes.slice(1) : linkModes) suite(mode)
})
