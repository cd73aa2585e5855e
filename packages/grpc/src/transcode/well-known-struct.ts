import { wireType } from '../protobuf/reader.ts'
import { ProtobufWriter } from '../protobuf/writer.ts'
import { messageCost } from './budget.ts'
import { emptyObject, isJsonObject, type Json } from './json.ts'
import type { JsonCodec } from './json-codec.ts'
import { FieldProblem, notTooDeep, within } from './transcode-error.ts'
import { eachKnownField, type WellKnown } from './well-known.ts'

/** google.protobuf.Struct: an object. */
export const struct: WellKnown = {
  toJson: (message, codec, depth) => structToJson(message, codec, depth),
  fromJson(json, codec, depth): Buffer {
    if (!isJsonObject(json)) throw new FieldProblem('must be an object')
    return structFromJson(json, codec, depth)
  },
}

/** google.protobuf.ListValue: a list. */
export const listValue: WellKnown = {
  toJson: (message, codec, depth) => listToJson(message, codec, depth),
  fromJson(json, codec, depth): Buffer {
    if (!Array.isArray(json)) throw new FieldProblem('must be a list')
    return listFromJson(json, codec, depth)
  },
}

/** google.protobuf.Value: any value. */
export const value: WellKnown = {
  toJson: (message, codec, depth) => valueToJson(message, codec, depth),
  fromJson: (json, codec, depth) => valueFromJson(json, codec, depth),
}

function structToJson(message: Buffer, codec: JsonCodec, depth: number): Json {
  notTooDeep(depth)
  const object = emptyObject()
  eachKnownField(message, (reader, number, type) => {
    if (number !== 1 || type !== wireType.bytes) return false
    let key = ''
    let held: Json = null
    eachKnownField(reader.bytes(), (entry, part, partType) => {
      if (partType !== wireType.bytes || part > 2) return false
      if (part === 1) key = entry.bytes().toString('utf8')
      else held = valueToJson(entry.bytes(), codec, depth + 1)
      return true
    })
    object[key] = held
    return true
  })
  return object
}

function structFromJson(object: { [key: string]: Json }, codec: JsonCodec, depth: number): Buffer {
  notTooDeep(depth)
  const writer = new ProtobufWriter()
  for (const [key, held] of Object.entries(object)) {
    const entry = new ProtobufWriter().tag(1, wireType.bytes).string(key)
    entry.bytesField(
      2,
      within(`["${key}"]`, () => valueFromJson(held, codec, depth + 1)),
    )
    writer.bytesField(1, entry.finish())
  }
  return writer.finish()
}

function listToJson(message: Buffer, codec: JsonCodec, depth: number): Json {
  notTooDeep(depth)
  const list: Json[] = []
  eachKnownField(message, (reader, number, type) => {
    if (number !== 1 || type !== wireType.bytes) return false
    list.push(valueToJson(reader.bytes(), codec, depth + 1))
    return true
  })
  return list
}

function listFromJson(list: Json[], codec: JsonCodec, depth: number): Buffer {
  notTooDeep(depth)
  const writer = new ProtobufWriter()
  for (const [i, held] of list.entries()) {
    writer.bytesField(
      1,
      within(`[${i}]`, () => valueFromJson(held, codec, depth + 1)),
    )
  }
  return writer.finish()
}

function valueToJson(message: Buffer, codec: JsonCodec, depth: number): Json {
  codec.budget.spend(messageCost)
  let json: Json = null
  eachKnownField(message, (reader, number, type) => {
    if (number === 1 && type === wireType.varint) {
      reader.uint64()
      json = null
    } else if (number === 2 && type === wireType.fixed64) {
      json = reader.double()
      if (!Number.isFinite(json)) throw new FieldProblem(`is ${json}, which a google.protobuf.Value cannot be`)
    } else if (number === 3 && type === wireType.bytes) json = reader.bytes().toString('utf8')
    else if (number === 4 && type === wireType.varint) json = reader.uint64() !== 0n
    else if (number === 5 && type === wireType.bytes) json = structToJson(reader.bytes(), codec, depth + 1)
    else if (number === 6 && type === wireType.bytes) json = listToJson(reader.bytes(), codec, depth + 1)
    else return false
    return true
  })
  return json
}

function valueFromJson(json: Json, codec: JsonCodec, depth: number): Buffer {
  codec.budget.spend(messageCost)
  const writer = new ProtobufWriter()
  if (json === null) writer.tag(1, wireType.varint).uint32(0)
  else if (typeof json === 'number' || typeof json === 'bigint') writer.tag(2, wireType.fixed64).double(Number(json))
  else if (typeof json === 'string') writer.tag(3, wireType.bytes).string(json)
  else if (typeof json === 'boolean') writer.tag(4, wireType.varint).uint32(json ? 1 : 0)
  else if (Array.isArray(json)) writer.bytesField(6, listFromJson(json, codec, depth + 1))
  else writer.bytesField(5, structFromJson(json, codec, depth + 1))
  return writer.finish()
}
