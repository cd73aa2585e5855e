import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import { credentials, Metadata, status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { eventually } from '../../testkit/src/raw/index.ts'
import { Authority } from '../../../test/e2e/support/certificates.ts'
import { type GrpcBackend, GrpcClient, randomBytesOf, startGrpcBackend } from '../src/index.ts'

const echo = 'sluice.test.v1.Echo'
const orders = 'shop.v1.Orders'

/** A bare HTTP/2 session with a backend. */
function rawSession(backend: GrpcBackend) {
  const session = connect(`http://127.0.0.1:${backend.address.port}`).on('error', () => undefined)
  const goaways: number[] = []
  session.on('goaway', (_, last) => goaways.push(last))
  /** A unary call of the echo service: its status, its reset, or `undefined` when it just broke off. */
  const call = (headers: Record<string, string>): Promise<string | undefined> =>
    new Promise((resolve) => {
      const head = { ':method': 'POST', ':path': `/${echo}/Unary`, 'content-type': 'application/grpc', te: 'trailers' }
      const stream = session.request({ ...head, ...headers })
      let end: string | undefined
      stream.on('response', (fields) => (end = fields['grpc-status'] as string | undefined))
      stream.on('trailers', (fields) => (end = fields['grpc-status'] as string | undefined))
      stream.on('error', () => stream.rstCode !== constants.NGHTTP2_CANCEL && (end = `reset ${stream.rstCode}`))
      stream.on('close', () => resolve(end))
      stream.end(Buffer.alloc(5))
      stream.resume()
    })
  return { session, goaways, call, ended: once(session, 'close') }
}

interface Reflected {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] }
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] }
  readonly errorResponse?: object
}

describe('gRPC backend', () => {
  let backend: GrpcBackend
  let client: GrpcClient
  const misbehaving = (wish: string) => ({ metadata: { 'x-misbehave': wish } })

  before(async () => {
    backend = await startGrpcBackend({ name: 'grpc-1' })
  })

  beforeEach(() => {
    backend.resetStats()
    client = new GrpcClient(`127.0.0.1:${backend.address.port}`)
  })

  afterEach(async () => {
    client.close()
    await eventually(() => backend.stats().running === 0)
  })

  after(() => backend.close())

  it('answers one message with its text and payload', async () => {
    const payload = randomBytesOf(100_000, 1)
    const { code, messages } = await client.run(echo, 'Unary', [{ text: 'hé', payload }])
    expect([code, messages.length]).to.deep.equal([status.OK, 1])
    expect(messages[0]).to.deep.equal({ text: 'hé', payload, backend: 'grpc-1', index: 0, metadata: [] })
  })

  it('tells the metadata that came, and sends what it is asked to, before and after', async () => {
    const metadata = new Metadata()
    metadata.add('x-two', 'a')
    metadata.add('x-two', 'b')
    metadata.add('x-some-bin', Buffer.from([0, 255]))
    const headers = [{ key: 'x-first', values: [Buffer.from('1'), Buffer.from('2')] }]
    const trailers = [{ key: 'x-last-bin', values: [Buffer.from([255, 0])] }]
    const behaviour = { headers, trailers, tellMetadata: true }
    const outcome = await client.run<{ metadata: unknown[] }>(echo, 'Unary', [{ behaviour }], { metadata })
    expect(outcome.messages[0]!.metadata).to.deep.include.members([
      { key: 'x-two', values: [Buffer.from('a, b')] },
      { key: 'x-some-bin', values: [Buffer.from([0, 255])] },
    ])
    expect(outcome.headers.get('x-first')).to.deep.equal(['1, 2'])
    expect(outcome.trailers.get('x-last-bin')).to.deep.equal([Buffer.from([255, 0])])
  })

  it('sums up a stream of messages', async () => {
    const parts = [randomBytesOf(70_000, 1), Buffer.alloc(0), randomBytesOf(3, 2)]
    const requests = parts.map((payload, i) => ({ payload, text: `t${i}` }))
    const { messages } = await client.run(echo, 'ClientStream', requests)
    const payloadSha256 = createHash('sha256').update(Buffer.concat(parts)).digest()
    const sum = { messages: 3, payloadBytes: 70_003, payloadSha256, text: 't0 t1 t2', backend: 'grpc-1' }
    expect(messages).to.deep.equal([sum])
  })

  it('answers one message with a stream, of any size', async () => {
    const behaviour = { responses: 20, responseBytes: 100_000 }
    const { code, messages } = await client.run(echo, 'ServerStream', [{ text: 'a', behaviour }])
    expect(code).to.equal(status.OK)
    expect(messages.map(({ index }) => index)).to.deep.equal(Array.from({ length: 20 }, (_, i) => i))
    expect(messages.every(({ payload }) => (payload as Buffer).length === 100_000)).to.equal(true)
  })

  it('answers each message of a stream as it comes', async () => {
    const call = client.start<{ text: string; index: number }>(echo, 'Bidi')
    for (const [index, text] of ['a', 'b', 'c'].entries()) {
      await call.send({ text })
      expect(await call.message(index)).to.include({ text, index })
    }
    expect(backend.stats()).to.deep.equal({ running: 1, max: 1, total: 1, aborted: 0 })
    call.halfClose()
    expect((await call.outcome).code).to.equal(status.OK)
  })

  for (const [method, after] of [
    ['Unary', 0],
    ['ClientStream', 0],
    ['ServerStream', 0],
    ['ServerStream', 2],
    ['Bidi', 0],
    ['Bidi', 1],
  ] as const) {
    it(`ends ${method} with a status after ${after} answers when asked`, async () => {
      const trailers = [{ key: 'x-last', values: [Buffer.from('z')] }]
      const behaviour = { status: 9, statusMessage: 'no — 100 %', failAfter: after, responses: 3, trailers }
      const outcome = await client.run(echo, method, [{ behaviour }])
      expect([outcome.code, outcome.details]).to.deep.equal([9, 'no — 100 %'])
      expect(outcome.messages.length).to.equal(after)
      expect(outcome.trailers.get('x-last')).to.deep.equal(['z'])
    })
  }

  it('waits before it answers when asked', async () => {
    const started = performance.now()
    await client.run(echo, 'Unary', [{ behaviour: { delayMs: 30 } }])
    expect(performance.now() - started).to.be.at.least(29)
  })

  it('counts calls at once and those that are cancelled', async () => {
    const hanging = Array.from({ length: 5 }, () => client.start(echo, 'Unary', {}, misbehaving('hang')))
    await eventually(() => backend.stats().running === 5)
    for (const call of hanging) call.cancel()
    await eventually(() => backend.stats().running === 0)
    await client.run(echo, 'Unary')
    expect(backend.stats()).to.deep.equal({ running: 0, max: 5, total: 6, aborted: 5 })
  })

  it('says on cue that a service is serving or not', async () => {
    const check = async () => (await client.run('grpc.health.v1.Health', 'Check', [{ service: echo }])).messages[0]
    expect(await check()).to.deep.equal({ status: 'SERVING' })
    const watch = client.start('grpc.health.v1.Health', 'Watch', { service: echo })
    await watch.message(0)
    backend.setHealth(echo, 'NOT_SERVING')
    expect(await check()).to.deep.equal({ status: 'NOT_SERVING' })
    expect(await watch.message(1)).to.deep.equal({ status: 'NOT_SERVING' })
    watch.cancel()
    backend.setHealth(echo, 'SERVING')
    const unknown = await client.run('grpc.health.v1.Health', 'Check', [{ service: 'pigeon' }])
    expect(unknown.code).to.equal(status.NOT_FOUND)
    expect(backend.stats().total, 'health is not counted').to.equal(0)
  })

  it('has orders, by id and by name, in full and in brief', async () => {
    const full = await client.run(orders, 'Get', [{ id: 7, view: 'FULL', tags: ['a', 'b'], page: { size: 2 } }])
    expect(full.messages[0]).to.deep.include({ id: 7, shipTo: { street: '7 High Street', city: 'Ely' } })
    expect(full.messages[0]!.items).to.have.length(2)
    expect(full.messages[0]!.asked).to.deep.include({ tags: ['a', 'b'], page: { size: 2, token: '' } })
    const brief = await client.run(orders, 'Get', [{ name: 'customers/c/orders/8', view: 'BASIC' }])
    expect(brief.messages[0]).to.deep.include({ id: 8, items: [], shipTo: null })
    expect((await client.run(orders, 'Get', [{ id: 1_000 }])).code).to.equal(status.NOT_FOUND)
    const placed = await client.run(orders, 'Place', [{ order: { items: [{ sku: 's' }] } }])
    expect(placed.messages[0]).to.include({ id: 100, state: 'PLACED' })
    const refused = await client.run(orders, 'Place', [{ order: {} }])
    expect(refused.code).to.equal(status.INVALID_ARGUMENT)
    expect(String(refused.trailers.get('grpc-status-details-bin')[0])).to.include('order.items')
    const watched = await client.run(orders, 'Watch', [{ id: 7 }])
    expect(watched.messages.map(({ state }) => state)).to.deep.equal(['PLACED', 'SENT', 'DELIVERED'])
  })

  it('refuses streams above its bound', async () => {
    const bounded = await startGrpcBackend({ maxStreams: 2 })
    const one = new GrpcClient(`127.0.0.1:${bounded.address.port}`)
    const outcomes = Array.from({ length: 6 }, () => one.run(echo, 'Unary', [{ behaviour: { delayMs: 5 } }]))
    expect((await Promise.all(outcomes)).map(({ code }) => code)).to.deep.equal([0, 0, 0, 0, 0, 0])
    expect(bounded.stats().max).to.equal(2)
    one.close()
    await bounded.close()
  })

  it('speaks TLS when it has a certificate', async () => {
    const authority = new Authority()
    const { cert, key } = authority.issue('listener')
    const secure = await startGrpcBackend({ tls: { cert, key } })
    const trust = credentials.createSsl(Buffer.from(authority.ca))
    const one = new GrpcClient(`localhost:${secure.address.port}`, {}, trust)
    expect((await one.run(echo, 'Unary')).code).to.equal(status.OK)
    one.close()
    await secure.close()
    authority.remove()
  })

  it('tells its services and their files by reflection', async () => {
    const call = client.start<Reflected>('grpc.reflection.v1.ServerReflection', 'ServerReflectionInfo')
    await call.send({ listServices: '' })
    const names = (await call.message(0)).listServicesResponse!.service.map(({ name }) => name)
    expect(names).to.include.members([echo, orders, 'grpc.health.v1.Health'])
    await call.send({ fileContainingSymbol: 'shop.v1.Orders.Get' })
    const files = (await call.message(1)).fileDescriptorResponse!.fileDescriptorProto.map(String)
    expect(files[0], 'the file itself').to.include('GetRequest')
    expect(files.slice(1).join(), 'what it needs').to.include('Timestamp')
    await call.send({ fileContainingSymbol: 'shop.v1.Pigeon' })
    expect((await call.message(2)).errorResponse).to.deep.include({ errorCode: status.NOT_FOUND })
    await call.send({ allExtensionNumbersOfType: 'shop.v1.Order' })
    expect((await call.message(3)).errorResponse).to.deep.include({ errorCode: status.UNIMPLEMENTED })
    call.halfClose()
    expect((await call.outcome).code).to.equal(status.OK)
  })

  describe('misbehaving on cue', () => {
    const run = (wish: string, method = 'Unary', behaviour = {}) =>
      client.run(echo, method, [{ behaviour }], { ...misbehaving(wish), deadlineMs: 5_000 })

    it('never answers, not even when the deadline has passed', async () => {
      const { call, session } = rawSession(backend)
      const hanging = call({ 'grpc-timeout': '1m', 'x-misbehave': 'hang' })
      await eventually(() => backend.stats().running === 1)
      const started = performance.now()
      await client.run(echo, 'Unary', [{ behaviour: { delayMs: 30 } }])
      expect(performance.now() - started).to.be.at.least(29)
      expect(backend.stats().running).to.equal(1)
      session.destroy()
      expect(await hanging).to.equal(undefined)
    })

    it('sends a status alone, or after its headers', async () => {
      const alone = await run('status&code=8&message=enough')
      expect([alone.code, alone.details, alone.headers.getMap()]).to.deep.equal([8, 'enough', {}])
      const after = await run('status&code=8&head=1&ms=1')
      expect([after.code, Object.keys(after.headers.getMap())]).to.deep.equal([8, ['content-type', 'date']])
    })

    it('resets the stream at once or in its midst', async () => {
      expect((await run('refuse&code=11')).code).to.equal(status.RESOURCE_EXHAUSTED)
      expect((await run('reset&code=8')).code).to.equal(status.CANCELLED)
      const midway = await run('reset&after=2', 'ServerStream', { responses: 5 })
      expect([midway.code, midway.messages.length]).to.deep.equal([status.INTERNAL, 2])
    })

    it('refuses a call once, and serves it when it comes again', async () => {
      const { call, session } = rawSession(backend)
      const wish = { 'x-misbehave': 'refuse&once=a' }
      expect([await call(wish), await call(wish)]).to.deep.equal(['reset 7', '0'])
      session.close()
    })

    it('breaks the connection off', async () => {
      const { code, details } = await run('drop')
      expect([code, details]).to.satisfy(([c, d]: [number, string]) => c === status.UNAVAILABLE && /ECONNRESET/.test(d))
    })

    it('sends GOAWAY and serves the call', async () => {
      const { goaways, call, ended } = rawSession(backend)
      expect(await call({ 'x-misbehave': 'goaway' })).to.equal('0')
      await ended
      expect(goaways[0]).to.equal(1)
    })

    it('sends GOAWAY and does not serve the call', async () => {
      const { goaways, call, session } = rawSession(backend)
      const first = call({ 'x-misbehave': 'status&ms=20&code=9' })
      const second = call({ 'x-misbehave': 'goaway&refused=1' })
      expect(await first).to.equal('9')
      expect(goaways[0]).to.equal(1)
      session.destroy()
      expect(await second).to.equal('reset 7')
    })

    it('sends GOAWAY with the call of a given number', async () => {
      const leaving = await startGrpcBackend({ goawayAfter: 2 })
      const { goaways, call, ended } = rawSession(leaving)
      expect([await call({}), goaways.length]).to.deep.equal(['0', 0])
      expect(await call({})).to.equal('0')
      await ended
      expect(goaways[0]).to.equal(3)
      await leaving.close()
    })

    it('sends so much metadata', async () => {
      const head = await run('metadata&bytes=5000')
      expect(String(head.headers.get('x-filler')[0]).length).to.be.at.least(5_000)
      const tail = await run('metadata&bytes=5000&where=trailers')
      expect([tail.code, String(tail.trailers.get('x-filler')[0]).length > 5_000]).to.deep.equal([0, true])
    })

    it('answers as a server that knows nothing of gRPC', async () => {
      const { code, details } = await run('http&status=503')
      expect([code, details]).to.deep.equal([status.UNAVAILABLE, 'Received HTTP status code 503'])
    })

    it('ends without trailers', async () => {
      const { code, messages, details } = await run('no-trailers', 'ServerStream')
      expect([code, messages.length]).to.deep.equal([status.INTERNAL, 1])
      expect(details).to.include('without gRPC status')
    })

    it('says so when there is no such misbehaviour', async () => {
      const { code, details } = await run('pigeon')
      expect([code, details]).to.deep.equal([status.INVALID_ARGUMENT, "there is no misbehaviour 'pigeon'"])
    })
  })
})
