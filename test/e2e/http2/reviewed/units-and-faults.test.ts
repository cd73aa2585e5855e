// Units whose connection dies in the turn in which they get it, and bugs of ours while one is put on its connection.
import { expect } from 'chai'
import { Http2Connection } from '../../../../packages/http/src/http2/connection.ts'
import { Upload } from '../../../../packages/http/src/upload.ts'
import { eventually } from '../../../../packages/testkit/src/raw/index.ts'
import {
  closeStands,
  connected,
  type NotedStream,
  request as streamOf,
  type Stand,
} from '../../../../packages/wire/test/http2/stand.ts'
import { h2, type RawHttp2 } from '../../../../packages/testkit/src/http2/index.ts'
import { ask, get, request } from '../../support/ask.ts'
import { Stage } from '../../support/stage.ts'
import { Http2Upstream, post, type Serve, sessionOf } from '../upstream.ts'

describe('a request whose connection of HTTP/2 dies', () => {
  afterEach(closeStands)

  for (const [name, dies] of [
    ['is reset', (stand: Stand) => stand.session.link.reset()],
    // What is shut down in this phase of the event loop is read in the next one, before what was written leaves.
    ['is ended by its peer', (_: Stand, peer: RawHttp2) => void peer.connection.fin()],
  ] as const) {
    it(`was never processed when it had not left, and may have been when it had: the connection ${name}`, async () => {
      const { peer, stand } = await connected()
      const left = streamOf(stand)
      await peer.next({ type: h2.headers })
      const unsent = await new Promise<NotedStream>((resolve) => {
        setImmediate(() => {
          resolve(streamOf(stand))
          dies(stand, peer)
        })
      })
      await eventually(() => stand.closed)
      expect(left.events).to.deep.equal(['reset CANCEL by connection', 'closed'])
      expect(unsent.events).to.deep.equal(['reset CANCEL by connection unprocessed', 'closed'])
      await peer.ending().catch(() => undefined)
      expect(peer.frames.filter(({ type }) => type === h2.headers).map(({ id }) => id)).to.deep.equal([left.id])
    })
  }
})

describe('a unit of HTTP/2', () => {
  let stage: Stage
  let upstream: Http2Upstream

  const open = async (serve: Serve = (session, id) => session.answer(id)): Promise<void> => {
    upstream = await Http2Upstream.start(serve)
    stage = await Stage.start({
      threads: 0,
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: { up: { endpoints: [upstream.address], protocol: 'http2' } },
    })
    stage.closesWith(upstream)
  }
  afterEach(() => stage.close())

  it('that is leased in the turn in which its connection dies is sent on another one, whatever its method', async () => {
    await open()
    const peer = await sessionOf(stage)
    await peer.send(post(1, { length: 10 }))
    expect((await peer.message(1)).status).to.equal(200)
    const { carry } = Http2Connection.prototype
    Http2Connection.prototype.carry = function (exchange) {
      Http2Connection.prototype.carry = carry
      const carrier = carry.call(this, exchange)
      this.link.reset()
      return carrier
    }
    await peer.send(post(3, { length: 10 }))
    expect((await peer.message(3)).status).to.equal(200)
    expect(upstream.sessions.map(({ heads }) => heads)).to.deep.equal([[1], [1]])
    await eventually(() => stage.accounts.length === 2)
    expect(stage.lastAccount).to.include({ reason: 'ok', attempts: 2 })
  })

  it('that meets a bug of ours while it is put on a connection costs itself alone', async () => {
    const ids: number[] = []
    await open((_session, id) => void ids.push(id))
    const client = await stage.client('web')
    const running = await stage.client('web')
    await running.write(get('/running'))
    await upstream.reached(1)
    const { connect } = Upload.prototype
    Upload.prototype.connect = function () {
      Upload.prototype.connect = connect
      throw new Error('ours')
    }
    const first = await ask(client, `${request('POST', '/one', ['Content-Length: 1'])}x`)
    expect(first.status).to.equal(500)
    expect((stage.faults as unknown[]).splice(0)).to.have.length(1)
    const [session] = upstream.sessions
    // Its stream is reset, and whatever the upstream says of it now is nobody's answer.
    await eventually(() => session!.resets.has(3))
    await client.write(`${request('POST', '/two', ['Content-Length: 1'])}x`)
    await upstream.reached(3)
    await session!.answer(3, 'of the first')
    await session!.answer(5, 'of the second')
    expect(await client.readHead()).to.match(/^HTTP\/1\.1 200 /)
    expect((await client.readUntil('second')).toString()).to.not.include('first')
    await session!.answer(1, 'running')
    expect(await running.readHead()).to.match(/^HTTP\/1\.1 200 /)
    expect(ids).to.deep.equal([1, 3, 5])
  })
})
