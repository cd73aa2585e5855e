// What browsers ask before a page of another origin calls by gRPC-Web (CORS).
import { expect } from 'chai'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { GrpcScene, transcoding } from './support/grpc-scene.ts'
import { exchange, type HttpClient, httpWays } from './support/http-ways.ts'
import { echo } from './support/messages.ts'

const origin = 'https://app.example.com'
const target = `/${echo}/Unary`

const question = (from: string, asked: readonly (readonly [string, string])[] = []) => ({
  method: 'OPTIONS',
  target,
  fields: [['origin', from], ['access-control-request-method', 'POST'], ...asked] as const,
})
const ofWeb = [['access-control-request-headers', 'content-type,x-grpc-web,x-user-agent,authorization']] as const

for (const way of httpWays) {
  describe(`preflights of gRPC-Web over ${way.name}`, () => {
    let scene: GrpcScene
    let client: HttpClient

    const open = async (listener: Record<string, unknown>): Promise<void> => {
      scene = await GrpcScene.start({ listener: { web: { origins: [origin] }, ...listener } })
      client = await way.connect(scene.port)
    }

    afterEach(async () => {
      await client.close()
      await scene.close()
    })

    it('let pages of a configured origin call, with the fields that they name', async () => {
      await open({})
      const answer = await exchange(client, question(origin, ofWeb))
      expect([answer.status, answer.body.length]).to.deep.equal([204, 0])
      expect(answer.field('access-control-allow-origin')).to.equal(origin)
      expect(answer.field('access-control-allow-methods')).to.equal('POST')
      expect(answer.field('access-control-allow-headers')).to.equal(
        'content-type, x-grpc-web, x-user-agent, authorization',
      )
      expect(Number(answer.field('access-control-max-age'))).to.be.greaterThan(0)
      expect(scene.backend.stats().total).to.equal(0)
    })

    it('refuse pages of other origins, and other methods', async () => {
      await open({})
      for (const asked of [
        question('https://evil.example', ofWeb),
        question('https://app.example.com.evil.example', ofWeb),
        question('http://app.example.com', ofWeb),
        question('null', ofWeb),
        {
          ...question(origin),
          fields: [
            ['origin', origin],
            ['access-control-request-method', 'DELETE'],
          ] as const,
        },
      ]) {
        const answer = await exchange(client, asked)
        expect([answer.status, answer.field('x-sluice-reason')], JSON.stringify(asked)).to.deep.equal([403, 'denied'])
        expect(answer.field('access-control-allow-origin')).to.equal(undefined)
      }
    })

    it('take no permit: the gate is for calls', async () => {
      await open({ gate: { limit: 1, queue: 0 } })
      const running = await scene.longCall()
      expect((await exchange(client, question(origin, ofWeb))).status).to.equal(204)
      running.cancel()
      await running.outcome
    })

    it('are counted under a protocol and a status', async () => {
      await open({})
      await exchange(client, question(origin, ofWeb))
      await exchange(client, question('https://evil.example', ofWeb))
      await eventually(() => scene.stage.accounts.length === 2)
      expect(scene.stage.accounts.map(({ protocol, status, reason }) => [protocol, status, reason])).to.deep.equal([
        ['http', '204', 'ok'],
        ['http', '403', 'denied'],
      ])
    })

    it('that do not announce gRPC-Web go where other requests go on an http listener', async () => {
      await open({
        protocol: 'http',
        routes: [
          { match: { method: 'OPTIONS' }, respond: { status: 200, body: 'own' } },
          { match: { service: echo }, upstream: 'shop' },
        ],
      })
      const other = [['access-control-request-headers', 'content-type']] as const
      expect(String((await exchange(client, question(origin, other))).body)).to.equal('own')
      expect(String((await exchange(client, { method: 'OPTIONS', target: '/page' })).body)).to.equal('own')
      expect((await exchange(client, question(origin, ofWeb))).status).to.equal(204)
    })

    it('and other methods of a bound path go where other requests go on a grpc listener that passes them on', async () => {
      await open({
        other: 'pass',
        transcode: transcoding,
        routes: [
          { match: { path: '/*' }, respond: { status: 200, body: 'own' } },
          { match: { service: echo }, upstream: 'shop' },
        ],
      })
      const other = [['access-control-request-headers', 'content-type']] as const
      expect(
        String((await exchange(client, { ...question('https://evil.example', other), target: '/page' })).body),
      ).to.equal('own')
      expect(String((await exchange(client, { method: 'PUT', target: '/shop/v1/orders' })).body)).to.equal('own')
      expect((await exchange(client, question(origin, ofWeb))).status).to.equal(204)
    })

    for (const protocol of ['grpc', 'http']) {
      it(`let pages of a configured origin call with JSON, by the methods that a path is bound for (${protocol})`, async () => {
        await open({
          protocol,
          transcode: transcoding,
          routes: [
            { match: { service: 'shop.v1.*' }, upstream: 'shop' },
            ...(protocol === 'http' ? [{ match: { path: '/*' }, respond: { status: 200, body: 'own' } }] : []),
          ],
        })
        const asking = (method: string, path: string, from = origin) =>
          exchange(client, {
            method: 'OPTIONS',
            target: path,
            fields: [
              ['origin', from],
              ['access-control-request-method', method],
              ['access-control-request-headers', 'content-type'],
            ],
          })
        for (const method of ['GET', 'PATCH']) {
          const answer = await asking(method, '/shop/v1/orders/7')
          expect(answer.status, method).to.equal(204)
          expect(answer.field('access-control-allow-origin')).to.equal(origin)
          expect(answer.field('access-control-allow-methods')).to.equal(method)
          expect(answer.field('access-control-allow-headers')).to.equal('content-type')
        }
        expect((await asking('POST', '/shop/v1/orders/7:cancel')).status).to.equal(204)
        const stranger = await asking('GET', '/shop/v1/orders/7', 'https://evil.example')
        expect([stranger.status, stranger.field('access-control-allow-origin')]).to.deep.equal([403, undefined])
        // Bound for other methods, or not at all.
        const status = protocol === 'grpc' ? 403 : 200
        expect((await asking('DELETE', '/shop/v1/orders/7')).status).to.equal(status)
        expect((await asking('GET', '/page')).status).to.equal(status)
      })
    }

    it('are no business of a grpc listener without gRPC-Web', async () => {
      await open({ web: undefined })
      expect((await exchange(client, question(origin, ofWeb))).status).to.equal(415)
    })
  })
}
