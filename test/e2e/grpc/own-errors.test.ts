// What a call gets that Sluice refuses or that fails: a status alone where nothing has been answered (CONTRACT.md's
// table, gRPC's own maps), and trailers where something has.
import { expect } from 'chai'
import {
  dataFrame,
  frame,
  h2,
  headersFrame,
  RawHttp2,
  type RawFields,
  rstFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import { eventually, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { HangingServer } from '../support/hanging-server.ts'
import { GrpcScene, type SceneWritten } from './support/grpc-scene.ts'
import { callHead, echo, framed, requestOf, valueOf, wholeCall } from './support/messages.ts'

const misbehaving = (wish: string): { more: RawFields } => ({ more: [['x-misbehave', wish]] })
const answerHead: RawFields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
]

interface Refusal {
  readonly grpc: number
  readonly reason: string
}

describe('a call that fails', () => {
  let scene: GrpcScene
  let peer: RawHttp2

  const open = async (written: SceneWritten = {}): Promise<void> => {
    scene = await GrpcScene.start(written)
    peer = await scene.raw()
  }

  /** Sluice before a server that does as it is told, frame by frame. */
  const openRaw = async (written: SceneWritten = {}): Promise<RawServer> => {
    const server = await RawServer.start()
    await open({ ...written, upstream: { endpoints: [`grpc://127.0.0.1:${server.port}`], ...written.upstream } })
    scene.closesFirst(server)
    return server
  }

  afterEach(async () => {
    await scene.close()
  })

  /** What a stream gets: one head, and nothing after it. */
  const statusAlone = async (id: number): Promise<RawFields> => {
    const { fields, flags } = await peer.next({ type: h2.headers, id })
    expect(flags & h2.endStream, 'the end of the stream').to.equal(h2.endStream)
    expect(valueOf(fields!, ':status')).to.equal('200')
    expect(valueOf(fields!, 'content-type')).to.equal('application/grpc')
    expect(valueOf(fields!, 'content-length')).to.equal(undefined)
    return fields!
  }

  const isRefused = async (id: number, { grpc, reason }: Refusal): Promise<RawFields> => {
    const fields = await statusAlone(id)
    expect(valueOf(fields, 'grpc-status'), reason).to.equal(`${grpc}`)
    expect(valueOf(fields, 'grpc-message')).to.equal(`sluice: ${reason}`)
    expect(valueOf(fields, 'x-sluice-reason')).to.equal(reason)
    return fields
  }

  describe('before it is sent', () => {
    it('queueFull: 14, and when to come again', async () => {
      await open({ upstream: { gate: { limit: 1, queue: 0 } } })
      await scene.longCall()
      await peer.send(wholeCall(1))
      const fields = await isRefused(1, { grpc: 14, reason: 'queueFull' })
      expect(Number(valueOf(fields, 'grpc-retry-pushback-ms'))).to.be.at.least(1)
    })

    it('queueTimeout: 14, and when to come again', async () => {
      await open({ upstream: { gate: { limit: 1, queue: 5, timeout: '60ms' } } })
      await scene.longCall()
      const started = performance.now()
      await peer.send(wholeCall(1))
      const fields = await isRefused(1, { grpc: 14, reason: 'queueTimeout' })
      expect(performance.now() - started).to.be.at.least(59)
      expect(Number(valueOf(fields, 'grpc-retry-pushback-ms'))).to.be.at.least(1)
      expect(scene.backend.stats().total).to.equal(1)
    })

    it('noEndpoint: 14, and when to come again', async () => {
      await open({ upstream: { endpoints: ['grpc://nobody.invalid:1'] } })
      await peer.send(wholeCall(1))
      const fields = await isRefused(1, { grpc: 14, reason: 'noEndpoint' })
      expect(Number(valueOf(fields, 'grpc-retry-pushback-ms'))).to.be.at.least(1)
    })

    it('overloaded: 14, while others do not take what is held for them', async () => {
      await open({ config: { maxBuffered: '64KiB' } })
      const idle = await RawHttp2.connect({ port: scene.port, timeoutMs: 5_000 }, { settings: [[4, 0]] })
      for (const id of [1, 3, 5, 7]) await idle.send(wholeCall(id, { behaviour: { responseBytes: 60_000 } }))
      await eventually(() => scene.stage.stats.bufferedBytes > 65_536)
      await peer.send(wholeCall(1))
      const fields = await isRefused(1, { grpc: 14, reason: 'overloaded' })
      expect(Number(valueOf(fields, 'grpc-retry-pushback-ms'))).to.be.at.least(1)
      await idle.close()
      await eventually(() => scene.stage.stats.bufferedBytes === 0)
      await peer.send(wholeCall(3))
      expect(valueOf((await peer.message(3)).trailers, 'grpc-status')).to.equal('0')
    })

    it('connectFailed: 14', async () => {
      await open({ upstream: { endpoints: ['grpc://127.0.0.1:1'] } })
      await peer.send(wholeCall(1))
      const fields = await isRefused(1, { grpc: 14, reason: 'connectFailed' })
      expect(valueOf(fields, 'grpc-retry-pushback-ms')).to.equal(undefined)
    })

    it('connectTimeout: 14', async () => {
      const hanging = await HangingServer.start()
      await open({
        upstream: {
          endpoints: [`grpc://127.0.0.1:${hanging.port}`],
          timeouts: { connect: '100ms' },
          retries: { max: 0 },
        },
      })
      scene.stage.closesWith(hanging)
      await peer.send(wholeCall(1))
      await isRefused(1, { grpc: 14, reason: 'connectTimeout' })
    })

    it('noRoute: 12', async () => {
      await open({ listener: { routes: [{ match: { service: 'shop.v1.Orders' }, upstream: 'shop' }] } })
      await peer.send(wholeCall(1))
      await isRefused(1, { grpc: 12, reason: 'noRoute' })
      expect(scene.backend.stats().total).to.equal(0)
    })

    it('badRequest: 13 for a deadline that is none, and a path that is none', async () => {
      await open()
      for (const [i, timeout] of ['1', 'm', '1x', '-1S', '123456789S', '1.5S', ''].entries()) {
        const id = 1 + 2 * i
        await peer.send(wholeCall(id, { more: [['grpc-timeout', timeout]] }))
        await isRefused(id, { grpc: 13, reason: 'badRequest' })
      }
      await peer.send(callHead(99, '/a%zz', [], { end: true }))
      await isRefused(99, { grpc: 13, reason: 'badRequest' })
      expect(scene.backend.stats().total).to.equal(0)
    })

    it('headTooLarge: 8, and the connection serves on', async () => {
      await open()
      // In several frames: one is no longer than 16 KiB.
      const more = Array.from({ length: 30 }, (_, i) => [`x-filler-${i}`, 'x'.repeat(1_000)] as const)
      const head = callHead(1, `/${echo}/Unary`, more)
      const parts = [head.subarray(9, 16_009), head.subarray(16_009)]
      await peer.send(
        frame(h2.headers, { id: 1, flags: h2.endStream, payload: parts[0]! }),
        frame(h2.continuation, { id: 1, flags: h2.endHeaders, payload: parts[1]! }),
      )
      await isRefused(1, { grpc: 8, reason: 'headTooLarge' })
      await peer.send(wholeCall(3))
      expect(valueOf((await peer.message(3)).trailers, 'grpc-status')).to.equal('0')
    })

    it('expectationFailed: 12', async () => {
      await open()
      await peer.send(wholeCall(1, { more: [['expect', 'miracles']] }))
      await isRefused(1, { grpc: 12, reason: 'expectationFailed' })
    })

    it('loop: 13 for a call that has been here before', async () => {
      const server = await openRaw()
      await peer.send(wholeCall(1))
      const upstream = await RawHttp2.accept(await server.accept())
      const { fields, id } = await upstream.next({ type: h2.headers })
      const via = valueOf(fields!, 'via')!
      await upstream.send(headersFrame(id, [...answerHead, ['grpc-status', '0']]))
      await peer.message(1)
      await peer.send(wholeCall(3, { more: [['via', via]] }))
      await isRefused(3, { grpc: 13, reason: 'loop' })
    })

    it('says no reason where `reasonHeader` is off', async () => {
      await open({ listener: { reasonHeader: false }, upstream: { endpoints: ['grpc://127.0.0.1:1'] } })
      await peer.send(wholeCall(1))
      expect(valueOf(await statusAlone(1), 'x-sluice-reason')).to.equal(undefined)
    })

    it('is told at once, whatever its caller still has to send', async () => {
      await open({ upstream: { gate: { limit: 1, queue: 0 } } })
      await scene.longCall()
      await peer.send(callHead(1, `/${echo}/ClientStream`))
      await isRefused(1, { grpc: 14, reason: 'queueFull' })
      const reset = await peer.next({ type: h2.rstStream, id: 1 })
      expect(reset.payload.readUInt32BE()).to.equal(0)
    })
  })

  describe('by its upstream', () => {
    it("upstreamReset: by gRPC's map of the codes of HTTP/2", async () => {
      await open({ upstream: { retries: { max: 0 } } })
      const codes = { 1: 13, 2: 13, 3: 13, 5: 2, 6: 13, 7: 14, 8: 1, 9: 13, 10: 13, 11: 8, 12: 7, 13: 2 }
      let id = 1
      for (const [code, grpc] of Object.entries(codes)) {
        await peer.send(wholeCall(id, misbehaving(`refuse&code=${code}`)))
        await isRefused(id, { grpc, reason: 'upstreamReset' })
        id += 2
      }
    })

    it('upstreamReset: 14 where the connection breaks off', async () => {
      const server = await openRaw({ upstream: { retries: { max: 0 } } })
      await peer.send(wholeCall(1))
      const connection = await server.accept()
      await (await RawHttp2.accept(connection)).next({ type: h2.headers })
      connection.rst()
      await isRefused(1, { grpc: 14, reason: 'upstreamReset' })
    })

    it("upstreamInvalid: by gRPC's map of HTTP's statuses", async () => {
      await open()
      const statuses = { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 500: 2, 502: 14, 503: 14, 504: 14, 302: 2, 204: 2 }
      let id = 1
      for (const [http, grpc] of Object.entries(statuses)) {
        await peer.send(wholeCall(id, misbehaving(`http&status=${http}`)))
        await isRefused(id, { grpc, reason: 'upstreamInvalid' })
        id += 2
      }
    })

    it('upstreamInvalid: 13 for what is no answer at all', async () => {
      const server = await openRaw()
      await peer.send(wholeCall(1), wholeCall(3))
      const upstream = await RawHttp2.accept(await server.accept())
      await upstream.next({ type: h2.headers, id: 1 })
      await upstream.next({ type: h2.headers, id: 3 })
      await upstream.send(headersFrame(1, [['content-type', 'application/grpc']], h2.endHeaders))
      await isRefused(1, { grpc: 13, reason: 'upstreamInvalid' })
      await upstream.send(headersFrame(3, [...answerHead, ['Upper', 'case']], h2.endHeaders))
      await isRefused(3, { grpc: 13, reason: 'upstreamInvalid' })
    })

    it('idleTimeout: 14, where it is written', async () => {
      await open({ upstream: { timeouts: { idle: '100ms' } } })
      await peer.send(wholeCall(1, misbehaving('hang')))
      await isRefused(1, { grpc: 14, reason: 'idleTimeout' })
      await scene.backendIdle()
    })

    it('a status that comes with another status of HTTP than 200 is the status', async () => {
      const server = await openRaw()
      await peer.send(wholeCall(1))
      const upstream = await RawHttp2.accept(await server.accept())
      await upstream.next({ type: h2.headers })
      await upstream.send(
        headersFrame(1, [
          [':status', '503'],
          ['content-type', 'application/grpc'],
          ['grpc-status', '8'],
        ]),
      )
      const { fields } = await peer.next({ type: h2.headers, id: 1 })
      expect(valueOf(fields!, 'grpc-status')).to.equal('8')
    })
  })

  describe('in mid-stream', () => {
    it('ends with the status as trailers, after what has come', async () => {
      await open()
      const request = requestOf(echo, 'ServerStream', { text: 'a', behaviour: { responses: 5, delayMs: 5 } })
      await peer.send(
        callHead(1, `/${echo}/ServerStream`, [['x-misbehave', 'reset&code=2&after=2']]),
        dataFrame(1, request, { end: true }),
      )
      const { status, content, trailers } = await peer.message(1)
      expect(status).to.equal(200)
      expect(content.length).to.be.greaterThan(10)
      expect(valueOf(trailers, 'grpc-status')).to.equal('13')
      expect(valueOf(trailers, 'grpc-message')).to.equal('sluice: upstreamReset')
      expect(valueOf(trailers, 'x-sluice-reason')).to.equal('upstreamReset')
      expect(valueOf(trailers, ':status')).to.equal(undefined)
    })

    it('ends with 14 as trailers where the connection of the upstream breaks off', async () => {
      const server = await openRaw()
      await peer.send(wholeCall(1))
      const connection = await server.accept()
      const upstream = await RawHttp2.accept(connection)
      await upstream.next({ type: h2.headers })
      await upstream.send(headersFrame(1, answerHead, h2.endHeaders), dataFrame(1, framed(Buffer.from('abc'))))
      await peer.next({ type: h2.data, id: 1 })
      connection.rst()
      const { fields, flags } = await peer.next({ type: h2.headers, id: 1 })
      expect(flags & h2.endStream).to.equal(h2.endStream)
      expect(valueOf(fields!, 'grpc-status')).to.equal('14')
    })

    it('draining: 14 as trailers, when the deadline of the drain has passed', async () => {
      await open({ config: { drainTimeout: '300ms' } })
      const request = requestOf(echo, 'ServerStream', { text: 'a', behaviour: { responses: 10_000, delayMs: 10 } })
      await peer.send(callHead(1, `/${echo}/ServerStream`), dataFrame(1, request, { end: true }))
      await eventually(() => scene.backend.stats().running === 1)
      const drained = scene.stage.proxy.drain()
      const { trailers } = await peer.message(1)
      await drained
      expect(valueOf(trailers, 'grpc-status')).to.equal('14')
      expect(valueOf(trailers, 'x-sluice-reason')).to.equal('draining')
      await scene.backendIdle()
    })
  })

  it('is accounted for with its status and its reason', async () => {
    await open({ upstream: { endpoints: ['grpc://127.0.0.1:1'] } })
    await peer.send(wholeCall(1))
    await isRefused(1, { grpc: 14, reason: 'connectFailed' })
    await eventually(() => scene.stage.accounts.length === 1)
    expect(scene.stage.lastAccount).to.include({
      protocol: 'grpc',
      status: 'grpc-14',
      reason: 'connectFailed',
      attempts: 2,
    })
  })

  it('is accounted for as CANCELLED when its caller has left', async () => {
    await open()
    await peer.send(wholeCall(1, misbehaving('hang')))
    await peer.send(rstFrame(1, 8))
    await scene.backendIdle()
    await eventually(() => scene.stage.accounts.length === 1)
    expect(scene.stage.lastAccount).to.include({ status: 'grpc-1', reason: 'clientGone' })
  })
})
