import { fieldId } from '../http1/field-names.ts'
import { HT, SP, VALUE } from '../http1/octets.ts'
import { fieldFlaw, type Indexing, indexing, type PseudoId } from './hpack-codes.ts'
import { INTERN_WAYS, InternTable } from './hpack-intern.ts'
import { HpackName, staticNames } from './hpack-name.ts'
import { hashOctets, hashText, isText, textOf } from './hpack-octets.ts'
import { STATIC_TABLE } from './static-table.ts'

/** What RFC 7541 §4.1 adds to the octets of a field. */
export const FIELD_OVERHEAD = 32

// 1,024 names of up to 64 octets and 4,096 values of up to 256: 2 MiB a thread when a peer fills them.
const maxNameOctets = 64
const maxValueOctets = 256
const names = new InternTable<HpackName>(256)
const fields = new InternTable<HeaderField>(1_024)

let made = 0

/**
 * One field of a header section: immutable, interned where it recurs, so that what was found out about it once is
 * known for ever.
 */
export class HeaderField {
  /** As it came; what is not lower case is a flaw. Pseudo-fields have their `:`. */
  readonly name: string
  /** A character per octet (Latin-1). */
  readonly value: string
  /** `fieldId` of the name, 0 for others and for pseudo-fields. */
  readonly id: number
  readonly pseudo: PseudoId
  /** How it came and is sent on: what came `never` stays so. */
  readonly indexing: Indexing
  /** Octets of name and value and 32 more (RFC 7541 §4.1). */
  readonly size: number
  /** Index of this name and value in the static table, or 0. */
  readonly staticIndex: number
  /** Lowest index of the name in the static table, or 0. */
  readonly staticName: number
  /** Bits of `fieldFlaw`; 0 when the field is sound. */
  readonly flaw: number
  /** What is known of the name alone. */
  readonly key: HpackName
  /** Different from that of other fields, for look-ups by identity. */
  readonly serial: number

  constructor(key: HpackName, value: string, how: Indexing) {
    this.name = key.text
    this.value = value
    this.id = key.id
    this.pseudo = key.pseudo
    this.indexing = how
    this.size = key.text.length + value.length + FIELD_OVERHEAD
    this.staticIndex = staticIndexOf(key, value)
    this.staticName = key.statics.index
    this.flaw = key.flaw | flawOfValue(key, value)
    this.key = key
    made = (made + 1) | 0
    this.serial = made
  }
}

function staticIndexOf({ statics: { index, values } }: HpackName, value: string): number {
  for (let i = 0; i < values.length; i++) if (values[i] === value) return index + i
  return 0
}

function isSpace(code: number): boolean {
  return code === SP || code === HT
}

function flawOfValue(key: HpackName, value: string): number {
  const { length } = value
  let flaw = 0
  for (let i = 0; i < length; i++) if (VALUE[value.charCodeAt(i)] !== 1) flaw = fieldFlaw.badValue
  if (length > 0 && (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(length - 1)))) flaw = fieldFlaw.badValue
  if (key.id === fieldId.te && value.toLowerCase() !== 'trailers') flaw |= fieldFlaw.badTe
  return flaw
}

/** The fields of the static table by their index; there is none at 0. */
export const STATIC_FIELDS: readonly (HeaderField | undefined)[] = STATIC_TABLE.map(([name, value], index) =>
  index === 0 ? undefined : new HeaderField(staticNames.get(name)!, value, indexing.incremental),
)

/** The name in `from[start, end)`. A name that is not known is kept in mind when `remember` says so. */
export function nameOfOctets(from: Uint8Array, start: number, end: number, remember: boolean): HpackName {
  if (end - start > maxNameOctets) return new HpackName(textOf(from, start, end))
  const place = names.place(hashOctets(from, start, end, 0))
  for (let way = 0; way < INTERN_WAYS; way++) {
    const name = names.item(place, way)
    if (name === undefined) break
    if (isText(name.text, from, start, end)) {
      if (way > 0) names.promote(place, way)
      return name
    }
  }
  return addName(textOf(from, start, end), place, remember)
}

function nameOfText(text: string): HpackName {
  if (text.length > maxNameOctets) return new HpackName(text)
  const place = names.place(hashText(text, 0))
  for (let way = 0; way < INTERN_WAYS; way++) {
    const name = names.item(place, way)
    if (name === undefined) break
    if (name.text === text) {
      if (way > 0) names.promote(place, way)
      return name
    }
  }
  return addName(text, place, true)
}

function addName(text: string, place: number, remember: boolean): HpackName {
  const name = staticNames.get(text) ?? new HpackName(text)
  if (remember) names.add(place, name)
  return name
}

/** What is shared by all connections: neither secrets nor what hardly recurs, and nothing long. */
function recurs(key: HpackName, length: number): boolean {
  return length <= maxValueOctets && key.text.length <= maxNameOctets && !key.secret && !key.varying
}

/** The field of this name with the value `from[start, end)`, with incremental indexing: interned if it may be. */
export function fieldOfOctets(key: HpackName, from: Uint8Array, start: number, end: number): HeaderField {
  if (!recurs(key, end - start)) return new HeaderField(key, textOf(from, start, end), indexing.incremental)
  const place = fields.place(hashOctets(from, start, end, key.serial))
  for (let way = 0; way < INTERN_WAYS; way++) {
    const field = fields.item(place, way)
    if (field === undefined) break
    if (field.key === key && isText(field.value, from, start, end)) {
      if (way > 0) fields.promote(place, way)
      return field
    }
  }
  return addField(key, textOf(from, start, end), place)
}

function fieldOfText(key: HpackName, value: string): HeaderField {
  if (!recurs(key, value.length)) return new HeaderField(key, value, indexing.incremental)
  const place = fields.place(hashText(value, key.serial))
  for (let way = 0; way < INTERN_WAYS; way++) {
    const field = fields.item(place, way)
    if (field === undefined) break
    if (field.key === key && field.value === value) {
      if (way > 0) fields.promote(place, way)
      return field
    }
  }
  return addField(key, value, place)
}

function addField(key: HpackName, value: string, place: number): HeaderField {
  const known = staticIndexOf(key, value)
  const field = known > 0 ? STATIC_FIELDS[known]! : new HeaderField(key, value, indexing.incremental)
  fields.add(place, field)
  return field
}

/**
 * A field of our own, or one turned from HTTP/1.1, whose name the caller has made lower case; both strings hold Latin-1
 * characters only.
 *
 * With incremental indexing it is interned: the same object for the same name and value while they are in use often.
 * With another, a new one each time. Default of `how`: incremental.
 */
export function headerField(name: string, value: string, how: Indexing = indexing.incremental): HeaderField {
  const key = nameOfText(name)
  return how === indexing.incremental ? fieldOfText(key, value) : new HeaderField(key, value, how)
}
