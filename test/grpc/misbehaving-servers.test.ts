import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { type GrpcBackend, GrpcClient, startGrpcBackend } from '../../packages/backends/src/index.ts'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { type Passage, ways } from './support/way.ts'

const echo = 'sluice.test.v1.Echo'

/** What a server does, and the status that a client hears: by gRPC's own maps, and so with and without Sluice. */
const rows: readonly [wish: string, code: status][] = [
  ['status&code=8&ms=5', status.RESOURCE_EXHAUSTED],
  ['status&code=8&head=1', status.RESOURCE_EXHAUSTED],
  ['refuse&code=0', status.INTERNAL],
  ['refuse&code=1', status.INTERNAL],
  ['refuse&code=2', status.INTERNAL],
  ['refuse&code=3', status.INTERNAL],
  ['refuse&code=8', status.CANCELLED],
  ['refuse&code=11', status.RESOURCE_EXHAUSTED],
  ['refuse&code=12', status.PERMISSION_DENIED],
  ['reset&code=2', status.INTERNAL],
  ['reset&code=8', status.CANCELLED],
  ['drop', status.UNAVAILABLE],
  ['http&status=400', status.INTERNAL],
  ['http&status=401', status.UNAUTHENTICATED],
  ['http&status=403', status.PERMISSION_DENIED],
  ['http&status=404', status.UNIMPLEMENTED],
  ['http&status=429', status.UNAVAILABLE],
  ['http&status=500', status.UNKNOWN],
  ['http&status=502', status.UNAVAILABLE],
  ['http&status=503', status.UNAVAILABLE],
  ['http&status=504', status.UNAVAILABLE],
  ['metadata&bytes=6000', status.OK],
  ['metadata&bytes=6000&where=trailers', status.OK],
  ['goaway', status.OK],
]

for (const way of ways) {
  describe(`A gRPC server that misbehaves, ${way.name}`, () => {
    let backend: GrpcBackend
    let passage: Passage
    let client: GrpcClient
    const run = (wish: string, method = 'Unary', behaviour = {}) =>
      client.run(echo, method, [{ text: 'a', behaviour }], { metadata: { 'x-misbehave': wish } })

    before(async () => {
      backend = await startGrpcBackend()
      passage = await way.to([backend])
    })

    beforeEach(() => {
      // A client that repeats calls by itself would hide what the server did.
      client = new GrpcClient(`127.0.0.1:${passage.port}`, { 'grpc.enable_retries': 0 })
    })

    afterEach(async () => {
      client.close()
      await eventually(() => backend.stats().running === 0)
      await passage.stage?.settled()
    })

    after(async () => {
      await passage.close()
      await backend.close()
    })

    for (const [wish, expected] of rows) {
      it(`${wish}: ${status[expected]}`, async () => {
        const { code, details } = await run(wish)
        expect(status[code], details).to.equal(status[expected])
      })
    }

    for (const [wish, expected] of [
      ['reset&code=2&after=2', status.INTERNAL],
      ['reset&code=8&after=2', status.CANCELLED],
    ] as const) {
      it(`${wish}: two answers, then ${status[expected]}`, async () => {
        const { code, details, messages } = await run(wish, 'ServerStream', { responses: 5, delayMs: 5 })
        expect([status[code], messages.length], details).to.deep.equal([status[expected], 2])
      })
    }

    it('drop&after=2: two answers, then no success', async () => {
      const { code, messages } = await run('drop&after=2', 'ServerStream', { responses: 5, delayMs: 5 })
      expect([code === status.OK, messages.length]).to.deep.equal([false, 2])
    })

    it('no-trailers: all answers, then no success', async () => {
      const { code, messages } = await run('no-trailers', 'ServerStream', { responses: 2 })
      expect([code === status.OK, messages.length]).to.deep.equal([false, 2])
    })

    if (way.protocol === undefined) return

    it('a refused call is made again, once', async () => {
      expect((await run(`refuse&once=${way.name}`)).code).to.equal(status.OK)
      backend.resetStats()
      expect((await run('refuse')).code).to.equal(status.UNAVAILABLE)
      expect(backend.stats().total).to.equal(2)
    })

    it('a call above the last stream of a GOAWAY is made again', async () => {
      const first = run('status&code=9&ms=50')
      await eventually(() => backend.stats().running === 1)
      const second = run(`goaway&refused=1&once=${way.name}/goaway`)
      expect([(await first).code, (await second).code]).to.deep.equal([9, status.OK])
    })

    it('goes away as a whole, and calls find a new connection', async () => {
      const running = run('status&code=9&ms=50')
      await eventually(() => backend.stats().running === 1)
      backend.goAway()
      const codes = await Promise.all(Array.from({ length: 20 }, async () => (await client.run(echo, 'Unary')).code))
      expect(codes).to.deep.equal(Array(20).fill(status.OK))
      expect((await running).code).to.equal(9)
    })
  })
}
