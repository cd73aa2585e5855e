/** Frame types (RFC 9113 §6). */
export const frameType = {
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
} as const

/** Flags; the same bit says END_STREAM on DATA and HEADERS, and ACK on SETTINGS and PING (RFC 9113 §6). */
export const frameFlag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const

/** What SETTINGS may say (RFC 9113 §6.5.2, RFC 8441 §3). */
export const setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const

/** Octets of a frame's head. */
export const FRAME_HEAD_BYTES = 9

/** The largest window, and the largest stream id. */
export const MAX_31_BITS = 0x7fff_ffff

/** The window of a connection, and of a stream before SETTINGS say otherwise (RFC 9113 §6.9.2). */
export const DEFAULT_WINDOW = 65_535

/** What a client says first (RFC 9113 §3.4). */
export const HTTP2_PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Reads 32 bits without the first one, which is reserved. */
export function readUint31(buf: Uint8Array, at: number): number {
  return ((buf[at]! & 0x7f) << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!
}

/** Reads 32 bits. */
export function readUint32(buf: Uint8Array, at: number): number {
  return ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0
}

/** Writes 32 bits at `pos` and returns the position after them. */
export function writeUint32(out: Uint8Array, pos: number, value: number): number {
  out[pos] = value >>> 24
  out[pos + 1] = value >>> 16
  out[pos + 2] = value >>> 8
  out[pos + 3] = value
  return pos + 4
}

/** Writes the head of a frame at `pos` and returns the position after it (RFC 9113 §4.1). */
export function writeFrameHead(
  out: Uint8Array,
  pos: number,
  length: number,
  type: number,
  flags: number,
  id: number,
): number {
  out[pos] = length >>> 16
  out[pos + 1] = length >>> 8
  out[pos + 2] = length
  out[pos + 3] = type
  out[pos + 4] = flags
  return writeUint32(out, pos + 5, id)
}
