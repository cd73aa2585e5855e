// grpc.health.v1 as a listener with `health: true` answers it for itself.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import type { ConfigInput } from 'sluice'
import type { GrpcClient } from '../../../packages/backends/src/index.ts'
import { dataFrame } from '../../../packages/testkit/src/http2/index.ts'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { GrpcScene, type SceneWritten } from './support/grpc-scene.ts'
import { exchange, httpWays } from './support/http-ways.ts'
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

    it('is asked by gRPC: what else has these paths goes where it would go elsewhere', async () => {
      await open({ listener: { web: { origins: ['https://app.example.com'] }, routes: [{ upstream: 'shop' }] } })
      scene.backend.setHealth('', 'NOT_SERVING')
      const target = `/${health}/Check`
      for (const way of httpWays) {
        const asker = await way.connect(scene.port)
        expect((await exchange(asker, { method: 'GET', target })).status, `GET, ${way.name}`).to.equal(415)
        const preflight = await exchange(asker, {
          method: 'OPTIONS',
          target,
          fields: [
            ['origin', 'https://app.example.com'],
            ['access-control-request-method', 'POST'],
            ['access-control-request-headers', 'content-type,x-grpc-web'],
          ],
        })
        expect(preflight.status, `preflight, ${way.name}`).to.equal(204)
        // A page asks the service behind, over either version.
        const web = await exchange(
          asker,
          {
            method: 'POST',
            target,
            fields: [
              ['content-type', 'application/grpc-web+proto'],
              ['origin', 'https://app.example.com'],
            ],
          },
          framed(Buffer.alloc(0)),
        )
        expect(web.field('content-type'), way.name).to.equal('application/grpc-web+proto')
        expect(web.field('access-control-allow-origin'), way.name).to.equal('https://app.example.com')
        expect(framesOf(web.body)[0]!.content.toString('hex'), way.name).to.equal('0802')
        await asker.close()
      }
      expect(await check('')).to.equal('SERVING')
    })

    it("is the upstream's where the listener does not say it answers", async () => {
      await open({ listener: { health: false, routes: [{ upstream: 'shop' }] } })
      scene.backend.setHealth('', 'NOT_SERVING')
      expect(await check('')).to.equal('NOT_SERVING')
    })
  })
}
