import { ProtobufReader, wireType } from '../protobuf/reader.ts'
import { messageCost, valueCost } from './budget.ts'
import { emptyObject, type Json, type JsonObject } from './json.ts'
import type { JsonCodec } from './json-codec.ts'
import { defaultOf, isDefault, readScalar, type Scalar, scalarToJson, wireTypeOf } from './scalars.ts'
import type { EnumType, Field, FieldKind, MessageType } from './schema.ts'
import { notTooDeep, within } from './transcode-error.ts'

/** Values of one field as they were read: scalars, and messages in the octets of each occurrence. */
type Occurrences = Scalar[]

/** A message without a form of its own as an object: unset fields and defaults without presence are left out. */
export function messageToJson(codec: JsonCodec, type: MessageType, message: Buffer, depth: number): JsonObject {
  notTooDeep(depth)
  const found = new Map<Field, Occurrences>()
  const reader = new ProtobufReader(message)
  while (!reader.done) {
    const tag = reader.tag()
    const field = type.numbered(tag >>> 3)
    if (field === undefined || !collect(codec, found, field, reader, tag & 7)) reader.skip(tag)
    else if (field.oneof !== undefined) dropSiblings(found, field)
  }
  const object = emptyObject()
  // In the order of the definition, whatever the order on the wire.
  for (const field of type.fields) {
    const occurrences = found.get(field)
    if (occurrences === undefined) continue
    codec.budget.spend(field.jsonName.length)
    const json = within(field.jsonName, () => fieldToJson(codec, field, occurrences, depth))
    if (json !== undefined) object[field.jsonName] = json
  }
  return object
}

/** What an unset field is in JSON when it stands alone, as the body of a response. */
export function unsetToJson(field: Field): Json {
  if (field.key !== undefined) return emptyObject()
  if (field.repeated) return []
  const { holds } = field
  if (holds.kind === 'message' || holds.kind === 'group') return null
  return holds.kind === 'enum' ? enumToJson(holds.enumeration, 0) : scalarToJson(holds.kind, defaultOf(holds.kind))
}

/** Reads a value, or a packed list of them; false when the field does not stand so on the wire. */
function collect(
  codec: JsonCodec,
  found: Map<Field, Occurrences>,
  field: Field,
  reader: ProtobufReader,
  type: number,
): boolean {
  const { holds } = field
  const entry = field.key !== undefined
  const expected = entry ? wireType.bytes : wireTypeOfKind(holds)
  const packed = field.repeated && type === wireType.bytes && expected !== wireType.bytes && holds.kind !== 'group'
  if (type !== expected && !packed) return false
  let occurrences = found.get(field)
  if (occurrences === undefined) found.set(field, (occurrences = []))
  if (packed) {
    const list = new ProtobufReader(reader.bytes())
    while (!list.done) {
      codec.budget.spend(valueCost)
      occurrences.push(readKind(list, holds))
    }
    return true
  }
  codec.budget.spend(entry || expected === wireType.bytes || holds.kind === 'group' ? messageCost : valueCost)
  if (holds.kind === 'group') occurrences.push(reader.group(field.number))
  else occurrences.push(entry ? reader.bytes() : readKind(reader, holds))
  return true
}

function dropSiblings(found: Map<Field, Occurrences>, field: Field): void {
  for (const other of found.keys()) if (other !== field && other.oneof === field.oneof) found.delete(other)
}

function wireTypeOfKind(holds: FieldKind): number {
  if (holds.kind === 'message') return wireType.bytes
  if (holds.kind === 'group') return wireType.startGroup
  return holds.kind === 'enum' ? wireType.varint : wireTypeOf(holds.kind)
}

function readKind(reader: ProtobufReader, holds: FieldKind): Scalar {
  if (holds.kind === 'message' || holds.kind === 'group') return reader.bytes()
  return readScalar(reader, holds.kind === 'enum' ? 'int32' : holds.kind)
}

function fieldToJson(codec: JsonCodec, field: Field, occurrences: Occurrences, depth: number): Json | undefined {
  const { holds } = field
  if (field.key !== undefined) return mapToJson(codec, field, occurrences as Buffer[], depth)
  if (field.repeated) {
    const list = occurrences.map((value, i) => within(`[${i}]`, () => kindToJson(codec, holds, value, depth)))
    return list.length === 0 ? undefined : list
  }
  // A message that comes in several pieces is all of them; of a scalar the last counts.
  if (holds.kind === 'message' || holds.kind === 'group') {
    return codec.toJson(holds.message, Buffer.concat(occurrences as Buffer[]), depth + 1)
  }
  const last = occurrences.at(-1)!
  return field.presence || !isDefault(last) ? kindToJson(codec, holds, last, depth) : undefined
}

function kindToJson(codec: JsonCodec, holds: FieldKind, value: Scalar, depth: number): Json {
  if (holds.kind === 'message' || holds.kind === 'group') return codec.toJson(holds.message, value as Buffer, depth + 1)
  if (holds.kind !== 'enum') return scalarToJson(holds.kind, value)
  const json = enumToJson(holds.enumeration, value as number)
  if (typeof json === 'string') codec.budget.spend(json.length)
  return json
}

/** By name; the number where there is none. */
function enumToJson(enumeration: EnumType, number: number): Json {
  if (enumeration.fullName === 'google.protobuf.NullValue') return null
  return enumeration.names.get(number) ?? number
}

function mapToJson(codec: JsonCodec, field: Field, entries: Buffer[], depth: number): JsonObject {
  const object = emptyObject()
  for (const entry of entries) {
    let key = defaultOf(field.key!)
    const values: Scalar[] = []
    const reader = new ProtobufReader(entry)
    while (!reader.done) {
      const tag = reader.tag()
      if (tag === ((1 << 3) | wireTypeOf(field.key!))) key = readScalar(reader, field.key!)
      else if (tag === ((2 << 3) | wireTypeOfKind(field.holds))) {
        // The first came with its entry; nobody writes more, and they are two octets each on the wire.
        if (values.length > 0) codec.budget.spend(messageCost)
        values.push(readKind(reader, field.holds))
      } else reader.skip(tag)
    }
    const name = String(key)
    object[name] = within(`["${name}"]`, () => {
      const { holds } = field
      if (holds.kind === 'message' || holds.kind === 'group') {
        return codec.toJson(holds.message, Buffer.concat(values as Buffer[]), depth + 1)
      }
      return kindToJson(codec, holds, values.at(-1) ?? defaultOf(holds.kind === 'enum' ? 'int32' : holds.kind), depth)
    })
  }
  return object
}
