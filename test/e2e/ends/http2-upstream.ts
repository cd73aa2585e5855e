import { expect } from 'chai'
import {
  dataFrame,
  frame,
  goawayFrame,
  h2,
  headerBlock,
  headersFrame,
  type RawFields,
  RawHttp2,
  rstFrame,
  windowUpdateFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import { eventually, type RawConnection, type RawScript } from '../../../packages/testkit/src/raw/index.ts'
import type { Asker, Beyond, Expectation, UpstreamEnd, UpstreamScript } from './driver.ts'
import { eitherReset, notReused } from './http1.ts'
import type { Kind } from './http2-client.ts'

const floodBytes = 8_000_000
const initialWindowSize = 4
const piece = Buffer.alloc(10_000, 'x')

/** Serves one connection of the client ends. */
class Serving {
  readonly #peer: RawHttp2
  readonly #seen: (id: string) => void
  /** The path of each request, and whether it is a call. */
  readonly #requests = new Map<number, { path: string; call: boolean }>()
  /** What may be sent on the connection, and of what is being flooded. */
  #window = 65_535
  #streamWindow = 65_535
  readonly #floods = new Map<number, { left: number; window: number }>()

  constructor(peer: RawHttp2, seen: (id: string) => void) {
    this.#peer = peer
    this.#seen = seen
  }

  async run(): Promise<void> {
    for (const { type, id, payload } of this.#peer.frames) {
      if (type === h2.windowUpdate && id === 0) this.#window += payload.readUInt32BE()
      if (type !== h2.settings) continue
      for (let at = 0; at < payload.length; at += 6) {
        if (payload.readUInt16BE(at) === initialWindowSize) this.#streamWindow = payload.readUInt32BE(at + 2)
      }
    }
    for (;;) await this.#serve()
  }

  async #serve(): Promise<void> {
    const { type, id, flags, fields, payload } = await this.#peer.next()
    if (type === h2.headers && fields !== undefined && !this.#requests.has(id)) this.#begin(id, fields)
    if (type === h2.data && payload.length > 0) {
      await this.#peer.send(windowUpdateFrame(0, payload.length), windowUpdateFrame(id, payload.length))
    }
    if (type === h2.windowUpdate) await this.#credited(id, payload.readUInt32BE())
    if (type === h2.rstStream) this.#floods.delete(id)
    if (type <= h2.headers && (flags & h2.endStream) !== 0) await this.#answer(id)
  }

  #begin(id: number, fields: RawFields): void {
    const value = (wanted: string) => fields.find(([name]) => name === wanted)?.[1] ?? ''
    const [path = '', name = ''] = value(':path').split('?id=')
    this.#requests.set(id, { path, call: value('content-type') === 'application/grpc' })
    this.#seen(name)
  }

  async #answer(id: number): Promise<void> {
    const { path, call } = this.#requests.get(id)!
    const [, kind, framing] = path.split('/')
    if (kind === 'hang') return
    const length = framing === 'length' ? (kind === 'half' ? 1_000 : floodBytes) : undefined
    const head = headersFrame(id, responseHead(call ? 'grpc' : 'http', length), h2.endHeaders)
    if (kind === 'half') return this.#peer.send(head, dataFrame(id, 'half'))
    if (kind === 'flood') {
      this.#floods.set(id, { left: floodBytes, window: this.#streamWindow })
      await this.#peer.send(head)
      return this.#credited(id, 0)
    }
    await this.#peer.send(head, ...ending(id, call ? 'grpc' : 'http'))
  }

  async #credited(id: number, bytes: number): Promise<void> {
    if (id === 0) this.#window += bytes
    else {
      const flood = this.#floods.get(id)
      if (flood !== undefined) flood.window += bytes
    }
    for (const [stream, flood] of this.#floods) {
      while (Math.min(this.#window, flood.window, flood.left) > 0) {
        const length = Math.min(this.#window, flood.window, flood.left, piece.length)
        this.#window -= length
        flood.window -= length
        flood.left -= length
        await this.#peer.send(dataFrame(stream, piece.subarray(0, length), { end: flood.left === 0 }))
      }
    }
  }
}

function responseHead(kind: Kind, length?: number): RawFields {
  return [
    [':status', '200'],
    ...(kind === 'grpc' ? [['content-type', 'application/grpc'] as const] : []),
    ...(length === undefined ? [] : [['content-length', String(length)] as const]),
  ]
}

/** The body `done`, and the end. */
function ending(id: number, kind: Kind): Buffer[] {
  return kind === 'http'
    ? [dataFrame(id, 'done', { end: true })]
    : [dataFrame(id, 'done'), headersFrame(id, [['grpc-status', '0']])]
}

/** The upstream of the client ends, in HTTP/2. */
export function serveHttp2(seen: (id: string, connection: RawConnection) => void): RawScript {
  return async (connection) => {
    void connection.ended.then(() => connection.close())
    const peer = await RawHttp2.accept(connection)
    await new Serving(peer, (id) => seen(id, connection)).run()
  }
}

type Answering = (peer: RawHttp2, id: number, beyond: Beyond) => void | Promise<void>

/** Answers each whole request in a way of its own. */
const answering =
  (answer: Answering): UpstreamScript =>
  async (connection, beyond) => {
    void connection.ended.then(() => connection.close())
    const peer = await RawHttp2.accept(connection)
    for (;;) {
      const { type, id, flags } = await peer.next()
      if (type <= h2.headers && (flags & h2.endStream) !== 0) await answer(peer, id, beyond)
    }
  }

/** The session can carry other exchanges: it is kept. */
const kept =
  (sees: Expectation) =>
  async (client: Parameters<Expectation>[0], { connections }: Beyond): Promise<void> => {
    await sees(client)
    const rests = () => expect(connections()).to.deep.equal({ connecting: 0, idle: 1, busy: 0 })
    await eventually(rests, { what: 'the session is kept' })
  }

/** The session is of no more use. */
const lost =
  (sees: Expectation) =>
  async (client: Parameters<Expectation>[0], { connections }: Beyond): Promise<void> => {
    await sees(client)
    await eventually(() => connections().idle === 0, { what: 'the session is gone' })
  }

/** RST throws away what has not been read: it waits until some of it has come through to the client. */
const sendThenReset =
  (frames: (id: number) => Buffer[]): Answering =>
  async (peer, id, { clientBytes, clientHasBytes }) => {
    const before = clientBytes()
    await peer.send(...frames(id))
    await clientHasBytes(before)
    peer.connection.rst()
  }

const ok = (peer: RawHttp2, id: number, kind: Kind) =>
  peer.send(headersFrame(id, responseHead(kind), h2.endHeaders), ...ending(id, kind))

/** What an upstream of HTTP/2 may do. */
export function http2UpstreamEnds(kind: Kind, asker: Asker): UpstreamEnd[] {
  return [
    ...atConnect(asker),
    ...beforeTheHead(kind, asker),
    ...inTheHead(kind, asker),
    ...inTheBody(kind, asker),
    ...leaving(kind, asker),
    ...surplus(kind, asker),
  ]
}

function atConnect({ answered }: Asker): UpstreamEnd[] {
  return [
    { name: 'refuses', script: 'refuses', expects: answered(502, 'connectFailed'), reason: 'connectFailed' },
    { name: 'hangs at connect', script: 'hangs', expects: answered(504, 'connectTimeout'), reason: 'connectTimeout' },
    { name: 'RST at accept', script: (one) => one.rst(), expects: answered(502, eitherReset), reason: eitherReset },
    { name: 'FIN at accept', script: (one) => one.fin(), expects: answered(502, eitherReset), reason: eitherReset },
    {
      name: 'no SETTINGS',
      script: () => undefined,
      expects: answered(504, 'connectTimeout'),
      reason: 'connectTimeout',
    },
    {
      name: 'HTTP/1.1 in place of HTTP/2',
      script: (one) => one.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
      expects: answered(502, 'upstreamInvalid'),
      reason: 'upstreamInvalid',
    },
    {
      name: 'garbage at accept',
      script: (one) => one.write('SSH-2.0-whatever\r\n'),
      expects: answered(502, 'upstreamInvalid'),
      reason: 'upstreamInvalid',
    },
  ]
}

function beforeTheHead(kind: Kind, { answered }: Asker): UpstreamEnd[] {
  const resets: readonly (readonly [name: string, code: number, status: number])[] = [
    ['NO_ERROR', 0, 13],
    ['PROTOCOL_ERROR', 1, 13],
    ['INTERNAL_ERROR', 2, 13],
    ['REFUSED_STREAM', 7, 14],
    ['CANCEL', 8, 1],
    ['ENHANCE_YOUR_CALM', 11, 8],
    ['an unknown code', 99, 2],
  ]
  return [
    {
      name: 'RST after the request',
      script: answering(({ connection }) => connection.rst()),
      expects: lost(answered(502, 'upstreamReset')),
      reason: 'upstreamReset',
    },
    {
      name: 'FIN after the request',
      script: answering(({ connection }) => connection.fin()),
      expects: lost(answered(502, 'upstreamReset')),
      reason: 'upstreamReset',
    },
    ...resets.map(
      ([name, code, status]): UpstreamEnd => ({
        name: `RST_STREAM with ${name} after the request`,
        script: answering((peer, id) => peer.send(rstFrame(id, code))),
        expects: kept(answered(502, 'upstreamReset', status)),
        reason: 'upstreamReset',
      }),
    ),
    {
      name: 'garbage after the request',
      script: answering((peer) => peer.connection.write('\u00ff\u00ff\u00ffgarbage garbage garbage')),
      expects: lost(answered(502, 'upstreamInvalid')),
      reason: 'upstreamInvalid',
    },
    {
      name: 'no answer',
      script: answering(() => undefined),
      expects: kind === 'http' ? kept(answered(504, 'responseTimeout')) : kept(answered(504, 'idleTimeout')),
      reason: kind === 'http' ? 'responseTimeout' : 'idleTimeout',
    },
  ]
}

/** What no response may be; the stream alone pays for it. */
const malformedHeads: readonly (readonly [name: string, fields: RawFields])[] = [
  ['no status', [['server', 'x']]],
  ['a status that is none', [[':status', '20']]],
  ['a 101', [[':status', '101']]],
  [
    'a name in capitals',
    [
      [':status', '200'],
      ['Server', 'x'],
    ],
  ], // prettier-ignore
  [
    'Connection',
    [
      [':status', '200'],
      ['connection', 'close'],
    ],
  ],
  [
    'a pseudo-field after others',
    [
      ['server', 'x'],
      [':status', '200'],
    ],
  ],
  [
    'two lengths',
    [
      [':status', '200'],
      ['content-length', '1'],
      ['content-length', '2'],
    ],
  ],
]

function inTheHead(kind: Kind, { answered, answeredAfterHint }: Asker): UpstreamEnd[] {
  const hint = (id: number) => headersFrame(id, [[':status', '103']], h2.endHeaders)
  return [
    {
      name: 'RST after a 103',
      script: answering(sendThenReset((id) => [hint(id)])),
      expects: lost(answeredAfterHint(502, 'upstreamReset')),
      reason: 'upstreamReset',
    },
    {
      name: 'RST_STREAM after a 103',
      script: answering((peer, id) => peer.send(hint(id), rstFrame(id, 7))),
      expects: kept(answeredAfterHint(502, 'upstreamReset')),
      reason: 'upstreamReset',
    },
    {
      name: 'FIN in the response head',
      script: answering(async (peer, id) => {
        await peer.send(headersFrame(id, responseHead(kind), 0))
        await peer.connection.fin()
      }),
      expects: lost(answered(502, 'upstreamReset')),
      reason: 'upstreamReset',
    },
    ...malformedHeads.map(
      ([name, fields]): UpstreamEnd => ({
        name: `a malformed head: ${name}`,
        script: answering((peer, id) => peer.send(headersFrame(id, fields, h2.endHeaders))),
        expects: kept(answered(502, 'upstreamInvalid')),
        reason: 'upstreamInvalid',
      }),
    ),
    {
      name: 'a head over the limit',
      script: answering((peer, id) =>
        peer.send(
          headersFrame(id, responseHead(kind), 0),
          ...Array.from({ length: 5 }, (_, i) =>
            frame(h2.continuation, {
              id,
              flags: i === 4 ? h2.endHeaders : 0,
              payload: headerBlock([['x-large', 'x'.repeat(16_000)]]),
            }),
          ),
        ),
      ),
      expects: kept(answered(502, 'upstreamInvalid')),
      reason: 'upstreamInvalid',
    },
    {
      name: 'an endless head',
      script: answering(async (peer, id) => {
        await peer.send(headersFrame(id, responseHead(kind), 0))
        for (let i = 0; i < 40; i++) {
          await peer.send(frame(h2.continuation, { id, payload: headerBlock([['x-large', 'x'.repeat(16_000)]]) }))
        }
      }),
      expects: lost(answered(502, 'upstreamInvalid')),
      reason: 'upstreamInvalid',
    },
  ]
}

function inTheBody(kind: Kind, { cut }: Asker): UpstreamEnd[] {
  const halves = { length: 1_000, chunked: undefined } as const
  return (['length', 'chunked'] as const).flatMap((framing): UpstreamEnd[] => {
    const half = (id: number) => [
      headersFrame(id, responseHead(kind, halves[framing]), h2.endHeaders),
      dataFrame(id, 'half'),
    ]
    const lengthOnly: UpstreamEnd[] =
      framing === 'chunked'
        ? []
        : [
            {
              name: 'END_STREAM before the length is reached',
              script: answering((peer, id) => peer.send(...half(id), dataFrame(id, '', { end: true }))),
              expects: kept(cut(framing)),
              reason: 'upstreamInvalid',
            },
            {
              name: 'DATA beyond the length',
              script: answering((peer, id) => peer.send(...half(id), dataFrame(id, 'x'.repeat(1_000)))),
              expects: kept(cut(framing)),
              reason: 'upstreamInvalid',
            },
          ]
    return [
      {
        name: `RST in the body (${framing})`,
        script: answering(sendThenReset(half)),
        expects: lost(cut(framing)),
        reason: 'upstreamReset',
      },
      {
        name: `FIN in the body (${framing})`,
        script: answering(async (peer, id) => {
          await peer.send(...half(id))
          await peer.connection.fin()
        }),
        expects: lost(cut(framing)),
        reason: 'upstreamReset',
      },
      {
        name: `RST_STREAM in the body (${framing})`,
        script: answering((peer, id) => peer.send(...half(id), rstFrame(id, 2))),
        expects: kept(cut(framing)),
        reason: 'upstreamReset',
      },
      {
        name: `malformed trailers (${framing})`,
        script: answering((peer, id) => peer.send(...half(id), headersFrame(id, [[':status', '200']]))),
        expects: kept(cut(framing)),
        reason: 'upstreamInvalid',
      },
      {
        name: `trailers that do not end the stream (${framing})`,
        script: answering((peer, id) => peer.send(...half(id), headersFrame(id, [['x-sum', '1']], h2.endHeaders))),
        expects: kept(cut(framing)),
        reason: 'upstreamInvalid',
      },
      {
        name: `silence in the body (${framing})`,
        script: answering((peer, id) => peer.send(...half(id))),
        expects: kept(cut(framing)),
        reason: 'idleTimeout',
      },
      ...lengthOnly,
    ]
  })
}

function leaving(kind: Kind, { answered, whole }: Asker): UpstreamEnd[] {
  return [
    {
      name: 'GOAWAY that refuses the request',
      script: answering((peer) => peer.send(goawayFrame(0, 0))),
      expects: lost(answered(502, 'upstreamReset')),
      reason: 'upstreamReset',
    },
    {
      name: 'GOAWAY with an error, then FIN',
      script: answering(async (peer, id) => {
        await peer.send(goawayFrame(id, 2))
        await peer.connection.fin()
      }),
      expects: lost(answered(502, 'upstreamReset')),
      reason: 'upstreamReset',
    },
    {
      name: 'graceful GOAWAY, and the answer after it',
      script: answering(async (peer, id) => {
        await peer.send(goawayFrame(0x7fff_ffff, 0), goawayFrame(id, 0))
        await ok(peer, id, kind)
      }),
      expects: notReused(whole('done')),
      reason: 'ok',
    },
    {
      name: 'GOAWAY while idle',
      script: answering(async (peer, id, { connections }) => {
        await ok(peer, id, kind)
        await eventually(() => connections().idle === 1)
        await peer.send(goawayFrame(id, 0))
      }),
      expects: notReused(whole('done')),
      reason: 'ok',
    },
    {
      name: 'FIN while idle',
      script: answering(async (peer, id, { connections }) => {
        await ok(peer, id, kind)
        await eventually(() => connections().idle === 1)
        await peer.connection.fin()
      }),
      expects: notReused(whole('done')),
      reason: 'ok',
    },
  ]
}

function surplus(kind: Kind, { answered, whole }: Asker): UpstreamEnd[] {
  const after = (name: string, surplusOf: (id: number) => Buffer): UpstreamEnd => ({
    name,
    script: answering(async (peer, id) => {
      await peer.send(headersFrame(id, responseHead(kind), h2.endHeaders), ...ending(id, kind), surplusOf(id))
    }),
    expects: notReused(whole('done')),
    reason: 'ok',
  })
  return [
    after('DATA after END_STREAM', (id) => dataFrame(id, 'surplus')),
    after('HEADERS after END_STREAM', (id) => headersFrame(id, responseHead(kind))),
    after('DATA on a stream that nobody opened', (id) => dataFrame(id + 2, 'surplus')),
    after('PUSH_PROMISE', (id) => frame(h2.pushPromise, { id, flags: h2.endHeaders, payload: '\0\0\0\u0002' })),
    {
      name: 'WINDOW_UPDATE and RST_STREAM after END_STREAM',
      script: answering(async (peer, id) => {
        await ok(peer, id, kind)
        await peer.send(windowUpdateFrame(id, 10), rstFrame(id, 0))
      }),
      expects: kept(async (client) => {
        await whole('done')(client)
        await whole('done')(client)
      }),
      reason: 'ok',
    },
    {
      name: 'DATA before the head',
      script: answering((peer, id) => peer.send(dataFrame(id, 'early'))),
      expects: kept(answered(502, 'upstreamInvalid')),
      reason: 'upstreamInvalid',
    },
    {
      name: 'the whole answer, then RST_STREAM with NO_ERROR',
      script: answering(async (peer, id) => {
        await ok(peer, id, kind)
        await peer.send(rstFrame(id, 0))
      }),
      expects: kept(async (client) => {
        await whole('done')(client)
        expect(client.socket.destroyed).to.equal(false)
      }),
      reason: 'ok',
    },
  ]
}
