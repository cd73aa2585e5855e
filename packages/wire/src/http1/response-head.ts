import { readLatin1 } from './bytes.ts'
import { http1Error } from './codes.ts'
import { fieldId } from './field-names.ts'
import { scanFields } from './fields.ts'
import { type HeadLimits, headFlag, MessageHead } from './message-head.ts'
import { methodId } from './methods.ts'
import { COMMA, isDigit, isOws, SP, spells, VALUE } from './octets.ts'
import { lineEndAt, VERSION_LENGTH, VERSION_UNFINISHED, versionAt } from './start-line.ts'

/** How the end of a response body is found (RFC 9112 §6.3). */
export const framingKind = { none: 0, length: 1, chunked: 2, untilClose: 3 } as const

/** One of the numbers in `framingKind`. */
export type FramingKind = (typeof framingKind)[keyof typeof framingKind]

const maxKeepAliveSeconds = 2_147_483

/** The head of a response as offsets into the octets it came in (RFC 9112 §4); filled by `parseResponseHead`. */
export class ResponseHead extends MessageHead {
  /** 100 to 599. */
  status = 0
  reasonStart = 0
  reasonEnd = 0
  /** `timeout=` of Keep-Alive in milliseconds, or -1: after so long the upstream closes an idle connection. */
  keepAliveTimeoutMs = -1

  get reason(): string {
    return readLatin1(this.buf, this.reasonStart, this.reasonEnd)
  }

  /** True when the status line is exactly what an HTTP/1.1 sender would write, so that its octets may be copied. */
  get statusLineVerbatim(): boolean {
    return (this.flags & headFlag.statusLineVerbatim) !== 0
  }

  /** An owned copy of head and octets that outlives the lent buffer. */
  retain(): ResponseHead {
    const copy = new ResponseHead(0)
    const shift = copy.copyFrom(this)
    copy.status = this.status
    copy.reasonStart = this.reasonStart - shift
    copy.reasonEnd = this.reasonEnd - shift
    copy.keepAliveTimeoutMs = this.keepAliveTimeoutMs
    return copy
  }

  /** Sets everything to what an empty head has. */
  begin(buf: Buffer, start: number, limits: HeadLimits): void {
    this.clear(buf, start, limits)
    this.status = 0
    this.reasonStart = this.reasonEnd = start
    this.keepAliveTimeoutMs = -1
  }

  override note(id: number, start: number, end: number): number {
    if (id !== fieldId.keepAlive) return super.note(id, start, end)
    const buf = this.buf
    for (let i = start; i < end; i++) {
      while (i < end && isOws(buf[i]!)) i++
      const from = i
      while (i < end && buf[i] !== COMMA) i++
      if (i - from > 8 && spells(buf, from, from + 7, 'timeout') && buf[from + 7] === 0x3d) {
        this.#noteTimeout(from + 8, i)
      }
    }
    return 0
  }

  /** A hint, so what is not understood is ignored. */
  #noteTimeout(start: number, end: number): void {
    let seconds = 0
    let i = start
    while (i < end && isDigit(this.buf[i]!)) {
      seconds = Math.min(seconds * 10 + this.buf[i++]! - 0x30, maxKeepAliveSeconds)
    }
    if (i > start && (i === end || isOws(this.buf[i]!))) this.keepAliveTimeoutMs = seconds * 1000
  }
}

/**
 * How the body of this response ends, given the method of its request (RFC 9112 §6.3). Whatever makes the framing
 * doubtful was refused by `parseResponseHead`.
 *
 * `none` after a 101 or a 2xx to CONNECT means that a tunnel begins; `untilClose` that the connection cannot persist.
 */
export function framing(head: ResponseHead, requestMethodId: number): FramingKind {
  const status = head.status
  if (status < 200 || status === 204 || status === 304 || requestMethodId === methodId.head) return framingKind.none
  if (requestMethodId === methodId.connect && status < 300) return framingKind.none
  if (head.chunked) return framingKind.chunked
  return head.contentLength >= 0 ? framingKind.length : framingKind.untilClose
}

/**
 * Parses a response head from `buf[start, end)` into `head` (RFC 9112 §2–§6).
 *
 * Returns the octets consumed, up to and including the empty line; 0 when `end` comes first, then call again with the
 * same start and more octets; or an `http1Error`. Neither result nor error depends on how the octets were split.
 */
export function parseResponseHead(
  head: ResponseHead,
  buf: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): number {
  head.begin(buf, start, limits)
  const bound = start + limits.maxHeadBytes
  const result = parse(head, buf, start, end < bound ? end : bound, limits)
  if (result !== 0) return result
  return end < bound ? 0 : http1Error.tooLarge
}

function parse(head: ResponseHead, buf: Buffer, start: number, end: number, limits: HeadLimits): number {
  let i = start
  const minor = versionAt(buf, i, end, http1Error.badStatusLine)
  if (minor < 0) return minor
  if (minor === VERSION_UNFINISHED) return 0
  i += VERSION_LENGTH
  if (i >= end) return 0
  if (buf[i] !== SP) return http1Error.badStatusLine
  const statusStart = ++i
  let status = 0
  for (; i < statusStart + 3; i++) {
    if (i >= end) return 0
    if (!isDigit(buf[i]!)) return http1Error.badStatusLine
    status = status * 10 + buf[i]! - 0x30
  }
  if (status < 100 || status > 599) return http1Error.badStatusLine
  if (i >= end) return 0
  // Some origins leave the SP out when there is no reason phrase: not the grammar, but there is one way to read it.
  const spaced = buf[i] === SP
  if (spaced) {
    i++
    head.reasonStart = i
    while (i < end && VALUE[buf[i]!] === 1) i++
  } else head.reasonStart = i
  head.reasonEnd = i
  const line = lineEndAt(buf, i, end, http1Error.badStatusLine)
  if (line <= 0) return line
  head.status = status
  head.minorVersion = minor > 0 ? 1 : 0
  if (minor === 1 && spaced) head.flags |= headFlag.statusLineVerbatim

  const after = scanFields(head, buf, i + line, end, limits.maxFields)
  if (after <= 0) return after
  head.headEnd = after
  return after - start
}
