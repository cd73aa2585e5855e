// grpc.health.v1 as a listener with `health: true` answers it for itself.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import type { ConfigInput } from 'sluice'
import type { GrpcClient } from '../../../packages/backends/src/index.ts'
import { dataFrame, type RawFields } from '../../../packages/testkit/src/http2/index.ts'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import type { Written } from '../support/stage.ts'
import { GrpcScene, type SceneWritten, transcoding } from './support/grpc-scene.ts'
import { exchange, type HttpClient, httpWays } from './support/http-ways.ts'
import { callHead, echo, framed, framesOf, orders, valueOf } from './support/messages.ts'

const health = 'grpc.health.v1.Health'

interface Told {
  readonly status: string
}

for (const threads of [0, 2]) {
  describe(`a listener's own health, ${threads} threads`, () => {
    let scene: GrpcScene
    let client: GrpcClient

    const open = async ({ listener, ...written }: SceneWritten = {}): Promise<void> => {
      const routes = [
        { match: { service: orders }, upstream: 'shop' },
        { match: { service: echo, method: 'Unary' }, upstream: 'shop' },
      ]
      scene = await GrpcScene.start({ threads, listener: { health: true, routes, ...listener }, ...written })
      client = scene.client()
    }

    afterEach(async () => {
      await scene.close()
    })

    const check = async (service: string) => {
      const { code, messages } = await client.run<Told>(health, 'Check', [{ service }])
      return code === 0 ? messages[0]!.status : code
    }
    const probed = { health: { active: { grpc: orders, interval: '100ms', timeout: '5s', fall: 1, rise: 1 } } }

    it('is SERVING for the whole and for services that routes lead to, NOT_FOUND for others', async () => {
      await open()
      expect(await check('')).to.equal('SERVING')
      expect(await check(orders)).to.equal('SERVING')
      expect(await check(echo)).to.equal('SERVING')
      expect(await check('shop.v1.Nothing')).to.equal(status.NOT_FOUND)
      // It was Sluice that answered.
      expect(scene.stage.stats.upstreams[0]!.endpoints[0]!.connections).to.include({ idle: 0, busy: 0 })
    })

    it('is NOT_SERVING for a service whose upstream is down', async () => {
      await open({ upstream: probed })
      scene.backend.setHealth(orders, 'NOT_SERVING')
      await eventually(async () => (await check(orders)) === 'NOT_SERVING')
      expect(await check('')).to.equal('SERVING')
      scene.backend.setHealth(orders, 'SERVING')
      await eventually(async () => (await check(orders)) === 'SERVING')
    })

    it('tells whoever watches what it is, and when it changes', async () => {
      await open({ upstream: probed })
      const call = client.start<Told>(health, 'Watch', { service: orders })
      expect(await call.message(0)).to.deep.equal({ status: 'SERVING' })
      scene.backend.setHealth(orders, 'NOT_SERVING')
      expect(await call.message(1)).to.deep.equal({ status: 'NOT_SERVING' })
      scene.backend.setHealth(orders, 'SERVING')
      expect(await call.message(2)).to.deep.equal({ status: 'SERVING' })
      call.cancel()
      expect((await call.outcome).code).to.equal(status.CANCELLED)
    })

    // The rest is the business of one thread.
    if (threads > 0) return

    it('takes no permit: a shut gate is no illness', async () => {
      await open({ listener: { gate: { limit: 1, queue: 0 } } })
      const call = client.start(orders, 'Watch', { id: 1, intervalMs: 10_000 })
      await call.message(0)
      expect(await check(orders)).to.equal('SERVING')
      call.cancel()
      await call.outcome
    })

    it('tells whoever watches a service of a new configuration', async () => {
      await open()
      const call = client.start<Told>(health, 'Watch', { service: 'new.v1.Service' })
      expect(await call.message(0)).to.deep.equal({ status: 'SERVICE_UNKNOWN' })
      const { host, port } = scene.backend.address
      await scene.stage.proxy.reload({
        threads,
        drainTimeout: '5s',
        listeners: {
          rpc: { bind: '127.0.0.1:0', protocol: 'grpc', health: true, upstream: `grpc://${host}:${port}` },
        },
      } as ConfigInput)
      expect(await call.message(1)).to.deep.equal({ status: 'SERVING' })
      call.cancel()
      await call.outcome
    })

    it('is NOT_SERVING as soon as it drains, and the watch ends', async () => {
      await open()
      const call = client.start<Told>(health, 'Watch', { service: '' })
      expect(await call.message(0)).to.deep.equal({ status: 'SERVING' })
      const drained = scene.stage.proxy.drain()
      expect(await call.message(1)).to.deep.equal({ status: 'NOT_SERVING' })
      expect((await call.outcome).code).to.equal(status.UNAVAILABLE)
      await drained
      // It was not cut at the deadline of the drain.
      expect(scene.stage.lastAccount).to.include({ status: 'grpc-14', reason: 'ok' })
    })

    it('keeps no timer of a watch that was cancelled', async () => {
      await open()
      const call = client.start<Told>(health, 'Watch', { service: '' })
      await call.message(0)
      call.cancel()
      await call.outcome
      client.close()
      await scene.stage.settled()
      await eventually(() => scene.stage.stats.timers === 0, { what: 'no timer' })
    })

    it('refuses a question that is none', async () => {
      await open()
      const peer = await scene.raw()
      const bad = [framed(Buffer.from([0xff])), Buffer.from([0, 0]), framed(Buffer.alloc(5_000)), Buffer.alloc(0)]
      for (const [i, body] of bad.entries()) {
        const id = 1 + 2 * i
        await peer.send(callHead(id, `/${health}/Check`), dataFrame(id, body, { end: true }))
        const { fields } = await peer.message(id)
        expect(valueOf(fields, 'grpc-status'), `${i}`).to.equal(`${status.INVALID_ARGUMENT}`)
      }
    })

    it('takes questions that are compressed, in the ways that gRPC knows', async () => {
      await open()
      const peer = await scene.raw()
      const question = Buffer.concat([Buffer.from([0x0a, orders.length]), Buffer.from(orders)])
      const large = Buffer.alloc(1_000_000)
      for (const [i, [coding, body, code]] of [
        ['gzip', gzipSync(question), status.OK],
        ['deflate', deflateSync(question), status.OK],
        ['br', brotliCompressSync(question), status.UNIMPLEMENTED],
        ['gzip', question, status.INVALID_ARGUMENT],
        ['gzip', gzipSync(large), status.INVALID_ARGUMENT],
      ].entries() as ArrayIterator<[number, [string, Buffer, number]]>) {
        const id = 1 + 2 * i
        const head = callHead(id, `/${health}/Check`, [['grpc-encoding', coding]])
        await peer.send(head, dataFrame(id, framed(body, 1), { end: true }))
        const { fields, trailers } = await peer.message(id)
        expect(valueOf([...fields, ...trailers], 'grpc-status'), coding).to.equal(`${code}`)
        if (code === status.UNIMPLEMENTED) {
          expect(valueOf(fields, 'grpc-accept-encoding')).to.equal('identity,deflate,gzip')
        }
      }
    })

    for (const way of httpWays) {
      describe(`with gRPC-Web over ${way.name}`, () => {
        const origin = 'https://app.example.com'
        let asker: HttpClient

        const openWeb = async (listener: Written = {}): Promise<void> => {
          // As examples/grpc.yaml has them together.
          const together = { web: { origins: [origin] }, transcode: transcoding, routes: [{ upstream: 'shop' }] }
          await open({ listener: { ...together, ...listener } })
          // Whoever asked the service behind would hear of it.
          scene.backend.setHealth('', 'NOT_SERVING')
          asker = await way.connect(scene.port)
        }
        afterEach(() => asker.close())

        const asking = (contentType: string, method = 'Check', more: RawFields = []) => ({
          method: 'POST',
          target: `/${health}/${method}`,
          fields: [['content-type', contentType], ['origin', origin], ...more] as const,
        })
        const nameOf = (service: string) => Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)])

        it('answers in octets and in base64', async () => {
          await openWeb()
          for (const [type, text] of [
            ['application/grpc-web', false],
            ['application/grpc-web-text', true],
          ] as const) {
            const question = framed(nameOf(orders))
            const body = text ? question.toString('base64') : question
            const answer = await exchange(asker, asking(`${type}+proto`), body)
            expect(answer.field('content-type'), type).to.equal(`${type}+proto`)
            expect(answer.field('access-control-allow-origin'), type).to.equal(origin)
            // Base64 of one frame after the other.
            const pieces = text ? String(answer.body).match(/[\w+/]+=*/g)! : []
            const octets = text ? Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))) : answer.body
            const [told, trailers, ...more] = framesOf(octets)
            expect(told!.content.toString('hex'), type).to.equal('0801')
            expect([trailers!.flags, String(trailers!.content), more.length], type).to.deep.equal([
              0x80,
              'grpc-status: 0\r\n',
              0,
            ])
          }
          // It was Sluice that answered, and counted them as what they are.
          expect(scene.stage.stats.upstreams[0]!.endpoints[0]!.connections).to.include({ idle: 0, busy: 0 })
          await eventually(() => scene.stage.accounts.length === 2)
          expect(scene.stage.lastAccount).to.include({ protocol: 'grpc-web', status: 'grpc-0', reason: 'ok' })
        })

        it('says in the head what is wrong with a question, to pages of configured origins', async () => {
          await openWeb({ routes: [{ match: { service: orders }, upstream: 'shop' }] })
          for (const [body, code] of [
            [framed(nameOf('shop.v1.Nothing')), status.NOT_FOUND],
            [framed(Buffer.from([0xff])), status.INVALID_ARGUMENT],
            [framed(Buffer.alloc(5_000)), status.INVALID_ARGUMENT],
          ] as const) {
            const { status: http, field } = await exchange(asker, asking('application/grpc-web'), body)
            expect([http, field('grpc-status')]).to.deep.equal([200, `${code}`])
            expect(field('access-control-allow-origin')).to.equal(origin)
          }
        })

        it('tells whoever watches when it changes', async () => {
          await open({
            upstream: probed,
            listener: { web: { origins: [origin] }, routes: [{ match: { host: 'sluice.test' }, upstream: 'shop' }] },
          })
          asker = await way.connect(scene.port)
          const body = framed(nameOf(orders))
          const watch = await asker.begin(
            asking('application/grpc-web', 'Watch', [['content-length', `${body.length}`]]),
          )
          await watch.send(body, { end: true })
          await watch.head()
          let told = Buffer.alloc(0)
          const tells = async (word: string): Promise<void> => {
            while (told.length < 7) told = Buffer.concat([told, await watch.piece()])
            expect(told.subarray(0, 7).toString('hex')).to.equal(word)
            told = told.subarray(7)
          }
          await tells('00000000020801')
          scene.backend.setHealth(orders, 'NOT_SERVING')
          await tells('00000000020802')
          scene.backend.setHealth(orders, 'SERVING')
          await tells('00000000020801')
          await watch.leave()
          await eventually(() => scene.stage.accounts.length === 1)
          expect(scene.stage.lastAccount).to.include({ protocol: 'grpc-web', reason: 'clientGone' })
        })

        it('leaves what is no question on these paths to where it would go elsewhere', async () => {
          await openWeb()
          const target = `/${health}/Check`
          expect((await exchange(asker, { method: 'GET', target })).status).to.equal(415)
          const got = await exchange(asker, { ...asking('application/grpc-web'), method: 'GET' })
          expect(got.field('grpc-status')).to.equal(`${status.UNIMPLEMENTED}`)
          // Over HTTP/2 it is the service behind that refuses a GET.
          const call = await exchange(asker, { ...asking('application/grpc'), method: 'GET' })
          expect([call.status, call.field('grpc-status')]).to.deep.equal(
            way.name === 'HTTP/2' ? [200, `${status.UNIMPLEMENTED}`] : [415, undefined],
          )
          const preflight = (from: string) =>
            exchange(asker, {
              method: 'OPTIONS',
              target,
              fields: [
                ['origin', from],
                ['access-control-request-method', 'POST'],
                ['access-control-request-headers', 'content-type,x-grpc-web'],
              ],
            })
          const { status: http, field } = await preflight(origin)
          expect([http, field('access-control-allow-origin')]).to.deep.equal([204, origin])
          expect((await preflight('https://evil.example')).status).to.equal(403)
          expect(await check('')).to.equal('SERVING')
        })

        it('is no business of a listener without gRPC-Web, or without its own health', async () => {
          await openWeb({ web: undefined })
          const question = framed(Buffer.alloc(0))
          expect((await exchange(asker, asking('application/grpc-web'), question)).status).to.equal(415)
          await asker.close()
          await scene.close()
          await openWeb({ health: false })
          const { body } = await exchange(asker, asking('application/grpc-web'), question)
          expect(framesOf(body)[0]!.content.toString('hex')).to.equal('0802')
        })
      })
    }

    it('keeps what it needs of the head of a question that came in one piece', async () => {
      const listener = {
        web: { origins: ['*'] },
        routes: [{ match: { host: 'sluice.test', headers: { 'x-tenant': 'a' } }, upstream: 'shop' }],
      }
      await open({ upstream: probed, listener })
      const peer = await scene.stage.client('rpc')
      const fields = 'host: sluice.test\r\nx-tenant: a\r\ncontent-type: application/grpc-web\r\n'
      const question = framed(Buffer.concat([Buffer.from([0x0a, orders.length]), Buffer.from(orders)]))
      const head = `POST /${health}/Watch HTTP/1.1\r\n${fields}content-length: ${question.length}\r\n\r\n`
      await peer.write(Buffer.concat([Buffer.from(head), question]))
      await peer.readUntil(Buffer.from('00000000020801', 'hex'))
      scene.backend.setHealth(orders, 'NOT_SERVING')
      await peer.readUntil(Buffer.from('00000000020802', 'hex'))
      peer.rst()
    })

    it("is the upstream's where the listener does not say it answers", async () => {
      await open({ listener: { health: false, routes: [{ upstream: 'shop' }] } })
      scene.backend.setHealth('', 'NOT_SERVING')
      expect(await check('')).to.equal('NOT_SERVING')
    })
  })
}
