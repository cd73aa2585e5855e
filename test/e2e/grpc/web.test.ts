// gRPC-Web (PROTOCOL-WEB.md), in octets and in base64, over both versions of HTTP.
import { expect } from 'chai'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { GrpcScene, type SceneWritten } from './support/grpc-scene.ts'
import { exchange, type HttpAnswer, type HttpClient, httpWays, restOf } from './support/http-ways.ts'
import { answersIn, type BodyFrame, echo, framed, framesOf, requestOf } from './support/messages.ts'

const origin = 'https://app.example.com'
const unary = `/${echo}/Unary`

interface Form {
  readonly name: string
  readonly contentType: string
  /** A body on its way up. */
  up(body: Buffer): Buffer
  /** A body that has come down. */
  down(body: Buffer): Buffer
}

const binary: Form = {
  name: 'binary',
  contentType: 'application/grpc-web+proto',
  up: (body) => body,
  down: (body) => body,
}

/** Base64 in padded pieces, one after the other. */
const text: Form = {
  name: 'text',
  contentType: 'application/grpc-web-text',
  up: (body) => Buffer.from(body.toString('base64')),
  down: (body) =>
    Buffer.concat((String(body).match(/[A-Za-z0-9+/]{1,}={0,2}/g) ?? []).map((piece) => Buffer.from(piece, 'base64'))),
}

/** The fields in the trailers frame, which must be the last one. */
function trailersIn(frames: readonly BodyFrame[]): Record<string, string> {
  expect(frames.map(({ flags }) => flags & 0x80)).to.deep.equal([...frames.slice(1).map(() => 0), 0x80])
  const lines = frames.at(-1)!.content.toString('latin1')
  expect(lines).to.match(/\r\n$/)
  return Object.fromEntries(
    lines
      .slice(0, -2)
      .split('\r\n')
      .map((line) => line.split(/: (.*)/s) as [string, string]),
  )
}

for (const way of httpWays) {
  for (const form of [binary, text]) {
    describe(`gRPC-Web, ${form.name}, over ${way.name}`, () => {
      let scene: GrpcScene
      let client: HttpClient

      const open = async ({ listener, ...written }: SceneWritten = {}): Promise<void> => {
        scene = await GrpcScene.start({ listener: { web: { origins: [origin] }, ...listener }, ...written })
        client = await way.connect(scene.port)
      }

      afterEach(async () => {
        await client.close()
        await scene.close()
      })

      const fields = (more: readonly (readonly [string, string])[] = []) =>
        [['content-type', form.contentType], ['x-grpc-web', '1'], ['origin', origin], ...more] as const

      const call = (request: object, method = 'Unary', more: readonly (readonly [string, string])[] = []) => {
        const target = `/${echo}/${method}`
        const body = form.up(requestOf(echo, method as 'Unary', request))
        return exchange(client, { method: 'POST', target, fields: fields(more) }, body)
      }

      const statusOf = ({ body, field }: HttpAnswer): string | undefined => {
        const frames = framesOf(form.down(body))
        return frames.length === 0 ? field('grpc-status') : trailersIn(frames)['grpc-status']
      }

      it('makes a unary call; its trailers are the last frame of the body', async () => {
        await open()
        const trailers = [{ key: 'x-tail', values: [Buffer.from('end')] }]
        const behaviour = { tellMetadata: true, trailers, headers: [{ key: 'x-head', values: [Buffer.from('1')] }] }
        const answer = await call({ text: 'hello', behaviour }, 'Unary', [['x-mine', 'yes']])
        expect(answer.status).to.equal(200)
        expect(answer.field('content-type')).to.equal(
          form === text ? 'application/grpc-web-text+proto' : 'application/grpc-web+proto',
        )
        expect(answer.field('x-head')).to.equal('1')
        const body = form.down(answer.body)
        const [echoed] = answersIn(body)
        expect(echoed).to.include({ text: 'hello' })
        expect(trailersIn(framesOf(body))).to.deep.include({ 'grpc-status': '0', 'x-tail': 'end' })
        const metadata = new Map(
          (echoed!['metadata'] as { key: string; values: Buffer[] }[]).map(({ key, values }) => [key, String(values)]),
        )
        expect(metadata.get('x-mine')).to.equal('yes')
        expect(metadata.has('x-grpc-web')).to.equal(false)
        await eventually(() => scene.stage.accounts.length === 1)
        expect(scene.stage.lastAccount).to.include({ protocol: 'grpc-web', status: 'grpc-0', reason: 'ok' })
      })

      it('tells pages of the configured origins alone that they may read the answer', async () => {
        await open()
        const own = await call({ text: 'a', behaviour: { headers: [{ key: 'x-head', values: [Buffer.from('1')] }] } })
        expect(own.field('access-control-allow-origin')).to.equal(origin)
        expect(own.field('access-control-expose-headers')!.split(', ')).to.include.members([
          'grpc-status',
          'grpc-message',
          'x-head',
        ])
        expect(own.field('vary')).to.include('origin')
        const foreign = await exchange(
          client,
          {
            method: 'POST',
            target: unary,
            fields: [
              ['content-type', form.contentType],
              ['origin', 'https://evil.example'],
            ],
          },
          form.up(requestOf(echo, 'Unary', { text: 'a' })),
        )
        expect(foreign.field('access-control-allow-origin')).to.equal(undefined)
        expect(foreign.field('vary')).to.include('origin')
      })

      it('passes on each message of a stream as it comes', async () => {
        await open()
        // Each answer half a second after the other: whoever gathers them would be seen by the first coming late.
        const request = { text: 'a', behaviour: { responses: 3, delayMs: 300 } }
        const body = form.up(requestOf(echo, 'ServerStream', request))
        const target = `/${echo}/ServerStream`
        const length = ['content-length', `${body.length}`] as const
        const conversation = await client.begin({ method: 'POST', target, fields: [...fields(), length] })
        await conversation.send(body, { end: true })
        const head = await conversation.head()
        expect(head.status).to.equal(200)
        const seen: number[] = []
        let all = Buffer.alloc(0)
        for (let piece = await conversation.piece(); piece.length > 0; piece = await conversation.piece()) {
          all = Buffer.concat([all, piece])
          const frames = framesOf(form.down(all))
          const count = frames.filter(({ flags }) => flags === 0).length
          if (count > seen.length) {
            seen.push(scene.backend.stats().running)
          }
        }
        expect(seen.length).to.equal(3)
        // While the first two were read, the call still ran.
        expect(seen.slice(0, 2)).to.deep.equal([1, 1])
        expect(answersIn(form.down(all), echo, 'ServerStream').map(({ index }) => index)).to.deep.equal([0, 1, 2])
        expect(trailersIn(framesOf(form.down(all)))['grpc-status']).to.equal('0')
      })

      it('takes a request in pieces of any length', async () => {
        await open()
        const body = form.up(requestOf(echo, 'Unary', { text: 'in pieces', payload: Buffer.alloc(31, 7) }))
        const conversation = await client.begin({ method: 'POST', target: unary, fields: fields() })
        for (let at = 0; at < body.length; at += 3) await conversation.send(body.subarray(at, at + 3))
        await conversation.send('', { end: true })
        const answer = await restOf(conversation)
        expect(answersIn(form.down(answer.body))[0]).to.include({ text: 'in pieces' })
      })

      it('makes a call without any message: the upstream learns that none will come', async () => {
        await open()
        const answer = await exchange(client, { method: 'POST', target: `/${echo}/ClientStream`, fields: fields() }, '')
        expect(statusOf(answer)).to.equal('0')
      })

      it('gives a status that comes alone in the head, with its message', async () => {
        await open()
        const answer = await call({ text: 'a' }, 'Unary', [['x-misbehave', 'status&code=7&message=n%C3%B6']])
        expect(answer.status).to.equal(200)
        expect(answer.body.length).to.equal(0)
        expect([answer.field('grpc-status'), answer.field('grpc-message')]).to.deep.equal(['7', 'n%C3%B6'])
        expect(answer.field('access-control-expose-headers')).to.include('grpc-status')
      })

      it('gives the status of a call that fails after its first message in the trailers frame', async () => {
        await open()
        const behaviour = { responses: 5, status: 9, failAfter: 2, statusMessage: 'enough' }
        const { body } = await call({ text: 'a', behaviour }, 'ServerStream')
        const frames = framesOf(form.down(body))
        expect(frames.length).to.equal(3)
        expect(trailersIn(frames)).to.include({ 'grpc-status': '9', 'grpc-message': 'enough' })
      })

      it("answers with a status of Sluice's own, which the page may read", async () => {
        await open({ upstream: { endpoints: ['127.0.0.1:1'] } })
        const answer = await call({ text: 'a' })
        expect(answer.status).to.equal(200)
        expect(answer.field('content-type')).to.match(/^application\/grpc-web/)
        expect(answer.field('grpc-status')).to.equal('14')
        expect(answer.field('grpc-message')).to.equal('sluice: connectFailed')
        expect(answer.field('access-control-allow-origin')).to.equal(origin)
        expect(answer.field('access-control-expose-headers')).to.include('x-sluice-reason')
      })

      it("ends with a status of Sluice's own where the upstream breaks off after a message", async () => {
        await open()
        const behaviour = { responses: 5, delayMs: 5 }
        const { body } = await call({ text: 'a', behaviour }, 'ServerStream', [['x-misbehave', 'reset&code=2&after=2']])
        const frames = framesOf(form.down(body))
        expect(frames.length).to.equal(3)
        expect(trailersIn(frames)).to.include({ 'grpc-status': '13', 'grpc-message': 'sluice: upstreamReset' })
      })

      it('keeps the deadline of a call', async () => {
        await open()
        const answer = await call({ text: 'a' }, 'Unary', [
          ['grpc-timeout', '50m'],
          ['x-misbehave', 'hang'],
        ])
        expect(statusOf(answer)).to.equal('4')
        await scene.backendIdle()
      })

      it('waits at a gate, and says when it is shut', async () => {
        await open({ upstream: { gate: { limit: 1, queue: 0 } } })
        const running = await scene.longCall()
        const refused = await call({ text: 'a' })
        expect(refused.field('grpc-status')).to.equal('14')
        expect(Number(refused.field('grpc-retry-pushback-ms'))).to.be.greaterThan(0)
        running.cancel()
        await scene.stage.atGate('upstream:shop', { running: 0 })
        expect(statusOf(await call({ text: 'a' }))).to.equal('0')
      })

      it('resets the upstream when its client leaves in mid-stream', async () => {
        await open()
        const request = { text: 'a', behaviour: { responses: 1_000, delayMs: 10 } }
        const target = `/${echo}/ServerStream`
        const conversation = await client.begin({ method: 'POST', target, fields: fields() })
        await conversation.send(form.up(requestOf(echo, 'ServerStream', request)), { end: true })
        await conversation.head()
        await conversation.piece()
        await conversation.leave()
        await scene.backendIdle()
        expect(scene.backend.stats().aborted).to.equal(1)
        await eventually(() => scene.stage.accounts.length === 1)
        expect(scene.stage.lastAccount).to.include({ reason: 'clientGone', status: 'grpc-1' })
      })
    })
  }

  describe(`content types of gRPC-Web over ${way.name}`, () => {
    let scene: GrpcScene
    let client: HttpClient

    before(async () => {
      scene = await GrpcScene.start({ listener: { web: { origins: ['*'] } } })
    })
    beforeEach(async () => {
      client = await way.connect(scene.port)
    })
    afterEach(() => client.close())
    after(() => scene.close())

    const ask = (body: Buffer | string, ...fields: (readonly [string, string])[]) =>
      exchange(client, { method: 'POST', target: unary, fields }, body)
    const message = framed(Buffer.from([0x0a, 1, 0x61]))

    it('keeps the suffix, takes parameters and capitals', async () => {
      for (const [sent, answered] of [
        ['application/grpc-web', 'application/grpc-web+proto'],
        ['application/grpc-web+proto; charset=utf-8', 'application/grpc-web+proto'],
        ['Application/GRPC-Web+proto', 'application/grpc-web+proto'],
      ] as const) {
        const answer = await ask(message, ['content-type', sent])
        expect(answer.field('content-type'), sent).to.equal(answered)
        expect(answersIn(answer.body)[0], sent).to.include({ text: 'a' })
      }
    })

    it('answers in the form that the caller accepts', async () => {
      const answer = await ask(
        message,
        ['content-type', 'application/grpc-web'],
        ['accept', 'application/grpc-web-text'],
      )
      expect(answer.field('content-type')).to.equal('application/grpc-web-text+proto')
      expect(answersIn(text.down(answer.body))[0]).to.include({ text: 'a' })
    })

    it('refuses broken base64, and the connection serves the next request', async () => {
      for (const broken of ['AAAA*AAA', 'AAA', 'AA==AAA=A', '=AAA']) {
        const refused = await ask(broken, ['content-type', 'application/grpc-web-text'])
        expect(refused.field('grpc-status'), broken).to.equal('13')
        expect(refused.field('x-sluice-reason'), broken).to.equal('badRequest')
        const next = await ask(message, ['content-type', 'application/grpc-web'])
        expect(answersIn(next.body)[0], broken).to.include({ text: 'a' })
      }
    })

    it('refuses what is neither gRPC-Web nor gRPC', async () => {
      for (const contentType of ['application/grpc-webfoo', 'application/json']) {
        const answer = await ask(message, ['content-type', contentType])
        expect([answer.status, answer.field('x-sluice-reason')], contentType).to.deep.equal([415, 'unsupported'])
      }
    })

    it('lets every page read where `*` is configured', async () => {
      const answer = await ask(message, ['content-type', 'application/grpc-web'], ['origin', 'https://any.example'])
      expect(answer.field('access-control-allow-origin')).to.equal('*')
    })

    it('tells a client to go on that waits for it, which servers of gRPC do not', async () => {
      const fields = [
        ['content-type', 'application/grpc-web'],
        ['expect', '100-continue'],
        ['content-length', `${message.length}`],
      ] as const
      const conversation = await client.begin({ method: 'POST', target: unary, fields })
      expect((await conversation.anyHead()).status).to.equal(100)
      await conversation.send(message, { end: true })
      expect(answersIn((await restOf(conversation)).body)[0]).to.include({ text: 'a' })
    })
  })
}
