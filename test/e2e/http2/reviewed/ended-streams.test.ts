// Streams that are answered in the middle of a body: their timers are theirs alone, and end with them.
import { expect } from 'chai'
import { dataFrame, h2, headersFrame, RawHttp2, requestFields } from '../../../../packages/testkit/src/http2/index.ts'
import { eventually } from '../../../../packages/testkit/src/raw/index.ts'
import { callHead } from '../../grpc/support/messages.ts'
import { Stage } from '../../support/stage.ts'
import { get, Http2Upstream, sessionOf } from '../upstream.ts'

const bodyMs = 300

describe('a stream that is answered in the middle of its body', () => {
  let stage: Stage
  let upstream: Http2Upstream

  beforeEach(async () => {
    upstream = await Http2Upstream.start((session, id, fields) =>
      fields.some(([name]) => name === 'content-type')
        ? session.peer.send(
            headersFrame(
              id,
              [
                [':status', '200'],
                ['content-type', 'application/grpc'],
              ],
              h2.endHeaders,
            ),
          )
        : undefined,
    )
    stage = await Stage.start({
      listeners: {
        web: {
          bind: '127.0.0.1:0',
          protocol: 'http',
          timeouts: { body: `${bodyMs}ms` },
          routes: [{ match: { path: '/full' }, upstream: 'full' }, { upstream: 'up' }],
        },
      },
      upstreams: {
        up: { endpoints: [upstream.address], protocol: 'http2' },
        full: { endpoints: [upstream.address], protocol: 'http2', gate: { limit: 1, queue: 0 } },
      },
    })
    stage.closesWith(upstream)
    // The only permit is taken.
    await (await sessionOf(stage)).send(get(1, '/full'))
    await upstream.reached(1)
  })
  afterEach(() => stage.close())

  /** A POST that is refused as soon as more of it has come than is read before it takes a permit. */
  const refused = async (peer: RawHttp2): Promise<void> => {
    await peer.send(headersFrame(1, requestFields('/full', 'POST'), h2.endHeaders))
    for (let i = 0; i < 5; i++) {
      if (i === 4) await peer.next({ id: 1, type: h2.windowUpdate })
      await peer.send(dataFrame(1, Buffer.alloc(14_000)))
    }
    const { fields } = await peer.next({ id: 1, type: h2.headers })
    expect(fields![0]).to.deep.equal([':status', '503'])
    await peer.next({ id: 1, type: h2.rstStream })
  }

  it('leaves no timer that would end the next call, which may rest as long as it likes', async () => {
    const peer = await sessionOf(stage)
    await refused(peer)
    await peer.send(callHead(3, '/a.B/Bidi'))
    await peer.next({ id: 3, type: h2.headers })
    const until = performance.now() + 2 * bodyMs
    await eventually(() => performance.now() >= until)
    const full = stage.accounts.filter(({ reason }) => reason === 'queueFull')
    expect([full.length, stage.accounts.length, stage.stats.exchanges]).to.deep.equal([1, 1, 2])
  })

  it('leaves no timer of a connection that has gone', async () => {
    const before = stage.stats.timers
    for (let i = 0; i < 5; i++) {
      const peer = await sessionOf(stage)
      await refused(peer)
      await peer.close()
    }
    await eventually(() => stage.stats.listeners[0]!.connections === 1)
    expect(stage.stats.timers).to.be.at.most(before)
  })
})
