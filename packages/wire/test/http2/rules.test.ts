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
  type RawFields,
  RawHttp2,
  requestFields,
  rstFrame,
  SeededRandom,
  settingsFrame,
  windowUpdateFrame,
  word,
} from '../../../testkit/src/index.ts'
import { http2ErrorName } from '../../src/index.ts'
import { closeStands, connected, echo, NotedStream, request, served, serving, type Stand } from './stand.ts'

const { endHeaders, endStream, padded, priorityFlag } = h2

/** What must come of a case: the end of the connection, the end of stream 1, or nothing but the answer to a PING. */
type Outcome = `connection ${string}` | `stream ${string}` | 'nothing'

type Case = readonly [what: string, outcome: Outcome, ...frames: readonly Buffer[]]

const post = (id: number, more: RawFields = []) => headersFrame(id, requestFields('/', 'POST', more), endHeaders)
const get = (id: number, more: RawFields = []) => headersFrame(id, requestFields('/', 'GET', more))
const block = headerBlock(requestFields())
const without = (name: string) => requestFields().filter(([other]) => other !== name)

/** How the bytes of a case come: however they are split, the same must come of them. */
const splits = {
  whole: (bytes: Buffer) => [bytes],
  'octet by octet': (bytes: Buffer) => Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)),
  'in random pieces': (bytes: Buffer) => {
    const random = new SeededRandom(bytes.length)
    const pieces: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + random.below(40))
      pieces.push(bytes.subarray(at, end))
      at = end
    }
    return pieces
  },
}

/** Hands bytes over in pieces that are overwritten after each call, as the link's buffer is. */
function feed(stand: Stand, pieces: readonly Buffer[]): void {
  for (const piece of pieces) {
    const lent = Buffer.concat([Buffer.from([0xdb]), piece, Buffer.from([0xdb])])
    stand.session.feed(lent, 1, lent.length - 1)
    lent.fill(0xdb)
  }
}

async function judge(peer: RawHttp2, outcome: Outcome): Promise<void> {
  const [what, code] = outcome.split(' ')
  if (what === 'connection') {
    expect(http2ErrorName((await peer.ending()).code)).to.equal(code)
    return
  }
  for (;;) {
    const { type, id, payload } = await peer.next()
    if (type === h2.goaway) {
      expect.fail(`GOAWAY ${http2ErrorName(payload.readUInt32BE(4))} ${payload.subarray(8).toString()}`)
    }
    if (type === h2.rstStream) {
      expect([id, http2ErrorName(payload.readUInt32BE())]).to.deep.equal([1, code])
      return
    }
    if (type === h2.ping && what === 'nothing') return
  }
}

/** A request with `x-wait` has no answer. */
function echoUnlessToldToWait(stand: Stand): void {
  echo(stand)
  const { onHeadDo } = stand
  stand.onHeadDo = (stream, head, ended) => {
    if (head.header('x-wait') === undefined) onHeadDo!(stream, head, ended)
  }
}

/** Each case alone, on a connection of its own, in each of the splits. */
function describeCases(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const [what, outcome, ...frames] of cases) {
      it(`${what}: ${outcome}`, async () => {
        let log: readonly string[] | undefined
        for (const split of Object.values(splits)) {
          const { peer, stand } = await served(echoUnlessToldToWait, { maxHeadBytes: 4_096, maxFields: 20 })
          const bytes = Buffer.concat(outcome === 'nothing' ? [...frames, pingFrame()] : frames)
          feed(stand, split(bytes))
          await judge(peer, outcome)
          expect(stand.faults).to.deep.equal([])
          expect(log ?? stand.log).to.deep.equal(stand.log)
          log = [...stand.log]
          await closeStands()
        }
      })
    }
  })
}

const selfDependent = Buffer.concat([word(1), Buffer.from([16])])

describe('Http2Session keeps the rules', () => {
  afterEach(closeStands)

  describeCases('of frames (RFC 9113 §4)', [
    ['a type that is not known', 'nothing', frame(0x77, { id: 1, flags: 255, payload: 'whatever' })],
    ['flags that are not known', 'nothing', frame(h2.ping, { flags: 0xf6, payload: 'abcdefgh' })],
    ['the reserved bit of an id', 'nothing', frame(h2.ping, { id: 0x8000_0000, payload: 'abcdefgh' })],
    ['a frame of 16,384 octets', 'nothing', post(1), dataFrame(1, Buffer.alloc(16_384))],
    ['DATA longer than that', 'connection FRAME_SIZE_ERROR', post(1), dataFrame(1, Buffer.alloc(16_385))],
    [
      'HEADERS longer than that',
      'connection FRAME_SIZE_ERROR',
      frame(h2.headers, { id: 1, payload: 'x'.repeat(16_385) }),
    ],
    ['an unknown type longer than that', 'connection FRAME_SIZE_ERROR', frame(0x77, { payload: 'x'.repeat(16_385) })],
  ])

  describeCases('of header blocks (§4.3, §6.10)', [
    [
      'a block that is broken',
      'connection COMPRESSION_ERROR',
      frame(h2.headers, { id: 1, flags: endHeaders, payload: [0x80] }),
    ],
    [
      'another frame before its end',
      'connection PROTOCOL_ERROR',
      frame(h2.headers, { id: 1, payload: block }),
      pingFrame(),
    ],
    [
      'DATA before its end',
      'connection PROTOCOL_ERROR',
      frame(h2.headers, { id: 1, payload: block }),
      dataFrame(1, ''),
    ],
    [
      'an unknown type before its end',
      'connection PROTOCOL_ERROR',
      frame(h2.headers, { id: 1, payload: block }),
      frame(0x77),
    ],
    [
      'CONTINUATION of another stream',
      'connection PROTOCOL_ERROR',
      frame(h2.headers, { id: 1, payload: block }),
      frame(h2.continuation, { id: 3, flags: endHeaders }),
    ],
    [
      'CONTINUATION without a block',
      'connection PROTOCOL_ERROR',
      frame(h2.continuation, { id: 1, flags: endHeaders, payload: block }),
    ],
    [
      'CONTINUATION after the end of a block',
      'connection PROTOCOL_ERROR',
      post(1),
      frame(h2.continuation, { id: 1, flags: endHeaders, payload: block }),
    ],
    [
      'a block in three parts',
      'nothing',
      frame(h2.headers, { id: 1, payload: block.subarray(0, 5) }),
      frame(h2.continuation, { id: 1 }),
      frame(h2.continuation, { id: 1, flags: endHeaders, payload: block.subarray(5) }),
    ],
  ])

  describeCases('of the states of streams (§5.1)', [
    ['DATA on an idle stream', 'connection PROTOCOL_ERROR', dataFrame(1, 'x')],
    ['RST_STREAM on an idle stream', 'connection PROTOCOL_ERROR', rstFrame(1, 8)],
    ['WINDOW_UPDATE on an idle stream', 'connection PROTOCOL_ERROR', windowUpdateFrame(1, 1)],
    ['PRIORITY on an idle stream', 'nothing', frame(h2.priority, { id: 1, payload: [0, 0, 0, 0, 1] })],
    ['an even id', 'connection PROTOCOL_ERROR', get(2)],
    ['an id below one that was used', 'connection PROTOCOL_ERROR', post(5), get(3)],
    ['DATA after END_STREAM, before the answer', 'stream STREAM_CLOSED', get(1, [['x-wait', '1']]), dataFrame(1, 'x')],
    ['HEADERS after END_STREAM, before the answer', 'stream STREAM_CLOSED', get(1, [['x-wait', '1']]), get(1)],
    ['DATA when both sides have ended', 'connection STREAM_CLOSED', get(1), dataFrame(1, 'x')],
    ['HEADERS when both sides have ended', 'connection STREAM_CLOSED', get(1), get(1)],
    ['DATA after RST_STREAM', 'stream STREAM_CLOSED', post(1), rstFrame(1, 8), dataFrame(1, 'x')],
    ['HEADERS after RST_STREAM', 'stream STREAM_CLOSED', post(1), rstFrame(1, 8), get(1)],
    ['WINDOW_UPDATE after the end', 'nothing', get(1), windowUpdateFrame(1, 1)],
    ['RST_STREAM after the end', 'nothing', get(1), rstFrame(1, 8)],
    ['PRIORITY after the end', 'nothing', get(1), frame(h2.priority, { id: 1, payload: [0, 0, 0, 0, 1] })],
    ['RST_STREAM twice', 'nothing', post(1), rstFrame(1, 8), rstFrame(1, 8)],
  ])

  describeCases('of DATA (§6.1)', [
    ['without a stream', 'connection PROTOCOL_ERROR', dataFrame(0, 'x')],
    ['with padding', 'nothing', post(1), frame(h2.data, { id: 1, flags: padded, payload: '\x03abc\0\0\0' })],
    ['of padding alone', 'nothing', post(1), frame(h2.data, { id: 1, flags: padded, payload: '\x03\0\0\0' })],
    [
      'with padding as long as the frame',
      'connection PROTOCOL_ERROR',
      post(1),
      frame(h2.data, { id: 1, flags: padded, payload: '\x05abc\0' }),
    ],
    [
      'with padding that has no length',
      'connection FRAME_SIZE_ERROR',
      post(1),
      frame(h2.data, { id: 1, flags: padded }),
    ],
  ])

  describeCases('of HEADERS (§6.2)', [
    ['without a stream', 'connection PROTOCOL_ERROR', get(0)],
    [
      'with padding and a priority',
      'nothing',
      frame(h2.headers, {
        id: 1,
        flags: endHeaders | endStream | padded | priorityFlag,
        payload: Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 1]), block, Buffer.alloc(2)]),
      }),
    ],
    [
      'with padding longer than the frame',
      'connection PROTOCOL_ERROR',
      frame(h2.headers, {
        id: 1,
        flags: endHeaders | padded,
        payload: Buffer.concat([Buffer.from([block.length + 1]), block]),
      }),
    ],
    [
      'padded without a length',
      'connection FRAME_SIZE_ERROR',
      frame(h2.headers, { id: 1, flags: endHeaders | padded }),
    ],
    [
      'with half a priority',
      'connection FRAME_SIZE_ERROR',
      frame(h2.headers, { id: 1, flags: endHeaders | priorityFlag, payload: [0, 0, 0] }),
    ],
    [
      'that depend on themselves',
      'stream PROTOCOL_ERROR',
      frame(h2.headers, {
        id: 1,
        flags: endHeaders | endStream | priorityFlag,
        payload: Buffer.concat([selfDependent, block]),
      }),
    ],
  ])

  describeCases('of HEADERS in parts (§6.2, §6.10)', [
    [
      'that depend on themselves',
      'stream PROTOCOL_ERROR',
      frame(h2.headers, {
        id: 1,
        flags: endStream | priorityFlag,
        payload: Buffer.concat([selfDependent, block.subarray(0, 9)]),
      }),
      frame(h2.continuation, { id: 1, flags: endHeaders, payload: block.subarray(9) }),
    ],
    [
      'one after the other',
      'nothing',
      ...[1, 3, 5].flatMap((id) => [
        frame(h2.headers, { id, payload: block.subarray(0, 9) }),
        frame(h2.continuation, { id, flags: endHeaders, payload: block.subarray(9) }),
      ]),
    ],
  ])

  describeCases('of PRIORITY and RST_STREAM (§6.3, §6.4)', [
    ['PRIORITY without a stream', 'connection PROTOCOL_ERROR', frame(h2.priority, { payload: [0, 0, 0, 0, 1] })],
    [
      'PRIORITY of four octets',
      'stream FRAME_SIZE_ERROR',
      post(1),
      frame(h2.priority, { id: 1, payload: [0, 0, 0, 0] }),
    ],
    [
      'PRIORITY of four octets on a stream that has ended',
      'stream FRAME_SIZE_ERROR',
      get(1),
      frame(h2.priority, { id: 1, payload: [0, 0, 0, 0] }),
    ],
    [
      'PRIORITY of a stream on itself',
      'stream PROTOCOL_ERROR',
      post(1),
      frame(h2.priority, { id: 1, payload: selfDependent }),
    ],
    ['RST_STREAM without a stream', 'connection PROTOCOL_ERROR', rstFrame(0, 8)],
    [
      'RST_STREAM of three octets',
      'connection FRAME_SIZE_ERROR',
      post(1),
      frame(h2.rstStream, { id: 1, payload: [0, 0, 0] }),
    ],
  ])

  describeCases('of SETTINGS (§6.5)', [
    ['on a stream', 'connection PROTOCOL_ERROR', frame(h2.settings, { id: 1 })],
    [
      'acknowledged with a payload',
      'connection FRAME_SIZE_ERROR',
      frame(h2.settings, { flags: h2.ack, payload: [0, 1, 0, 0, 0, 0] }),
    ],
    ['of five octets', 'connection FRAME_SIZE_ERROR', frame(h2.settings, { payload: [0, 1, 0, 0, 0] })],
    ['that are not known', 'nothing', settingsFrame([0x77, 1], [7, 1])],
    ['ENABLE_PUSH 0 and 1', 'nothing', settingsFrame([2, 0], [2, 1])],
    ['ENABLE_PUSH 2', 'connection PROTOCOL_ERROR', settingsFrame([2, 2])],
    ['INITIAL_WINDOW_SIZE 2^31-1', 'nothing', settingsFrame([4, 0x7fff_ffff])],
    ['INITIAL_WINDOW_SIZE 2^31', 'connection FLOW_CONTROL_ERROR', settingsFrame([4, 0x8000_0000])],
    ['MAX_FRAME_SIZE 16,383', 'connection PROTOCOL_ERROR', settingsFrame([5, 16_383])],
    ['MAX_FRAME_SIZE 2^24-1', 'nothing', settingsFrame([5, 16_777_215])],
    ['MAX_FRAME_SIZE 2^24', 'connection PROTOCOL_ERROR', settingsFrame([5, 16_777_216])],
    ['ENABLE_CONNECT_PROTOCOL 2', 'connection PROTOCOL_ERROR', settingsFrame([8, 2])],
    ['ENABLE_CONNECT_PROTOCOL taken back', 'connection PROTOCOL_ERROR', settingsFrame([8, 1], [8, 0])],
    [
      'a table of 2^32-1 octets, then of none',
      'nothing',
      settingsFrame([1, 0xffff_ffff]),
      settingsFrame([1, 0]),
      get(1),
    ],
  ])

  describeCases('of PUSH_PROMISE, PING and GOAWAY (§6.6 to §6.8)', [
    [
      'PUSH_PROMISE of a client',
      'connection PROTOCOL_ERROR',
      post(1),
      frame(h2.pushPromise, { id: 1, flags: endHeaders, payload: Buffer.concat([word(2), block]) }),
    ],
    ['PING on a stream', 'connection PROTOCOL_ERROR', frame(h2.ping, { id: 1, payload: 'abcdefgh' })],
    ['PING of six octets', 'connection FRAME_SIZE_ERROR', frame(h2.ping, { payload: 'abcdef' })],
    ['an answer to no PING', 'nothing', pingFrame('abcdefgh', { ack: true })],
    ['GOAWAY on a stream', 'connection PROTOCOL_ERROR', frame(h2.goaway, { id: 1, payload: 'abcdefgh' })],
    ['GOAWAY of seven octets', 'connection FRAME_SIZE_ERROR', frame(h2.goaway, { payload: 'abcdefg' })],
    ['GOAWAY with debug text', 'nothing', goawayFrame(0, 0, 'bye')],
  ])

  describeCases('of WINDOW_UPDATE (§6.9)', [
    ['of three octets', 'connection FRAME_SIZE_ERROR', frame(h2.windowUpdate, { payload: [0, 0, 1] })],
    ['of 0 on the connection', 'connection PROTOCOL_ERROR', windowUpdateFrame(0, 0)],
    ['of 0 on a stream', 'stream PROTOCOL_ERROR', post(1), windowUpdateFrame(1, 0)],
    ['over 2^31-1 on the connection', 'connection FLOW_CONTROL_ERROR', windowUpdateFrame(0, 0x7fff_ffff)],
    ['over 2^31-1 on a stream', 'stream FLOW_CONTROL_ERROR', post(1), windowUpdateFrame(1, 0x7fff_ffff)],
    ['with the reserved bit', 'nothing', windowUpdateFrame(0, 0x8000_0001)],
    [
      'over 2^31-1 by SETTINGS',
      'connection FLOW_CONTROL_ERROR',
      post(1),
      windowUpdateFrame(1, 0x7fff_ffff - 65_535),
      settingsFrame([4, 65_536]),
    ],
  ])

  describeCases('of messages (§8.1)', [
    ['trailers without END_STREAM', 'stream PROTOCOL_ERROR', post(1), headersFrame(1, [['x-a', '1']], endHeaders)],
    ['trailers with a pseudo-field', 'stream PROTOCOL_ERROR', post(1), headersFrame(1, [[':path', '/']])],
    [
      'a content-length that content exceeds',
      'stream PROTOCOL_ERROR',
      post(1, [['content-length', '3']]),
      dataFrame(1, 'four'),
    ],
    [
      'one that content falls short of',
      'stream PROTOCOL_ERROR',
      post(1, [['content-length', '5']]),
      dataFrame(1, 'four', { end: true }),
    ],
    [
      'one that several frames fall short of',
      'stream PROTOCOL_ERROR',
      post(1, [['content-length', '9']]),
      dataFrame(1, 'four'),
      dataFrame(1, 'four', { end: true }),
    ],
    [
      'one that trailers cut short',
      'stream PROTOCOL_ERROR',
      post(1, [['content-length', '5']]),
      dataFrame(1, 'four'),
      headersFrame(1, [['x-a', '1']]),
    ],
    ['one without content', 'stream PROTOCOL_ERROR', get(1, [['content-length', '5']])],
    ['one that is right', 'nothing', post(1, [['content-length', '4']]), dataFrame(1, 'four', { end: true })],
    [
      'two of them',
      'stream PROTOCOL_ERROR',
      post(1, [
        ['content-length', '4'],
        ['content-length', '4'],
      ]),
    ],
    ['one that is no number', 'stream PROTOCOL_ERROR', post(1, [['content-length', '+4']])],
    [
      'a head of more fields than maxFields',
      'stream ENHANCE_YOUR_CALM',
      get(
        1,
        Array.from({ length: 17 }, (_, i) => [`x-${i}`, '1'] as const),
      ),
    ],
    ['a head larger than maxHeadBytes', 'stream ENHANCE_YOUR_CALM', get(1, [['x-long', 'x'.repeat(4_096)]])],
    [
      'trailers larger than maxHeadBytes',
      'stream ENHANCE_YOUR_CALM',
      post(1),
      headersFrame(1, [['x-long', 'x'.repeat(4_096)]]),
    ],
  ])

  describeCases('of fields (§8.2)', [
    ['an upper-case name', 'stream PROTOCOL_ERROR', get(1, [['X-a', '1']])],
    ['an empty name', 'stream PROTOCOL_ERROR', get(1, [['', '1']])],
    ['a name with a space', 'stream PROTOCOL_ERROR', get(1, [['x a', '1']])],
    ['a value with NUL', 'stream PROTOCOL_ERROR', get(1, [['x-a', 'a\0b']])],
    ['a value with CR and LF', 'stream PROTOCOL_ERROR', get(1, [['x-a', 'a\r\nb: c']])],
    ['a value that begins with a space', 'stream PROTOCOL_ERROR', get(1, [['x-a', ' a']])],
    ['a value of octets above 127', 'nothing', get(1, [['x-a', 'caf\xe9']])],
    ['connection', 'stream PROTOCOL_ERROR', get(1, [['connection', 'x-a']])],
    ['transfer-encoding', 'stream PROTOCOL_ERROR', post(1, [['transfer-encoding', 'chunked']])],
    ['upgrade', 'stream PROTOCOL_ERROR', get(1, [['upgrade', 'websocket']])],
    ['keep-alive', 'stream PROTOCOL_ERROR', get(1, [['keep-alive', 'timeout=5']])],
    ['proxy-connection', 'stream PROTOCOL_ERROR', get(1, [['proxy-connection', 'close']])],
    ['te: gzip', 'stream PROTOCOL_ERROR', get(1, [['te', 'trailers, gzip']])],
    ['te: trailers', 'nothing', get(1, [['te', 'trailers']])],
    [
      'a connection-specific field among trailers',
      'stream PROTOCOL_ERROR',
      post(1),
      headersFrame(1, [['connection', 'close']]),
    ],
  ])

  describeCases('of pseudo-fields (§8.3)', [
    ['one that nobody has defined', 'stream PROTOCOL_ERROR', get(1, [[':other', '1']])],
    ['one of responses', 'stream PROTOCOL_ERROR', headersFrame(1, [...requestFields(), [':status', '200']])],
    ['one after an ordinary field', 'stream PROTOCOL_ERROR', headersFrame(1, [['x-a', '1'], ...requestFields()])],
    ['no :method', 'stream PROTOCOL_ERROR', headersFrame(1, without(':method'))],
    ['no :scheme', 'stream PROTOCOL_ERROR', headersFrame(1, without(':scheme'))],
    ['no :path', 'stream PROTOCOL_ERROR', headersFrame(1, without(':path'))],
    ['no :authority', 'nothing', headersFrame(1, without(':authority'))],
    ['an empty :path', 'stream PROTOCOL_ERROR', headersFrame(1, requestFields(''))],
    ['an empty :method', 'stream PROTOCOL_ERROR', headersFrame(1, requestFields('/', ''))],
    ['a :method that is no token', 'stream PROTOCOL_ERROR', headersFrame(1, requestFields('/', 'GET /'))],
    ...[':method', ':scheme', ':path', ':authority'].map(
      (name): Case => [`${name} twice`, 'stream PROTOCOL_ERROR', headersFrame(1, [[name, '/'], ...requestFields()])],
    ),
    [
      'CONNECT with its authority alone',
      'nothing',
      headersFrame(
        1,
        [
          [':method', 'CONNECT'],
          [':authority', 'a:1'],
        ],
        endHeaders,
      ),
    ],
    ['CONNECT with a path', 'stream PROTOCOL_ERROR', headersFrame(1, requestFields('/', 'CONNECT'))],
    ['CONNECT without authority', 'stream PROTOCOL_ERROR', headersFrame(1, [[':method', 'CONNECT']])],
    [
      ':protocol when it was not offered',
      'stream PROTOCOL_ERROR',
      headersFrame(1, [...requestFields('/', 'CONNECT'), [':protocol', 'websocket']]),
    ],
  ])

  it('closes on a preface that is none', async () => {
    const { port, stands } = await serving()
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n']) {
      const client = await RawClient.connect(port)
      await client.write(bytes)
      expect((await new RawHttp2(client).ending()).code).to.equal(1)
      await client.close()
    }
    await eventually(() => stands.every(({ closed }) => closed))
  })

  it('wants SETTINGS first', async () => {
    const { port } = await serving()
    for (const first of [pingFrame(), get(1), dataFrame(1, 'x'), frame(h2.settings, { flags: h2.ack })]) {
      const client = await RawClient.connect(port)
      await client.write(Buffer.concat([Buffer.from(h2.preface), first]))
      expect((await new RawHttp2(client).ending()).code).to.equal(1)
      await client.close()
    }
  })

  it('takes extended CONNECT when it was offered (RFC 8441)', async () => {
    const { peer, stand } = await served(undefined, { enableConnect: true })
    expect(peer.frames[0]!.payload.toString('hex')).to.contain('000800000001')
    await peer.send(headersFrame(1, [...requestFields('/chat', 'CONNECT'), [':protocol', 'websocket']], endHeaders))
    await eventually(() => stand.streams[0]?.head.protocol?.value === 'websocket')
    await peer.send(headersFrame(3, [...requestFields('/chat'), [':protocol', 'websocket']]))
    expect((await peer.next({ type: h2.rstStream, id: 3 })).payload.readUInt32BE()).to.equal(1)
  })
})

/** What a server may say on stream 1, after a client of ours has sent a request that has no content. */
const answers: readonly Case[] = [
  ['an answer', 'nothing', headersFrame(1, [[':status', '200']])],
  ['no :status', 'stream PROTOCOL_ERROR', headersFrame(1, [['x-a', '1']])],
  ['a :status that is no number', 'stream PROTOCOL_ERROR', headersFrame(1, [[':status', '2e1']])],
  ['a :status of four digits', 'stream PROTOCOL_ERROR', headersFrame(1, [[':status', '0200']])],
  ['101', 'stream PROTOCOL_ERROR', headersFrame(1, [[':status', '101']], endHeaders)],
  ['an interim response that ends the stream', 'stream PROTOCOL_ERROR', headersFrame(1, [[':status', '100']])],
  [
    'a pseudo-field of requests',
    'stream PROTOCOL_ERROR',
    headersFrame(1, [
      [':status', '200'],
      [':path', '/'],
    ]),
  ],
  ['content before the head', 'stream PROTOCOL_ERROR', dataFrame(1, 'x')],
  [
    'a content-length that is wrong',
    'stream PROTOCOL_ERROR',
    headersFrame(1, [
      [':status', '200'],
      ['content-length', '1'],
    ]),
  ],
  [
    'an upper-case name',
    'stream PROTOCOL_ERROR',
    headersFrame(1, [
      [':status', '200'],
      ['X-A', '1'],
    ]),
  ],
  [
    'transfer-encoding',
    'stream PROTOCOL_ERROR',
    headersFrame(1, [
      [':status', '200'],
      ['transfer-encoding', 'chunked'],
    ]),
  ],
  [
    'an answer after the answer',
    'connection STREAM_CLOSED',
    headersFrame(1, [[':status', '200']]),
    headersFrame(1, [[':status', '200']]),
  ],
  ['an answer on a stream that is not open', 'connection PROTOCOL_ERROR', headersFrame(3, [[':status', '200']])],
  ['an answer on an even stream', 'connection PROTOCOL_ERROR', headersFrame(2, [[':status', '200']])],
  ['RST_STREAM of an even stream', 'connection PROTOCOL_ERROR', rstFrame(2, 8)],
  [
    'PUSH_PROMISE',
    'connection PROTOCOL_ERROR',
    frame(h2.pushPromise, { id: 1, flags: endHeaders, payload: Buffer.concat([word(2), block]) }),
  ],
  ['ENABLE_PUSH 1', 'connection PROTOCOL_ERROR', settingsFrame([2, 1])],
  [
    'DATA over the window of the stream',
    'stream FLOW_CONTROL_ERROR',
    headersFrame(1, [[':status', '200']], endHeaders),
    ...Array.from({ length: 5 }, () => dataFrame(1, Buffer.alloc(16_000))),
  ],
  ['a GOAWAY that leaves it', 'nothing', goawayFrame(1, 0)],
]

describe('Http2Session keeps the rules towards a server', () => {
  afterEach(closeStands)

  for (const [what, outcome, ...frames] of answers) {
    it(`${what}: ${outcome}`, async () => {
      let log: readonly string[] | undefined
      for (const split of Object.values(splits)) {
        const { peer, stand } = await connected()
        stand.newStreamDo = () => Object.assign(new NotedStream(stand), { takes: false })
        const stream = request(stand)
        await peer.next({ type: h2.headers, id: stream.id })
        feed(stand, split(Buffer.concat(outcome === 'nothing' ? [...frames, pingFrame()] : frames)))
        await judge(peer, outcome)
        if (outcome.startsWith('stream')) {
          expect(stream.events.slice(-2)).to.deep.equal([`reset ${outcome.slice(7)} by us`, 'closed'])
        }
        expect(log ?? stand.log).to.deep.equal(stand.log)
        log = [...stand.log]
        await closeStands()
      }
    })
  }
})
