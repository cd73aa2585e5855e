// Callers that leave: the upstream hears of it at once, or finishes where a gate waits for what was abandoned.
import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import {
  dataFrame,
  h2,
  headersFrame,
  RawHttp2,
  type RawFields,
  rstFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import { RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { GrpcScene, type SceneWritten, transcoding } from './support/grpc-scene.ts'
import { exchange, httpWays } from './support/http-ways.ts'
import { callHead, echo, framed, requestOf, valueOf, wholeCall } from './support/messages.ts'

const answered: RawFields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '0'],
]

describe('a call whose caller leaves', () => {
  let scene: GrpcScene
  let server: RawServer

  const open = async (upstream: SceneWritten['upstream'] = {}): Promise<RawHttp2> => {
    server = await RawServer.start()
    scene = await GrpcScene.start({ upstream: { endpoints: [`grpc://127.0.0.1:${server.port}`], ...upstream } })
    scene.closesFirst(server)
    return await scene.raw()
  }

  afterEach(async () => {
    await scene.close()
  })

  it('is reset with CANCEL at its upstream, whichever way it was under way', async () => {
    const peer = await open()
    await peer.send(wholeCall(1), callHead(3, `/${echo}/Bidi`), wholeCall(5))
    const upstream = await RawHttp2.accept(await server.accept())
    const ids: number[] = []
    for (let i = 0; i < 3; i++) ids.push((await upstream.next({ type: h2.headers })).id)
    await upstream.send(headersFrame(ids[2]!, answered.slice(0, 2), h2.endHeaders))
    await peer.next({ type: h2.headers, id: 5 })
    for (const [i, id] of [1, 3, 5].entries()) {
      await peer.send(rstFrame(id, 8))
      const reset = await upstream.next({ type: h2.rstStream })
      expect([reset.id, reset.payload.readUInt32BE()]).to.deep.equal([ids[i], 8])
    }
    // The connection serves on.
    await peer.send(wholeCall(7))
    const { id } = await upstream.next({ type: h2.headers })
    await upstream.send(headersFrame(id, answered))
    expect(valueOf((await peer.next({ type: h2.headers, id: 7 })).fields!, 'grpc-status')).to.equal('0')
  })

  it('leaves the queue, and never reaches the upstream', async () => {
    const peer = await open({ gate: { limit: 1, queue: 5, timeout: '10s' } })
    await peer.send(wholeCall(1), wholeCall(3), wholeCall(5))
    const upstream = await RawHttp2.accept(await server.accept())
    const first = await upstream.next({ type: h2.headers })
    await scene.stage.atGate('upstream:shop', { running: 1, waiting: 2 })
    await peer.send(rstFrame(3, 8))
    await scene.stage.atGate('upstream:shop', { running: 1, waiting: 1 })
    await upstream.send(headersFrame(first.id, answered))
    await upstream.send(headersFrame((await upstream.next({ type: h2.headers })).id, answered))
    await peer.next({ type: h2.headers, id: 5 })
    expect(upstream.frames.filter(({ type }) => type === h2.headers).length).to.equal(2)
  })

  it('keeps its permit until the upstream has answered, with `abandoned: wait`', async () => {
    const peer = await open({ gate: { limit: 1, queue: 5, timeout: '10s', abandoned: 'wait' } })
    await peer.send(wholeCall(1), wholeCall(3))
    const upstream = await RawHttp2.accept(await server.accept())
    const first = await upstream.next({ type: h2.headers })
    await peer.send(rstFrame(1, 8))
    await scene.stage.atGate('upstream:shop', { running: 1, waiting: 1 })
    await upstream.send(headersFrame(first.id, answered.slice(0, 2), h2.endHeaders), dataFrame(first.id, 'abc'))
    await scene.stage.atGate('upstream:shop', { running: 1, waiting: 1 })
    await upstream.send(headersFrame(first.id, [['grpc-status', '0']]))
    const second = await upstream.next({ type: h2.headers })
    expect(upstream.frames.some(({ type }) => type === h2.rstStream)).to.equal(false)
    await upstream.send(headersFrame(second.id, answered))
    await peer.next({ type: h2.headers, id: 3 })
  })

  it('is what a deadline makes of it too: the caller is told, the permit waits', async () => {
    const peer = await open({ gate: { limit: 1, queue: 5, timeout: '10s', abandoned: 'wait' } })
    await peer.send(wholeCall(1, { more: [['grpc-timeout', '500m']] }), wholeCall(3))
    const upstream = await RawHttp2.accept(await server.accept())
    const first = await upstream.next({ type: h2.headers })
    expect(valueOf((await peer.next({ type: h2.headers, id: 1 })).fields!, 'grpc-status')).to.equal(
      `${status.DEADLINE_EXCEEDED}`,
    )
    await scene.stage.atGate('upstream:shop', { running: 1, waiting: 1 })
    await upstream.send(headersFrame(first.id, answered))
    const second = await upstream.next({ type: h2.headers })
    await upstream.send(headersFrame(second.id, answered))
    await peer.next({ type: h2.headers, id: 3 })
  })
})

for (const way of httpWays) {
  for (const [name, question, body] of [
    [
      'gRPC-Web',
      { method: 'POST', target: `/${echo}/ServerStream`, fields: [['content-type', 'application/grpc-web']] },
      requestOf(echo, 'ServerStream', { text: 'a' }),
    ],
    ['JSON', { method: 'GET', target: '/test/v1/echo/a:stream' }, undefined],
  ] as const) {
    it(`a call by ${name} over ${way.name} that is abandoned has no part in what its client hears next`, async () => {
      const server = await RawServer.start()
      const scene = await GrpcScene.start({
        listener: { web: { origins: ['*'] }, transcode: transcoding },
        upstream: { endpoints: [`grpc://127.0.0.1:${server.port}`], gate: { limit: 5, abandoned: 'wait' } },
      })
      scene.closesFirst(server)
      const client = await way.connect(scene.port)
      const fields = [...('fields' in question ? question.fields : []), ['grpc-timeout', '500m'] as const]
      const refused = exchange(client, { ...question, fields }, body)
      const upstream = await RawHttp2.accept(await server.accept())
      const first = await upstream.next({ type: h2.headers })
      expect((await refused).field('x-sluice-reason')).to.equal('deadlineExceeded')
      await upstream.send(
        headersFrame(first.id, answered.slice(0, 2), h2.endHeaders),
        dataFrame(first.id, framed(Buffer.from([0x0a, 5, ...Buffer.from('first')]))),
        headersFrame(first.id, [['grpc-status', '0']]),
      )
      const next = exchange(client, question, body)
      const second = await upstream.next({ type: h2.headers })
      await upstream.send(
        headersFrame(second.id, answered.slice(0, 2), h2.endHeaders),
        dataFrame(second.id, framed(Buffer.from([0x0a, 6, ...Buffer.from('second')]))),
        headersFrame(second.id, [['grpc-status', '0']]),
      )
      const answer = await next
      expect(answer.status).to.equal(200)
      expect(String(answer.body)).to.include('second').and.not.include('first')
      await client.close()
      await scene.close()
    })
  }
}

describe('an upstream that cancels', () => {
  it('ends the call with CANCELLED', async () => {
    const scene = await GrpcScene.start()
    const client = scene.client()
    const behaviour = { responses: 5, delayMs: 5 }
    const metadata = { 'x-misbehave': 'reset&code=8&after=2' }
    const outcome = await client.run(echo, 'ServerStream', [{ behaviour }], { metadata })
    expect([outcome.code, outcome.messages.length]).to.deep.equal([status.CANCELLED, 2])
    await scene.close()
  })
})
