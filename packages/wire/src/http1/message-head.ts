import { readLatin1 } from './bytes.ts'
import { http1Error } from './codes.ts'
import { fieldId } from './field-names.ts'
import { FIELD_STRIDE, FieldBlock } from './fields.ts'
import { COMMA, isDigit, isOws, spells, TOKEN } from './octets.ts'

/** Bounds of a head. CONTRACT.md names the defaults of the proxy: 16 KiB, 100 fields, 8 KiB. */
export interface HeadLimits {
  /** Octets of the whole head, from its first octet to the empty line, both included. */
  maxHeadBytes: number
  maxFields: number
  /** Octets of the request target; of no meaning for responses. */
  maxTargetBytes: number
}

/** Bits of `MessageHead.flags`: one number is reset in one store. */
export const headFlag = {
  chunked: 1,
  close: 2,
  keepAlive: 4,
  upgrade: 8,
  namesTe: 16,
  namesOthers: 32,
  expectContinue: 64,
  expectOther: 128,
  teTrailers: 256,
  plainPath: 512,
  statusLineVerbatim: 1024,
} as const

const contentLengthBit = 1 << fieldId.contentLength
const transferEncodingBit = 1 << fieldId.transferEncoding
const connectionBit = 1 << fieldId.connection

// `v * 10 + d` stays exact as long as v has not passed this.
const maxTenth = Math.floor(Number.MAX_SAFE_INTEGER / 10)
const lastDigit = Number.MAX_SAFE_INTEGER % 10

/** What requests and responses have in common: version, framing (RFC 9112 §6) and connection options (§9). */
export class MessageHead extends FieldBlock {
  /** Bits of `headFlag`; the getters below read them. */
  flags = 0
  /** 0 or 1: a higher minor version is treated as 1 (RFC 9110 §2.5). */
  minorVersion = 1
  /** The Content-Length, or -1. */
  contentLength = -1
  /** Where the start line begins: after `start` when an empty line came before it. */
  headStart = 0
  /** The position after the empty line. */
  headEnd = 0

  get chunked(): boolean {
    return (this.flags & headFlag.chunked) !== 0
  }

  /** Whether the connection persists after this message, by version and Connection (RFC 9112 §9.3). */
  get keepAlive(): boolean {
    const options = this.flags & (headFlag.close | headFlag.keepAlive)
    return this.minorVersion === 1 ? (options & headFlag.close) === 0 : options === headFlag.keepAlive
  }

  /** Whether Connection lists `upgrade` in HTTP/1.1; in HTTP/1.0 it is to be ignored (RFC 9110 §7.8). */
  get connectionUpgrade(): boolean {
    return (this.flags & headFlag.upgrade) !== 0 && this.minorVersion === 1
  }

  /** Whether an upgrade is asked for or agreed to: `connectionUpgrade`, and Upgrade is there (RFC 9110 §7.8). */
  get upgrade(): boolean {
    return this.connectionUpgrade && (this.seen & (1 << fieldId.upgrade)) !== 0
  }

  /** Whether Connection lists options other than close, keep-alive, upgrade and te: ask `isNamedByConnection`. */
  get connectionNamesOthers(): boolean {
    return (this.flags & headFlag.namesOthers) !== 0
  }

  /**
   * Whether Connection names this field, so that it ends here (RFC 9110 §7.6.1).
   *
   * Never true for Host, Content-Length and Transfer-Encoding: a client must not be able to have them dropped.
   */
  isNamedByConnection(index: number): boolean {
    if ((this.seen & connectionBit) === 0) return false
    const at = index * FIELD_STRIDE
    const { buf, table } = this
    const id = table[at + 4]!
    if (id === fieldId.host || id === fieldId.contentLength || id === fieldId.transferEncoding) return false
    const name = readLatin1(buf, table[at]!, table[at + 1]!).toLowerCase()
    for (let i = this.indexOf(fieldId.connection); i >= 0; i = this.indexOf(fieldId.connection, i + 1)) {
      const value = this.value(i).toLowerCase()
      if (value === name) return true
      if (value.includes(',') && value.split(/[ \t]*,[ \t]*/).includes(name)) return true
    }
    return false
  }

  /** Sets everything to what an empty head has. */
  protected clear(buf: Buffer, start: number, limits: HeadLimits): void {
    this.buf = buf
    this.reserve(limits.maxFields)
    this.flags = 0
    this.seen = 0
    this.fieldCount = 0
    this.contentLength = -1
    this.headStart = start
    this.headEnd = start
  }

  /** Makes this an owned, exact-size copy of `head`; returns by how much its offsets moved. */
  protected copyFrom(head: MessageHead): number {
    const shift = head.headStart
    this.buf = Buffer.allocUnsafeSlow(head.headEnd - shift)
    head.buf.copy(this.buf, 0, shift, head.headEnd)
    const used = head.fieldCount * FIELD_STRIDE
    const table = head.table.slice(0, used + FIELD_STRIDE)
    for (let i = 0; i <= used; i++) if (i % FIELD_STRIDE !== 4) table[i]! -= shift
    this.table = table
    this.fieldCount = head.fieldCount
    this.seen = head.seen
    this.fieldsStart = head.fieldsStart - shift
    this.fieldsEnd = head.fieldsEnd - shift
    this.flags = head.flags
    this.minorVersion = head.minorVersion
    this.contentLength = head.contentLength
    this.headStart = 0
    this.headEnd = head.headEnd - shift
    return shift
  }

  /** Reads a framing or connection field; 0 or an `http1Error`. */
  override note(id: number, start: number, end: number): number {
    if (id === fieldId.connection) return this.#noteConnection(start, end)
    if (id === fieldId.contentLength) return this.#noteContentLength(start, end)
    if (id === fieldId.transferEncoding) return this.#noteTransferEncoding(start, end)
    return 0
  }

  /**
   * One number in digits. A repeated line or a list is refused even when all agree, as RFC 9112 §6.3 item 5 allows:
   * the line goes on as it is, and the next recipient may choose otherwise.
   */
  #noteContentLength(start: number, end: number): number {
    if ((this.seen & transferEncodingBit) !== 0) return http1Error.conflictingFraming
    if ((this.seen & contentLengthBit) !== 0 || start === end) return http1Error.badContentLength
    const buf = this.buf
    let value = 0
    for (let i = start; i < end; i++) {
      const octet = buf[i]!
      if (!isDigit(octet)) return http1Error.badContentLength
      const digit = octet - 0x30
      if (value >= maxTenth && (value > maxTenth || digit > lastDigit)) return http1Error.badContentLength
      value = value * 10 + digit
    }
    this.contentLength = value
    return 0
  }

  #noteTransferEncoding(start: number, end: number): number {
    if ((this.seen & contentLengthBit) !== 0) return http1Error.conflictingFraming
    if ((this.seen & transferEncodingBit) !== 0 || this.minorVersion === 0) return http1Error.badTransferEncoding
    if (!spells(this.buf, start, end, 'chunked')) return transferCodingError(this.buf, start, end)
    this.flags |= headFlag.chunked
    return 0
  }

  #noteConnection(start: number, end: number): number {
    const buf = this.buf
    let i = start
    while (i < end) {
      const from = i
      while (i < end && TOKEN[buf[i]!] === 1) i++
      if (i > from) this.flags |= connectionOption(buf, from, i)
      while (i < end && isOws(buf[i]!)) i++
      if (i < end && buf[i] !== COMMA) return http1Error.badConnection
      i++
      while (i < end && isOws(buf[i]!)) i++
    }
    return 0
  }
}

function connectionOption(buf: Buffer, start: number, end: number): number {
  switch (end - start) {
    case 2:
      return spells(buf, start, end, 'te') ? headFlag.namesTe : headFlag.namesOthers
    case 5:
      return spells(buf, start, end, 'close') ? headFlag.close : headFlag.namesOthers
    case 7:
      return spells(buf, start, end, 'upgrade') ? headFlag.upgrade : headFlag.namesOthers
    case 10:
      return spells(buf, start, end, 'keep-alive') ? headFlag.keepAlive : headFlag.namesOthers
    default:
      return headFlag.namesOthers
  }
}

/**
 * Why a Transfer-Encoding that is not plainly `chunked` is refused: as a coding that is not implemented when it is a
 * list of tokens in which `chunked` stands nowhere but at the end, as malformed otherwise (RFC 9112 §6.1, §6.3).
 */
function transferCodingError(buf: Buffer, start: number, end: number): number {
  let i = start
  while (i < end) {
    const from = i
    while (i < end && TOKEN[buf[i]!] === 1) i++
    if (i === from) return http1Error.badTransferEncoding
    const chunked = spells(buf, from, i, 'chunked')
    while (i < end && isOws(buf[i]!)) i++
    if (i === end) return http1Error.unknownTransferCoding
    if (chunked || buf[i] !== COMMA) return http1Error.badTransferEncoding
    i++
    while (i < end && isOws(buf[i]!)) i++
  }
  return http1Error.badTransferEncoding
}
