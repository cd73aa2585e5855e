import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { ProxyProcess, linkModes } from '../../integrity/proxy-process.ts'
import { Stage } from '../support/stage.ts'

const mebibyte = 1_048_576
/** What downloads are cut from: a thousand copies would be more memory than is measured. */
const content = Buffer.alloc(10 * mebibyte, 'd')
const listening = async (server: Http2Server): Promise<number> => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

describe('credit of HTTP/2', function () {
  this.timeout(60_000)
  let server: Http2Server
  let port: number
  /** Sessions that the upstream has, and the uploads that run there: their bytes so far. */
  let sessions = 0
  const uploads: number[] = []
  const clients: ClientHttp2Session[] = []

  before(async () => {
    server = createServer({ maxSessionMemory: 1_000 })
    server.on('session', () => sessions++)
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined)
      const [, what, size] = headers[':path']!.split('/')
      if (what === 'download') {
        stream.respond({ ':status': 200 })
        stream.end(content.subarray(0, Number(size)))
        return
      }
      const index = uploads.push(0) - 1
      stream.on('data', (bytes: Buffer) => (uploads[index]! += bytes.length))
      stream.once('end', () => {
        if (stream.destroyed) return
        stream.respond({ ':status': 200 })
        stream.end(String(uploads[index]))
      })
    })
    port = await listening(server)
  })
  after(() => server.close())

  beforeEach(() => {
    sessions = 0
    uploads.length = 0
  })
  afterEach(() => {
    for (const client of clients.splice(0)) client.destroy()
  })

  const session = (to: number): ClientHttp2Session => {
    // In MiB: what the queued uploads wait with is memory of the client.
    const one = connect(`http://127.0.0.1:${to}`, { maxSessionMemory: 100 })
    one.on('error', () => undefined)
    clients.push(one)
    return one
  }

  const ask = (on: ClientHttp2Session, method: string, path: string): ClientHttp2Stream => {
    const stream = on.request({ ':method': method, ':path': path }, { endStream: method === 'GET' })
    stream.on('error', () => undefined)
    return stream
  }

  async function text(stream: ClientHttp2Stream): Promise<string> {
    let all = ''
    for await (const chunk of stream) all += String(chunk)
    return all
  }

  async function length(stream: ClientHttp2Stream): Promise<number> {
    let bytes = 0
    for await (const chunk of stream) bytes += (chunk as Buffer).length
    return bytes
  }

  const config = (more: Record<string, unknown> = {}) => ({
    listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', ...more } },
    upstreams: { up: { endpoints: [`127.0.0.1:${port}`], protocol: 'http2' } },
  })

  for (const threads of [0, 2]) {
    it(`lets the upload that runs finish while twenty of its connection are queued, threads ${threads}`, async () => {
      const gate = { limit: 1, queue: 30, timeout: '60s' }
      const stage = await Stage.start({ threads, ...config({ gate }) })
      const client = session(stage.port('web'))
      const running = ask(client, 'POST', '/upload')
      // More than is read before the permit is taken.
      running.write(Buffer.alloc(100_000, 'u'))
      await eventually(() => uploads.length === 1 && uploads[0]! > 0)
      const queued = Array.from({ length: 20 }, () => {
        const stream = ask(client, 'POST', '/upload')
        stream.end(Buffer.alloc(mebibyte, 'q'))
        return stream
      })
      await stage.atGate('listener:web', { running: 1, waiting: 20 })
      running.end(Buffer.alloc(mebibyte, 'u'))
      expect(await text(running)).to.equal(String(mebibyte + 100_000))
      for (const stream of queued) expect(await text(stream)).to.equal(String(mebibyte))
      client.destroy()
      await stage.close()
    })

    it(`lets the 51st reader of a session run while fifty are stalled, threads ${threads}`, async () => {
      const stage = await Stage.start({ threads, ...config() })
      const one = session(stage.port('web'))
      const alone = performance.now()
      expect(await length(ask(one, 'GET', `/download/${10 * mebibyte}`))).to.equal(10 * mebibyte)
      const aloneMs = performance.now() - alone
      // On the same client connection, and so on the same upstream session as well.
      const stalled = Array.from({ length: 50 }, () => ask(one, 'GET', `/download/${mebibyte}`))
      await Promise.all(stalled.map((stream) => once(stream, 'response')))
      const beside = performance.now()
      expect(await length(ask(one, 'GET', `/download/${10 * mebibyte}`))).to.equal(10 * mebibyte)
      expect(performance.now() - beside).to.be.below(10 * aloneMs + 1_000)
      expect(sessions).to.equal(1)
      // Nothing of theirs was lost meanwhile.
      for (const stream of stalled) expect(await length(stream)).to.equal(mebibyte)
      one.destroy()
      await stage.close()
    })
  }

  it('of a client connection is not used up by readers of other streams that do not read', async () => {
    const stage = await Stage.start(config())
    const stalling = session(stage.port('web'))
    const stalled = Array.from({ length: 40 }, () => ask(stalling, 'GET', `/download/${mebibyte}`))
    await Promise.all(stalled.map((stream) => once(stream, 'response')))
    const up = ask(stalling, 'POST', '/upload')
    up.end(Buffer.alloc(3 * mebibyte, 'u'))
    expect(await text(up)).to.equal(String(3 * mebibyte))
    stalling.destroy()
    await stage.close()
  })

  it('bounds what a thousand stalled streams hold in memory', async () => {
    const proxy = await ProxyProcess.start(config(), linkModes[0]!)
    const connections = 10
    try {
      const streams = Array.from({ length: connections }, () => session(proxy.port('web'))).flatMap((client) =>
        Array.from({ length: 100 }, () => ask(client, 'GET', `/download/${4 * mebibyte}`)),
      )
      await Promise.all(streams.map((stream) => once(stream, 'response')))
      // The streams fill as far as they may: a second without growth says that they have.
      let peak = 0
      let since = performance.now()
      while (performance.now() - since < 1_000) {
        const { rssBytes } = await proxy.report()
        if (rssBytes > peak + mebibyte) since = performance.now()
        peak = Math.max(peak, rssBytes)
      }
      const bound = proxy.first.rssBytes + 64 * mebibyte + connections * 262_144
      console.log(
        `      1,000 stalled streams: ${Math.round((peak - proxy.first.rssBytes) / mebibyte)} MiB over the start`,
      )
      expect(peak).to.be.below(bound)
      expect((await proxy.report()).faults).to.equal(0)
    } finally {
      for (const client of clients) client.destroy()
      await eventually(async () => (await proxy.report()).settled)
      await proxy.close()
    }
  })
})
