import {
  dataFrame,
  frame,
  goawayFrame,
  h2,
  headerBlock,
  headersFrame,
  pingFrame,
  type RawFields,
  settingsFrame,
  windowUpdateFrame,
  word,
} from '../../../packages/testkit/src/http2/index.ts'

/** What an upstream does to the stream `id`, and what comes of the call. */
export interface UpstreamAttack {
  readonly what: string
  /** Said once. */
  readonly begins?: (id: number) => Buffer
  /** Said again and again. */
  readonly goesOn?: (id: number) => Buffer
  /** To the first stream of a connection alone. Default: to each that is asked for after the last one has ended. */
  readonly once?: boolean
  /** Says SETTINGS when the connection stands. Default: true. */
  readonly speaks?: boolean
  /** What a client of HTTP/1.1 gets: a status and a reason, or `cut` when the answer had begun. */
  readonly http: string
  /** The status of gRPC. */
  readonly grpc: number
}

const internal = 13
const invalid = { http: '502 upstreamInvalid', grpc: internal } as const
const cut = { http: 'cut', grpc: internal } as const
const late = { http: '504 responseTimeout', grpc: 14 } as const

const again = (times: number, say: (id: number) => Buffer) => (id: number) =>
  Buffer.concat(Array.from({ length: times }, () => say(id)))

const answerFields: RawFields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
]
const head = (id: number) => headersFrame(id, answerFields, h2.endHeaders)
const interim = (id: number) => headersFrame(id, [[':status', '103']], h2.endHeaders)

// As in attacks.ts: an entry of 4,033 octets, and many octets that each mean it.
const bombEntry = Buffer.concat([Buffer.from('\x40\x01x\x7f\xa1\x1e', 'latin1'), Buffer.alloc(4_000, 'x')])
const bomb = Buffer.concat([headerBlock(answerFields), bombEntry, Buffer.alloc(12_000, 0x80 | 62)])
const block = (id: number, flags: number, ...parts: readonly Buffer[]) =>
  frame(h2.headers, { id, flags, payload: Buffer.concat(parts) })

/** What is done to a Sluice by its upstreams. */
export const upstreamAttacks: readonly UpstreamAttack[] = [
  { what: 'SETTINGS', goesOn: again(100, () => settingsFrame()), ...invalid },
  { what: 'PING', goesOn: again(500, () => pingFrame()), ...invalid },
  { what: 'PRIORITY', goesOn: again(500, (id) => frame(h2.priority, { id, payload: [0, 0, 0, 0, 1] })), ...invalid },
  { what: 'frames of unknown types', goesOn: again(500, () => frame(0x77)), ...invalid },
  { what: 'WINDOW_UPDATE', goesOn: again(500, () => windowUpdateFrame(0, 1)), ...invalid },
  { what: 'GOAWAY', goesOn: again(500, (id) => goawayFrame(id, 0)), ...invalid },
  {
    what: 'CONTINUATION without end',
    begins: (id) => block(id, 0, headerBlock(answerFields)),
    goesOn: again(50, (id) => frame(h2.continuation, { id, payload: headerBlock([['x', '1']]) })),
    ...invalid,
  },
  { what: 'interim answers without end', goesOn: again(50, interim), ...invalid },
  {
    what: 'a push',
    begins: (id) => frame(h2.pushPromise, { id, flags: h2.endHeaders, payload: word(2) }),
    ...invalid,
  },
  { what: 'a head of 16 KiB that means 48 MiB', begins: (id) => block(id, h2.endHeaders, bomb), ...invalid },
  {
    what: 'DATA without content',
    begins: head,
    goesOn: again(500, (id) => dataFrame(id, '')),
    ...cut,
  },
  {
    what: 'trailers of 16 KiB that mean 48 MiB',
    begins: (id) => Buffer.concat([head(id), block(id, h2.endHeaders | h2.endStream, bomb)]),
    ...cut,
  },
  {
    what: 'a head that is never complete',
    begins: (id) => block(id, 0, headerBlock(answerFields)),
    once: true,
    ...late,
  },
  { what: 'no word of HTTP/2', speaks: false, http: '504 connectTimeout', grpc: 14 },
]
