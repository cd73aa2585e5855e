// Calls that were not processed are made again, elsewhere where there is an elsewhere; others never are.
import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { type GrpcBackend, startGrpcBackend } from '../../../packages/backends/src/index.ts'
import {
  dataFrame,
  goawayFrame,
  h2,
  headersFrame,
  RawHttp2,
  type RawFields,
  rstFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import { eventually, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { GrpcScene, type SceneWritten, transcoding } from './support/grpc-scene.ts'
import { exchange, httpWays } from './support/http-ways.ts'
import { answersIn, callHead, echo, orders, requestOf, valueOf, wholeCall } from './support/messages.ts'

const answered: RawFields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '0'],
]

describe('a call that its upstream did not process', () => {
  let scene: GrpcScene
  let server: RawServer

  const open = async (written: SceneWritten = {}): Promise<RawHttp2> => {
    server = await RawServer.start()
    const upstream = { endpoints: [`grpc://127.0.0.1:${server.port}`], ...written.upstream }
    scene = await GrpcScene.start({ ...written, upstream })
    scene.closesFirst(server)
    return await scene.raw()
  }

  afterEach(async () => {
    await scene.close()
  })

  it('is made again after REFUSED_STREAM, with all that had come of it', async () => {
    const peer = await open()
    const message = requestOf(echo, 'Bidi', { text: 'first' })
    await peer.send(callHead(1, `/${echo}/Bidi`), dataFrame(1, message))
    const upstream = await RawHttp2.accept(await server.accept())
    const { id } = await upstream.next({ type: h2.data })
    await upstream.send(rstFrame(id, 7))
    const again = await upstream.next({ type: h2.headers })
    expect(again.id).to.be.greaterThan(id)
    expect((await upstream.next({ type: h2.data, id: again.id })).payload).to.deep.equal(message)
    await peer.send(dataFrame(1, message, { end: true }))
    expect((await upstream.next({ type: h2.data, id: again.id, flags: h2.endStream })).payload).to.deep.equal(message)
    await upstream.send(headersFrame(again.id, answered))
    expect(valueOf((await peer.message(1)).fields, 'grpc-status')).to.equal('0')
    await eventually(() => scene.stage.accounts.length === 1)
    expect(scene.stage.lastAccount).to.include({ attempts: 2, reason: 'ok' })
  })

  it('is made again on another connection when it lies above the last one of a GOAWAY', async () => {
    const peer = await open()
    await peer.send(wholeCall(1))
    const first = await RawHttp2.accept(await server.accept())
    await first.next({ type: h2.headers })
    await peer.send(wholeCall(3))
    const { id } = await first.next({ type: h2.headers })
    await first.send(goawayFrame(id - 2, 0))
    const second = await RawHttp2.accept(await server.accept())
    const again = await second.next({ type: h2.headers })
    await second.send(headersFrame(again.id, answered))
    expect(valueOf((await peer.next({ type: h2.headers, id: 3 })).fields!, 'grpc-status')).to.equal('0')
    // The other one is still served where it was.
    await first.send(headersFrame(id - 2, answered))
    expect(valueOf((await peer.next({ type: h2.headers, id: 1 })).fields!, 'grpc-status')).to.equal('0')
  })

  it('is not made again when more has gone up than is kept', async () => {
    const peer = await open({ upstream: { buffer: { request: '1KiB' } } })
    await peer.send(callHead(1, `/${echo}/ClientStream`))
    const upstream = await RawHttp2.accept(await server.accept())
    await upstream.next({ type: h2.headers })
    await peer.send(dataFrame(1, Buffer.alloc(2_000)))
    const { id } = await upstream.next({ type: h2.data })
    await upstream.send(rstFrame(id, 7))
    expect(valueOf((await peer.next({ type: h2.headers, id: 1 })).fields!, 'grpc-status')).to.equal('14')
    await eventually(() => scene.stage.accounts.length === 1)
    expect(scene.stage.lastAccount).to.include({ attempts: 1, reason: 'upstreamReset' })
  })

  it('is not made again when the upstream may have acted on it', async () => {
    const peer = await open()
    await peer.send(wholeCall(1))
    const connection = await server.accept()
    await (await RawHttp2.accept(connection)).next({ type: h2.data })
    connection.rst()
    expect(valueOf((await peer.next({ type: h2.headers, id: 1 })).fields!, 'grpc-status')).to.equal('14')
    expect(server.connections.length).to.equal(1)
  })

  it('is made again with its `max` alone', async () => {
    const peer = await open({ upstream: { retries: { max: 2 } } })
    await peer.send(wholeCall(1))
    const upstream = await RawHttp2.accept(await server.accept())
    for (let i = 0; i < 3; i++) {
      const { id } = await upstream.next({ type: h2.headers })
      await upstream.send(rstFrame(id, 7))
    }
    expect(valueOf((await peer.next({ type: h2.headers, id: 1 })).fields!, 'grpc-status')).to.equal('14')
    await eventually(() => scene.stage.accounts.length === 1)
    expect(scene.stage.lastAccount).to.include({ attempts: 3 })
  })
})

describe('real servers', () => {
  let scene: GrpcScene
  let others: GrpcBackend[]

  const open = async (count: number, upstream: object = {}, listener: object = {}): Promise<void> => {
    others = []
    for (let i = 0; i < count; i++) others.push(await startGrpcBackend({ name: `other-${i}` }))
    const endpoints = others.map(({ address }) => `grpc://127.0.0.1:${address.port}`)
    scene = await GrpcScene.start({ listener: { ...listener }, upstream: { endpoints, ...upstream } })
  }

  afterEach(async () => {
    await scene.close()
    for (const other of others) await other.close()
  })

  it('that refuse a call once are asked once more, and their client hears nothing of it', async () => {
    await open(1)
    const client = scene.client()
    for (let i = 0; i < 10; i++) {
      const metadata = { 'x-misbehave': `refuse&once=k${i}` }
      expect((await client.run(echo, 'Unary', [{}], { metadata })).code).to.equal(status.OK)
    }
  })

  for (const way of httpWays) {
    it(`that refuse a call of gRPC-Web, or of JSON, once are asked once more (${way.name})`, async () => {
      await open(1, {}, { web: { origins: ['*'] }, transcode: transcoding })
      const client = await way.connect(scene.port)
      const refused = (key: string) => ['x-misbehave', `refuse&once=${key}`] as const
      const message = requestOf(echo, 'Unary', { text: 'again' })
      for (const [contentType, body] of [
        ['application/grpc-web', message],
        ['application/grpc-web-text', Buffer.from(message.toString('base64'))],
      ] as const) {
        const fields = [
          ['content-type', contentType],
          ['accept', 'application/grpc-web'],
          refused(contentType),
        ] as const
        const answer = await exchange(client, { method: 'POST', target: `/${echo}/Unary`, fields }, body)
        expect(answersIn(answer.body)[0], contentType).to.include({ text: 'again' })
      }
      for (const [method, target, body] of [
        ['GET', '/test/v1/echo/again', undefined],
        ['POST', '/test/v1/echo', '{"text": "again"}'],
      ] as const) {
        const answer = await exchange(client, { method, target, fields: [refused(method)] }, body)
        expect(JSON.parse(String(answer.body)), method).to.include({ text: 'again' })
      }
      await eventually(() => scene.stage.accounts.length === 4)
      expect(scene.stage.accounts.map(({ attempts }) => attempts)).to.deep.equal([2, 2, 2, 2])
      await client.close()
    })
  }

  it('that say GOAWAY lose no call', async () => {
    await open(1)
    const client = scene.client()
    let failed = 0
    let calls = 0
    let going = true
    const callers = Array.from({ length: 8 }, async () => {
      while (going) {
        calls++
        if ((await client.run(echo, 'Unary', [{}])).code !== status.OK) failed++
      }
    })
    for (let i = 1; i <= 5; i++) {
      await eventually(() => calls > i * 100)
      others[0]!.goAway()
    }
    await eventually(() => calls > 700)
    going = false
    await Promise.all(callers)
    expect(failed).to.equal(0)
  })

  it('are taken out and in again by what they say of their health', async () => {
    await open(2, { health: { active: { grpc: orders, interval: '100ms', timeout: '5s', fall: 1, rise: 1 } } })
    const client = scene.client()
    const seen = async () => {
      const names = new Set<unknown>()
      for (let i = 0; i < 4; i++) {
        const { messages } = await client.run(echo, 'Unary', [{}])
        names.add(messages[0]!['backend'])
      }
      return ['other-0', 'other-1'].filter((name) => names.has(name)).join(' ')
    }
    expect(await seen()).to.equal('other-0 other-1')
    others[0]!.setHealth(orders, 'NOT_SERVING')
    await eventually(async () => (await seen()) === 'other-1')
    await eventually(() => {
      const [endpoint] = scene.stage.stats.upstreams[0]!.endpoints
      return !endpoint!.healthy && endpoint!.lastFailure?.includes('NOT_SERVING')
    })
    others[0]!.setHealth(orders, 'SERVING')
    await eventually(async () => (await seen()) === 'other-0 other-1')
  })
})
