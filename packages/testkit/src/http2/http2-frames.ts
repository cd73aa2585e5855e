/** A frame as it lies on the wire, taken apart (RFC 9113 §4.1). */
export interface RawFrame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
  /** Of HEADERS and CONTINUATION that complete a header block: its fields in their order. */
  readonly fields?: RawFields
}

/** Names and values in their order, pseudo-fields as any other. */
export type RawFields = readonly (readonly [name: string, value: string])[]

/** What a test says in a frame; `payload` of text is Latin-1. */
export interface FrameText {
  readonly flags?: number
  readonly id?: number
  readonly payload?: Uint8Array | string | readonly number[]
}

/** Numbers of RFC 9113 §6, §7 and §6.5.2, for bytes that share nothing with what is tested. */
export const h2 = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  endStream: 1,
  ack: 1,
  endHeaders: 4,
  padded: 8,
  priorityFlag: 0x20,
  preface: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
} as const

function bytesOf(payload: FrameText['payload']): Buffer {
  if (typeof payload === 'string') return Buffer.from(payload, 'latin1')
  return Buffer.from(payload ?? [])
}

/** The bytes of a frame, sound or not. */
export function frame(type: number, { flags = 0, id = 0, payload }: FrameText = {}): Buffer {
  const body = bytesOf(payload)
  const head = Buffer.alloc(9)
  head.writeUIntBE(body.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, body])
}

/** 32 bits. */
export function word(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

function prefixed(length: number): Buffer {
  if (length < 127) return Buffer.from([length])
  const bytes = [127]
  let rest = length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}

/** A header block of literals that enter no table, without Huffman coding (RFC 7541 §6.2.2): any octets go. */
export function headerBlock(fields: RawFields): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0]),
      prefixed(name.length),
      Buffer.from(name, 'latin1'),
      prefixed(value.length),
      Buffer.from(value, 'latin1'),
    ]),
  )
}

/** HEADERS with a whole block, or its beginning when `flags` say so. Default of `flags`: END_HEADERS and END_STREAM. */
export function headersFrame(id: number, fields: RawFields, flags: number = h2.endHeaders | h2.endStream): Buffer {
  return frame(h2.headers, { id, flags, payload: headerBlock(fields) })
}

/** DATA; it ends the stream by `end: true`. */
export function dataFrame(id: number, content: Uint8Array | string, { end = false } = {}): Buffer {
  return frame(h2.data, { id, flags: end ? h2.endStream : 0, payload: content })
}

/** SETTINGS with these names and values. */
export function settingsFrame(...values: readonly (readonly [name: number, value: number])[]): Buffer {
  const payload = Buffer.concat(values.map(([name, value]) => Buffer.concat([Buffer.from([0, name]), word(value)])))
  return frame(h2.settings, { payload })
}

/** WINDOW_UPDATE of a stream, or of the connection when `id` is 0. */
export function windowUpdateFrame(id: number, increment: number): Buffer {
  return frame(h2.windowUpdate, { id, payload: word(increment) })
}

/** RST_STREAM. */
export function rstFrame(id: number, code: number): Buffer {
  return frame(h2.rstStream, { id, payload: word(code) })
}

/** GOAWAY. */
export function goawayFrame(lastId: number, code: number, debug = ''): Buffer {
  return frame(h2.goaway, { payload: Buffer.concat([word(lastId), word(code), Buffer.from(debug, 'latin1')]) })
}

/** PING with eight octets. */
export function pingFrame(payload = 'abcdefgh', { ack = false } = {}): Buffer {
  return frame(h2.ping, { flags: ack ? h2.ack : 0, payload })
}

/** What every request has, with more fields after it. */
export function requestFields(path = '/', method = 'GET', more: RawFields = []): RawFields {
  return [[':method', method], [':scheme', 'http'], [':path', path], [':authority', 'sluice.test'], ...more]
}
