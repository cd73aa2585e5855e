import { createHash } from 'node:crypto'
import { Metadata, status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { type GrpcBackend, GrpcClient, randomBytesOf, startGrpcBackend } from '../../packages/backends/src/index.ts'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { type Passage, ways } from './support/way.ts'

const echo = 'sluice.test.v1.Echo'
const mebibyte = 1_048_576

interface Answer {
  readonly text: string
  readonly payload: Buffer
  readonly index: number
}

const sha256 = (...bytes: Buffer[]): string => createHash('sha256').update(Buffer.concat(bytes)).digest('hex')

for (const way of ways) {
  describe(`@grpc/grpc-js, ${way.name}`, () => {
    let backend: GrpcBackend
    let passage: Passage
    let client: GrpcClient

    before(async () => {
      backend = await startGrpcBackend()
      passage = await way.to([backend])
    })

    beforeEach(() => {
      backend.resetStats()
      client = new GrpcClient(`127.0.0.1:${passage.port}`)
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

    it('makes calls of all four kinds', async () => {
      const unary = await client.run<Answer>(echo, 'Unary', [{ text: 'a' }])
      expect(unary.messages[0]).to.include({ text: 'a' })
      const up = await client.run(echo, 'ClientStream', [{ text: 'a' }, { text: 'b' }])
      expect(up.messages[0]).to.include({ text: 'a b', messages: 2 })
      const down = await client.run<Answer>(echo, 'ServerStream', [{ text: 'a', behaviour: { responses: 50 } }])
      expect(down.messages.map(({ index }) => index)).to.deep.equal(Array.from({ length: 50 }, (_, i) => i))
      const both = await client.run<Answer>(echo, 'Bidi', [{ text: 'a' }, { text: 'b' }])
      expect(both.messages.map(({ text }) => text)).to.deep.equal(['a', 'b'])
      expect([unary, up, down, both].map(({ code }) => code)).to.deep.equal([0, 0, 0, 0])
    })

    it('hears each answer of a stream before it has said all', async () => {
      const call = client.start<Answer>(echo, 'Bidi')
      for (let i = 0; i < 20; i++) {
        await call.send({ text: `${i}` })
        expect(await call.message(i)).to.include({ text: `${i}`, index: i })
      }
      call.halfClose()
      expect((await call.outcome).code).to.equal(status.OK)
    })

    it('gets DEADLINE_EXCEEDED in time, and the server is rid of the call', async () => {
      const started = performance.now()
      const { code } = await client.run(echo, 'Unary', [{}], {
        deadlineMs: 100,
        metadata: { 'x-misbehave': 'hang' },
      })
      expect(code).to.equal(status.DEADLINE_EXCEEDED)
      expect(performance.now() - started).to.be.within(99, 1_000)
      await eventually(() => backend.stats().running === 0)
    })

    it('cancels, and the server hears of it', async () => {
      const call = client.start<Answer>(echo, 'ServerStream', { behaviour: { responses: 1_000, delayMs: 5 } })
      await call.message(2)
      call.cancel()
      expect((await call.outcome).code).to.equal(status.CANCELLED)
      await eventually(() => backend.stats().running === 0)
      expect(backend.stats().aborted).to.equal(1)
    })

    it('carries metadata of text and of any bytes, both ways', async () => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
      const metadata = new Metadata()
      metadata.add('x-text', 'a b;c,d=~')
      metadata.add('x-any-bin', all)
      metadata.add('x-empty-bin', Buffer.alloc(0))
      const fields = [
        { key: 'x-any-bin', values: [all, Buffer.from([0])] },
        { key: 'x-text', values: [Buffer.from('~ ok')] },
      ]
      const behaviour = { tellMetadata: true, headers: fields, trailers: fields }
      const outcome = await client.run<{ metadata: object[] }>(echo, 'Unary', [{ behaviour }], { metadata })
      expect(outcome.messages[0]!.metadata).to.deep.include.members([
        { key: 'x-text', values: [Buffer.from('a b;c,d=~')] },
        { key: 'x-any-bin', values: [all] },
        { key: 'x-empty-bin', values: [Buffer.alloc(0)] },
      ])
      for (const metadataBack of [outcome.headers, outcome.trailers]) {
        expect(metadataBack.get('x-any-bin')).to.deep.equal([all, Buffer.from([0])])
        expect(metadataBack.get('x-text')).to.deep.equal(['~ ok'])
      }
    })

    it('carries a status with a message of any text and its details', async () => {
      const details = randomBytesOf(300, 1)
      const trailers = [{ key: 'grpc-status-details-bin', values: [details] }]
      const statusMessage = '100 % — ünï\r\n😈'
      const behaviour = { status: 10, statusMessage, trailers }
      const outcome = await client.run(echo, 'Unary', [{ behaviour }])
      expect([outcome.code, outcome.details]).to.deep.equal([10, statusMessage])
      expect(outcome.trailers.get('grpc-status-details-bin')).to.deep.equal([details])
    })

    it('sends and gets messages of 10 MiB', async () => {
      const payload = randomBytesOf(10 * mebibyte, 7)
      const unary = await client.run<Answer>(echo, 'Unary', [{ payload }])
      expect(sha256(unary.messages[0]!.payload)).to.equal(sha256(payload))
      const up = await client.run<{ payloadSha256: Buffer }>(echo, 'ClientStream', [{ payload }, { payload }])
      expect(up.messages[0]!.payloadSha256.toString('hex')).to.equal(sha256(payload, payload))
      const both = await client.run<Answer>(echo, 'Bidi', [{ payload, behaviour: { responses: 2 } }])
      expect(both.messages.map((one) => sha256(one.payload))).to.deep.equal([sha256(payload), sha256(payload)])
    }).timeout(60_000)

    it('makes 1,000 calls at once over ten channels', async () => {
      const clients = Array.from({ length: 10 }, () => new GrpcClient(`127.0.0.1:${passage.port}`))
      const calls = Array.from({ length: 1_000 }, (_, i) => {
        const behaviour = { delayMs: 200, responseBytes: 1_000 + i }
        return clients[i % 10]!.run<Answer>(echo, 'Unary', [{ text: `${i}`, behaviour }])
      })
      const outcomes = await Promise.all(calls)
      for (const [i, { code, details, messages }] of outcomes.entries()) {
        expect([code, messages[0]?.text], details).to.deep.equal([0, `${i}`])
        expect(messages[0]?.payload.length).to.equal(1_000 + i)
      }
      expect(backend.stats()).to.include({ total: 1_000, aborted: 0 })
      expect(backend.stats().max).to.be.at.least(100)
      for (const one of clients) one.close()
    }).timeout(60_000)
  })
}
