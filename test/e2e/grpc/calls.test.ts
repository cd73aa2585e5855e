// Calls that end well: where they go, how they count, and that nothing of them changes on the way.
import { gzipSync } from 'node:zlib'
import { compressionAlgorithms, status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { type GrpcBackend, startGrpcBackend, startHttpBackend } from '../../../packages/backends/src/index.ts'
import { ask as askAdmin } from '../../../packages/sluice/test/support/ask-admin.ts'
import { dataFrame, h2, headersFrame, RawHttp2, type RawFields } from '../../../packages/testkit/src/http2/index.ts'
import { eventually, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import { ask, get, request } from '../support/ask.ts'
import { GrpcScene, type SceneWritten } from './support/grpc-scene.ts'
import { callHead, echo, framed, orders, valueOf, wholeCall } from './support/messages.ts'

const reflection = 'grpc.reflection.v1.ServerReflection'

describe('calls of gRPC', () => {
  let scene: GrpcScene
  let others: { close(): Promise<void> }[]

  const open = async (written: SceneWritten = {}): Promise<void> => {
    scene = await GrpcScene.start(written)
  }

  beforeEach(() => {
    others = []
  })

  afterEach(async () => {
    await scene.close()
    for (const other of others) await other.close()
  })

  describe('go where their service and method lead', () => {
    const named = async (name: string): Promise<GrpcBackend> => {
      const backend = await startGrpcBackend({ name })
      others.push(backend)
      return backend
    }

    it('the more specific route first, and packages by their prefix', async () => {
      const [method, service, whole] = [await named('method'), await named('service'), await named('package')]
      const to = ({ address }: GrpcBackend) => `grpc://127.0.0.1:${address.port}`
      await open({
        listener: {
          routes: [
            { name: 'package', match: { service: 'sluice.test.*' }, upstream: to(whole) },
            { name: 'unary', match: { service: echo, method: ['Unary', 'Bidi'] }, upstream: to(method) },
            { name: 'orders', match: { service: orders }, upstream: to(service) },
            { name: 'canary', match: { service: echo, headers: { 'x-canary': '1' } }, upstream: to(service) },
          ],
        },
      })
      const client = scene.client()
      const backendOf = async (call: string, metadata = {}) => {
        const { code, messages } = await client.run(echo, call, [{}], { metadata })
        return code === status.OK ? messages[0]!['backend'] : code
      }
      expect(await backendOf('Unary')).to.equal('method')
      expect(await backendOf('Bidi')).to.equal('method')
      expect(await backendOf('ServerStream')).to.equal('package')
      expect(await backendOf('ServerStream', { 'x-canary': '1' })).to.equal('service')
      expect((await client.run(orders, 'Get', [{ id: 1 }])).code).to.equal(status.OK)
      expect((await client.run('grpc.testing.TestService', 'EmptyCall', [{}])).code).to.equal(status.UNIMPLEMENTED)
      await eventually(() => scene.stage.accounts.length === 6)
      expect(scene.stage.accounts.map(({ route }) => route)).to.deep.equal([
        'rpc/unary',
        'rpc/unary',
        'rpc/package',
        'rpc/canary',
        'rpc/orders',
        '-',
      ])
    })

    it('and count one by one at the gate of their method, on however few connections', async () => {
      await open({
        listener: {
          routes: [
            {
              name: 'unary',
              match: { service: echo, method: 'Unary' },
              upstream: 'shop',
              gate: { limit: 3, queue: 100 },
            },
            { upstream: 'shop' },
          ],
        },
      })
      const client = scene.client()
      const long = await scene.longCall()
      const calls = Array.from({ length: 60 }, () => client.run(echo, 'Unary', [{ behaviour: { delayMs: 10 } }]))
      await scene.stage.atGate('route:rpc/unary', { running: 3 })
      expect(new Set((await Promise.all(calls)).map(({ code }) => code))).to.deep.equal(new Set([0]))
      // Three, and the one on the other route.
      expect(scene.backend.stats().max).to.equal(4)
      long.cancel()
    })
  })

  it('are counted by method where it has a route, with the status of gRPC', async () => {
    await open({
      config: { admin: { bind: '127.0.0.1:0' } },
      listener: {
        routes: [{ name: 'unary', match: { service: echo, method: 'Unary' }, upstream: 'shop' }, { upstream: 'shop' }],
      },
    })
    const client = scene.client()
    await client.run(echo, 'Unary', [{}])
    await client.run(echo, 'Unary', [{ behaviour: { status: 9 } }])
    await client.run(echo, 'ServerStream', [{ behaviour: { status: 5, failAfter: 1 } }])
    await client.run(echo, 'Unary', [{}], { metadata: { 'x-misbehave': 'refuse&code=11' } })
    const { port } = scene.stage.proxy.adminAddress as { port: number }
    const line = (route: string, code: number, reason: string) =>
      `sluice_requests_total{listener="rpc",route="rpc/${route}",upstream="shop",protocol="grpc",status="grpc-${code}",reason="${reason}"} 1`
    const { body } = await askAdmin(port, '/metrics')
    expect(body.split('\n').filter((text) => text.startsWith('sluice_requests_total'))).to.have.members([
      line('unary', 0, 'ok'),
      line('unary', 9, 'ok'),
      line('*', 5, 'ok'),
      line('unary', 8, 'upstreamReset'),
    ])
  })

  describe('pass unchanged', () => {
    /** A call through Sluice to a server that speaks by hand: both ends of it. */
    const both = async (): Promise<{ peer: RawHttp2; upstream: () => Promise<RawHttp2> }> => {
      const server = await RawServer.start()
      await open({ upstream: { endpoints: [`grpc://127.0.0.1:${server.port}`] } })
      scene.closesFirst(server)
      return { peer: await scene.raw(), upstream: async () => await RawHttp2.accept(await server.accept()) }
    }

    const metadata: RawFields = [
      ['x-text', 'a, b ; c=~!'],
      ['x-any-bin', 'AAEC/v8'],
      ['x-any-bin', 'AAEC/v8='],
      ['x-empty-bin', ''],
      ['x-repeated', 'one'],
      ['x-repeated', 'two'],
    ]
    const own = (fields: RawFields) =>
      fields.filter(([name]) => name.startsWith('x-') && !name.startsWith('x-forwarded') && name !== 'x-real-ip')

    it('metadata of any kind, in its order, repeated where it was: up, in the head and in the trailers', async () => {
      const { peer, upstream } = await both()
      await peer.send(wholeCall(1, { more: metadata }))
      const server = await upstream()
      const { id, fields } = await server.next({ type: h2.headers })
      expect(own(fields!)).to.deep.equal(metadata)
      expect(valueOf(fields!, 'te')).to.equal('trailers')
      expect(valueOf(fields!, 'content-type')).to.equal('application/grpc')
      const back = metadata.slice(1)
      await server.send(
        headersFrame(id, [[':status', '200'], ['content-type', 'application/grpc'], ...back], h2.endHeaders),
        headersFrame(id, [['grpc-status', '0'], ['grpc-message', '100%25 %E2%80%94'], ...back]),
      )
      const { fields: head, trailers } = await peer.message(1)
      expect(own(head)).to.deep.equal(back)
      expect(trailers).to.deep.equal([['grpc-status', '0'], ['grpc-message', '100%25 %E2%80%94'], ...back])
    })

    it('messages, compressed ones too, in whatever frames they come', async () => {
      const { peer, upstream } = await both()
      const compressed = framed(gzipSync('compressed'), 1)
      const fields: RawFields = [
        ['grpc-encoding', 'gzip'],
        ['grpc-accept-encoding', 'identity,deflate,gzip'],
      ]
      await peer.send(
        callHead(1, `/${echo}/Unary`, fields),
        ...Array.from(compressed, (_, i) => dataFrame(1, compressed.subarray(i, i + 1))),
        dataFrame(1, '', { end: true }),
      )
      const server = await upstream()
      const { id, fields: head } = await server.next({ type: h2.headers })
      expect(fields.map(([name]) => valueOf(head!, name))).to.deep.equal(fields.map(([, value]) => value))
      const content: Buffer[] = []
      for (let end = false; !end; ) {
        const { payload, flags } = await server.next({ type: h2.data, id })
        content.push(payload)
        end = (flags & h2.endStream) !== 0
      }
      expect(Buffer.concat(content)).to.deep.equal(compressed)
      await server.send(
        headersFrame(
          id,
          [[':status', '200'], ['content-type', 'application/grpc+proto'], ...fields.slice(0, 1)],
          h2.endHeaders,
        ),
        dataFrame(id, compressed),
        headersFrame(id, [['grpc-status', '0']]),
      )
      const answer = await peer.message(1)
      expect([valueOf(answer.fields, 'content-type'), valueOf(answer.fields, 'grpc-encoding')]).to.deep.equal([
        'application/grpc+proto',
        'gzip',
      ])
      expect(answer.content).to.deep.equal(compressed)
    })

    it('calls of clients that compress', async () => {
      await open()
      const client = scene.client({ 'grpc.default_compression_algorithm': compressionAlgorithms.gzip })
      const { code, messages } = await client.run(echo, 'Unary', [{ text: 'a'.repeat(10_000) }])
      expect([code, (messages[0]!['text'] as string).length]).to.deep.equal([0, 10_000])
    })

    it('reflection', async () => {
      await open()
      const { messages } = await scene.client().run(reflection, 'ServerReflectionInfo', [
        { host: '', listServices: '' },
        { host: '', fileContainingSymbol: orders },
      ])
      const { service } = messages[0]!['listServicesResponse'] as { service: { name: string }[] }
      expect(service.map(({ name }) => name)).to.include.members([echo, orders, reflection])
      const { fileDescriptorProto } = messages[1]!['fileDescriptorResponse'] as { fileDescriptorProto: Buffer[] }
      expect(fileDescriptorProto.length).to.be.greaterThan(0)
    })
  })

  describe('stand beside other requests', () => {
    it('which a grpc listener refuses with 415, in either version of HTTP', async () => {
      await open()
      const client = await scene.stage.client('rpc')
      for (const asked of [get('/'), request('POST', `/${echo}/Unary`, ['Content-Type: application/grpc'])]) {
        const { status: code, header } = await ask(client, asked)
        expect([code, header('x-sluice-reason')]).to.deep.equal([415, 'unsupported'])
      }
      const peer = await scene.raw()
      for (const [id, contentType] of [
        [1, 'application/json'],
        [3, 'application/grpcfoo'],
        [5, 'application/grpc-web'],
      ] as const) {
        await peer.send(callHead(id, `/${echo}/Unary`, [], { contentType, end: true }))
        const { status: code, fields } = await peer.message(id)
        expect([code, valueOf(fields, 'x-sluice-reason')], contentType).to.deep.equal([415, 'unsupported'])
      }
      expect(scene.backend.stats().total).to.equal(0)
    })

    it('and take any suffix and parameter of their own', async () => {
      await open()
      const peer = await scene.raw()
      for (const [id, contentType] of [
        [1, 'application/grpc+proto'],
        [3, 'application/grpc; charset=utf-8'],
        [5, 'Application/Grpc'],
      ] as const) {
        await peer.send(
          callHead(id, `/${echo}/Unary`, [], { contentType }),
          dataFrame(id, framed(Buffer.from([0x0a, 1, 0x61])), { end: true }),
        )
        await peer.message(id)
      }
      await eventually(() => scene.stage.accounts.length === 3)
      expect(new Set(scene.stage.accounts.map(({ protocol }) => protocol))).to.deep.equal(new Set(['grpc']))
    })

    it('which a grpc listener passes on with `other: pass`', async () => {
      const http = await startHttpBackend()
      others.push(http)
      await open({
        listener: {
          other: 'pass',
          routes: [
            { match: { path: '/page' }, upstream: `http://127.0.0.1:${http.address.port}` },
            { match: { service: echo }, upstream: 'shop' },
          ],
        },
      })
      const client = await scene.stage.client('rpc')
      expect((await ask(client, get('/page'))).status).to.equal(200)
      expect((await ask(client, get('/elsewhere'))).status).to.equal(404)
      expect((await scene.client().run(echo, 'Unary', [{}])).code).to.equal(status.OK)
    })

    it('on an http listener: one port, one upstream of each kind', async () => {
      const http = await startHttpBackend()
      others.push(http)
      await open({
        listener: {
          protocol: 'http',
          routes: [
            { match: { service: echo }, upstream: 'shop' },
            { upstream: `http://127.0.0.1:${http.address.port}` },
          ],
        },
      })
      const client = await scene.stage.client('rpc')
      expect((await ask(client, get('/page'))).status).to.equal(200)
      const outcome = await scene.client().run(echo, 'ServerStream', [{ behaviour: { responses: 3 } }])
      expect([outcome.code, outcome.messages.length]).to.deep.equal([0, 3])
      await eventually(() => scene.stage.accounts.length === 2)
      expect(scene.stage.accounts.map(({ protocol, status: code }) => [protocol, code])).to.deep.equal([
        ['http', '200'],
        ['grpc', 'grpc-0'],
      ])
    })
  })
})

describe('the gate of a method over two threads', () => {
  it('lets exactly as many calls run as its limit says', async () => {
    const scene = await GrpcScene.start({
      threads: 2,
      listener: {
        routes: [
          {
            name: 'unary',
            match: { service: echo, method: 'Unary' },
            upstream: 'shop',
            gate: { limit: 3, queue: 500, timeout: '20s' },
          },
          { upstream: 'shop' },
        ],
      },
    })
    const clients = Array.from({ length: 10 }, () => scene.client())
    const calls = Array.from({ length: 300 }, (_, i) =>
      clients[i % 10]!.run(echo, 'Unary', [{ behaviour: { delayMs: i % 5 } }]),
    )
    expect(new Set((await Promise.all(calls)).map(({ code }) => code))).to.deep.equal(new Set([0]))
    expect(scene.backend.stats()).to.include({ max: 3, total: 300 })
    await scene.close()
  })
})
