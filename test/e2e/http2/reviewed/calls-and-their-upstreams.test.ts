// What an upstream says, or is, before and after a call of gRPC: health, ALPN, metadata, refusals.
import { expect } from 'chai'
import {
  goawayFrame,
  h2,
  headersFrame,
  RawHttp2,
  type RawFields,
  rstFrame,
} from '../../../../packages/testkit/src/http2/index.ts'
import { eventually, RawServer } from '../../../../packages/testkit/src/raw/index.ts'
import { transcoding } from '../../grpc/support/grpc-scene.ts'
import { callHead, valueOf } from '../../grpc/support/messages.ts'
import { get } from '../../support/ask.ts'
import { Authority } from '../../support/certificates.ts'
import { Stage } from '../../support/stage.ts'
import { get as get2, Http2Upstream, type Serve, sessionOf } from '../upstream.ts'

const call = (id: number): Buffer => callHead(id, '/a.B/Call', [], { end: true })
const answered: RawFields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '0'],
]

describe('a call of gRPC', () => {
  let stage: Stage

  const open = async (upstream: object, listener: object = {}): Promise<void> => {
    stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', ...listener } },
      upstreams: { up: upstream },
    })
  }
  afterEach(() => stage.close())

  it('never goes up to a TLS upstream that does not choose h2, nor does one in JSON: connectFailed', async () => {
    const authority = new Authority()
    const { cert, key } = authority.issue('listener')
    const came: Buffer[] = []
    const server = await RawServer.start((one) => void one.socket.on('data', (bytes: Buffer) => came.push(bytes)), {
      tls: { cert, key },
    })
    await open(
      { endpoints: [`https://127.0.0.1:${server.port}`], tls: { ca: authority.caFile } },
      { transcode: transcoding },
    )
    stage.closesWith(server)
    const peer = await sessionOf(stage)
    await peer.send(call(1))
    const { fields } = await peer.message(1)
    expect([valueOf(fields, 'grpc-status'), valueOf(fields, 'x-sluice-reason')]).to.deep.equal(['14', 'connectFailed'])
    const client = await stage.client('web')
    await client.write(get('/shop/v1/orders/7'))
    expect(await client.readHead()).to.match(/^HTTP\/1\.1 502 [^]*x-sluice-reason: connectFailed\r\n/)
    expect(came).to.deep.equal([])
    expect(stage.stats.upstreams[0]!.endpoints[0]!.connections).to.include({ idle: 0, busy: 0 })
    authority.remove()
  })

  it('ejects the endpoint that answers it 5xx, where `on` says so', async () => {
    const failing = await Http2Upstream.start((one, id) => one.peer.send(headersFrame(id, [[':status', '503']])))
    const sound = await Http2Upstream.start((one, id) => one.peer.send(headersFrame(id, answered)))
    const passive = { failures: 3, eject: '30s', maxEjected: '50%', on: ['connectFailure', '5xx'] }
    await open({ endpoints: [failing.address, sound.address], protocol: 'http2', health: { passive } })
    stage.closesWith(failing).closesWith(sound)
    const peer = await sessionOf(stage)
    const statuses: (string | undefined)[] = []
    for (let id = 1; id < 40; id += 2) {
      await peer.send(call(id))
      statuses.push(valueOf((await peer.message(id)).fields, 'grpc-status'))
    }
    expect(failing.heads).to.equal(3)
    expect(statuses.filter((status) => status === '14')).to.have.length(3)
    expect(statuses.slice(-10)).to.deep.equal(Array.from({ length: 10 }, () => '0'))
  })

  it('has its trailing metadata passed on, whatever HTTP/1.1 thinks of the names', async () => {
    const metadata: RawFields = [
      ['grpc-status', '8'],
      ['retry-after', '7'],
      ['cache-control', 'none'],
      ['authorization', 'again'],
      ['content-range', 'a'],
    ]
    const upstream = await Http2Upstream.start((one, id) =>
      one.peer.send(headersFrame(id, answered.slice(0, 2), h2.endHeaders), headersFrame(id, metadata)),
    )
    await open({ endpoints: [upstream.address] })
    stage.closesWith(upstream)
    const peer = await sessionOf(stage)
    await peer.send(call(1))
    expect((await peer.message(1)).trailers).to.deep.equal(metadata)
  })

  for (const [name, request] of [
    ['a call', call],
    ['a request', get2],
  ] as const) {
    it(`that is refused right before a GOAWAY is made again elsewhere: ${name}`, async () => {
      const serve: Serve = (one, id) =>
        upstream.sessions.length === 1
          ? one.peer.send(rstFrame(id, 7), goawayFrame(id, 0))
          : one.peer.send(headersFrame(id, answered))
      const upstream = await Http2Upstream.start(serve)
      await open({ endpoints: [upstream.address], protocol: 'http2' })
      stage.closesWith(upstream)
      const peer = await sessionOf(stage)
      await peer.send(request(1))
      expect(valueOf((await peer.message(1)).fields, 'grpc-status')).to.equal('0')
      expect(upstream.sessions.map(({ heads }) => heads)).to.deep.equal([[1], [1]])
      await eventually(() => stage.lastAccount)
      expect(stage.lastAccount).to.include({ reason: 'ok', attempts: 2 })
    })
  }

  it('leaves HTTP/1.1 its queue: what a connection of HTTP/2 could carry is no room for it', async () => {
    const waiting: (() => Promise<void>)[] = []
    const server = await RawServer.start(async (one, index) => {
      void one.ended.then(() => one.close())
      if (index > 0) {
        for (;;) {
          await one.readHead()
          waiting.push(() => one.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
        }
      }
      const peer = await RawHttp2.accept(one)
      const { id } = await peer.next({ type: h2.headers })
      await peer.send(headersFrame(id, answered))
      await one.ended
    })
    await open({
      endpoints: [`127.0.0.1:${server.port}`],
      pool: { maxConnections: 1 },
      timeouts: { connect: '300ms' },
      gate: { limit: 50, queue: 50, timeout: '20s' },
    })
    stage.closesWith(server)
    const peer = await sessionOf(stage)
    await peer.send(call(1))
    expect(valueOf((await peer.message(1)).fields, 'grpc-status')).to.equal('0')
    const clients = await Promise.all([1, 2, 3].map(() => stage.client('web')))
    for (const client of clients) await client.write(get('/'))
    await eventually(() => waiting.length === 1)
    const [up] = stage.stats.upstreams
    expect([up!.running, up!.waiting]).to.deep.equal([1, 2])
    // Longer than a connection may take: who waits for one of one's own would have been told so.
    const until = performance.now() + 500
    await eventually(() => performance.now() >= until)
    for (let i = 0; i < clients.length; i++) {
      await eventually(() => waiting.length === i + 1)
      await waiting[i]!()
    }
    for (const client of clients) expect(await client.readHead()).to.match(/^HTTP\/1\.1 200 /)
  })
})
