import { wireType } from '../protobuf/reader.ts'
import { ProtobufWriter } from '../protobuf/writer.ts'
import { messageCost, valueCost } from './budget.ts'
import { isJsonObject, type Json } from './json.ts'
import type { JsonCodec } from './json-codec.ts'
import { isDefault, keyFromJson, scalarFromJson, wireTypeOf, writeScalar } from './scalars.ts'
import type { EnumType, Field, FieldKind, MessageType } from './schema.ts'
import { FieldProblem, notTooDeep, within } from './transcode-error.ts'

/** An object as a message without a form of its own. */
export function messageFromJson(codec: JsonCodec, type: MessageType, json: Json, depth: number): Buffer {
  if (!isJsonObject(json)) throw new FieldProblem('must be an object')
  notTooDeep(depth)
  const writer = new ProtobufWriter()
  const seen = new Set<Field>()
  const oneofs = new Set<string>()
  for (const [key, value] of Object.entries(json)) {
    const field = type.named(key)
    if (field === undefined) throw new FieldProblem(`\`${key}\` is no field of ${type.fullName}`)
    if (seen.has(field)) throw new FieldProblem(`\`${field.name}\` is set twice, by both of its names`)
    seen.add(field)
    if (value === null && !takesNull(field)) continue
    if (field.oneof !== undefined) {
      if (oneofs.has(field.oneof)) throw new FieldProblem(`more than one field of the oneof \`${field.oneof}\` is set`)
      oneofs.add(field.oneof)
    }
    within(key, () => writeField(codec, writer, field, value, depth))
  }
  return writer.finish()
}

function writeField(codec: JsonCodec, writer: ProtobufWriter, field: Field, json: Json, depth: number): void {
  const { holds, number } = field
  if (field.key !== undefined) writeMap(codec, writer, field, json, depth)
  else if (!field.repeated) writeOne(codec, writer, number, holds, json, depth, field.presence)
  else {
    if (!Array.isArray(json)) throw new FieldProblem('must be a list')
    codec.budget.spend(json.length * valueCost)
    const scalar = holds.kind === 'enum' ? 'int32' : holds.kind
    // Numbers go packed, as proto3 has it and every reader takes it.
    if (scalar === 'message' || scalar === 'group' || scalar === 'string' || scalar === 'bytes') {
      for (const [i, item] of json.entries()) {
        within(`[${i}]`, () => writeOne(codec, writer, number, holds, notNull(item, holds), depth, true))
      }
    } else if (json.length > 0) {
      const packed = new ProtobufWriter()
      for (const [i, item] of json.entries()) {
        within(`[${i}]`, () => writeScalar(packed, scalar, scalarOf(holds, notNull(item, holds))))
      }
      writer.bytesField(number, packed.finish())
    }
  }
}

function writeMap(codec: JsonCodec, writer: ProtobufWriter, field: Field, json: Json, depth: number): void {
  if (!isJsonObject(json)) throw new FieldProblem('must be an object')
  const kind = field.key!
  for (const [key, item] of Object.entries(json)) {
    // A message pays for itself.
    if (field.holds.kind !== 'message') codec.budget.spend(messageCost)
    within(`["${key}"]`, () => {
      const entry = new ProtobufWriter()
      writeScalar(entry.tag(1, wireTypeOf(kind)), kind, keyFromJson(kind, key))
      writeOne(codec, entry, 2, field.holds, notNull(item, field.holds), depth, true)
      writer.bytesField(field.number, entry.finish())
    })
  }
}

function writeOne(
  codec: JsonCodec,
  writer: ProtobufWriter,
  number: number,
  holds: FieldKind,
  json: Json,
  depth: number,
  evenDefault: boolean,
): void {
  if (holds.kind === 'message') writer.bytesField(number, codec.fromJson(holds.message, json, depth + 1))
  else if (holds.kind === 'group') {
    const message = codec.fromJson(holds.message, json, depth + 1)
    writer.tag(number, wireType.startGroup).octets(message).tag(number, wireType.endGroup)
  } else {
    const value = scalarOf(holds, json)
    const kind = holds.kind === 'enum' ? 'int32' : holds.kind
    if (evenDefault || !isDefault(value)) writeScalar(writer.tag(number, wireTypeOf(kind)), kind, value)
  }
}

function scalarOf(holds: FieldKind, json: Json) {
  return holds.kind === 'enum'
    ? enumFromJson(holds.enumeration, json)
    : scalarFromJson(holds.kind as Exclude<FieldKind['kind'], 'enum' | 'message' | 'group'>, json)
}

/** By name or by number, known or not. */
function enumFromJson(enumeration: EnumType, json: Json): number {
  if (json === null && isNullValue(enumeration)) return 0
  if (typeof json === 'number') return scalarFromJson('int32', json) as number
  const number = typeof json === 'string' ? enumeration.numbers.get(json) : undefined
  if (number === undefined) throw new FieldProblem(`must be a name or number of the enum ${enumeration.fullName}`)
  return number
}

function notNull(json: Json, holds: FieldKind): Json {
  if (json === null && !kindTakesNull(holds)) throw new FieldProblem('must not be null')
  return json
}

/** Null is a value of its own in google.protobuf.Value, and everywhere else the default. */
function takesNull(field: Field): boolean {
  return !field.repeated && kindTakesNull(field.holds)
}

function kindTakesNull(holds: FieldKind): boolean {
  if (holds.kind === 'enum') return isNullValue(holds.enumeration)
  return holds.kind === 'message' && holds.message.fullName === 'google.protobuf.Value'
}

function isNullValue(enumeration: EnumType): boolean {
  return enumeration.fullName === 'google.protobuf.NullValue'
}
