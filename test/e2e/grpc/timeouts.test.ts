// Which of the timeouts of HTTP hold for calls: those for a client that is to send, not those for a call that rests.
import { expect } from 'chai'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { GrpcScene, transcoding } from './support/grpc-scene.ts'
import { exchange, httpWays, restOf } from './support/http-ways.ts'
import { answersIn, echo, requestOf } from './support/messages.ts'

const short = { head: '100ms', body: '100ms', send: '100ms', keepAlive: '100ms' }
const listener = { web: { origins: ['*'] }, transcode: transcoding, timeouts: short, minRate: '1KiB/s' }

describe('the timeouts of HTTP', () => {
  let scene: GrpcScene

  beforeEach(async () => {
    scene = await GrpcScene.start({ listener, upstream: { timeouts: { response: '100ms' } } })
  })
  afterEach(() => scene.close())

  it('let a stream of gRPC rest between its messages, and before the first', async () => {
    const call = scene.client().start(echo, 'Bidi')
    const behaviour = { delayMs: 400 }
    for (let i = 0; i < 2; i++) {
      await call.send({ text: 'a', behaviour })
      await call.message(i)
    }
    call.halfClose()
    expect((await call.outcome).code).to.equal(0)
  })

  for (const way of httpWays) {
    it(`let a stream of gRPC-Web rest (${way.name})`, async () => {
      const client = await way.connect(scene.port)
      const body = requestOf(echo, 'ServerStream', { text: 'a', behaviour: { responses: 2, delayMs: 400 } })
      const fields = [['content-type', 'application/grpc-web']] as const
      const answer = await exchange(client, { method: 'POST', target: `/${echo}/ServerStream`, fields }, body)
      expect(answersIn(answer.body, echo, 'ServerStream').length).to.equal(2)
      await client.close()
    })

    it(`let a stream of JSON rest (${way.name})`, async () => {
      const client = await way.connect(scene.port)
      const target = '/test/v1/echo/a:stream?behaviour.responses=2&behaviour.delayMs=400'
      const { body } = await exchange(client, { method: 'GET', target })
      expect(String(body).trimEnd().split('\n').length).to.equal(2)
      await client.close()
    })

    it(`end a request of JSON whose body does not come (${way.name})`, async () => {
      const client = await way.connect(scene.port)
      const fields = [
        ['content-type', 'application/json'],
        ['content-length', '100'],
      ] as const
      const conversation = await client.begin({ method: 'POST', target: '/test/v1/echo', fields })
      await conversation.send('{"text": ')
      const { status, body } = await restOf(conversation)
      expect([status, (JSON.parse(String(body)) as { code: number }).code]).to.deep.equal([408, 14])
      await eventually(() => scene.stage.lastAccount?.reason === 'requestTimeout')
      await client.close()
    })
  }
})
