import { fieldOfOctets, HeaderField, nameOfOctets, STATIC_FIELDS } from './header-field.ts'
import { hpackError, type Indexing, indexing } from './hpack-codes.ts'
import { HpackBlockMemo } from './hpack-block-memo.ts'
import { HpackMemo } from './hpack-memo.ts'
import type { HpackName } from './hpack-name.ts'
import { textOf } from './hpack-octets.ts'
import { HpackTable } from './hpack-table.ts'
import { decodeHuffman, maxDecodedLength } from './huffman.ts'
import { LAST_STATIC_INDEX } from './static-table.ts'

/** The size of both dynamic tables until something else is said (RFC 9113 §6.5.2). */
export const DEFAULT_TABLE_BYTES = 4_096

/** What one header list may be. */
export interface HpackLimits {
  /** The sum of the fields' sizes (RFC 7541 §4.1). */
  readonly maxListBytes: number
  readonly maxFields: number
}

// One for all decoders: what is in it has been read before the next string is decoded.
const keptScratch = Buffer.allocUnsafeSlow(32_768)

// Indices and lengths above 2^28 do not exist here, so four octets after the prefix are enough (RFC 7541 §5.1).
const lastShift = 21

/** Literals whose first octet has it go into the table (RFC 7541 §6.2.1). */
const incrementalBit = 0x40
/** How the first octet of a literal that is never indexed begins (RFC 7541 §6.2.3). */
const neverIndexed = 0x10

/** Turns header blocks into fields and keeps the dynamic table that the peer's encoder writes to. */
export class HpackDecoder {
  readonly #maxTableBytes: number
  readonly #table: HpackTable
  readonly #memo = new HpackMemo()
  readonly #blocks = new HpackBlockMemo()
  #broken = false
  /** After what was read last; -1 when that was malformed. */
  #pos = 0
  // The octets of the string that was read last: in the block, or decoded in the scratch buffer.
  #text: Uint8Array = keptScratch
  #textStart = 0
  #textEnd = 0

  /** `maxTableBytes`: what our SETTINGS_HEADER_TABLE_SIZE says. Default: 4_096. */
  constructor(maxTableBytes: number = DEFAULT_TABLE_BYTES) {
    this.#maxTableBytes = maxTableBytes
    // The peer's table has the default size until it has seen our settings and says so in a block (RFC 7541 §4.2).
    this.#table = new HpackTable(Math.max(maxTableBytes, DEFAULT_TABLE_BYTES), DEFAULT_TABLE_BYTES)
  }

  /**
   * Reads the fields of the complete header block `block[start, end)` to `out`, in place of what it holds: an array that
   * is used again keeps its memory.
   *
   * Returns 0 or an `hpackError`. After `compression` the decoder is unusable; after `tooLarge` it is not: the whole
   * block has been read, and `out` holds the fields that fitted.
   */
  decode(block: Uint8Array, start: number, end: number, out: HeaderField[], limits: HpackLimits): number {
    if (this.#broken) return hpackError.compression
    const table = this.#table
    const kept = this.#blocks.ofOctets(block, start, end, table)
    if (kept !== undefined && kept.listBytes <= limits.maxListBytes && kept.fields.length <= limits.maxFields) {
      const { fields } = kept
      for (let i = 0; i < fields.length; i++) out[i] = fields[i]!
      if (out.length > fields.length) out.length = fields.length
      return 0
    }
    const { newest, count: entries } = table
    let room = limits.maxListBytes
    let fields = limits.maxFields
    let count = 0
    let pos = this.#sizeUpdates(block, start, end)
    let keeps = pos === start
    while (pos < end && pos >= 0) {
      const octet = block[pos]!
      let field: HeaderField | undefined
      if (octet >= 0x80) {
        let index = octet & 0x7f
        pos++
        if (index === 0x7f) {
          index = this.#integer(block, pos - 1, end, 0x7f)
          pos = this.#pos
        }
        field = this.#indexed(index)
        if (field === undefined) pos = -1
      } else {
        // One that goes into the table may have had no place in it this time.
        if (octet >= incrementalBit || (octet & 0xf0) === neverIndexed) keeps = false
        field = this.#literal(block, pos, end, fields > 0 ? room : -1)
        pos = this.#pos
      }
      if (field !== undefined && field.size <= room && fields > 0) {
        out[count++] = field
        room -= field.size
        fields--
      } else room = -1
    }
    if (out.length > count) out.length = count
    if (pos < 0) {
      this.#broken = true
      return hpackError.compression
    }
    if (room < 0) return hpackError.tooLarge
    if (keeps && table.newest === newest && table.count === entries) {
      this.#blocks.keep('octets', block, start, end, out, table)
    }
    return 0
  }

  /** Follows size updates at the beginning of a block, of which there are two at most (RFC 7541 §4.2). */
  #sizeUpdates(block: Uint8Array, start: number, end: number): number {
    let pos = start
    for (let count = 0; pos < end && (block[pos]! & 0xe0) === 0x20; count++) {
      const bytes = this.#integer(block, pos, end, 0x1f)
      if (count === 2 || bytes < 0 || bytes > this.#maxTableBytes) return -1
      this.#table.resize(bytes)
      pos = this.#pos
    }
    return pos
  }

  /** Reads a literal; gives nothing when it is malformed, and makes none that is larger than `room`. */
  #literal(block: Uint8Array, start: number, end: number, room: number): HeaderField | undefined {
    const octet = block[start]!
    const incremental = octet >= 0x40
    // A size update after a field (RFC 7541 §4.2).
    if (!incremental && octet >= 0x20) return this.#refuse()
    const how: Indexing = incremental ? indexing.incremental : octet >= 0x10 ? indexing.never : indexing.without
    const name = this.#name(block, start, end, how)
    if (name === undefined) return this.#refuse()
    const valueStart = this.#pos
    if (!this.#span(block, valueStart, end)) return this.#refuse()
    const memorable = how === indexing.without && !name.varying
    if (memorable) {
      const known = this.#memo.find(name, block, valueStart, this.#pos)
      if (known !== undefined) return known
    }
    if (!this.#decodeSpan(block, valueStart)) return this.#refuse()
    const size = name.text.length + (this.#textEnd - this.#textStart) + 32
    const kept = size <= room
    if (!incremental) {
      if (!kept) return undefined
      const field = new HeaderField(name, textOf(this.#text, this.#textStart, this.#textEnd), how)
      if (memorable) this.#memo.keep(field, block, valueStart, this.#pos)
      return field
    }
    if (size > this.#table.maxBytes) this.#table.clear()
    if (!kept && size > this.#table.maxBytes) return undefined
    const field = fieldOfOctets(name, this.#text, this.#textStart, this.#textEnd)
    this.#table.insert(field)
    return kept ? field : undefined
  }

  #indexed(index: number): HeaderField | undefined {
    return index <= LAST_STATIC_INDEX ? STATIC_FIELDS[index] : this.#table.at(index - LAST_STATIC_INDEX - 1)
  }

  #name(block: Uint8Array, start: number, end: number, how: Indexing): HpackName | undefined {
    const index = this.#integer(block, start, end, how === indexing.incremental ? 0x3f : 0x0f)
    if (index > 0) return this.#indexed(index)?.key
    const at = this.#pos
    if (index < 0 || !this.#span(block, at, end) || !this.#decodeSpan(block, at)) return undefined
    return nameOfOctets(this.#text, this.#textStart, this.#textEnd, how !== indexing.never)
  }

  /** Finds where a string (RFC 7541 §5.2) ends: `#textStart` to `#pos` are its octets. */
  #span(block: Uint8Array, start: number, end: number): boolean {
    if (start >= end) return false
    const length = this.#integer(block, start, end, 0x7f)
    if (length < 0 || length > end - this.#pos) return false
    this.#textStart = this.#pos
    this.#pos += length
    return true
  }

  /** Reads the string that `#span` has found at `start` into `#text`. */
  #decodeSpan(block: Uint8Array, start: number): boolean {
    if (block[start]! < 0x80) {
      this.#text = block
      this.#textEnd = this.#pos
      return true
    }
    const from = this.#textStart
    const room = maxDecodedLength(this.#pos - from)
    this.#text = room <= keptScratch.length ? keptScratch : Buffer.allocUnsafe(room)
    this.#textStart = 0
    this.#textEnd = decodeHuffman(block, from, this.#pos, this.#text)
    return this.#textEnd >= 0
  }

  /** Reads an integer (RFC 7541 §5.1) that begins in the bits `mask` of the octet at `start`; -1 when it is malformed. */
  #integer(block: Uint8Array, start: number, end: number, mask: number): number {
    let value = block[start]! & mask
    let pos = start + 1
    if (value === mask) {
      for (let shift = 0; ; shift += 7) {
        if (pos === end || shift > lastShift) return this.#malformed()
        const octet = block[pos++]!
        value += (octet & 0x7f) << shift
        if (octet < 0x80) break
      }
    }
    this.#pos = pos
    return value
  }

  #malformed(): -1 {
    this.#pos = -1
    return -1
  }

  #refuse(): undefined {
    this.#pos = -1
    return undefined
  }
}
