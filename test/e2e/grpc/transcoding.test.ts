// JSON over HTTP for services of gRPC, by the annotations of shop.v1.Orders, over both versions of HTTP.
import { expect } from 'chai'
import { dataFrame, h2, headersFrame, RawHttp2 } from '../../../packages/testkit/src/http2/index.ts'
import { eventually, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { response } from '../support/ask.ts'
import { GrpcScene, type SceneWritten, transcoding } from './support/grpc-scene.ts'
import { exchange, type HttpClient, httpWays, restOf } from './support/http-ways.ts'
import { framed, orders } from './support/messages.ts'

const json = ['content-type', 'application/json'] as const
const mebibyte = 1_048_576

interface Told {
  readonly status: number
  readonly value: Record<string, unknown>
}

for (const way of httpWays) {
  describe(`JSON transcoding over ${way.name}`, () => {
    let scene: GrpcScene
    let client: HttpClient

    const open = async ({ listener, ...written }: SceneWritten = {}): Promise<void> => {
      scene = await GrpcScene.start({ listener: { transcode: transcoding, ...listener }, ...written })
      client = await way.connect(scene.port)
    }

    afterEach(async () => {
      await client.close()
      await scene.close()
    })

    const ask = (
      method: string,
      target: string,
      body?: unknown,
      fields: readonly (readonly [string, string])[] = [],
    ) => {
      const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
      return exchange(client, { method, target, fields: [...(text === undefined ? [] : [json]), ...fields] }, text)
    }

    const call = async (...asked: Parameters<typeof ask>): Promise<Told> => {
      const { status, body, field } = await ask(...asked)
      expect(field('content-type')).to.equal('application/json')
      return { status, value: JSON.parse(String(body)) as Record<string, unknown> }
    }

    describe('bindings', () => {
      it('fill a message from the path and the query, nested and repeated fields too', async () => {
        await open()
        const target = '/shop/v1/orders/7?view=FULL&tags=a&tags=b%20c&page.size=3&page.token=x'
        const { status, value } = await call('GET', target)
        expect(status).to.equal(200)
        expect(value).to.deep.include({
          id: '7',
          customer: 'customer-7',
          state: 'PLACED',
          shipTo: { street: '7 High Street', city: 'Ely' },
          placedAt: '2026-01-01T00:00:00.500Z',
          labels: { priority: 'high', 'with space': 'ä' },
          signature: '+/8ABw==',
        })
        expect(value['asked']).to.deep.include({
          id: '7',
          view: 'FULL',
          tags: ['a', 'b c'],
          page: { size: 3, token: 'x' },
        })
      })

      it('take a path of several segments into a field (additional_bindings)', async () => {
        await open()
        const { value } = await call('GET', '/shop/v1/customers/ann/orders/12')
        expect(value).to.include({ id: '12' })
        expect(value['asked']).to.include({ name: 'customers/ann/orders/12' })
      })

      it('take the body into a field, and everything else from elsewhere', async () => {
        await open()
        const order = { customer: 'ann', items: [{ sku: 'a', quantity: 2, price: 1.5 }] }
        const placed = await call('POST', '/shop/v1/orders?dry_run=true', order)
        expect([placed.status, placed.value['id'], placed.value['customer']]).to.deep.equal([200, '100', 'ann'])
        const updated = await call('PATCH', '/shop/v1/orders/9?updateMask=customer', { customer: 'bob' })
        expect(updated.value).to.include({ id: '9', customer: 'bob' })
      })

      it('take the whole body into the message at a path with a verb', async () => {
        await open()
        const { status, value } = await call('POST', '/shop/v1/orders/5:cancel', { reason: 'late' })
        expect([status, value['state'], value['labels']]).to.deep.equal([200, 'CANCELLED', { reason: 'late' }])
      })

      it('answer with one field of the message (response_body)', async () => {
        await open()
        const whole = await call('GET', '/shop/v1/orders?page.size=2&states=SENT&states=DELIVERED')
        const states = (list: unknown) => (list as { state: string }[]).map(({ state }) => state)
        expect(states(whole.value['orders'])).to.deep.equal(['SENT', 'DELIVERED'])
        const part = await ask('GET', '/shop/v1/orderlist?page.size=2')
        expect(states(JSON.parse(String(part.body)))).to.deep.equal(['PLACED', 'PLACED'])
      })

      it('pass metadata both ways', async () => {
        await open()
        const behaviour = {
          tellMetadata: true,
          headers: [{ key: 'x-head', values: [Buffer.from('1').toString('base64')] }],
        }
        const answer = await ask('POST', '/test/v1/echo', { text: 'a', behaviour }, [['x-mine', 'yes']])
        expect([answer.status, answer.field('x-head')]).to.deep.equal([200, '1'])
        const { metadata } = JSON.parse(String(answer.body)) as { metadata: { key: string; values: string[] }[] }
        const seen = new Map(metadata.map(({ key, values }) => [key, Buffer.from(values[0]!, 'base64').toString()]))
        expect(seen.get('x-mine')).to.equal('yes')
        expect(answer.field('grpc-status')).to.equal(undefined)
      })
    })

    it('passes on the messages of a stream as lines, each as it comes', async () => {
      await open()
      const conversation = await client.begin(
        { method: 'GET', target: '/shop/v1/orders/3:watch?intervalMs=200' },
        { bodiless: true },
      )
      const head = await conversation.head()
      expect([head.status, head.field('content-type')]).to.deep.equal([200, 'application/x-ndjson'])
      const states: string[] = []
      const running: number[] = []
      for (let piece = await conversation.piece(); piece.length > 0; piece = await conversation.piece()) {
        running.push(scene.backend.stats().running)
        expect(String(piece)).to.match(/^\{.*\}\n$/)
        states.push((JSON.parse(String(piece)) as { state: string }).state)
      }
      expect(states).to.deep.equal(['PLACED', 'SENT', 'DELIVERED'])
      expect(running.slice(0, 2)).to.deep.equal([1, 1])
    })

    it('resets the upstream when the client leaves a stream', async () => {
      await open()
      const target = '/test/v1/echo/a:stream?behaviour.responses=1000&behaviour.delayMs=10'
      const conversation = await client.begin({ method: 'GET', target }, { bodiless: true })
      await conversation.head()
      await conversation.piece()
      await conversation.leave()
      await scene.backendIdle()
      expect(scene.backend.stats().aborted).to.equal(1)
    })

    describe('errors', () => {
      it("of the service are google.rpc.Status in JSON, with the status's HTTP counterpart and details", async () => {
        await open()
        expect(await call('GET', '/shop/v1/orders/1000')).to.deep.equal({
          status: 404,
          value: { code: 5, message: 'there is no order 1000', details: [] },
        })
        expect(await call('POST', '/shop/v1/orders', { customer: 'ann' })).to.deep.equal({
          status: 400,
          value: {
            code: 3,
            message: 'no items',
            details: [
              {
                '@type': 'type.googleapis.com/google.rpc.BadRequest',
                fieldViolations: [{ field: 'order.items', description: 'needed' }],
              },
            ],
          },
        })
        const statuses = { 1: 499, 2: 500, 4: 504, 6: 409, 7: 403, 8: 429, 9: 400, 12: 501, 14: 503, 16: 401 }
        for (const [code, http] of Object.entries(statuses)) {
          const { status, value } = await call('GET', `/test/v1/echo/a?behaviour.status=${code}`)
          expect([status, value['code']]).to.deep.equal([http, Number(code)])
        }
      })

      it('in the midst of a stream are its last line', async () => {
        await open()
        const target =
          '/test/v1/echo/a:stream?behaviour.responses=5&behaviour.status=9&behaviour.failAfter=2&behaviour.statusMessage=no'
        const { status, body } = await ask('GET', target)
        const lines = String(body).trimEnd().split('\n')
        expect([status, lines.length]).to.deep.equal([200, 3])
        expect(JSON.parse(lines[2]!)).to.deep.equal({ error: { code: 9, message: 'no', details: [] } })
      })

      it('before the first message of a stream are an answer like any other', async () => {
        await open()
        const { status, value } = await call('GET', '/test/v1/echo/a:stream?behaviour.status=5')
        expect([status, value['code']]).to.deep.equal([404, 5])
      })

      it('in what is asked name the place', async () => {
        await open()
        for (const [method, target, body, sentence] of [
          ['GET', '/shop/v1/orders/seven', undefined, /^id: /],
          ['GET', '/shop/v1/orders/7?nothing=1', undefined, /nothing/],
          ['GET', '/shop/v1/orders/7?page.size=-1', undefined, /page\.size/],
          ['POST', '/shop/v1/orders', '{"customer": ', /JSON/],
          ['POST', '/shop/v1/orders', { items: [{ skew: 'a' }] }, /items\[0\].*skew/],
          ['POST', '/shop/v1/orders', { items: 'none' }, /items/],
        ] as const) {
          const { status, value } = await call(method, target, body)
          expect([status, value['code']], target).to.deep.equal([400, 3])
          expect(value['message'], target).to.match(sentence)
        }
        expect(scene.backend.stats().total).to.equal(0)
        // The connection serves on.
        expect((await call('GET', '/shop/v1/orders/7')).status).to.equal(200)
      })

      it('leave the service out of it when the body is larger than a message may be', async () => {
        await open()
        const { status, value } = await call('POST', '/shop/v1/orders', `"${'x'.repeat(4 * mebibyte)}"`)
        expect([status, value['code']]).to.deep.equal([413, 8])
        expect(scene.backend.stats().total).to.equal(0)
      })

      it("of Sluice's own are JSON too, with Retry-After where waiting helps", async () => {
        await open({ upstream: { gate: { limit: 1, queue: 0 } } })
        const running = await scene.longCall()
        const refused = await ask('GET', '/shop/v1/orders/7')
        expect([refused.status, refused.field('x-sluice-reason')]).to.deep.equal([503, 'queueFull'])
        expect(Number(refused.field('retry-after'))).to.be.at.least(1)
        expect(JSON.parse(String(refused.body))).to.deep.equal({ code: 14, message: 'sluice: queueFull', details: [] })
        running.cancel()
        await running.outcome
      })

      it('of an upstream that breaks off are 502, or the last line of a stream', async () => {
        await open()
        const behaviour = 'behaviour.responses=5&behaviour.delayMs=5'
        const reset = await call('GET', '/test/v1/echo/a', undefined, [['x-misbehave', 'reset&code=2']])
        expect([reset.status, reset.value['code']]).to.deep.equal([502, 13])
        const { body } = await ask('GET', `/test/v1/echo/a:stream?${behaviour}`, undefined, [
          ['x-misbehave', 'reset&code=2&after=2'],
        ])
        const lines = String(body).trimEnd().split('\n')
        expect(lines.length).to.equal(3)
        expect((JSON.parse(lines[2]!) as { error: object }).error).to.include({ code: 13 })
      })

      it('are no success when the last message is cut, or there are two or none where one belongs', async () => {
        const server = await RawServer.start()
        await open({ upstream: { endpoints: [`grpc://127.0.0.1:${server.port}`] } })
        scene.closesFirst(server)
        const good = framed(Buffer.from([0x0a, 1, 0x61]))
        let answered = 0
        let upstream: RawHttp2 | undefined
        for (const [target, content] of [
          ['/test/v1/echo/a', good.subarray(0, 6)],
          ['/test/v1/echo/a', good.subarray(0, 3)],
          ['/test/v1/echo/a', Buffer.concat([good, good])],
          ['/test/v1/echo/a', Buffer.alloc(0)],
          ['/test/v1/echo/a:stream', Buffer.concat([good, good.subarray(0, 6)])],
        ] as const) {
          const asked = ask('GET', target, undefined, [['grpc-accept-encoding', 'gzip']])
          upstream ??= await RawHttp2.accept(await server.accept())
          const { id, fields } = await upstream.next({ type: h2.headers })
          // What the client takes has nothing to do with what Sluice can read.
          expect(fields!.map(([name]) => name)).not.to.include('grpc-accept-encoding')
          await upstream.send(
            headersFrame(
              id,
              [
                [':status', '200'],
                ['content-type', 'application/grpc'],
                ['content-encoding', 'gzip'],
              ],
              h2.endHeaders,
            ),
            dataFrame(id, content),
            headersFrame(id, [['grpc-status', '0']]),
          )
          const { status, body, field } = await asked
          expect(field('content-encoding')).to.equal(undefined)
          if (target.endsWith(':stream')) {
            const lines = String(body).trimEnd().split('\n')
            expect(JSON.parse(lines[0]!)).to.deep.equal({ text: 'a' })
            expect((JSON.parse(lines[1]!) as { error: object }).error).to.include({ code: 13 })
          } else {
            expect(status).to.equal(502)
            expect(JSON.parse(String(body))).to.include({ code: 13 })
          }
          answered++
          await eventually(() => scene.stage.accounts.length === answered)
          expect(scene.stage.lastAccount).to.include({ reason: 'upstreamInvalid', status: `${status}` })
        }
      })

      it('end a stream at a message that cannot be read, whatever follows it', async () => {
        const server = await RawServer.start()
        await open({ upstream: { endpoints: [`grpc://127.0.0.1:${server.port}`] } })
        scene.closesFirst(server)
        const asked = ask('GET', '/test/v1/echo/a:stream')
        const upstream = await RawHttp2.accept(await server.accept())
        const { id } = await upstream.next({ type: h2.headers })
        const good = framed(Buffer.from([0x0a, 1, 0x61]))
        await upstream.send(
          headersFrame(
            id,
            [
              [':status', '200'],
              ['content-type', 'application/grpc'],
            ],
            h2.endHeaders,
          ),
          dataFrame(id, Buffer.concat([good, framed(Buffer.from([0x0a, 9])), good])),
        )
        const { body } = await asked
        const lines = String(body).trimEnd().split('\n')
        expect(lines.length).to.equal(2)
        expect(JSON.parse(lines[0]!)).to.deep.equal({ text: 'a' })
        expect((JSON.parse(lines[1]!) as { error: object }).error).to.include({ code: 13 })
        // Nothing of it is in what the connection brings next.
        const next = ask('GET', '/test/v1/echo/a')
        const { id: second } = await upstream.next({ type: h2.headers })
        await upstream.send(
          headersFrame(
            second,
            [
              [':status', '200'],
              ['content-type', 'application/grpc'],
            ],
            h2.endHeaders,
          ),
          dataFrame(second, good),
          headersFrame(second, [['grpc-status', '0']]),
        )
        expect(JSON.parse(String((await next).body))).to.deep.equal({ text: 'a' })
      })

      it('of an upstream that answers no gRPC are told as such', async () => {
        await open()
        for (const [wish, http, code] of [
          ['http&status=404', 502, 12],
          ['http&status=200', 502, 13],
          ['no-trailers', 500, 2],
        ] as const) {
          const { status, value } = await call('GET', '/test/v1/echo/a', undefined, [['x-misbehave', wish]])
          expect([status, value['code']], wish).to.deep.equal([http, code])
        }
      })
    })

    it('lets pages of the origins of `web` read answers, whatever they are', async () => {
      const origin = 'https://app.example.com'
      const upstream = { match: { service: 'sluice.test.v1.*' }, upstream: 'shop' }
      await open({ listener: { transcode: transcoding, web: { origins: [origin] }, routes: [upstream] } })
      const from = (page: string) => [['origin', page]] as const
      const headers = [
        { key: 'x-head', values: [Buffer.from('1').toString('base64')] },
        { key: 'access-control-allow-origin', values: [Buffer.from('https://b.test').toString('base64')] },
      ]
      for (const [asked, status, exposed] of [
        [['POST', '/test/v1/echo', { text: 'a', behaviour: { headers } }], 200, /x-head/],
        [['GET', '/test/v1/echo/a:stream'], 200, /content-type/],
        [['GET', '/test/v1/echo/a?behaviour.status=5'], 404, /content-type/],
        [['POST', '/test/v1/echo', '{"'], 400, /x-sluice-reason/],
        [['GET', '/shop/v1/orders/7'], 404, /x-sluice-reason/],
        [['DELETE', '/shop/v1/orders/7'], 405, /allow/],
      ] as const) {
        const [method, target, body] = asked
        const answer = await ask(method, target, body, from(origin))
        const own = answer.fields.filter(([name]) => /^(access-control-allow-origin|vary)$/i.test(name))
        expect([answer.status, ...own], target).to.deep.equal([
          status,
          ['access-control-allow-origin', origin],
          ['vary', 'origin'],
        ])
        expect(answer.field('access-control-expose-headers'), target).to.match(exposed)
        const stranger = await ask(method, target, body, from('https://evil.example'))
        expect([stranger.status, stranger.field('vary')], target).to.deep.equal([status, 'origin'])
        expect(stranger.field('access-control-allow-origin'), target).to.equal(undefined)
        // Nothing is left of the page before.
        expect((await ask(method, target, body)).field('access-control-allow-origin'), target).to.equal(undefined)
      }
    })

    it('keeps the deadline that a caller writes', async () => {
      await open()
      const { status, value } = await call('GET', '/test/v1/echo/a', undefined, [
        ['grpc-timeout', '50m'],
        ['x-misbehave', 'hang'],
      ])
      expect([status, value['code']]).to.deep.equal([504, 4])
      await scene.backendIdle()
    })

    it('tells a client to go on that waits for it', async () => {
      await open()
      const body = JSON.stringify({ reason: 'late' })
      const fields = [json, ['expect', '100-continue'], ['content-length', `${body.length}`]] as const
      const conversation = await client.begin({ method: 'POST', target: '/shop/v1/orders/5:cancel', fields })
      expect((await conversation.anyHead()).status).to.equal(100)
      await conversation.send(body, { end: true })
      const answer = await restOf(conversation)
      expect(answer.status, String(answer.body)).to.equal(200)
    })

    it('gives calls the routes and gates of their service and method', async () => {
      await open({
        listener: {
          transcode: transcoding,
          routes: [
            { name: 'get', match: { service: orders, method: 'Get' }, upstream: 'shop', gate: { limit: 1, queue: 5 } },
            { name: 'rest', match: { service: orders }, upstream: 'shop' },
          ],
        },
      })
      expect((await call('GET', '/shop/v1/orders/7')).status).to.equal(200)
      expect((await call('GET', '/shop/v1/orders')).status).to.equal(200)
      const unrouted = await call('GET', '/test/v1/echo/a')
      expect([unrouted.status, unrouted.value['code']]).to.deep.equal([404, 12])
      await eventually(() => scene.stage.accounts.length === 3)
      expect(
        scene.stage.accounts.map(({ route, protocol, status, reason }) => [route, protocol, status, reason]),
      ).to.deep.equal([
        ['rpc/get', 'grpc-json', '200', 'ok'],
        ['rpc/rest', 'grpc-json', '200', 'ok'],
        ['-', 'grpc-json', '404', 'noRoute'],
      ])
    })

    it('leaves paths without a binding to what the listener does with other requests', async () => {
      await open()
      const refused = await ask('GET', '/elsewhere')
      expect([refused.status, refused.field('x-sluice-reason')]).to.deep.equal([415, 'unsupported'])
    })

    it('refuses other methods of HTTP than those that a path is bound for, and names them', async () => {
      await open()
      for (const method of ['PUT', 'HEAD', 'OPTIONS']) {
        const refused = await ask(method, '/shop/v1/orders/7')
        expect([refused.status, refused.field('allow')?.split(', ').toSorted()], method).to.deep.equal([
          405,
          ['GET', 'PATCH'],
        ])
      }
      const { value } = await call('DELETE', '/shop/v1/orders')
      expect(value).to.deep.equal({ code: 12, message: 'sluice: methodNotAllowed', details: [] })
      expect((await call('GET', '/shop/v1/orders/7')).status).to.equal(200)
    })

    it('refuses a body that is encoded', async () => {
      await open()
      const refused = await ask('POST', '/shop/v1/orders/7:cancel', '{}', [['content-encoding', 'gzip']])
      expect([refused.status, refused.field('x-sluice-reason')]).to.deep.equal([415, 'unsupported'])
      expect((await ask('POST', '/shop/v1/orders/7:cancel', '{}', [['content-encoding', 'identity']])).status).to.equal(
        200,
      )
    })

    it('stands beside ordinary requests on an http listener', async () => {
      await open({
        listener: {
          protocol: 'http',
          transcode: { ...transcoding, services: [orders] },
          routes: [
            { match: { path: '/page' }, respond: { status: 200, body: 'a page' } },
            { match: { service: orders }, upstream: 'shop' },
          ],
        },
      })
      expect(String((await ask('GET', '/page')).body)).to.equal('a page')
      expect((await call('GET', '/shop/v1/orders/7')).value).to.include({ id: '7' })
      // Bound for GET and PATCH: on this listener other methods are somebody else's.
      expect((await ask('PUT', '/shop/v1/orders/7')).status).to.equal(404)
      // Not among the services that are transcoded.
      expect((await ask('GET', '/test/v1/echo/a')).status).to.equal(404)
    })
  })
}

describe('JSON transcoding of requests that come together', () => {
  it('answers them one after the other, in their order', async () => {
    const scene = await GrpcScene.start({ listener: { transcode: transcoding } })
    const client = await scene.stage.client('rpc')
    const post = 'POST /shop/v1/orders/8:cancel HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}'
    const gets = [7, 9].map((id) => `GET /shop/v1/orders/${id} HTTP/1.1\r\nhost: a\r\n\r\n`)
    await client.write(`${gets[0]}${post}${gets[1]}`)
    for (const id of ['7', '8', '9']) {
      const { status, body } = await response(client)
      expect([status, (JSON.parse(String(body)) as { id: string }).id]).to.deep.equal([200, id])
    }
    await scene.close()
  })
})
