import { http1Error } from './codes.ts'
import { FieldBlock, scanFields } from './fields.ts'
import { CR, HEX, isOws, LF, TOKEN, VALUE } from './octets.ts'
import { isTrailerAllowed } from './trailers.ts'

/** What `ChunkedDecoder.next` and `skim` return beside an `http1Error`. */
export const chunkEvent = {
  /** Everything up to `end` is consumed and the body goes on. */
  needMore: 0,
  /** `dataStart` and `dataEnd` hold a run of body octets. */
  data: 1,
  /** The body has ended at `position`. */
  done: 2,
  /** From `skim` only: nothing was consumed, read this run with `next`. */
  rewritten: 3,
} as const

/** Bounds of what a chunked body may carry beside its data. */
export interface ChunkedLimits {
  /**
   * Octets of chunk extensions in a whole message. They are read and thrown away, so without a bound a sender makes
   * the proxy work for octets that no body limit counts (CVE-2023-39326, RFC 9112 §7.1.1). Default: 4_096.
   */
  maxExtensionBytes: number
  /** Octets of the trailer section. Default: 8_192. */
  maxTrailerBytes: number
  /** Default: 32. */
  maxTrailerFields: number
}

const defaults: ChunkedLimits = { maxExtensionBytes: 4_096, maxTrailerBytes: 8_192, maxTrailerFields: 32 }

const state = {
  /** Before the first digit of a chunk size. */
  sizeStart: 0,
  size: 1,
  /** Whitespace after the size, which only `;` may follow. */
  afterSize: 2,
  /** After `;`: whitespace, then a name must come. */
  nameStart: 3,
  name: 4,
  /** Whitespace after a name, which `=` or `;` may follow. */
  afterName: 5,
  /** After `=`: whitespace, then a token or a quoted string must come. */
  valueStart: 6,
  value: 7,
  quoted: 8,
  quotedPair: 9,
  /** The octet after a quoted string. */
  quotedEnd: 10,
  /** Whitespace after a value, which only `;` may follow. */
  afterValue: 11,
  /** After the CR of a size line. */
  sizeLf: 12,
  data: 13,
  /** After the last octet of a chunk's data. */
  dataCr: 14,
  dataLf: 15,
  /** After the line of the last chunk: CRLF or the first trailer. */
  trailerStart: 16,
  trailer: 17,
  done: 18,
  failed: 19,
} as const

// 16 digits reach 2^64; the value is bounded below that, and a row of zeros is no reason to read on for ever.
const maxSizeDigits = 16
const quotedText = (octet: number): boolean => VALUE[octet] === 1 && octet !== 0x22 && octet !== 0x5c

/**
 * Follows a chunked body (RFC 9112 §7.1) over runs of octets that may be split anywhere.
 *
 * Pull style: call `next(buf, position, end)` until it returns anything but `chunkEvent.data`. Chunk extensions are
 * checked and dropped; trailers are collected in `trailers`.
 */
export class ChunkedDecoder {
  /** Where in the run that was passed last the decoder stands. */
  position = 0
  /** The run of body octets of the last `chunkEvent.data`, in the buffer that was passed. */
  dataStart = 0
  dataEnd = 0
  /** The announced size of the chunk that the last data belongs to. */
  chunkSize = 0
  /** True when the last data begins its chunk: a relay writes a chunk head for `chunkSize` first. */
  opensChunk = false
  /** True when the last data ends its chunk: a relay writes CRLF after it. */
  closesChunk = false
  /** Body octets so far, without framing. */
  bodyBytes = 0
  /** Whether trailers were left out of `trailers` because they must not be there (RFC 9110 §6.5.1). */
  trailersDropped = false

  readonly #limits: ChunkedLimits
  #state: number = state.sizeStart
  #digits = 0
  #remaining = 0
  #extensionBytes = 0
  #error = 0
  /** Whether something since `markCanonical` is not what `encodeChunkHead` would have written. */
  #odd = false
  #store: Buffer = Buffer.alloc(0)
  #stored = 0
  #trailers: FieldBlock | null = null

  constructor(limits: ChunkedLimits = defaults) {
    this.#limits = limits
  }

  /** Makes the decoder ready for another message; `trailers` of the last one become invalid. */
  reset(): void {
    this.#state = state.sizeStart
    this.#digits = this.#remaining = this.#extensionBytes = this.#error = this.#stored = 0
    this.#odd = this.trailersDropped = false
    this.bodyBytes = 0
  }

  /** The trailer fields after `done`, in octets of their own; null when there are none. Valid until `reset`. */
  get trailers(): FieldBlock | null {
    return this.#state === state.done && this.#stored > 0 ? this.#trailers : null
  }

  /** From here on `canonical` speaks. */
  markCanonical(): void {
    this.#odd = !this.#between
  }

  /**
   * True while everything since `markCanonical` is spelled as `encodeChunkHead` spells it (in either letter case), has
   * no extensions and no trailers, and was marked and stands now before a chunk, amid chunk data or at the end. Then the
   * octets may be passed on as they came.
   */
  get canonical(): boolean {
    return !this.#odd && this.#between
  }

  /** Whether a relay that passes octets on as they came and one that writes chunk heads itself have sent the same. */
  get #between(): boolean {
    if (this.#state === state.data) return this.#remaining < this.chunkSize
    return this.#state === state.sizeStart || this.#state === state.done
  }

  /**
   * Tries to consume the whole run. `needMore` and `done`: the octets up to `position` are canonical and may be passed
   * on as they came. `rewritten`: they may not, or hold an error, and the decoder stands as before the call.
   */
  skim(buf: Buffer, pos: number, end: number): number {
    const before = this.#state
    const digits = this.#digits
    const remaining = this.#remaining
    const chunkSize = this.chunkSize
    const extensionBytes = this.#extensionBytes
    const bodyBytes = this.bodyBytes
    this.markCanonical()
    let event: number = this.#odd ? chunkEvent.rewritten : chunkEvent.data
    this.position = pos
    while (event === chunkEvent.data) event = this.next(buf, this.position, end)
    if (event >= 0 && this.canonical) return event
    this.#state = before
    this.#digits = digits
    this.#remaining = remaining
    this.chunkSize = chunkSize
    this.#extensionBytes = extensionBytes
    this.bodyBytes = bodyBytes
    this.#error = 0
    this.position = pos
    return chunkEvent.rewritten
  }

  /** Reads on in `buf[pos, end)`; returns a `chunkEvent`, or an `http1Error` once and for ever. */
  next(buf: Buffer, pos: number, end: number): number {
    let i = pos
    let at = this.#state
    while (i < end) {
      const octet = buf[i]!
      switch (at) {
        case state.sizeStart:
          if (HEX[octet] === 255) return this.#fail(i, http1Error.badChunkSize)
          this.#remaining = HEX[octet]!
          this.#digits = 1
          if (octet === 0x30) this.#digits = -1
          at = state.size
          i++
          break
        case state.size: {
          const digit = HEX[octet]!
          if (digit !== 255) {
            // A leading zero is counted below zero: `0` alone is the last chunk, `05` or `00` an odd spelling.
            if (this.#digits < 0) {
              this.#odd = true
              this.#digits = -this.#digits
            }
            if (++this.#digits > maxSizeDigits) return this.#fail(i, http1Error.badChunkSize)
            this.#remaining = this.#remaining * 16 + digit
            if (this.#remaining > Number.MAX_SAFE_INTEGER) return this.#fail(i, http1Error.badChunkSize)
            i++
          } else if (octet === CR) {
            at = state.sizeLf
            i++
          } else {
            this.#odd = true
            at = this.#extension(state.afterSize, octet)
            if (at < 0) return this.#fail(i, at)
            i++
          }
          break
        }
        case state.sizeLf:
          if (octet !== LF) return this.#fail(i, http1Error.bareCr)
          i++
          this.chunkSize = this.#remaining
          at = this.#remaining === 0 ? state.trailerStart : state.data
          break
        case state.data: {
          const run = end - i < this.#remaining ? end - i : this.#remaining
          this.dataStart = i
          this.dataEnd = i + run
          this.opensChunk = this.#remaining === this.chunkSize
          this.#remaining -= run
          this.closesChunk = this.#remaining === 0
          this.bodyBytes += run
          this.position = i + run
          this.#state = this.closesChunk ? state.dataCr : state.data
          return chunkEvent.data
        }
        case state.dataCr:
          if (octet !== CR) return this.#fail(i, http1Error.badChunkEnd)
          at = state.dataLf
          i++
          break
        case state.dataLf:
          if (octet !== LF) return this.#fail(i, http1Error.badChunkEnd)
          at = state.sizeStart
          i++
          break
        case state.trailerStart:
          if (octet === CR && i + 1 < end && buf[i + 1] === LF) return this.#finish(i + 2)
          this.#odd = true
          this.#stored = 0
          at = state.trailer
          break
        case state.trailer:
          this.#state = at
          return this.#collect(buf, i, end)
        case state.done:
          this.position = i
          return chunkEvent.done
        case state.failed:
          return this.#error
        default:
          at = this.#extension(at, octet)
          if (at < 0) return this.#fail(i, at)
          i++
      }
    }
    this.#state = at
    this.position = i
    if (at === state.done) return chunkEvent.done
    return at === state.failed ? this.#error : chunkEvent.needMore
  }

  /** The state after an octet of a chunk extension (RFC 9112 §7.1.1), or an `http1Error`. */
  #extension(at: number, octet: number): number {
    if (octet === CR && (at === state.name || at === state.value || at === state.quotedEnd)) return state.sizeLf
    if (++this.#extensionBytes > this.#limits.maxExtensionBytes) return http1Error.badChunkExtension
    const blank = isOws(octet)
    switch (at) {
      case state.afterSize:
        if (blank) return at
        if (octet === 0x3b) return state.nameStart
        return octet === LF ? http1Error.bareLf : http1Error.badChunkSize
      case state.nameStart:
        if (blank) return at
        return TOKEN[octet] === 1 ? state.name : http1Error.badChunkExtension
      case state.name:
      case state.afterName:
        if (octet === 0x3d) return state.valueStart
        if (octet === 0x3b) return state.nameStart
        if (blank) return state.afterName
        return at === state.name && TOKEN[octet] === 1 ? at : http1Error.badChunkExtension
      case state.valueStart:
        if (blank) return at
        if (octet === 0x22) return state.quoted
        return TOKEN[octet] === 1 ? state.value : http1Error.badChunkExtension
      case state.quoted:
        if (octet === 0x22) return state.quotedEnd
        if (octet === 0x5c) return state.quotedPair
        return quotedText(octet) ? at : http1Error.badChunkExtension
      case state.quotedPair:
        return VALUE[octet] === 1 ? state.quoted : http1Error.badChunkExtension
      default:
        if (octet === 0x3b) return state.nameStart
        if (blank) return state.afterValue
        return at === state.value && TOKEN[octet] === 1 ? at : http1Error.badChunkExtension
    }
  }

  #fail(position: number, error: number): number {
    this.position = position
    this.#state = state.failed
    this.#error = error
    return error
  }

  #finish(position: number): number {
    this.position = position
    this.#state = state.done
    return chunkEvent.done
  }

  /** Adds to the trailer section, which may come in pieces, and scans it anew: it is short and rare. */
  #collect(buf: Buffer, pos: number, end: number): number {
    const { maxTrailerBytes, maxTrailerFields } = this.#limits
    const before = this.#stored
    const taken = Math.min(end - pos, maxTrailerBytes - before)
    if (this.#store.length < before + taken) {
      const larger = Buffer.allocUnsafeSlow(Math.min(maxTrailerBytes, Math.max(256, 2 * (before + taken))))
      this.#store.copy(larger, 0, 0, before)
      this.#store = larger
    }
    buf.copy(this.#store, before, pos, pos + taken)
    this.#stored = before + taken
    this.#trailers ??= new FieldBlock(maxTrailerFields)
    const after = scanFields(this.#trailers, this.#store, 0, this.#stored, maxTrailerFields)
    if (after < 0) return this.#fail(pos, after)
    if (after > 0) {
      this.trailersDropped = this.#trailers.keepFields(isTrailerAllowed)
      if (this.#trailers.fieldCount === 0) this.#stored = 0
      return this.#finish(pos + after - before)
    }
    if (this.#stored === maxTrailerBytes) return this.#fail(pos, http1Error.tooLarge)
    this.position = pos + taken
    return chunkEvent.needMore
  }
}

/** The chunk that ends a body without trailers (RFC 9112 §7.1). */
export const LAST_CHUNK: Buffer = Buffer.from('0\r\n\r\n', 'latin1')
/** The line of the last chunk alone; trailers and an empty line follow it. */
export const LAST_CHUNK_LINE: Buffer = Buffer.from('0\r\n', 'latin1')

/** The most octets `encodeChunkHead` writes. */
export const MAX_CHUNK_HEAD_BYTES = 16

const hexDigits = Buffer.from('0123456789abcdef', 'latin1')

/** Writes the size line of a chunk of `size` octets (1 to 2^53-1) at `pos` and returns the position after it. */
export function encodeChunkHead(out: Buffer, pos: number, size: number): number {
  let length = 1
  for (let bound = 16; size >= bound; bound *= 16) length++
  let rest = size
  for (let i = pos + length - 1; i >= pos; i--) {
    const sixteenth = Math.floor(rest / 16)
    out[i] = hexDigits[rest - sixteenth * 16]!
    rest = sixteenth
  }
  out[pos + length] = CR
  out[pos + length + 1] = LF
  return pos + length + 2
}
