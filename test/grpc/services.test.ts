import { join } from 'node:path'
import { credentials, status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { type GrpcBackend, GrpcClient, protosDir, startGrpcBackend } from '../../packages/backends/src/index.ts'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { Authority } from '../e2e/support/certificates.ts'
import { Stage } from '../e2e/support/stage.ts'
import { interopCases } from './interop.ts'

const echo = 'sluice.test.v1.Echo'
const orders = 'shop.v1.Orders'
const health = 'grpc.health.v1.Health'
const bind = '127.0.0.1:0'

describe('gRPC through TLS on both sides', () => {
  let authority: Authority
  let backend: GrpcBackend
  let stage: Stage
  let client: GrpcClient

  before(async () => {
    authority = new Authority()
    const certificate = authority.issue('listener')
    const tls = { cert: certificate.certFile, key: certificate.keyFile }
    backend = await startGrpcBackend({ tls: certificate })
    stage = await Stage.start({
      listeners: { rpc: { bind, protocol: 'grpc', tls, upstream: 'grpc' } },
      upstreams: {
        grpc: {
          endpoints: [`grpcs://127.0.0.1:${backend.address.port}`],
          tls: { ca: authority.caFile, serverName: 'localhost' },
        },
      },
    })
  })

  beforeEach(() => {
    client = new GrpcClient(`localhost:${stage.port('rpc')}`, {}, credentials.createSsl(Buffer.from(authority.ca)))
  })

  afterEach(async () => {
    client.close()
    await stage.settled()
  })

  after(async () => {
    await stage.close()
    await backend.close()
    authority.remove()
  })

  for (const [name, run] of Object.entries(interopCases)) it(name, () => run(client))
})

describe('Services through Sluice', () => {
  let backends: GrpcBackend[]
  let stage: Stage
  let client: GrpcClient

  before(async () => {
    backends = [await startGrpcBackend({ name: 'a' }), await startGrpcBackend({ name: 'b' })]
    const endpoints = backends.map(({ address }) => `grpc://127.0.0.1:${address.port}`)
    const transcode = { protos: [join(protosDir, 'shop/v1/orders.proto')], includes: [protosDir], services: [orders] }
    stage = await Stage.start({
      listeners: {
        rpc: { bind, protocol: 'grpc', upstream: 'checked', health: true, transcode },
        plain: { bind, protocol: 'grpc', upstream: 'grpc' },
        web: { bind, protocol: 'http', upstream: 'grpc', transcode },
      },
      upstreams: {
        grpc: { endpoints },
        checked: { endpoints, health: { active: { grpc: echo, interval: '100ms', timeout: '1s', fall: 1, rise: 1 } } },
      },
    })
  })

  beforeEach(() => {
    client = new GrpcClient(`127.0.0.1:${stage.port('rpc')}`)
  })

  afterEach(() => client.close())

  after(async () => {
    await stage.close()
    for (const backend of backends) await backend.close()
  })

  it('an endpoint that is not serving gets no calls until it is', async () => {
    const backendsOf = async (): Promise<string[]> => {
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => client.run(echo, 'Unary')))
      expect(outcomes.map(({ code }) => code)).to.deep.equal(Array(8).fill(status.OK))
      return [...new Set(outcomes.map(({ messages }) => messages[0]!.backend as string))].toSorted((x, y) =>
        x.localeCompare(y),
      )
    }
    expect(await backendsOf()).to.deep.equal(['a', 'b'])
    backends[0]!.setHealth(echo, 'NOT_SERVING')
    await eventually(async () => (await backendsOf()).join() === 'b')
    backends[0]!.setHealth(echo, 'SERVING')
    await eventually(async () => (await backendsOf()).join() === 'a,b')
  })

  it('the listener answers grpc.health.v1 for itself where it is told to', async () => {
    const own = await client.run(health, 'Check')
    expect([own.code, own.messages[0]]).to.deep.equal([status.OK, { status: 'SERVING' }])
    const plain = new GrpcClient(`127.0.0.1:${stage.port('plain')}`)
    for (const backend of backends) backend.setHealth('', 'NOT_SERVING')
    expect((await plain.run(health, 'Check')).messages[0], 'of the upstream').to.deep.equal({ status: 'NOT_SERVING' })
    expect((await client.run(health, 'Check')).messages[0], 'of Sluice').to.deep.equal({ status: 'SERVING' })
    plain.close()
  })

  it('reflection passes', async () => {
    const call = client.start('grpc.reflection.v1.ServerReflection', 'ServerReflectionInfo')
    await call.send({ fileContainingSymbol: orders })
    expect((await call.message(0)).fileDescriptorResponse)
      .to.have.property('fileDescriptorProto')
      .with.length(2)
    call.halfClose()
    expect((await call.outcome).code).to.equal(status.OK)
  })

  for (const listener of ['rpc', 'web']) {
    describe(`JSON on the ${listener} listener`, () => {
      const ask = (path: string, init: RequestInit = {}) =>
        fetch(`http://127.0.0.1:${stage.port(listener)}${path}`, {
          ...init,
          // The end of the stage awaits that of every connection.
          headers: { 'content-type': 'application/json', connection: 'close' },
        })

      it('fills nested and repeated fields from the path and the query', async () => {
        const response = await ask('/shop/v1/orders/7?view=FULL&page.size=2&page.token=x&tags=a&tags=b')
        expect(response.status).to.equal(200)
        const order = (await response.json()) as Record<string, unknown>
        expect(order).to.deep.include({ id: '7', state: 'PLACED', placedAt: '2026-01-01T00:00:00.500Z' })
        expect(order.signature).to.equal('+/8ABw==')
        expect(order.labels).to.deep.equal({ priority: 'high', 'with space': 'ä' })
        expect(order.items).to.have.length(2)
        expect(order.asked).to.deep.include({ view: 'FULL', tags: ['a', 'b'], page: { size: 2, token: 'x' } })
        const named = (await (await ask('/shop/v1/customers/c/orders/8')).json()) as Record<string, unknown>
        expect(named.id).to.equal('8')
      })

      it('takes a body, whole or for one field', async () => {
        const placed = await ask('/shop/v1/orders?dryRun=true', {
          method: 'POST',
          body: JSON.stringify({ customer: 'c', items: [{ sku: 's', quantity: 2, price: 1.5 }] }),
        })
        expect(await placed.json()).to.deep.include({ id: '100', customer: 'c', state: 'PLACED' })
        const cancelled = await ask('/shop/v1/orders/5:cancel', {
          method: 'POST',
          body: JSON.stringify({ reason: 'late' }),
        })
        expect(await cancelled.json()).to.deep.include({ id: '5', state: 'CANCELLED', labels: { reason: 'late' } })
      })

      it('answers a field of the response, and a stream line by line', async () => {
        const list = (await (await ask('/shop/v1/orderlist?page.size=2')).json()) as { id: string }[]
        expect(list.map(({ id }) => id)).to.deep.equal(['1', '2'])
        const watched = await (await ask('/shop/v1/orders/7:watch?intervalMs=5')).text()
        const lines = watched
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as { state: string })
        expect(lines.map(({ state }) => state)).to.deep.equal(['PLACED', 'SENT', 'DELIVERED'])
      })

      it('answers errors as google.rpc.Status', async () => {
        const absent = await ask('/shop/v1/orders/1000')
        expect(absent.status).to.equal(404)
        expect(await absent.json()).to.deep.include({ code: 5, message: 'there is no order 1000' })
        const bad = await ask('/shop/v1/orders/seven')
        expect([bad.status, ((await bad.json()) as { code: number }).code]).to.deep.equal([400, 3])
        const empty = await ask('/shop/v1/orders', {
          method: 'POST',
          body: '{}',
        })
        expect([empty.status, ((await empty.json()) as { code: number }).code]).to.deep.equal([400, 3])
      })
    })
  }
})
