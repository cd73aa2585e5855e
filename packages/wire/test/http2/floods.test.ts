import { expect } from 'chai'
import {
  dataFrame,
  eventually,
  frame,
  h2,
  headerBlock,
  headersFrame,
  pingFrame,
  RawClient,
  RawHttp2,
  requestFields,
  rstFrame,
  settingsFrame,
  windowUpdateFrame,
  word,
} from '../../../testkit/src/index.ts'
import { http2Error, type Http2Options } from '../../src/index.ts'
import { closeStands, connected, echo, fields, request, served, serving, type Stand } from './stand.ts'

const { endHeaders, endStream } = h2
const post = (id: number) => headersFrame(id, requestFields('/', 'POST'), endHeaders)
const get = (id: number) => headersFrame(id, requestFields())
const ids = (count: number) => Array.from({ length: count }, (_, i) => 2 * i + 1)
const times = (count: number, bytes: Buffer) => Array.from({ length: count }, () => bytes)
const noAnswer = () => undefined

interface Flood {
  readonly what: string
  /** The option that bounds it, set to 20. */
  readonly bound: keyof Http2Options
  readonly prepare?: (stand: Stand) => void
  /** What is said before. */
  readonly before?: readonly Buffer[]
  /** So many of it. */
  readonly flood: (count: number) => readonly Buffer[]
}

const floods: readonly Flood[] = [
  {
    what: 'streams that are opened and reset (CVE-2023-44487)',
    bound: 'maxResets',
    prepare: noAnswer,
    flood: (count) => ids(count).flatMap((id) => [get(id), rstFrame(id, 8)]),
  },
  {
    what: 'requests that are malformed',
    bound: 'maxResets',
    flood: (count) => ids(count).map((id) => headersFrame(id, [[':method', 'GET']])),
  },
  {
    what: 'streams that the peer makes us reset (CVE-2025-8671)',
    bound: 'maxResets',
    prepare: noAnswer,
    flood: (count) => ids(count).flatMap((id) => [post(id), windowUpdateFrame(id, 0)]),
  },
  {
    what: 'streams over maxStreams',
    bound: 'maxResets',
    prepare: noAnswer,
    before: ids(100).map(post),
    flood: (count) =>
      ids(count + 100)
        .slice(100)
        .map(get),
  },
  { what: 'SETTINGS (CVE-2019-9515)', bound: 'maxSettings', flood: (count) => times(count, settingsFrame()) },
  {
    what: 'acknowledgements of SETTINGS',
    bound: 'maxSettings',
    flood: (count) => times(count, frame(h2.settings, { flags: h2.ack })),
  },
  { what: 'PING (CVE-2019-9512)', bound: 'maxPings', flood: (count) => times(count, pingFrame()) },
  {
    what: 'answers to no PING',
    bound: 'maxEmptyFrames',
    flood: (count) => times(count, pingFrame('abcdefgh', { ack: true })),
  },
  {
    what: 'DATA without content (CVE-2019-9518)',
    bound: 'maxEmptyFrames',
    before: [post(1)],
    flood: (count) => times(count, dataFrame(1, '')),
  },
  {
    what: 'DATA of padding alone',
    bound: 'maxEmptyFrames',
    before: [post(1)],
    flood: (count) => times(count, frame(h2.data, { id: 1, flags: h2.padded, payload: '\x01\0' })),
  },
  {
    what: 'RST_STREAM on a stream that is gone',
    bound: 'maxEmptyFrames',
    before: [post(1)],
    flood: (count) => times(count + 1, rstFrame(1, 8)),
  },
  {
    what: 'DATA on a stream that the peer has reset',
    bound: 'maxEmptyFrames',
    before: [post(1), rstFrame(1, 8)],
    flood: (count) => times(count, dataFrame(1, 'x')),
  },
  {
    what: 'HEADERS on a stream that we have reset',
    bound: 'maxEmptyFrames',
    prepare: (stand) => {
      stand.onHeadDo = (stream) => stream.reset(http2Error.cancel)
    },
    before: [post(1)],
    flood: (count) => times(count, post(1)),
  },
  {
    what: 'PRIORITY (CVE-2019-9513)',
    bound: 'maxPriorities',
    flood: (count) => times(count, frame(h2.priority, { id: 1, payload: [0, 0, 0, 0, 1] })),
  },
  { what: 'frames of unknown types', bound: 'maxPriorities', flood: (count) => times(count, frame(0x77)) },
  {
    what: 'WINDOW_UPDATE of the connection (CVE-2019-9511)',
    bound: 'maxWindowUpdates',
    flood: (count) => times(count, windowUpdateFrame(0, 1)),
  },
  {
    what: 'WINDOW_UPDATE octet by octet',
    bound: 'maxWindowUpdates',
    prepare: (stand) => {
      stand.onHeadDo = (stream) => {
        stream.sendHead(fields(':status 200'), false)
        stream.sendData(Buffer.alloc(1_000), 0, 1_000, true)
      }
    },
    before: [settingsFrame([4, 0]), get(1)],
    flood: (count) => times(count, windowUpdateFrame(1, 1)),
  },
  {
    what: 'WINDOW_UPDATE of a stream that is gone',
    bound: 'maxWindowUpdates',
    before: [get(1)],
    flood: (count) => times(count, windowUpdateFrame(1, 1)),
  },
  {
    what: 'CONTINUATION (CVE-2024-27316)',
    bound: 'maxContinuations',
    flood: (count) => [
      frame(h2.headers, { id: 1, payload: headerBlock(requestFields()) }),
      ...times(count, frame(h2.continuation, { id: 1, payload: headerBlock([['x', '1']]) })),
    ],
  },
]

describe('Http2Session bounds floods', () => {
  afterEach(closeStands)

  for (const { what, bound, prepare = echo, before = [], flood } of floods) {
    it(`${what}: by ${bound}`, async () => {
      const { peer, stand } = await served(prepare, { [bound]: 20 })
      await peer.send(...before, ...flood(18))
      // Whatever is bounded by 20 lets 18 pass (and the handshake).
      await eventually(() => stand.session.framesIn >= before.length + flood(18).length)
      expect(stand.session.reading).to.equal(true)
      await closeStands()

      const other = await served(prepare, { [bound]: 20 })
      // As much again comes within the second that it may take us.
      await other.peer.send(...before, ...flood(400))
      const { code, debug } = await other.peer.ending()
      expect([code, debug]).to.deep.equal([http2Error.enhanceYourCalm, `more than ${bound} allows`])
      await eventually(() => other.stand.streams.every(({ closed }) => closed))
    })
  }

  it('a header block without end, by its length', async () => {
    const { peer } = await served(echo, { maxHeadBytes: 1_000, maxContinuations: 1_000 })
    await peer.send(
      frame(h2.headers, { id: 1, payload: headerBlock(requestFields()) }),
      ...times(6, frame(h2.continuation, { id: 1, payload: Buffer.alloc(16_000) })),
    )
    const { code, debug } = await peer.ending()
    expect([code, debug]).to.deep.equal([11, 'a header block longer than maxHeadBytes allows'])
  })

  it('answers that the peer does not read, by maxUnsentControlBytes', async () => {
    const { port, stands } = await serving(undefined, { maxUnsentControlBytes: 50_000, maxPings: 10_000_000 })
    const client = await RawClient.connect(port)
    client.pause()
    await client.write(Buffer.concat([Buffer.from(h2.preface), settingsFrame()]))
    const many = Buffer.concat(times(10_000, pingFrame()))
    // The kernel takes a few megabytes of them for a peer that does not read.
    const flooding = (async () => {
      while (!stands[0]?.closed) await Promise.race([client.write(many), client.closed])
    })()
    await eventually(() => stands[0]?.closed, { timeoutMs: 20_000 })
    await flooding
    await client.close()
  })

  it('a client that asks for its content octet by octet, by maxWindowUpdates', async () => {
    const { peer } = await served(
      (stand) => {
        stand.onHeadDo = (stream) => {
          stream.sendHead(fields(':status 200'), false)
          stream.sendData(Buffer.alloc(1_000), 0, 1_000, true)
        }
      },
      { maxWindowUpdates: 20 },
      { settings: [[4, 0]] },
    )
    await peer.send(get(1))
    await peer.next({ type: h2.headers })
    let octets = 0
    for (;;) {
      await peer.send(windowUpdateFrame(1, 1))
      const { type } = await peer.next()
      if (type === h2.goaway) break
      octets++
    }
    expect(octets).to.be.within(19, 200)
    expect((await peer.ending()).debug).to.equal('more than maxWindowUpdates allows')
  })

  it('no client that does not know maxStreams yet', async () => {
    const { port, stands } = await serving(noAnswer, { maxStreams: 1, maxResets: 20, maxPings: 100 })
    const peer = new RawHttp2(await RawClient.connect(port))
    await peer.send(Buffer.from(h2.preface), settingsFrame(), ...ids(100).map(get), pingFrame())
    await peer.next({ type: h2.ping })
    expect(peer.frames.filter(({ type }) => type === h2.rstStream).length).to.equal(99)
    expect(stands[0]!.streams.length).to.equal(1)
    await peer.close()
  })

  it('what comes late for streams that were reset, by the windows that they had', async () => {
    const { peer } = await served((stand) => {
      stand.onHeadDo = (stream) => stream.reset(http2Error.cancel)
    })
    await peer.send(post(1), post(3), ...times(8, dataFrame(1, Buffer.alloc(16_000))), pingFrame())
    await peer.next({ type: h2.ping })
    await peer.send(dataFrame(3, Buffer.alloc(16_000)))
    expect((await peer.ending()).code).to.equal(http2Error.flowControlError)
  })

  it('tells a server that the head is too large, so that it can answer', async () => {
    const { peer, stand } = await served(
      (stand) => {
        stand.onHeadTooLargeDo = (stream, head) => {
          expect(head.method?.value).to.equal('GET')
          stream.sendHead(fields(':status 431'), true)
        }
      },
      { maxFields: 10 },
    )
    const many = Array.from({ length: 50 }, (_, i) => [`x-${i}`, 'v'] as const)
    await peer.send(headersFrame(1, requestFields('/', 'GET', many)), get(3))
    expect((await peer.message(1)).status).to.equal(431)
    await eventually(() => stand.streams[1]?.head.path?.value === '/')
  })

  it('no honest peer: what is served pays for resets, what is sent for PING and WINDOW_UPDATE', async () => {
    const { peer, stand } = await served(
      (stand) => {
        stand.onHeadDo = (stream, head) => {
          if (head.path!.value === '/cancelled') return
          stream.sendHead(fields(':status 200'), false)
          stream.sendData(Buffer.alloc(2_000), 0, 2_000, true)
        }
      },
      { maxResets: 5, maxPings: 5, maxWindowUpdates: 5 },
    )
    for (let i = 0; i < 100; i++) {
      const id = 4 * i + 1
      await peer.send(get(id))
      await peer.next({ type: h2.data, id, flags: endStream })
      await peer.send(windowUpdateFrame(0, 2_000), windowUpdateFrame(0, 1), pingFrame())
      await peer.next({ type: h2.ping })
      await peer.send(headersFrame(id + 2, requestFields('/cancelled')), rstFrame(id + 2, 8))
    }
    await peer.send(get(1_001))
    expect((await peer.message(1_001)).status).to.equal(200)
    expect(stand.session.servedStreams).to.equal(101)
  })

  it('no server of ours: resets of the upstream are not its flood', async () => {
    const { peer, stand } = await connected({ maxResets: 3, maxStreams: 1_000 })
    for (let i = 0; i < 50; i++) {
      const stream = request(stand)
      await peer.send(rstFrame(stream.id, http2Error.refusedStream))
    }
    await eventually(() => stand.session.openStreams === 0)
    expect(stand.session.canOpen).to.equal(true)
  })

  it('stays in step after blocks that nobody was told of', async () => {
    const { peer, stand } = await served(noAnswer, { maxStreams: 1 })
    const indexed = Buffer.concat([headerBlock(requestFields()), Buffer.from('\x40\x03x-a\x011', 'latin1')])
    await peer.send(get(1), frame(h2.headers, { id: 3, flags: endHeaders | endStream, payload: indexed }))
    expect((await peer.next({ type: h2.rstStream })).id).to.equal(3)
    await peer.send(rstFrame(1, 8))
    await peer.send(
      frame(h2.headers, {
        id: 5,
        flags: endHeaders | endStream,
        payload: Buffer.concat([headerBlock(requestFields()), Buffer.from([0x80 | 62])]),
      }),
    )
    await eventually(() => stand.streams[1]?.head.header('x-a') === '1')
  })

  it('garbage, whatever it is', async () => {
    const { port, stands } = await serving(undefined, { maxPings: 100 })
    let seed = 1
    for (let round = 0; round < 60; round++) {
      const client = await RawClient.connect(port)
      const bytes = Buffer.alloc(400)
      for (let i = 0; i < bytes.length; i++) bytes[i] = (seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff) >>> 16
      // Frames with heads that could be sound, so that the garbage gets somewhere.
      const frames = Array.from({ length: 20 }, (_, i) =>
        frame(bytes[i]! % 12, {
          id: bytes[i + 20]! % 8,
          flags: bytes[i + 40]!,
          payload: bytes.subarray(i, i + (bytes[i + 60]! % 60)),
        }),
      )
      await client.write(Buffer.concat([Buffer.from(h2.preface), settingsFrame(), ...frames, word(0)]))
      await client.fin()
      await new RawHttp2(client).ending().catch(() => undefined)
      await client.close()
    }
    await eventually(() => stands.length === 60 && stands.every(({ closed }) => closed))
    expect(stands.flatMap(({ faults }) => faults)).to.deep.equal([])
  })
})
