import {
  dataFrame,
  frame,
  goawayFrame,
  h2,
  headerBlock,
  pingFrame,
  type RawFields,
  rstFrame,
  settingsFrame,
  windowUpdateFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import type { Line } from './line.ts'

/** What an attacker does on each of its connections, and what it gets for it. */
export interface Attack {
  readonly what: string
  /** What its SETTINGS say. */
  readonly settings?: readonly (readonly [name: number, value: number])[]
  /** Said once, after the preface and the SETTINGS. */
  readonly begins?: (line: Line) => Buffer
  /** Said again and again. */
  readonly goesOn?: (line: Line) => Buffer
  /** A while passes between two of them: it is slow, and no flood. Default: false. */
  readonly rests?: boolean
  /** It reads what comes. Default: true. */
  readonly reads?: boolean
  /** It says anything at all, or nothing after the preface. Default: true. */
  readonly speaks?: boolean | 'preface'
  /** How its connections end, in other than the order of the first: the first one must be seen. */
  readonly ends: readonly string[]
  /** What must be seen on streams. */
  readonly sees?: string
}

const calm = (bound: string) => `GOAWAY ENHANCE_YOUR_CALM: more than ${bound} allows`
const tooLongBlock = 'GOAWAY ENHANCE_YOUR_CALM: a header block longer than maxHeadBytes allows'
const notInTime = 'GOAWAY SETTINGS_TIMEOUT: a frame or a header block was not completed in time'
const cancel = 8

const again = (times: number, say: (line: Line, turn: number) => Buffer) => (line: Line) =>
  Buffer.concat(Array.from({ length: times }, (_, turn) => say(line, turn)))

const eachStream = (times: number, say: (id: number, line: Line) => readonly Buffer[]) => (line: Line) =>
  Buffer.concat(Array.from({ length: times }, () => say(line.newId(), line)).flat())

/** HEADERS whose block is not complete. */
const half = (line: Line) => frame(h2.headers, { id: line.newId(), payload: headerBlock(line.target.fields) })

// RFC 7541 §6.2.1: an entry of 4,033 octets enters the table; §6.1: an octet for each time it is meant.
const bombEntry = Buffer.concat([Buffer.from('\x40\x01x\x7f\xa1\x1e', 'latin1'), Buffer.alloc(4_000, 'x')])
const bombRefs = Buffer.alloc(12_000, 0x80 | 62)

const headers = (id: number, ...block: readonly Buffer[]) =>
  frame(h2.headers, { id, flags: h2.endHeaders | h2.endStream, payload: Buffer.concat(block) })

const manyFields: RawFields = Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'v'] as const)

/** What is done to a Sluice by its clients. */
export const attacks: readonly Attack[] = [
  {
    what: 'streams that are opened and reset (CVE-2023-44487)',
    goesOn: eachStream(100, (id, { target }) => [target.request(id), rstFrame(id, cancel)]),
    ends: [calm('maxResets')],
  },
  {
    what: 'streams that are reset while they wait at a gate (CVE-2023-44487)',
    goesOn: eachStream(100, (id, { target }) => [target.held(id), rstFrame(id, cancel)]),
    ends: [calm('maxResets')],
  },
  {
    what: 'streams that it has reset by a WINDOW_UPDATE of 0 (CVE-2025-8671)',
    goesOn: eachStream(100, (id, { target }) => [target.upload(id), windowUpdateFrame(id, 0)]),
    ends: [calm('maxResets')],
    sees: 'RST_STREAM PROTOCOL_ERROR',
  },
  {
    what: 'streams that it has reset by a window too large (CVE-2025-8671)',
    goesOn: eachStream(100, (id, { target }) => [target.upload(id), windowUpdateFrame(id, 2 ** 31 - 1)]),
    ends: [calm('maxResets')],
    sees: 'RST_STREAM FLOW_CONTROL_ERROR',
  },
  {
    what: 'HEADERS without content',
    goesOn: eachStream(100, (id) => [headers(id)]),
    ends: [calm('maxResets')],
  },
  {
    what: 'streams over maxStreams',
    begins: eachStream(100, (id, { target }) => [target.held(id)]),
    goesOn: eachStream(50, (id, { target }) => [target.held(id)]),
    ends: [calm('maxResets')],
    sees: 'RST_STREAM REFUSED_STREAM',
  },
  {
    what: 'CONTINUATION without end (CVE-2024-27316)',
    begins: half,
    goesOn: again(50, ({ lastId }) => frame(h2.continuation, { id: lastId, payload: headerBlock([['x', '1']]) })),
    ends: [calm('maxContinuations')],
  },
  {
    what: 'CONTINUATION without content (CVE-2024-27316)',
    begins: half,
    goesOn: again(50, ({ lastId }) => frame(h2.continuation, { id: lastId })),
    ends: [calm('maxContinuations')],
  },
  {
    what: 'CONTINUATION of 16 KiB (CVE-2024-27316)',
    begins: half,
    goesOn: (line) => frame(h2.continuation, { id: line.lastId, payload: Buffer.alloc(16_384) }),
    ends: [tooLongBlock],
  },
  { what: 'SETTINGS (CVE-2019-9515)', goesOn: again(100, () => settingsFrame()), ends: [calm('maxSettings')] },
  {
    what: 'SETTINGS_INITIAL_WINDOW_SIZE back and forth',
    begins: eachStream(50, (id, { target }) => [target.large(id)]),
    goesOn: again(20, (_, turn) => settingsFrame([4, turn % 2 === 0 ? 0 : 65_535])),
    ends: [calm('maxSettings')],
  },
  { what: 'PING (CVE-2019-9512)', goesOn: again(500, () => pingFrame()), ends: [calm('maxPings')] },
  { what: 'GOAWAY', goesOn: again(100, () => goawayFrame(0, 0)), ends: [calm('maxSettings')] },
  {
    what: 'DATA without content (CVE-2019-9518)',
    begins: eachStream(1, (id, { target }) => [target.upload(id)]),
    goesOn: again(500, ({ lastId }) => dataFrame(lastId, '')),
    ends: [calm('maxEmptyFrames')],
  },
  {
    what: 'DATA of an octet each',
    begins: eachStream(1, (id, { target }) => [target.upload(id)]),
    goesOn: again(500, ({ lastId }) => dataFrame(lastId, 'x')),
    ends: [],
  },
  {
    what: 'PRIORITY (CVE-2019-9513)',
    goesOn: again(500, () => frame(h2.priority, { id: 1, payload: [0, 0, 0, 0, 1] })),
    ends: [calm('maxPriorities')],
  },
  { what: 'frames of unknown types', goesOn: again(500, () => frame(0x77)), ends: [calm('maxPriorities')] },
  {
    what: 'WINDOW_UPDATE of the connection (CVE-2019-9511)',
    goesOn: again(500, () => windowUpdateFrame(0, 1)),
    ends: [calm('maxWindowUpdates')],
  },
  {
    what: 'WINDOW_UPDATE octet by octet for large answers (CVE-2019-9511)',
    settings: [[4, 0]],
    begins: eachStream(20, (id, { target }) => [target.large(id)]),
    goesOn: again(500, (_, turn) => windowUpdateFrame(1 + 2 * (turn % 20), 1)),
    ends: [calm('maxWindowUpdates')],
  },
  {
    what: 'windows of 0 for ever and requests for large answers',
    settings: [[4, 0]],
    goesOn: eachStream(15, (id, { target }) => [target.large(id)]),
    rests: true,
    ends: [],
    sees: 'RST_STREAM CANCEL',
  },
  {
    what: 'heads of 12 KiB that mean 48 MiB',
    begins: eachStream(1, (id, { target }) => [headers(id, headerBlock(target.fields), bombEntry)]),
    goesOn: eachStream(10, (id, { target }) => [headers(id, headerBlock(target.fields), bombRefs)]),
    ends: [],
    sees: 'answer',
  },
  {
    what: 'heads of too many fields',
    goesOn: eachStream(50, (id, { target }) => [headers(id, headerBlock(target.fields), headerBlock(manyFields))]),
    ends: [],
    sees: 'answer',
  },
  { what: 'header blocks that are never complete', begins: half, ends: [notInTime] },
  {
    what: 'frames that are never complete',
    begins: (line) => half(line).subarray(0, 20),
    ends: [notInTime],
  },
  { what: 'connections that never speak', speaks: false, ends: ['cut'] },
  { what: 'connections that say the preface and no more', speaks: 'preface', ends: [notInTime] },
  {
    what: 'bodies of a few octets a second',
    begins: eachStream(50, (id, { target }) => [target.longUpload(id)]),
    goesOn: again(50, (_, turn) => dataFrame(1 + 2 * turn, 'x')),
    rests: true,
    ends: [],
    sees: 'answer',
  },
  {
    what: 'answers that are never read (CVE-2019-9517)',
    reads: false,
    goesOn: eachStream(50, (id, { target }) => [target.wordy(id)]),
    ends: ['cut'],
  },
]
