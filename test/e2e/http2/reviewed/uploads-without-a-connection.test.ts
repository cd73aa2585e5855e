// What a client sends while its request has no connection any more: after a refusal, or before the next attempt.
import { expect } from 'chai'
import {
  dataFrame,
  goawayFrame,
  h2,
  headersFrame,
  RawHttp2,
  requestFields,
} from '../../../../packages/testkit/src/http2/index.ts'
import { eventually, type RawServer } from '../../../../packages/testkit/src/raw/index.ts'
import { callHead } from '../../grpc/support/messages.ts'
import { Stage } from '../../support/stage.ts'
import { FlowingStream } from './flowing-stream.ts'
import { sessionWith, takenServer, windowless } from './session-with.ts'

const mebibyte = 1_048_576
/** Tests ask by PING whether all has been noted. */
const many = { maxPings: 100_000 }

/** A body of which every octet tells its place. */
const numbered = (at: number, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => ((at + i) * 7919) >> 8))

describe('the body of a request that has lost its connection', () => {
  let stage: Stage
  let server: RawServer

  const open = async (listener: object, upstream: object = {}): Promise<void> => {
    server = await takenServer()
    stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up', http2: many, ...listener } },
      upstreams: { up: { endpoints: [`127.0.0.1:${server.port}`], ...upstream } },
    })
    stage.closesWith(server)
  }

  afterEach(() => stage.close())

  it('is held back while the retry waits for a connection, and goes up in its order when there is one', async () => {
    await open({}, { protocol: 'http2' })
    const peer = await sessionWith(stage)
    await peer.send(callHead(1, '/a.B/Up'))
    const first = await RawHttp2.accept(await server.accept())
    await first.next({ type: h2.headers })
    const stream = new FlowingStream(peer, 1)
    await stream.send(numbered, 400)
    await first.next({ type: h2.data })
    await first.send(goawayFrame(0, 0))
    // A connection that does not shake hands yet.
    const next = await server.accept()
    await next.readUntil(h2.preface)
    const sent = await stream.fill(4 * mebibyte, numbered)
    expect(sent).to.be.within(10_000, mebibyte)

    const second = new RawHttp2(next)
    await second.send(Buffer.from('000000040000000000', 'hex'))
    await second.send(Buffer.from('000000040100000000', 'hex'))
    const head = await second.next({ type: h2.headers })
    const came: Buffer[] = []
    let bytes = 0
    const wanted = Math.min(sent, 65_535)
    while (bytes < wanted) {
      const { payload } = await second.next({ type: h2.data, id: head.id })
      came.push(payload)
      bytes += payload.length
    }
    expect(Buffer.concat(came).equals(numbered(0, bytes))).to.equal(true)
    await second.send(
      headersFrame(head.id, [
        [':status', '200'],
        ['content-type', 'application/grpc'],
        ['grpc-status', '0'],
      ]),
    )
    await peer.next({ type: h2.headers, id: 1, flags: h2.endStream })
  })

  it('goes up in its order when parts of it were sent before, and parts came meanwhile', async () => {
    await open({}, { protocol: 'http2' })
    const peer = await sessionWith(stage)
    await peer.send(callHead(1, '/a.B/Up'))
    const first = await RawHttp2.accept(await server.accept())
    await first.next({ type: h2.headers })
    await peer.send(dataFrame(1, 'AAAA'))
    await first.next({ type: h2.data })
    await first.send(goawayFrame(0, 0))
    const next = await server.accept()
    await next.readUntil(h2.preface)
    const stream = new FlowingStream(peer, 1)
    await peer.send(dataFrame(1, 'BBBB'))
    await stream.noted()
    const second = new RawHttp2(next)
    await second.send(Buffer.from('000000040000000000', 'hex'))
    const head = await second.next({ type: h2.headers })
    await peer.send(dataFrame(1, 'CCCC', { end: true }))
    let came = ''
    for (let ended = false; !ended; ) {
      const { flags, payload } = await second.next({ type: h2.data, id: head.id })
      came += payload.toString()
      ended = (flags & h2.endStream) !== 0
    }
    expect(came).to.equal('AAAABBBBCCCC')
    await second.send(
      headersFrame(head.id, [
        [':status', '200'],
        ['content-type', 'application/grpc'],
        ['grpc-status', '0'],
      ]),
    )
    await peer.next({ type: h2.headers, id: 1, flags: h2.endStream })
  })

  it('is dropped after a refusal whose answer cannot leave', async () => {
    await open({ timeouts: { send: '2s' } })
    const peer = await windowless(stage)
    await peer.send(headersFrame(1, requestFields('/up', 'POST'), h2.endHeaders))
    const stream = new FlowingStream(peer, 1)
    // More than is read before the request goes on its way.
    await stream.fill(70_000)
    const upstream = await server.accept()
    await upstream.readHead()
    await upstream.close()
    await eventually(async () => {
      await stream.noted()
      return peer.frames.some(({ id, fields }) => id === 1 && fields !== undefined)
    })
    await stream.fill(8 * mebibyte)
    expect(stage.stats.bufferedBytes).to.be.lessThan(mebibyte)
  })
})
