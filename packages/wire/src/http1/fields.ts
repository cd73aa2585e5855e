import { readLatin1 } from './bytes.ts'
import { http1Error } from './codes.ts'
import { fieldIdOf, LAST_NOTED_ID } from './field-names.ts'
import { COLON, CR, HT, isOws, LF, SP, TOKEN, VALUE } from './octets.ts'

/** Numbers a field takes in `FieldBlock.table`: name start, name end, value start, value end, id. */
export const FIELD_STRIDE = 5

const noBytes = Buffer.alloc(0)
const defaultMaxFields = 100

/** A field section as offsets into bytes: the fields of a request, of a response, or its trailers (RFC 9112 §5). */
export class FieldBlock {
  /** What all offsets point into. Lent: valid until the reader's call returns, unless this is a retained copy. */
  buf: Buffer = noBytes
  /** `FIELD_STRIDE` numbers a field: [nameStart, nameEnd, valueStart, valueEnd, id], then `fieldsEnd`. */
  table: Int32Array
  fieldCount = 0
  /** Bit `1 << id` for every known field that is there. */
  seen = 0
  /** Where the first field line begins. */
  fieldsStart = 0
  /** Where the empty line begins that ends the section. */
  fieldsEnd = 0

  constructor(maxFields: number = defaultMaxFields) {
    this.table = new Int32Array((maxFields + 1) * FIELD_STRIDE)
  }

  /** Makes room for `maxFields` fields; costs nothing when it is there. */
  reserve(maxFields: number): void {
    const length = (maxFields + 1) * FIELD_STRIDE
    if (this.table.length < length) this.table = new Int32Array(length)
  }

  /** Called by the scanner for a field with an id up to `LAST_NOTED_ID`, before its bit in `seen` is set. */
  note(_id: number, _start: number, _end: number): number {
    return 0
  }

  idOf(index: number): number {
    return this.table[index * FIELD_STRIDE + 4]!
  }

  /** Where field line `index` begins; for `fieldCount`, where the last line has ended. */
  lineStart(index: number): number {
    return this.table[index * FIELD_STRIDE]!
  }

  /** The name of a field in its own letter case. */
  name(index: number): string {
    const at = index * FIELD_STRIDE
    return readLatin1(this.buf, this.table[at]!, this.table[at + 1]!)
  }

  /** The value of a field without the whitespace around it (RFC 9110 §5.5). */
  value(index: number): string {
    const at = index * FIELD_STRIDE
    return readLatin1(this.buf, this.table[at + 2]!, this.table[at + 3]!)
  }

  field(index: number): { name: string; value: string } {
    return { name: this.name(index), value: this.value(index) }
  }

  /** The index of the first field with this id at or after `from`, or -1. */
  indexOf(id: number, from = 0): number {
    if ((this.seen & (1 << id)) === 0) return -1
    const { table, fieldCount } = this
    for (let i = from; i < fieldCount; i++) if (table[i * FIELD_STRIDE + 4] === id) return i
    return -1
  }

  /** Whether a field has this name (lower case), in any letter case. */
  nameIs(index: number, lowerName: string): boolean {
    const at = index * FIELD_STRIDE
    return equalsIgnoringCase(this.buf, this.table[at]!, this.table[at + 1]!, lowerName)
  }

  /** Whether the whole value of a field is this word (lower case), in any letter case. */
  valueIs(index: number, lowerValue: string): boolean {
    const at = index * FIELD_STRIDE
    return equalsIgnoringCase(this.buf, this.table[at + 2]!, this.table[at + 3]!, lowerValue)
  }

  /**
   * Closes up over the fields for which `allowed` is false; returns whether there were any. For blocks that own their
   * octets, since these move.
   */
  keepFields(allowed: (fields: FieldBlock, index: number) => boolean): boolean {
    const { buf, table, fieldCount } = this
    let kept = 0
    let end = this.fieldsStart
    this.seen = 0
    for (let i = 0; i < fieldCount; i++) {
      const from = i * FIELD_STRIDE
      const lineStart = table[from]!
      const lineEnd = table[from + FIELD_STRIDE]!
      if (!allowed(this, i)) continue
      const shift = lineStart - end
      const to = kept * FIELD_STRIDE
      if (shift > 0) buf.copyWithin(end, lineStart, lineEnd)
      for (let k = 0; k < 4; k++) table[to + k] = table[from + k]! - shift
      table[to + 4] = table[from + 4]!
      if (table[to + 4] !== 0) this.seen |= 1 << table[to + 4]!
      end += lineEnd - lineStart
      kept++
    }
    table[kept * FIELD_STRIDE] = end
    this.fieldCount = kept
    this.fieldsEnd = end
    return kept < fieldCount
  }

  /** The value of all fields with this name (any letter case), joined as RFC 9110 §5.3 says (Cookie by `; `). */
  header(name: string): string | undefined {
    const lower = name.toLowerCase()
    let joined: string | undefined
    for (let i = 0; i < this.fieldCount; i++) {
      if (!this.nameIs(i, lower)) continue
      joined = joined === undefined ? this.value(i) : `${joined}${lower === 'cookie' ? '; ' : ', '}${this.value(i)}`
    }
    return joined
  }
}

function equalsIgnoringCase(buf: Uint8Array, start: number, end: number, lower: string): boolean {
  const length = lower.length
  if (end - start !== length) return false
  for (let i = 0; i < length; i++) {
    const octet = buf[start + i]!
    if ((octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet) !== lower.charCodeAt(i)) return false
  }
  return true
}

/**
 * Scans field lines from `start` up to and including the empty line that ends them (RFC 9112 §5), and fills `block`.
 *
 * Returns the position after the empty line, 0 when `end` comes first, or an `http1Error`. Whatever is wrong in the
 * octets that are there is said at once, so the result does not depend on how they were split.
 */
export function scanFields(block: FieldBlock, buf: Buffer, start: number, end: number, maxFields: number): number {
  const table = block.table
  const last = maxFields * FIELD_STRIDE
  let at = 0
  let i = start
  block.buf = buf
  block.seen = 0
  block.fieldCount = 0
  for (;;) {
    const nameStart = i
    if (at === last && i < end && buf[i] !== CR) return http1Error.tooManyFields
    while (i < end && TOKEN[buf[i]!] === 1) i++
    if (i === end) return 0
    if (buf[i] !== COLON || i === nameStart) {
      if (buf[i] !== CR || i > nameStart) return nameError(buf, nameStart, i)
      if (i + 1 === end) return 0
      if (buf[i + 1] !== LF) return http1Error.bareCr
      table[at] = i
      block.fieldCount = at / FIELD_STRIDE
      block.fieldsStart = start
      block.fieldsEnd = i
      return i + 2
    }
    const nameEnd = i++
    while (i < end && (buf[i] === SP || buf[i] === HT)) i++
    const valueStart = i
    while (i < end && VALUE[buf[i]!] === 1) i++
    if (i === end) return 0
    if (buf[i] !== CR) return buf[i] === LF ? http1Error.bareLf : http1Error.badFieldValue
    if (i + 1 === end) return 0
    if (buf[i + 1] !== LF) return http1Error.bareCr
    let valueEnd = i
    while (valueEnd > valueStart && isOws(buf[valueEnd - 1]!)) valueEnd--
    i += 2
    const id = fieldIdOf(buf, nameStart, nameEnd)
    table[at] = nameStart
    table[at + 1] = nameEnd
    table[at + 2] = valueStart
    table[at + 3] = valueEnd
    table[at + 4] = id
    at += FIELD_STRIDE
    if (id !== 0) {
      if (id <= LAST_NOTED_ID) {
        const code = block.note(id, valueStart, valueEnd)
        if (code !== 0) return code
      }
      block.seen |= 1 << id
    }
  }
}

/** Which error the octet at `i` is, found where the name that began at `nameStart` had to go on or end. */
function nameError(buf: Buffer, nameStart: number, i: number): number {
  const octet = buf[i]!
  if (octet === LF) return http1Error.bareLf
  if (i === nameStart && isOws(octet)) return http1Error.obsFold
  return http1Error.badFieldName
}
