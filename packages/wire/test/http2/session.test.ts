import { expect } from 'chai'
import {
  dataFrame,
  eventually,
  frame,
  goawayFrame,
  h2,
  headerBlock,
  headersFrame,
  pingFrame,
  RawClient,
  RawHttp2,
  requestFields,
  rstFrame,
  settingsFrame,
} from '../../../testkit/src/index.ts'
import { http2Error } from '../../src/index.ts'
import { closeStands, connected, fields, request, served, serving } from './stand.ts'

const { endHeaders, endStream } = h2

describe('Http2Session, a server', () => {
  afterEach(closeStands)

  it('says its SETTINGS at once and acknowledges those of the peer', async () => {
    const { port } = await serving(undefined, { maxStreams: 7, connectionWindow: 200_000 })
    const peer = new RawHttp2(await RawClient.connect(port))
    const settings = await peer.next()
    expect(settings.type).to.equal(h2.settings)
    expect(settings.payload.toString('hex')).to.equal('000600004000' + '000300000007')
    const update = await peer.next()
    expect([update.type, update.id, update.payload.readUInt32BE()]).to.deep.equal([
      h2.windowUpdate,
      0,
      200_000 - 65_535,
    ])
    await peer.send(Buffer.from(h2.preface), settingsFrame())
    const ack = await peer.next()
    expect([ack.type, ack.flags, ack.payload.length]).to.deep.equal([h2.settings, h2.ack, 0])
    await peer.close()
  })

  it('tells a request with its fields in order, and sends the answer', async () => {
    const { peer, stand } = await served()
    await peer.send(headersFrame(1, requestFields('/a', 'GET', [['x-one', '1']])))
    const { status, content } = await peer.message(1)
    expect([status, content.length]).to.deep.equal([200, 0])
    expect(stand.streams[0]!.events).to.deep.equal([
      'head :method=GET :scheme=http :path=/a :authority=sluice.test x-one=1 end',
      'closed',
    ])
    expect(stand.idles).to.equal(1)
  })

  it('passes content and trailers both ways', async () => {
    const { peer, stand } = await served((stand) => {
      stand.onTrailersDo = (stream, trailers) => {
        stream.sendHead(fields(':status 200', 'content-type application/grpc'), false)
        const content = Buffer.concat(stream.content)
        stream.sendData(content, 0, content.length, false)
        stream.sendTrailers([...trailers.fields])
      }
    })
    await peer.send(
      headersFrame(1, requestFields('/a', 'POST'), endHeaders),
      dataFrame(1, 'some'),
      dataFrame(1, ' content'),
      headersFrame(1, [['grpc-status', '0']]),
    )
    const message = await peer.message(1)
    expect(message.content.toString()).to.equal('some content')
    expect(message.trailers).to.deep.equal([['grpc-status', '0']])
    expect(stand.streams[0]!.events.slice(1)).to.deep.equal(['trailers grpc-status=0', 'closed'])
  })

  it('ends a stream with the last frame of its content, while that has not left', async () => {
    const { peer } = await served((stand) => {
      stand.onHeadDo = (stream) => {
        stream.sendHead(fields(':status 200'), false)
        stream.sendData(Buffer.from('first, last'), 0, 5, false)
        stream.sendData(Buffer.from('first, last'), 5, 11, false)
        stream.sendData(Buffer.alloc(0), 0, 0, true)
      }
    })
    await peer.send(headersFrame(1, requestFields('/a', 'GET')))
    const frames = [await peer.next({ type: h2.data, id: 1 }), await peer.next({ type: h2.data, id: 1 })]
    expect(frames.map(({ flags, payload }) => [flags, payload.toString()])).to.deep.equal([
      [0, 'first'],
      [endStream, ', last'],
    ])
  })

  it('sends interim responses before the final one', async () => {
    const { peer } = await served((stand) => {
      stand.onHeadDo = (stream) => {
        stream.sendHead(fields(':status 103', 'link </a>'), false)
        stream.sendHead(fields(':status 204'), true)
      }
    })
    await peer.send(headersFrame(1, requestFields()))
    const first = await peer.next({ type: h2.headers })
    expect([first.flags, first.fields![0]![1]]).to.deep.equal([endHeaders, '103'])
    const second = await peer.next({ type: h2.headers })
    expect([second.flags, second.fields![0]![1]]).to.deep.equal([endHeaders | endStream, '204'])
  })

  it('reads a header block from CONTINUATION frames, and writes one', async () => {
    const long = 'v'.repeat(9_000)
    const { peer, stand } = await served(
      (stand) => {
        stand.onHeadDo = (stream, head) => stream.sendHead([...fields(':status 200'), ...head.fields.slice(4)], true)
      },
      { maxHeadBytes: 65_536 },
    )
    const block = headerBlock(
      requestFields('/', 'GET', [
        ['x-a', long],
        ['x-b', long],
        ['x-c', long],
      ]),
    )
    await peer.send(
      frame(h2.headers, { id: 1, flags: endStream, payload: block.subarray(0, 10) }),
      frame(h2.continuation, { id: 1, payload: block.subarray(10, 16_000) }),
      frame(h2.continuation, { id: 1, flags: endHeaders, payload: block.subarray(16_000) }),
    )
    const message = await peer.message(1)
    expect(message.fields.slice(1)).to.deep.equal([
      ['x-a', long],
      ['x-b', long],
      ['x-c', long],
    ])
    expect(peer.frames.filter(({ type }) => type === h2.continuation).length).to.be.at.least(1)
    expect(peer.frames.every(({ payload }) => payload.length <= 16_384)).to.equal(true)
    expect(stand.faults).to.deep.equal([])
  })

  it('uses the object of a closed stream again', async () => {
    const { peer, stand } = await served((stand) => {
      stand.onHeadDo = (stream) => stream.sendHead(fields(':status 200'), true)
    })
    await peer.send(headersFrame(1, requestFields('/first')))
    await peer.message(1)
    const [only] = stand.streams
    stand.newStreamDo = () => only!
    await peer.send(headersFrame(3, requestFields('/second', 'GET', [['x-two', '2']])))
    await peer.message(3)
    expect(stand.streams).to.deep.equal([only])
    expect(only!.id).to.equal(3)
    expect(only!.head.path!.value).to.equal('/second')
    expect(only!.head.header('X-Two')).to.equal('2')
    expect(only!.bytesIn).to.be.above(0)
  })

  it('refuses what is more than its maxStreams, and the others go on', async () => {
    const { peer, stand } = await served(() => undefined, { maxStreams: 2 })
    for (const id of [1, 3, 5]) await peer.send(headersFrame(id, requestFields()))
    const reset = await peer.next({ type: h2.rstStream })
    expect([reset.id, reset.payload.readUInt32BE()]).to.deep.equal([5, http2Error.refusedStream])
    expect(stand.session.openStreams).to.equal(2)
    for (const stream of stand.streams) stream.sendHead(fields(':status 200'), true)
    await peer.message(3)
    await peer.send(headersFrame(7, requestFields()))
    await eventually(() => stand.streams.length === 3)
  })

  it('tells a reset of the peer, and says nothing more on the stream', async () => {
    const { peer, stand } = await served(() => undefined)
    await peer.send(headersFrame(1, requestFields()), rstFrame(1, http2Error.cancel))
    await eventually(() => stand.streams[0]?.closed)
    const [stream] = stand.streams
    expect(stream!.events.slice(1)).to.deep.equal(['reset CANCEL by peer', 'closed'])
    stream!.sendHead(fields(':status 200'), false)
    stream!.sendData(Buffer.from('late'), 0, 4, true)
    stream!.reset(http2Error.cancel)
    await peer.send(pingFrame())
    expect((await peer.next()).type).to.equal(h2.ping)
  })

  it('resets a stream for its owner, who hears of it by onClosed alone', async () => {
    const { peer, stand } = await served((stand) => {
      stand.onHeadDo = (stream) => stream.reset(http2Error.http11Required)
    })
    await peer.send(headersFrame(1, requestFields('/', 'POST'), endHeaders))
    const reset = await peer.next({ type: h2.rstStream })
    expect(reset.payload.readUInt32BE()).to.equal(http2Error.http11Required)
    expect(stand.streams[0]!.events.slice(1)).to.deep.equal(['closed'])
  })

  it('drops what is on its way for a stream that it has reset, trailers too, and stays in step', async () => {
    const { peer, stand } = await served((stand) => {
      stand.onHeadDo = (stream, head) => {
        if (head.path!.value === '/no') stream.reset(http2Error.cancel)
        else stream.sendHead(fields(':status 200'), true)
      }
    })
    await peer.send(
      headersFrame(1, requestFields('/no', 'POST'), endHeaders),
      dataFrame(1, 'x'.repeat(1_000)),
      // Enters the table, and is referred to by the next request.
      frame(h2.headers, { id: 1, flags: endHeaders | endStream, payload: Buffer.from('\x40\x03x-a\x011', 'latin1') }),
      frame(h2.headers, {
        id: 3,
        flags: endHeaders | endStream,
        payload: Buffer.concat([headerBlock(requestFields('/yes')), Buffer.from([0x80 | 62])]),
      }),
    )
    expect((await peer.message(3)).status).to.equal(200)
    expect(stand.streams[1]!.head.header('x-a')).to.equal('1')
  })

  it('tells a stream nothing more of a frame in whose middle it was reset, and no other stream either', async () => {
    const { peer, stand } = await served((stand) => {
      stand.onHeadDo = (stream, _head, ended) => {
        if (ended) stream.sendHead(fields(':status 200'), true)
      }
      stand.onDataDo = (stream) => stream.reset(http2Error.cancel)
    })
    const bytes = Buffer.concat([
      headersFrame(1, requestFields('/', 'POST'), endHeaders),
      dataFrame(1, 'x'.repeat(100), { end: true }),
      headersFrame(3, requestFields()),
    ])
    for (let at = 0; at < bytes.length; at += 10) stand.session.feed(bytes, at, Math.min(at + 10, bytes.length))
    expect((await peer.message(3)).status).to.equal(200)
    expect(stand.streams[0]!.contentBytes).to.be.within(1, 10)
    expect(stand.streams[0]!.events.slice(1)).to.deep.equal(['closed'])
  })

  it('keeps to the table that the peer has, also when it was emptied in between', async () => {
    const { peer } = await served((stand) => {
      stand.onHeadDo = (stream) => stream.sendHead(fields(':status 200', 'x-a something'), true)
    })
    await peer.send(headersFrame(1, requestFields()))
    await peer.message(1)
    await peer.send(settingsFrame([1, 0], [1, 4_096]), headersFrame(3, requestFields()))
    const head = await peer.next({ type: h2.headers })
    // RFC 7541 §4.2: the lowest size is said, then the last one.
    expect(head.payload.subarray(0, 4).toString('hex')).to.equal('20' + '3fe11f')
    expect(head.fields).to.deep.equal([
      [':status', '200'],
      ['x-a', 'something'],
    ])
    await peer.send(settingsFrame([1, 0]), headersFrame(5, requestFields()))
    const other = await peer.next({ type: h2.headers })
    expect(other.payload[0]).to.equal(0x20)
    expect(other.fields).to.deep.equal(head.fields)
  })

  it('costs a stream whose handler throws, and no other', async () => {
    const { peer, stand } = await served((stand) => {
      stand.onHeadDo = (stream, head) => {
        if (head.path!.value === '/throw') throw new Error('a bug')
        stream.sendHead(fields(':status 200'), true)
      }
    })
    await peer.send(headersFrame(1, requestFields('/throw')), headersFrame(3, requestFields('/')))
    const reset = await peer.next({ type: h2.rstStream })
    expect([reset.id, reset.payload.readUInt32BE()]).to.deep.equal([1, http2Error.internalError])
    expect((await peer.message(3)).status).to.equal(200)
    expect(stand.faults.map((fault) => (fault as Error).message)).to.deep.equal(['a bug'])
    expect(stand.streams[0]!.events.slice(1)).to.deep.equal(['reset INTERNAL_ERROR by us', 'closed'])
  })

  it('leaves in two steps: what is on its way is served', async () => {
    const { peer, stand } = await served((stand) => {
      stand.onHeadDo = () => undefined
    })
    await peer.send(headersFrame(1, requestFields()))
    await eventually(() => stand.streams.length === 1)
    stand.session.shutdown()
    const first = await peer.next({ type: h2.goaway })
    expect(first.payload.toString('hex')).to.equal('7fffffff' + '00000000')
    const ping = await peer.next({ type: h2.ping })
    // Sent before the peer knew.
    await peer.send(headersFrame(3, requestFields()), frame(h2.ping, { flags: h2.ack, payload: ping.payload }))
    const second = await peer.next({ type: h2.goaway })
    expect(second.payload.toString('hex')).to.equal('00000003' + '00000000')
    await peer.send(headersFrame(5, requestFields()), pingFrame())
    await peer.next({ type: h2.ping, flags: h2.ack })
    for (const stream of stand.streams) stream.sendHead(fields(':status 200'), true)
    expect((await peer.message(3)).status).to.equal(200)
    expect((await peer.ending()).code).to.equal(0)
    expect(stand.streams.length).to.equal(2)
    await peer.close()
    await eventually(() => stand.closed)
    expect(stand.error).to.equal(undefined)
  })

  it('closes with a code: its streams are told, and the peer reads why', async () => {
    const { peer, stand } = await served(() => undefined)
    await peer.send(headersFrame(1, requestFields()))
    await eventually(() => stand.streams.length === 1)
    stand.session.close(http2Error.internalError, 'for a reason')
    expect(await peer.ending()).to.deep.equal({ code: http2Error.internalError, debug: 'for a reason' })
    expect(stand.streams[0]!.events.slice(1)).to.deep.equal(['reset INTERNAL_ERROR by connection', 'closed'])
    await peer.close()
    await eventually(() => stand.closed)
  })

  it('tells its streams when the connection breaks, before it tells the owner', async () => {
    const { peer, stand } = await served((stand) => {
      stand.onResetDo = () => stand.log.push(`closed: ${stand.closed}`)
    })
    await peer.send(headersFrame(1, requestFields()), headersFrame(3, requestFields()))
    await eventually(() => stand.streams.length === 2)
    peer.connection.rst()
    await eventually(() => stand.closed)
    expect(stand.error?.kind).to.equal('reset')
    expect(stand.log.filter((line) => line.includes('reset'))).to.deep.equal([
      '1: reset CANCEL by connection',
      '3: reset CANCEL by connection',
    ])
    expect(stand.log).to.include('closed: false').and.not.to.include('closed: true')
  })

  it('ends with the FIN of its peer', async () => {
    const { peer, stand } = await served(() => undefined)
    await peer.send(headersFrame(1, requestFields()))
    await peer.connection.fin()
    await peer.ending()
    await eventually(() => stand.closed)
    expect(stand.streams[0]!.events.slice(1)).to.deep.equal(['reset CANCEL by connection', 'closed'])
  })

  it('serves on after the GOAWAY of a client', async () => {
    const { peer, stand } = await served()
    await peer.send(goawayFrame(0, http2Error.noError), headersFrame(1, requestFields()))
    expect((await peer.message(1)).status).to.equal(200)
    expect(stand.goaways).to.deep.equal([0])
  })

  it('says that a head is pending while a part of it has come', async () => {
    const { port, stands } = await serving()
    const peer = new RawHttp2(await RawClient.connect(port))
    await eventually(() => stands.length === 1)
    const { session } = stands[0]!
    expect(session.headPending).to.equal(true)
    await peer.send(Buffer.from(h2.preface), settingsFrame())
    await eventually(() => session.settled)
    expect(session.headPending).to.equal(false)
    const whole = headersFrame(1, requestFields())
    await peer.send(whole.subarray(0, 12))
    await eventually(() => session.headPending)
    await peer.send(whole.subarray(12))
    await eventually(() => !session.headPending)
    await peer.send(frame(h2.headers, { id: 3, payload: headerBlock(requestFields()) }))
    await eventually(() => session.headPending)
    expect(session.framesIn).to.equal(3)
    await peer.close()
  })
})

describe('Http2Session, a client', () => {
  afterEach(closeStands)

  it('sends preface and SETTINGS without push, then requests with odd ids', async () => {
    const { peer, stand } = await connected()
    expect(peer.frames[0]!.payload.toString('hex')).to.equal('000600004000' + '000200000000')
    const streams = [request(stand, ['x-a 1']), request(stand)]
    expect(streams.map(({ id }) => id)).to.deep.equal([1, 3])
    const head = await peer.next({ type: h2.headers })
    expect(head.fields).to.deep.equal([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'sluice.test'],
      ['x-a', '1'],
    ])
    expect((await peer.next({ type: h2.headers })).id).to.equal(3)
  })

  it('tells interim responses, the response, its content and trailers', async () => {
    const { peer, stand } = await connected()
    const stream = request(stand)
    await peer.next({ type: h2.headers })
    await peer.send(
      headersFrame(
        1,
        [
          [':status', '103'],
          ['link', '</a>'],
        ],
        endHeaders,
      ),
      headersFrame(
        1,
        [
          [':status', '200'],
          ['content-length', '5'],
        ],
        endHeaders,
      ),
      dataFrame(1, 'hello'),
      headersFrame(1, [['x-end', 'yes']]),
    )
    await eventually(() => stream.closed)
    expect(stream.events).to.deep.equal([
      'head :status=103 link=</a>',
      'head :status=200 content-length=5',
      'trailers x-end=yes',
      'closed',
    ])
    expect(Buffer.concat(stream.content).toString()).to.equal('hello')
    expect(stand.idles).to.equal(1)
  })

  it('takes the answer to HEAD, and a 304, with a content-length and no content', async () => {
    const { peer, stand } = await connected()
    const head = stand.newStream()
    stand.session.open(head)
    head.sendHead(fields(':method HEAD', ':scheme http', ':path /', ':authority sluice.test'), true)
    const get = request(stand)
    await peer.send(
      headersFrame(1, [
        [':status', '200'],
        ['content-length', '5'],
      ]),
      headersFrame(3, [
        [':status', '304'],
        ['content-length', '5'],
      ]),
    )
    await eventually(() => head.closed && get.closed)
    expect(head.events).to.deep.equal(['head :status=200 content-length=5 end', 'closed'])
    expect(get.events).to.deep.equal(['head :status=304 content-length=5 end', 'closed'])
  })

  it('opens as many streams as both sides allow, and hears when that changes', async () => {
    const { peer, stand } = await connected({ maxStreams: 5 }, { settings: [[3, 2]] })
    const { session } = stand
    expect([session.maxStreams, session.canOpen]).to.deep.equal([2, true])
    request(stand)
    request(stand)
    expect([session.openStreams, session.canOpen]).to.deep.equal([2, false])
    await peer.send(settingsFrame([3, 100]))
    await eventually(() => stand.settings === 2)
    expect([session.maxStreams, session.canOpen]).to.deep.equal([5, true])
  })

  it('tells what a GOAWAY leaves out that it was not acted on, and closes with the last one', async () => {
    const { peer, stand } = await connected()
    const streams = [request(stand), request(stand), request(stand)]
    await peer.next({ type: h2.headers, id: 5 })
    await peer.send(goawayFrame(1, http2Error.noError))
    await eventually(() => stand.goaways.length === 1)
    expect(streams.map(({ events }) => events)).to.deep.equal([
      [],
      ['reset REFUSED_STREAM by peer unprocessed', 'closed'],
      ['reset REFUSED_STREAM by peer unprocessed', 'closed'],
    ])
    expect([stand.session.maxStreams, stand.session.canOpen]).to.deep.equal([0, false])
    await peer.send(headersFrame(1, [[':status', '200']]))
    expect((await peer.ending()).code).to.equal(-1)
    expect(streams[0]!.events).to.deep.equal(['head :status=200 end', 'closed'])
  })

  it('tells REFUSED_STREAM as not acted on, and any other reset as acted on', async () => {
    const { peer, stand } = await connected()
    const streams = [request(stand), request(stand)]
    await peer.send(rstFrame(1, http2Error.refusedStream), rstFrame(3, http2Error.internalError))
    await eventually(() => streams.every(({ closed }) => closed))
    expect(streams.map(({ events }) => events[0])).to.deep.equal([
      'reset REFUSED_STREAM by peer unprocessed',
      'reset INTERNAL_ERROR by peer',
    ])
  })

  it('pings, and hears the answer to its own ping alone', async () => {
    const { peer, stand } = await connected()
    const answered: number[] = []
    stand.session.ping(() => answered.push(1))
    stand.session.ping(() => answered.push(2))
    const first = await peer.next({ type: h2.ping })
    const second = await peer.next({ type: h2.ping })
    await peer.send(
      pingFrame('unasked!', { ack: true }),
      frame(h2.ping, { flags: h2.ack, payload: second.payload }),
      frame(h2.ping, { flags: h2.ack, payload: second.payload }),
      frame(h2.ping, { flags: h2.ack, payload: first.payload }),
      pingFrame('the last'),
    )
    expect((await peer.next({ type: h2.ping })).payload.toString()).to.equal('the last')
    expect(answered).to.deep.equal([2, 1])
  })

  it('leaves by one GOAWAY, and closes with its last stream', async () => {
    const { peer, stand } = await connected()
    const stream = request(stand)
    stand.session.shutdown()
    expect(stand.session.canOpen).to.equal(false)
    expect((await peer.next({ type: h2.goaway })).payload.toString('hex')).to.equal('00000000' + '00000000')
    await peer.send(headersFrame(1, [[':status', '200']]))
    await peer.ending()
    expect(stream.events).to.deep.equal(['head :status=200 end', 'closed'])
  })

  it('tells a head over its bounds by a reset', async () => {
    const { peer, stand } = await connected({ maxFields: 3 })
    const stream = request(stand)
    await peer.send(
      headersFrame(1, [
        [':status', '200'],
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ]),
    )
    await eventually(() => stream.closed)
    expect(stream.events).to.deep.equal(['reset ENHANCE_YOUR_CALM by us', 'closed'])
  })

  it('opens the next stream from within the end of the one before, with the same object', async () => {
    const { peer, stand } = await connected()
    let left = 3
    const stream = request(stand)
    stand.onClosedDo = () => {
      if (left-- === 0) return
      stand.session.open(stream)
      stream.sendHead(fields(':method GET', ':scheme http', ':path /', ':authority sluice.test'), true)
    }
    for (const id of [1, 3, 5, 7]) {
      await peer.next({ type: h2.headers, id })
      await peer.send(headersFrame(id, [[':status', '200']], endHeaders), dataFrame(id, 'x', { end: true }))
    }
    await eventually(() => stand.log.length === 12)
    expect(stand.session.openStreams).to.equal(0)
    expect(stand.faults).to.deep.equal([])
    expect(stream.contentBytes).to.equal(4)
  })
})
