import { isAuthority, portOf } from './authority.ts'
import { readLatin1 } from './bytes.ts'
import { http1Error } from './codes.ts'
import { fieldId } from './field-names.ts'
import { scanFields } from './fields.ts'
import { type HeadLimits, headFlag, MessageHead } from './message-head.ts'
import { METHOD_NAMES, methodEnd, methodId, methodIdOf } from './methods.ts'
import { ASTERISK, COLON, COMMA, CR, isOws, LF, QUESTION, SLASH, SP, spells, TARGET, targetOctet } from './octets.ts'
import { lineEndAt, VERSION_LENGTH, VERSION_UNFINISHED, versionAt } from './start-line.ts'

/** The four forms of a request target (RFC 9112 §3.2). */
export const targetForm = { origin: 0, absolute: 1, authority: 2, asterisk: 3 } as const

/** One of the numbers in `targetForm`. */
export type TargetForm = (typeof targetForm)[keyof typeof targetForm]

const hostBit = 1 << fieldId.host

/**
 * The head of a request as offsets into the octets it came in (RFC 9112 §3): filled by `parseRequestHead`, reused for
 * the next one, made independent of the lent octets by `retain`.
 */
export class RequestHead extends MessageHead {
  methodId: number = methodId.other
  methodStart = 0
  methodEnd = 0
  targetForm: TargetForm = targetForm.origin
  targetStart = 0
  targetEnd = 0
  /** Where the path begins. In absolute-form it may be empty, which means `/` (RFC 9112 §3.2.2). */
  pathStart = 0
  pathEnd = 0
  /** Where the query begins, at its `?`; -1 when there is none. It ends at `targetEnd`. */
  queryStart = -1
  /** Where the host begins that the request is for, -1 when none is named: Host, or the authority of the target. */
  hostStart = -1
  hostEnd = -1

  get method(): string {
    return this.methodId > 0 ? METHOD_NAMES[this.methodId]! : readLatin1(this.buf, this.methodStart, this.methodEnd)
  }

  get target(): string {
    return readLatin1(this.buf, this.targetStart, this.targetEnd)
  }

  /**
   * The path as it came, without the query; `*` in asterisk-form, empty in authority-form.
   *
   * An absolute-form without a path means `/`, and `*` when OPTIONS asks for it (RFC 9112 §3.2.2, §3.2.4).
   */
  get path(): string {
    if (this.pathEnd > this.pathStart) return readLatin1(this.buf, this.pathStart, this.pathEnd)
    if (this.targetForm !== targetForm.absolute) return ''
    return this.methodId === methodId.options && this.queryStart < 0 ? '*' : '/'
  }

  /** The query with its `?`, or an empty string. */
  get query(): string {
    return this.queryStart < 0 ? '' : readLatin1(this.buf, this.queryStart, this.targetEnd)
  }

  /** `http` or `https` in absolute-form, otherwise an empty string. */
  get scheme(): string {
    if (this.targetForm !== targetForm.absolute) return ''
    return this.buf[this.targetStart + 4] === COLON ? 'http' : 'https'
  }

  /**
   * Host with its port, as it came; empty when it is empty or, in HTTP/1.0, absent.
   *
   * In absolute-form and authority-form it is the target's authority, whatever Host says, and a proxy must send that
   * one on (RFC 9112 §3.2.2).
   */
  get host(): string {
    return this.hostStart < 0 ? '' : readLatin1(this.buf, this.hostStart, this.hostEnd)
  }

  /** True when the path is its own normal form: no `%`, no segment that begins with `.`, only octets of RFC 3986. */
  get plainPath(): boolean {
    return (this.flags & headFlag.plainPath) !== 0
  }

  /** Whether `Expect: 100-continue` asks for an interim answer; HTTP/1.0 cannot ask (RFC 9110 §10.1.1). */
  get expectContinue(): boolean {
    return (this.flags & headFlag.expectContinue) !== 0
  }

  /** Whether Expect holds anything but `100-continue`, which may be answered 417 (RFC 9110 §10.1.1). */
  get expectsOther(): boolean {
    return (this.flags & headFlag.expectOther) !== 0
  }

  /** Whether TE lists `trailers` (RFC 9110 §10.1.4). */
  get teTrailers(): boolean {
    return (this.flags & headFlag.teTrailers) !== 0
  }

  /** An owned, exact-size copy of a whole head and its octets that outlives the lent buffer. */
  retain(): RequestHead {
    const copy = new RequestHead(0)
    const shift = copy.copyFrom(this)
    copy.methodId = this.methodId
    copy.methodStart = this.methodStart - shift
    copy.methodEnd = this.methodEnd - shift
    copy.targetForm = this.targetForm
    copy.targetStart = this.targetStart - shift
    copy.targetEnd = this.targetEnd - shift
    copy.pathStart = this.pathStart - shift
    copy.pathEnd = this.pathEnd - shift
    if (this.queryStart >= 0) copy.queryStart = this.queryStart - shift
    if (this.hostStart >= 0) {
      copy.hostStart = this.hostStart - shift
      copy.hostEnd = this.hostEnd - shift
    }
    return copy
  }

  /** Sets everything to what an empty head has. */
  begin(buf: Buffer, start: number, limits: HeadLimits): void {
    this.clear(buf, start, limits)
    this.methodId = methodId.other
    this.methodStart = this.methodEnd = start
    this.targetForm = targetForm.origin
    this.targetStart = this.targetEnd = this.pathStart = this.pathEnd = start
    this.queryStart = this.hostStart = this.hostEnd = -1
  }

  override note(id: number, start: number, end: number): number {
    if (id === fieldId.host) return this.#noteHost(start, end)
    if (id === fieldId.te) return this.#noteTe(start, end)
    if (id === fieldId.expect) return this.#noteExpect(start, end)
    return super.note(id, start, end)
  }

  #noteHost(start: number, end: number): number {
    if ((this.seen & hostBit) !== 0) return http1Error.duplicateHost
    if (start < end && !isAuthority(this.buf, start, end)) return http1Error.badHost
    if (this.hostStart < 0) {
      this.hostStart = start
      this.hostEnd = end
    }
    return 0
  }

  #noteTe(start: number, end: number): number {
    const buf = this.buf
    for (let i = start; i < end; i++) {
      while (i < end && isOws(buf[i]!)) i++
      const from = i
      while (i < end && buf[i] !== COMMA) i++
      let to = i
      while (to > from && isOws(buf[to - 1]!)) to--
      if (spells(buf, from, to, 'trailers')) this.flags |= headFlag.teTrailers
    }
    return 0
  }

  #noteExpect(start: number, end: number): number {
    if (!spells(this.buf, start, end, '100-continue')) this.flags |= headFlag.expectOther
    else if (this.minorVersion === 1) this.flags |= headFlag.expectContinue
    return 0
  }
}

/**
 * Parses a request head from `buf[start, end)` into `head` (RFC 9112 §2–§6).
 *
 * Returns the octets consumed, up to and including the empty line; 0 when `end` comes first, then call again with the
 * same start and more octets; or an `http1Error`. It keeps no state between calls and says at once what is wrong in
 * the octets that are there, so neither its result nor its error depends on how they were split.
 */
export function parseRequestHead(
  head: RequestHead,
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

function parse(head: RequestHead, buf: Buffer, start: number, end: number, limits: HeadLimits): number {
  let i = start
  if (i >= end) return 0
  // RFC 9112 §2.2 lets one empty line stand before the request line: old clients end a body with one.
  if (buf[i] === CR) {
    const skipped = lineEndAt(buf, i, end, 0)
    if (skipped <= 0) return skipped
    i += skipped
    head.headStart = i
    if (i >= end) return 0
  }
  head.methodStart = i
  const afterMethod = methodEnd(buf, i, end)
  if (afterMethod <= 0) return afterMethod
  head.methodEnd = afterMethod
  head.methodId = methodIdOf(buf, i, afterMethod)

  i = afterMethod + 1
  head.targetStart = i
  // One octet more than the bound is shown, so that a target that ends right at it can be told from a longer one.
  const shown = i + limits.maxTargetBytes + 1
  const afterTarget = parseTarget(head, buf, i, end < shown ? end : shown)
  if (afterTarget < 0) return afterTarget
  if (afterTarget === 0) return end < shown ? 0 : http1Error.targetTooLong
  head.targetEnd = afterTarget
  i = afterTarget + 1

  const minor = versionAt(buf, i, end, http1Error.badRequestLine)
  if (minor < 0) return minor
  if (minor === VERSION_UNFINISHED) return 0
  i += VERSION_LENGTH
  const line = lineEndAt(buf, i, end, http1Error.badRequestLine)
  if (line <= 0) return line
  head.minorVersion = minor > 0 ? 1 : 0

  const after = scanFields(head, buf, i + line, end, limits.maxFields)
  if (after <= 0) return after
  if ((head.seen & hostBit) === 0 && minor > 0) return http1Error.missingHost
  head.headEnd = after
  return after - start
}

/** The position of the SP that ends the target, 0 when more octets are needed, or an `http1Error` (RFC 9112 §3.2). */
function parseTarget(head: RequestHead, buf: Buffer, start: number, end: number): number {
  if (start >= end) return 0
  const first = buf[start]!
  if (head.methodId === methodId.connect) return authorityForm(head, buf, start, end)
  if (first === SLASH) return scanPath(head, buf, start, end)
  if (first !== ASTERISK) return absoluteForm(head, buf, start, end)
  if (head.methodId !== methodId.options) return http1Error.badTarget
  head.targetForm = targetForm.asterisk
  head.pathStart = start
  head.pathEnd = start + 1
  return targetEndAt(buf, start + 1, end)
}

function scanPath(head: RequestHead, buf: Buffer, start: number, end: number): number {
  let plain = true
  let i = start
  let kind = 0
  for (;;) {
    while (i < end && TARGET[buf[i]!] === targetOctet.plain) i++
    if (i === end) return 0
    kind = TARGET[buf[i]!]!
    if (kind === targetOctet.dot) plain = plain && buf[i - 1] !== SLASH
    else if (kind === targetOctet.odd) plain = false
    else break
    i++
  }
  head.pathStart = start
  head.pathEnd = i
  if (plain) head.flags |= headFlag.plainPath
  return kind === targetOctet.query ? scanQuery(head, buf, i, end) : targetEndAt(buf, i, end)
}

function scanQuery(head: RequestHead, buf: Buffer, start: number, end: number): number {
  head.queryStart = start
  let i = start + 1
  while (i < end && TARGET[buf[i]!] !== targetOctet.outside) i++
  return targetEndAt(buf, i, end)
}

/** CONNECT names a host and a port to connect to, and nothing else (RFC 9112 §3.2.3, RFC 9110 §9.3.6). */
function authorityForm(head: RequestHead, buf: Buffer, start: number, end: number): number {
  let i = start
  while (i < end && TARGET[buf[i]!] !== targetOctet.outside) i++
  const after = targetEndAt(buf, i, end)
  if (after <= 0) return after
  let colon = i - 1
  while (colon > start && buf[colon] !== COLON) colon--
  if (portOf(buf, colon + 1, i) <= 0 || !isAuthority(buf, start, i)) return http1Error.badTarget
  head.targetForm = targetForm.authority
  head.hostStart = start
  head.hostEnd = i
  head.pathStart = head.pathEnd = i
  return after
}

const SCHEME = 'http'
const SCHEME_END = '://'
const LOWER_S = 0x73

/** `http` and `https` only: a proxy that passes a scheme on must know what its URIs mean (RFC 9110 §4.2). */
function absoluteForm(head: RequestHead, buf: Buffer, start: number, end: number): number {
  let i = start
  for (let k = 0; k < SCHEME.length; k++, i++) {
    if (i >= end) return 0
    if ((buf[i]! | 0x20) !== SCHEME.charCodeAt(k)) {
      return TARGET[buf[i]!] === targetOctet.outside ? targetEndError(buf[i]!) : http1Error.badTarget
    }
  }
  if (i < end && (buf[i]! | 0x20) === LOWER_S) i++
  for (let k = 0; k < SCHEME_END.length; k++, i++) {
    if (i >= end) return 0
    if (buf[i] !== SCHEME_END.charCodeAt(k)) return http1Error.badTarget
  }
  const authority = i
  while (i < end && buf[i] !== SLASH && buf[i] !== QUESTION && TARGET[buf[i]!] !== targetOctet.outside) i++
  if (i >= end) return 0
  if (!isAuthority(buf, authority, i)) return http1Error.badHost
  head.targetForm = targetForm.absolute
  head.hostStart = authority
  head.hostEnd = i
  if (buf[i] === SLASH) return scanPath(head, buf, i, end)
  head.pathStart = head.pathEnd = i
  head.flags |= headFlag.plainPath
  return buf[i] === QUESTION ? scanQuery(head, buf, i, end) : targetEndAt(buf, i, end)
}

function targetEndAt(buf: Buffer, i: number, end: number): number {
  if (i >= end) return 0
  return buf[i] === SP ? i : targetEndError(buf[i]!)
}

function targetEndError(octet: number): number {
  if (octet === LF) return http1Error.bareLf
  return octet === CR || octet === SP ? http1Error.badRequestLine : http1Error.badTarget
}
