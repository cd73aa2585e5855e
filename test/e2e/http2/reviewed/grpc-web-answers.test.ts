// Requests that only look like calls of gRPC-Web, and answers whose end is told twice.
import { expect } from 'chai'
import { h2, headersFrame, RawHttp2 } from '../../../../packages/testkit/src/http2/index.ts'
import type { RawServer } from '../../../../packages/testkit/src/raw/index.ts'
import { exchange, type HttpClient, httpWays } from '../../grpc/support/http-ways.ts'
import { echo, framesOf, requestOf } from '../../grpc/support/messages.ts'
import { Stage } from '../../support/stage.ts'
import { takenServer } from './session-with.ts'

const answered = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const
const webType = ['content-type', 'application/grpc-web+proto'] as const

for (const way of httpWays) {
  describe(`gRPC-Web over ${way.name}`, () => {
    let stage: Stage
    let server: RawServer
    let client: HttpClient

    beforeEach(async () => {
      server = await takenServer()
      stage = await Stage.start({
        listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', web: { origins: ['*'] }, upstream: 'up' } },
        upstreams: { up: { endpoints: [`127.0.0.1:${server.port}`], protocol: 'http2' } },
      })
      stage.closesWith(server)
      client = await way.connect(stage.port('web'))
    })
    afterEach(async () => {
      await client.close()
      await stage.close()
    })

    for (const method of ['HEAD', 'GET', 'PUT']) {
      it(`is refused for ${method}, and the connection serves on`, async () => {
        for (let i = 0; i < 2; i++) {
          const answer = await exchange(client, { method, target: `/${echo}/Unary`, fields: [webType] })
          expect([answer.field('grpc-status'), answer.field('x-sluice-reason')]).to.deep.equal([
            '12',
            'methodNotAllowed',
          ])
          expect(answer.body.length).to.equal(0)
        }
        expect(server.accepted).to.equal(0)
      })
    }

    it('has one end when the upstream’s head says `content-length: 0` and trailers follow', async () => {
      let upstream: RawHttp2 | undefined
      for (let i = 0; i < 2; i++) {
        const question = { method: 'POST', target: `/${echo}/Unary`, fields: [webType] }
        const answer = exchange(client, question, requestOf(echo, 'Unary', {}))
        upstream ??= await RawHttp2.accept(await server.accept())
        const { id } = await upstream.next({ type: h2.headers })
        await upstream.send(
          headersFrame(id, [...answered, ['content-length', '0']], h2.endHeaders),
          headersFrame(id, [['grpc-status', '0']]),
        )
        const [frame, ...more] = framesOf((await answer).body)
        expect(more).to.deep.equal([])
        expect([frame!.flags, frame!.content.toString()]).to.deep.equal([0x80, 'grpc-status: 0\r\n'])
      }
    })
  })
}
