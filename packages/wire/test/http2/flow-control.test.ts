import { expect } from 'chai'
import {
  dataFrame,
  eventually,
  frame,
  h2,
  headersFrame,
  pingFrame,
  type RawHttp2,
  requestFields,
  rstFrame,
  SeededRandom,
  settingsFrame,
  windowUpdateFrame,
} from '../../../testkit/src/index.ts'
import { http2Error } from '../../src/index.ts'
import { closeStands, fields, type NotedStream, served, type Stand } from './stand.ts'

const { endHeaders } = h2
const post = (id: number) => headersFrame(id, requestFields('/', 'POST'), endHeaders)
const get = (id: number) => headersFrame(id, requestFields())

/** Takes nothing of what comes until the test says so. */
function takeNothing(stand: Stand): void {
  stand.onHeadDo = (stream) => {
    stream.takes = false
  }
}

/** Answers with `bytes` octets of content, in one call. */
function answerWith(bytes: number): (stand: Stand) => void {
  const content = Buffer.alloc(bytes, 'x')
  return (stand) => {
    stand.onHeadDo = (stream) => {
      stream.sendHead(fields(':status 200'), false)
      stream.sendData(content, 0, content.length, true)
    }
  }
}

/** What has come by the answer to a PING: all that may come. */
async function everything(peer: RawHttp2): Promise<void> {
  // What a frame has set free leaves after the answers to the frames that came with it.
  for (let i = 0; i < 2; i++) {
    await peer.send(pingFrame())
    await peer.next({ type: h2.ping, flags: h2.ack })
  }
}

function contentOf(peer: RawHttp2, id: number): number {
  return peer.frames.reduce((sum, came) => sum + (came.type === h2.data && came.id === id ? came.payload.length : 0), 0)
}

function creditOf(peer: RawHttp2, id: number): number {
  return peer.frames.reduce(
    (sum, came) => sum + (came.type === h2.windowUpdate && came.id === id ? came.payload.readUInt32BE() : 0),
    0,
  )
}

describe('Http2Stream is sent to', () => {
  afterEach(closeStands)

  it('resets a stream whose window is exceeded, padding included', async () => {
    const { peer } = await served(takeNothing)
    const padded = Buffer.alloc(16_000)
    padded[0] = 255
    await peer.send(post(1), post(3))
    for (let i = 0; i < 4; i++) {
      await peer.send(dataFrame(1, Buffer.alloc(16_000)), frame(h2.data, { id: 3, flags: h2.padded, payload: padded }))
    }
    // 65,535 less 64,000: the padding of the other one, 1,024, has been credited already or fits.
    await peer.send(dataFrame(1, Buffer.alloc(1_536)))
    const reset = await peer.next({ type: h2.rstStream })
    expect([reset.id, reset.payload.readUInt32BE()]).to.deep.equal([1, http2Error.flowControlError])
    await peer.send(dataFrame(3, Buffer.alloc(1_535)))
    await everything(peer)
    expect(peer.frames.filter(({ type }) => type === h2.rstStream).length).to.equal(1)
  })

  it('gives credit of the connection back on receipt, and of the stream when its content was taken', async () => {
    const { peer, stand } = await served(takeNothing)
    for (let id = 1; id < 41; id += 2) {
      await peer.send(post(id))
      for (let i = 0; i < 4; i++) await peer.send(dataFrame(id, Buffer.alloc(16_000)))
    }
    await everything(peer)
    expect(creditOf(peer, 0)).to.be.within(20 * 64_000 - 524_288 + 1_048_576 - 65_535, 20 * 64_000 + 1_048_576 - 65_535)
    expect(peer.frames.filter(({ type, id }) => type === h2.windowUpdate && id > 0)).to.deep.equal([])
    const [stream] = stand.streams
    stream!.consumed(30_000)
    stream!.consumed(2_000)
    await everything(peer)
    expect(creditOf(peer, 1)).to.equal(0)
    stream!.consumed(1_000)
    await everything(peer)
    expect(creditOf(peer, 1)).to.equal(33_000)
  })

  it('grows the window of a receiver that keeps up, to maxWindow, and of no other', async () => {
    const { peer, stand } = await served(
      (stand) => {
        stand.onHeadDo = (stream, head) => {
          stream.takes = head.path!.value === '/'
        }
      },
      { maxWindow: 300_000 },
    )
    await peer.send(
      headersFrame(1, requestFields('/', 'POST'), endHeaders),
      headersFrame(3, requestFields('/slow', 'POST'), endHeaders),
    )
    let sent = 0
    while (sent < 2_000_000) {
      for (const id of [1, 3]) await peer.send(dataFrame(id, Buffer.alloc(16_000)))
      sent += 16_000
      await everything(peer)
      const slow = stand.streams[1]!
      // A quarter of a window behind for all its life.
      if (sent > 16_000) slow.consumed(16_000)
      await everything(peer)
    }
    expect(creditOf(peer, 1) + 65_535 - sent).to.be.within(300_000 / 2, 300_000)
    expect(creditOf(peer, 3) + 65_535 - sent).to.be.within(16_000, 65_535)
    expect(stand.streams.map(({ closed }) => closed)).to.deep.equal([false, false])
  })

  it('credits what was padding by itself', async () => {
    const { peer } = await served(takeNothing)
    await peer.send(post(1))
    for (let i = 0; i < 200; i++) {
      await peer.send(
        frame(h2.data, { id: 1, flags: h2.padded, payload: Buffer.concat([Buffer.from([255]), Buffer.alloc(255)]) }),
      )
    }
    await everything(peer)
    expect(creditOf(peer, 1)).to.be.above(32_767)
  })

  it('gives no credit when the peer has ended', async () => {
    const { peer, stand } = await served(takeNothing)
    await peer.send(
      post(1),
      ...Array.from({ length: 3 }, () => dataFrame(1, Buffer.alloc(16_000))),
      dataFrame(1, '', { end: true }),
    )
    await eventually(() => stand.streams[0]?.remoteEnded)
    stand.streams[0]!.consumed(48_000)
    await everything(peer)
    expect(creditOf(peer, 1)).to.equal(0)
  })
})

describe('Http2Stream sends', () => {
  afterEach(closeStands)

  it('keeps to the window of the stream, and to one that SETTINGS have made negative', async () => {
    const { peer, stand } = await served(answerWith(100), {}, { settings: [[4, 10]] })
    await peer.send(get(1))
    await everything(peer)
    expect(contentOf(peer, 1)).to.equal(10)
    expect(stand.streams[0]!.queuedBytes).to.equal(90)
    await peer.send(windowUpdateFrame(1, 5))
    await everything(peer)
    expect(contentOf(peer, 1)).to.equal(15)
    // 0 less what was sent of ten: -10.
    await peer.send(settingsFrame([4, 0]), windowUpdateFrame(1, 10))
    await everything(peer)
    expect(contentOf(peer, 1)).to.equal(15)
    await peer.send(windowUpdateFrame(1, 1))
    await everything(peer)
    expect(contentOf(peer, 1)).to.equal(16)
    await peer.send(settingsFrame([4, 1_000]))
    expect((await peer.next({ type: h2.data, flags: h2.endStream })).id).to.equal(1)
    expect(contentOf(peer, 1)).to.equal(100)
    expect(stand.streams[0]!.events.at(-1)).to.equal('closed')
  })

  it('keeps to the window of the connection, whatever those of its streams are', async () => {
    const { peer } = await served(answerWith(50_000), {}, { settings: [[4, 1_000_000]] })
    await peer.send(get(1), get(3))
    await everything(peer)
    expect(contentOf(peer, 1) + contentOf(peer, 3)).to.equal(65_535)
    await peer.send(windowUpdateFrame(0, 100_000))
    await eventually(async () => {
      await everything(peer)
      return contentOf(peer, 1) + contentOf(peer, 3) === 100_000
    })
  })

  it('ends without content in spite of a window of nothing', async () => {
    const { peer } = await served(
      (stand) => {
        stand.onHeadDo = (stream) => {
          stream.sendHead(fields(':status 200'), false)
          stream.sendData(Buffer.alloc(0), 0, 0, false)
          stream.sendData(Buffer.alloc(0), 0, 0, true)
        }
      },
      {},
      { settings: [[4, 0]] },
    )
    await peer.send(get(1))
    expect((await peer.message(1)).content.length).to.equal(0)
    expect(peer.frames.filter(({ type }) => type === h2.data).length).to.equal(1)
  })

  it('sends trailers after what is queued, and the fields as they were', async () => {
    const { peer, stand } = await served(
      (stand) => {
        stand.onHeadDo = (stream) => {
          const trailers = fields('grpc-status 0')
          stream.sendHead(fields(':status 200'), false)
          stream.sendData(Buffer.from('some content'), 0, 12, false)
          stream.sendTrailers(trailers)
          trailers.length = 0
          expect(stream.localEnded).to.equal(false)
          stream.sendData(Buffer.from('too late'), 0, 8, true)
        }
      },
      {},
      { settings: [[4, 5]] },
    )
    await peer.send(get(1))
    await everything(peer)
    await peer.send(windowUpdateFrame(1, 100))
    const message = await eventually(() => (stand.streams[0]!.closed ? peer : undefined)).then((one) =>
      one.next({ type: h2.headers, flags: h2.endStream }),
    )
    expect(message.fields).to.deep.equal([['grpc-status', '0']])
    expect(contentOf(peer, 1)).to.equal(12)
    expect(stand.faults).to.deep.equal([])
  })

  it('copies lent bytes that it has to keep, and sends them in their order', async () => {
    const random = new SeededRandom(7)
    const sent: Buffer[] = []
    const { peer, stand } = await served(
      (stand) => {
        stand.onHeadDo = (stream) => stream.sendHead(fields(':status 200'), false)
      },
      {},
      { settings: [[4, 0]] },
    )
    await peer.send(get(1), windowUpdateFrame(0, 10_000_000))
    await eventually(() => stand.streams.length === 1)
    const [stream] = stand.streams
    let told = 0
    stand.onSentDo = (_stream, bytes) => (told += bytes)
    let window = 0
    for (let i = 0; i < 300; i++) {
      const lent = Buffer.alloc(1 + random.below(3_000), i)
      lent.writeUInt8(random.below(256), 0)
      sent.push(Buffer.from(lent))
      stream!.sendData(lent, 0, lent.length, i === 299)
      lent.fill(0xdb)
      const more = 1 + random.below(2_000)
      window += more
      await peer.send(windowUpdateFrame(1, more))
      if (random.chance(0.1)) await everything(peer)
    }
    await peer.send(windowUpdateFrame(1, 1_000_000))
    await peer.next({ type: h2.data, flags: h2.endStream })
    const came = Buffer.concat(peer.frames.filter(({ type }) => type === h2.data).map(({ payload }) => payload))
    expect(came.equals(Buffer.concat(sent))).to.equal(true)
    expect(window).to.be.above(0)
    expect(told).to.be.within(1, came.length)
    expect(stream!.queuedBytes).to.equal(0)
    expect(stream!.bytesOut).to.be.above(came.length)
  })

  it('lets streams take turns', async () => {
    const { peer } = await served(answerWith(200_000), {}, { settings: [[4, 1_000_000]] })
    await peer.send(get(1), get(3), get(5))
    await everything(peer)
    await peer.send(windowUpdateFrame(0, 10_000_000))
    for (let ended = 0; ended < 3; ended++) await peer.next({ type: h2.data, flags: h2.endStream })
    const order = peer.frames.filter(({ type }) => type === h2.data).map(({ id }) => id)
    const turns = order.slice(5, 30)
    for (const id of [3, 5]) expect(turns.filter((other) => other === id).length, `stream ${id}`).to.be.within(7, 10)
    for (let i = 0; i + 1 < 12; i++) expect(turns[i]).to.not.equal(turns[i + 1])
  })

  it('lets none wait for those that are stalled', async () => {
    const { peer, stand } = await served(answerWith(1_000_000), { maxStreams: 200 }, { settings: [[4, 100]] })
    await peer.send(windowUpdateFrame(0, 100_000_000))
    for (let id = 1; id < 101; id += 2) await peer.send(get(id))
    await everything(peer)
    await peer.send(get(101), windowUpdateFrame(101, 2_000_000))
    await peer.next({ type: h2.data, id: 101, flags: h2.endStream })
    expect(contentOf(peer, 101)).to.equal(1_000_000)
    expect(contentOf(peer, 1)).to.equal(100)
    expect(stand.session.openStreams).to.equal(50)
  })
})

describe('Http2Session, while its peer does not read', () => {
  afterEach(closeStands)

  const huge: readonly (readonly [number, number])[] = [[4, 0x7fff_ffff]]

  /** A client that has asked for more than the kernel takes, and reads nothing of it. */
  async function congested(
    prepare?: (stand: Stand) => void,
  ): Promise<{ peer: RawHttp2; stand: Stand; stream: NotedStream; held: () => number }> {
    let held = 0
    const { peer, stand } = await served(
      (stand, link) => {
        link.account = { add: (bytes) => (held += bytes) }
        answerWith(20_000_000)(stand)
        prepare?.(stand)
      },
      {},
      { settings: huge },
    )
    await peer.send(windowUpdateFrame(0, 0x7fff_0000))
    await everything(peer)
    peer.connection.pause()
    await peer.send(get(1))
    await eventually(() => stand.session.link.congested)
    return { peer, stand, stream: stand.streams[0]!, held: () => held }
  }

  it('keeps DATA with its stream, and counts it', async () => {
    const { peer, stand, stream, held } = await congested()
    expect(stream.queuedBytes).to.be.within(5_000_000, 20_000_000)
    // The link counts a write of its own until all of it has gone, or what of it has not.
    expect(held() - stream.queuedBytes).to.be.within(65_536, stand.session.link.unsentBytes)
    let told = 0
    const before = stream.queuedBytes
    stand.onSentDo = (_stream, bytes) => (told += bytes)
    peer.connection.resume()
    await peer.next({ type: h2.data, flags: h2.endStream })
    expect(contentOf(peer, 1)).to.equal(20_000_000)
    expect([told, stream.queuedBytes, held()]).to.deep.equal([before, 0, 0])
  })

  it('sends heads and answers to PING ahead of DATA that waits', async () => {
    const { peer } = await congested((stand) => {
      const { onHeadDo } = stand
      stand.onHeadDo = (stream, head, ended) => {
        if (stream.id === 1) onHeadDo!(stream, head, ended)
        else stream.sendHead(fields(':status 204'), true)
      }
    })
    await peer.send(get(3), pingFrame())
    peer.connection.resume()
    await peer.next({ id: 3 })
    await peer.next({ type: h2.ping })
    expect(contentOf(peer, 1)).to.be.below(15_000_000)
    await peer.next({ type: h2.data, flags: h2.endStream })
    expect(contentOf(peer, 1)).to.equal(20_000_000)
  })

  it('drops what is queued with a reset, by either side', async () => {
    const { peer, stand, stream, held } = await congested()
    await peer.send(rstFrame(1, http2Error.cancel))
    await eventually(() => stream.closed)
    expect(stream.queuedBytes).to.equal(0)
    expect(held()).to.be.within(65_536, stand.session.link.unsentBytes)
  })

  it('drops what is queued with the connection', async () => {
    const { peer, stand, stream, held } = await congested()
    peer.connection.rst()
    await eventually(() => stand.closed)
    expect([stream.queuedBytes, held()]).to.deep.equal([0, 0])
    expect(stream.events.slice(-2)).to.deep.equal(['reset CANCEL by connection', 'closed'])
  })

  it('is closed at once, since its peer would not read why', async () => {
    const { stand } = await congested()
    stand.session.close(http2Error.enhanceYourCalm, 'enough')
    await eventually(() => stand.closed)
  })
})
