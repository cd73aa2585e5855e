// Heads that do not fit, asterisks, and resets that cost a request.
import { expect } from 'chai'
import {
  h2,
  headersFrame,
  type RawFields,
  requestFields,
  rstFrame,
} from '../../../../packages/testkit/src/http2/index.ts'
import { transcoding } from '../../grpc/support/grpc-scene.ts'
import { callHead, echo, valueOf } from '../../grpc/support/messages.ts'
import { Stage } from '../../support/stage.ts'
import { Http2Upstream, sessionOf } from '../upstream.ts'

describe('a request of HTTP/2', () => {
  let stage: Stage
  let upstream: Http2Upstream

  const open = async (listener: object = {}): Promise<void> => {
    upstream = await Http2Upstream.start((session, id) =>
      session.peer.send(headersFrame(id, [[':status', '100']], h2.endHeaders)),
    )
    stage = await Stage.start({
      listeners: {
        web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', web: { origins: ['*'] }, ...listener },
      },
      upstreams: { up: { endpoints: [upstream.address], protocol: 'http2' } },
    })
    stage.closesWith(upstream)
  }
  afterEach(() => stage.close())

  const many: RawFields = Array.from({ length: 120 }, (_, i) => [`x-${i}`, 'y'])
  const heads: readonly (readonly [string, RawFields, RegExp])[] = [
    ['nothing else', many, /^431 undefined/],
    ['a method alone', [[':method', 'POST'], ['content-type', 'application/grpc'], ...many], /^431 undefined/],
    ['a path that is bound', [...requestFields('/shop/v1/orders/7'), ...many], /^431 undefined/],
    ['a preflight', [[':method', 'OPTIONS'], ['origin', 'http://a'], ...many], /^431 undefined/],
    [
      'a call of gRPC',
      [...requestFields(`/${echo}/Unary`, 'POST', [['content-type', 'application/grpc']]), ...many],
      /^200 8/,
    ],
    [
      'a call of gRPC-Web',
      [...requestFields(`/${echo}/Unary`, 'POST', [['content-type', 'application/grpc-web']]), ...many],
      /^200 8/,
    ],
  ]
  for (const [name, fields, expected] of heads) {
    it(`whose head is too large is answered without a fault, where calls are transcoded: ${name}`, async () => {
      await open({ transcode: transcoding })
      const peer = await sessionOf(stage)
      await peer.send(headersFrame(1, fields))
      const answer = await peer.message(1)
      expect(`${answer.status} ${valueOf(answer.fields, 'grpc-status')}`).to.match(expected)
      expect(stage.faults).to.deep.equal([])
    })
  }

  it('whose target is an asterisk is judged by its own method, not by that of the one before', async () => {
    await open({ upstream: undefined, web: undefined, routes: [{ respond: { status: 204 } }] })
    const peer = await sessionOf(stage)
    const statuses: number[] = []
    for (const [i, method] of ['OPTIONS', 'GET', 'OPTIONS', 'GET'].entries()) {
      const id = 1 + 2 * i
      await peer.send(headersFrame(id, requestFields('*', method)))
      const { type, fields } = await peer.next({ id })
      statuses.push(type === h2.rstStream ? 0 : Number(fields![0]![1]))
    }
    expect(statuses[0]).to.equal(statuses[2])
    expect(statuses[1]).to.equal(statuses[3])
    expect(statuses[1]).to.not.equal(statuses[0])
  })

  for (const [name, head] of [
    [
      'of ours',
      (id: number) =>
        callHead(id, `/${echo}/Unary`, [['expect', '100-continue']], { contentType: 'application/grpc-web' }),
    ],
    [
      'of the upstream',
      (id: number) => headersFrame(id, requestFields('/', 'POST', [['expect', '100-continue']]), h2.endHeaders),
    ],
  ] as const) {
    it(`that is reset after a 100 ${name} counts as one that was not answered`, async () => {
      await open({ http2: { maxResets: 5 } })
      const peer = await sessionOf(stage)
      let sent = 0
      for (let id = 1; sent < 60 && !peer.frames.some(({ type }) => type === h2.goaway); id += 2, sent++) {
        await peer.send(head(id))
        const came = await peer.next({ type: h2.headers }).catch(() => undefined)
        if (came === undefined) break
        expect(came.fields![0]).to.deep.equal([':status', '100'])
        await peer.send(rstFrame(id, 8))
      }
      expect(sent).to.be.lessThan(60)
      expect((await peer.ending()).code).to.equal(11)
    })
  }
})
