// `abandoned: wait` for calls that are cut before their caller has finished, and what such calls are called.
import { expect } from 'chai'
import {
  dataFrame,
  h2,
  headersFrame,
  pingFrame,
  RawHttp2,
  type RawFields,
  rstFrame,
} from '../../../../packages/testkit/src/http2/index.ts'
import { eventually, type RawServer } from '../../../../packages/testkit/src/raw/index.ts'
import { callHead, valueOf } from '../../grpc/support/messages.ts'
import { Stage } from '../../support/stage.ts'
import { sessionOf } from '../upstream.ts'
import { takenServer } from './session-with.ts'

const answered: RawFields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
  ['grpc-status', '0'],
]

describe('a call in both directions that is cut before its end, where `abandoned` is `wait`', () => {
  let stage: Stage
  let server: RawServer

  beforeEach(async () => {
    server = await takenServer()
  })
  afterEach(() => stage.close())

  const open = async (timeouts: object = {}): Promise<RawHttp2> => {
    const gate = { limit: 1, queue: 5, timeout: '10s', abandoned: 'wait' }
    stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'grpc', routes: [{ name: 'one', upstream: 'up', gate }] } },
      upstreams: { up: { endpoints: [`127.0.0.1:${server.port}`], timeouts } },
    })
    stage.closesWith(server)
    return sessionOf(stage)
  }

  /** A call that its caller has not finished unless `end` is true, and one that waits behind it. */
  const begun = async (peer: RawHttp2, more: RawFields = [], { end = false } = {}): Promise<RawHttp2> => {
    await peer.send(callHead(1, '/a.B/Bidi', more), dataFrame(1, Buffer.alloc(5), { end }))
    const upstream = await RawHttp2.accept(await server.accept())
    await upstream.next({ type: h2.data })
    await peer.send(callHead(3, '/a.B/Next', [], { end: true }))
    await stage.atGate('route:web/one', { running: 1, waiting: 1 })
    return upstream
  }

  it('keeps its permit until the upstream has answered, and the upstream hears no reset', async () => {
    const peer = await open()
    const upstream = await begun(peer)
    await peer.send(rstFrame(1, 8))
    // By the answer to a PING the reset has been taken note of.
    await peer.send(pingFrame())
    await peer.next({ type: h2.ping, flags: h2.ack })
    expect(stage.gate('route:web/one')).to.include({ running: 1, waiting: 1 })
    await upstream.send(headersFrame(1, answered))
    const next = await upstream.next({ type: h2.headers })
    expect(
      upstream.frames.filter(({ type, payload }) => type === h2.rstStream && payload.readUInt32BE() !== 0),
    ).to.deep.equal([])
    await upstream.send(headersFrame(next.id, answered))
    await peer.next({ type: h2.headers, id: 3 })
    await eventually(() => stage.accounts.length === 2)
    expect(stage.accounts.map(({ reason, status }) => [reason, status])).to.deep.equal([
      ['clientGone', 'grpc-1'],
      ['ok', 'grpc-0'],
    ])
  })

  it('is given up after `timeouts.response`', async () => {
    const peer = await open({ response: '200ms' })
    const upstream = await begun(peer)
    const started = performance.now()
    await peer.send(rstFrame(1, 8))
    const next = await upstream.next({ type: h2.headers })
    expect(performance.now() - started).to.be.at.least(190)
    expect(upstream.frames.some(({ type, id }) => type === h2.rstStream && id === 1)).to.equal(true)
    await upstream.send(headersFrame(next.id, answered))
    await peer.next({ type: h2.headers, id: 3 })
  })

  for (const [name, last] of [
    ['a head', [headersFrame(1, answered)]],
    ['trailers', [headersFrame(1, answered.slice(0, 2), h2.endHeaders), headersFrame(1, [['grpc-status', '0']])]],
    ['a head without a status of gRPC', [headersFrame(1, [[':status', '503']])]],
  ] as const) {
    for (const end of [false, true]) {
      it(`stays what its caller was told, whatever the upstream says later: ${name}, ${end ? 'complete' : 'cut'}`, async () => {
        const peer = await open()
        const upstream = await begun(peer, [['grpc-timeout', '200m']], { end })
        const { fields } = await peer.next({ type: h2.headers, id: 1 })
        expect(valueOf(fields!, 'grpc-status')).to.equal('4')
        await upstream.send(...last)
        const next = await upstream.next({ type: h2.headers })
        await upstream.send(headersFrame(next.id, answered))
        await peer.next({ type: h2.headers, id: 3 })
        await eventually(() => stage.accounts.length === 2)
        expect(stage.accounts[0]).to.include({ reason: 'deadlineExceeded', status: 'grpc-4' })
      })
    }
  }
})
