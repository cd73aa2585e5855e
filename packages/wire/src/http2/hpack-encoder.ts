import { copyBytes, writeLatin1 } from '../http1/bytes.ts'
import { FIELD_OVERHEAD, type HeaderField } from './header-field.ts'
import { HpackBlockMemo } from './hpack-block-memo.ts'
import { indexing } from './hpack-codes.ts'
import { DEFAULT_TABLE_BYTES } from './hpack-decoder.ts'
import { HpackIndex } from './hpack-index.ts'
import { huffmanLength, writeHuffman } from './huffman.ts'
import { LAST_STATIC_INDEX } from './static-table.ts'

// An octet for the kind, and three integers of up to six octets less the prefix of the first: more than ever comes.
const literalOverhead = 16
const sizeUpdates = 12

/** Turns fields into header blocks and keeps the dynamic table that the peer's decoder follows. */
export class HpackEncoder {
  readonly #ownMaxBytes: number
  readonly #index: HpackIndex
  readonly #blocks = new HpackBlockMemo()
  // What the next block has to announce: the size, and the lowest that it has had since the last block (§4.2).
  #wantedBytes: number
  #lowestBytes: number

  /** `maxTableBytes`: what the table takes at most, whatever the peer allows. Default: 4_096. */
  constructor(maxTableBytes: number = DEFAULT_TABLE_BYTES) {
    this.#ownMaxBytes = maxTableBytes
    this.#wantedBytes = Math.min(maxTableBytes, DEFAULT_TABLE_BYTES)
    this.#lowestBytes = this.#wantedBytes
    this.#index = new HpackIndex(Math.max(maxTableBytes, DEFAULT_TABLE_BYTES), DEFAULT_TABLE_BYTES)
  }

  /** Says what the peer's SETTINGS_HEADER_TABLE_SIZE is; the next block announces the change (RFC 7541 §4.2, §6.3). */
  setPeerTableBytes(bytes: number): void {
    this.#wantedBytes = Math.min(bytes, this.#ownMaxBytes)
    if (this.#wantedBytes < this.#lowestBytes) this.#lowestBytes = this.#wantedBytes
  }

  /** Octets that the block of these fields takes at most, size updates included. */
  bound(fields: readonly HeaderField[]): number {
    let bytes = sizeUpdates
    for (let i = 0; i < fields.length; i++) bytes += fields[i]!.size + (literalOverhead - FIELD_OVERHEAD)
    return bytes
  }

  /** Writes the block for `fields` at `pos`, where `bound(fields)` octets must be free; returns the position after it. */
  encode(out: Buffer, pos: number, fields: readonly HeaderField[]): number {
    const index = this.#index
    let at = pos
    let keeps = true
    if (this.#wantedBytes !== index.maxBytes || this.#lowestBytes !== index.maxBytes) {
      at = this.#announce(out, at)
      keeps = false
    } else {
      const kept = this.#blocks.ofFields(fields, index)
      if (kept !== undefined) return copyBytes(out, pos, kept.octets, 0, kept.length)
    }
    const { newest, count } = index
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      if (field.indexing !== indexing.never) {
        if (field.staticIndex > 0) {
          out[at++] = 0x80 | field.staticIndex
          continue
        }
        const distance = field.indexing === indexing.incremental ? index.find(field) : -1
        if (distance >= 0) {
          at = writeInteger(out, at, 0x80, 0x7f, distance + LAST_STATIC_INDEX + 1)
          continue
        }
      } else keeps = false
      at = this.#literal(out, at, field)
    }
    if (keeps && index.newest === newest && index.count === count) {
      this.#blocks.keep('fields', out, pos, at, fields, index)
    }
    return at
  }

  #literal(out: Buffer, pos: number, field: HeaderField): number {
    const index = this.#index
    let name = field.staticName
    if (name === 0) {
      const distance = index.findName(field.key)
      if (distance >= 0) name = distance + LAST_STATIC_INDEX + 1
    }
    if (field.indexing !== indexing.incremental || field.key.varying || field.size * 2 > index.maxBytes) {
      // Raw: what is sent once costs more time in Huffman code than its octets save.
      const kind = field.indexing === indexing.never ? 0x10 : 0
      let at = writeInteger(out, pos, kind, 0x0f, name)
      if (name === 0) at = writeRaw(out, at, field.name)
      return writeRaw(out, at, field.value)
    }
    index.insert(field)
    let at = writeInteger(out, pos, 0x40, 0x3f, name)
    if (name === 0) at = writeShorter(out, at, field.name)
    return writeShorter(out, at, field.value)
  }

  #announce(out: Buffer, pos: number): number {
    let at = pos
    if (this.#lowestBytes < this.#wantedBytes && this.#lowestBytes < this.#index.maxBytes) {
      at = this.#resize(out, at, this.#lowestBytes)
    }
    at = this.#resize(out, at, this.#wantedBytes)
    this.#lowestBytes = this.#wantedBytes
    return at
  }

  #resize(out: Buffer, pos: number, bytes: number): number {
    this.#index.resize(bytes)
    return writeInteger(out, pos, 0x20, 0x1f, bytes)
  }
}

/** Writes an integer (RFC 7541 §5.1) whose prefix is the bits `mask` of an octet that begins with `kind`. */
function writeInteger(out: Buffer, pos: number, kind: number, mask: number, value: number): number {
  if (value < mask) {
    out[pos] = kind | value
    return pos + 1
  }
  let at = pos
  out[at++] = kind | mask
  let rest = value - mask
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  out[at++] = rest
  return at
}

function writeRaw(out: Buffer, pos: number, text: string): number {
  return writeLatin1(out, writeInteger(out, pos, 0, 0x7f, text.length), text)
}

function writeShorter(out: Buffer, pos: number, text: string): number {
  const length = huffmanLength(text)
  if (length >= text.length) return writeRaw(out, pos, text)
  return writeHuffman(out, writeInteger(out, pos, 0x80, 0x7f, length), text)
}
