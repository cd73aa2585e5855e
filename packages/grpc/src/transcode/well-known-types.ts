import { wireType } from '../protobuf/reader.ts'
import { ProtobufWriter } from '../protobuf/writer.ts'
import { emptyObject, isJsonObject, type Json } from './json.ts'
import { defaultOf, isDefault, readScalar, scalarFromJson, scalarToJson, wireTypeOf, writeScalar } from './scalars.ts'
import { jsonNameOf, type ScalarKind } from './schema.ts'
import { FieldProblem, notTooDeep } from './transcode-error.ts'
import { eachKnownField, type WellKnown } from './well-known.ts'
import { listValue, struct, value } from './well-known-struct.ts'
import { duration, timestamp } from './well-known-time.ts'

/** google.protobuf.FieldMask: paths in lowerCamelCase with commas between. Original names are taken as they are. */
const fieldMask: WellKnown = {
  toJson(message): Json {
    const paths: string[] = []
    eachKnownField(message, (reader, number, type) => {
      if (number !== 1 || type !== wireType.bytes) return false
      paths.push(reader.bytes().toString('utf8').split('.').map(jsonNameOf).join('.'))
      return true
    })
    return paths.join(',')
  },
  fromJson(json): Buffer {
    if (typeof json !== 'string') throw new FieldProblem('must be a field mask such as "name,shipTo.city"')
    const writer = new ProtobufWriter()
    for (const path of json === '' ? [] : json.split(',')) {
      writer.tag(1, wireType.bytes).string(path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
    }
    return writer.finish()
  },
}

/** google.protobuf.Empty: an object without keys. */
const empty: WellKnown = {
  toJson: () => emptyObject(),
  fromJson(json): Buffer {
    if (json !== null && !(isJsonObject(json) && Object.keys(json).length === 0)) {
      throw new FieldProblem('must be an empty object')
    }
    return Buffer.alloc(0)
  },
}

/** google.protobuf.Any: the message's own JSON with `@type`, or in `value` when that JSON is of its own making. */
const anyMessage: WellKnown = {
  toJson(message, codec, depth): Json {
    notTooDeep(depth)
    let url = ''
    let held: Buffer = Buffer.alloc(0)
    eachKnownField(message, (reader, number, type) => {
      if (type !== wireType.bytes || number > 2) return false
      if (number === 1) url = reader.bytes().toString('utf8')
      else held = reader.bytes()
      return true
    })
    const object = emptyObject()
    if (url === '' && held.length === 0) return object
    object['@type'] = url
    const type = codec.schema.messages.get(typeOfUrl(url))
    // A type that is not known must not cost the caller the rest of the answer.
    if (type === undefined) object.value = held.toString('base64')
    else if (wellKnown.has(type.fullName)) object.value = codec.toJson(type, held, depth + 1)
    else Object.assign(object, codec.toJson(type, held, depth + 1))
    return object
  },
  fromJson(json, codec, depth): Buffer {
    notTooDeep(depth)
    if (!isJsonObject(json)) throw new FieldProblem('must be an object with `@type`')
    const { '@type': url, ...rest } = json
    if (url === undefined && Object.keys(rest).length === 0) return Buffer.alloc(0)
    if (typeof url !== 'string') throw new FieldProblem('must have the URL of a type in `@type`')
    const type = codec.schema.messages.get(typeOfUrl(url))
    if (type === undefined) throw new FieldProblem(`is of the type \`${url}\`, which is not known`)
    const held = wellKnown.has(type.fullName) ? (rest.value ?? null) : rest
    return new ProtobufWriter()
      .tag(1, wireType.bytes)
      .string(url)
      .bytesField(2, codec.fromJson(type, held, depth + 1))
      .finish()
  },
}

function typeOfUrl(url: string): string {
  return url.slice(url.lastIndexOf('/') + 1)
}

/** A wrapper of a scalar: the scalar's JSON. */
function wrapper(kind: ScalarKind): WellKnown {
  return {
    toJson(message): Json {
      let held = defaultOf(kind)
      eachKnownField(message, (reader, number, type) => {
        if (number !== 1 || type !== wireTypeOf(kind)) return false
        held = readScalar(reader, kind)
        return true
      })
      return scalarToJson(kind, held)
    },
    fromJson(json): Buffer {
      const writer = new ProtobufWriter()
      const held = scalarFromJson(kind, json)
      if (!isDefault(held)) writeScalar(writer.tag(1, wireTypeOf(kind)), kind, held)
      return writer.finish()
    },
  }
}

const wrappers: Readonly<Record<string, ScalarKind>> = {
  DoubleValue: 'double',
  FloatValue: 'float',
  Int64Value: 'int64',
  UInt64Value: 'uint64',
  Int32Value: 'int32',
  UInt32Value: 'uint32',
  BoolValue: 'bool',
  StringValue: 'string',
  BytesValue: 'bytes',
}

const names: readonly (readonly [string, WellKnown])[] = [
  ['Any', anyMessage],
  ['Duration', duration],
  ['Empty', empty],
  ['FieldMask', fieldMask],
  ['ListValue', listValue],
  ['Struct', struct],
  ['Timestamp', timestamp],
  ['Value', value],
  ...Object.entries(wrappers).map(([name, kind]) => [name, wrapper(kind)] as const),
]

/** The messages with a JSON form of their own, by full name (protobuf language guide, "JSON Mapping"). */
export const wellKnown: ReadonlyMap<string, WellKnown> = new Map(
  names.map(([name, form]) => [`google.protobuf.${name}`, form]),
)

/** The scalar kind in which a message is written in a query or a path; undefined when it cannot be. */
export function textKindOf(fullName: string): ScalarKind | undefined {
  if (/^google\.protobuf\.(Timestamp|Duration|FieldMask)$/.test(fullName)) return 'string'
  return /^google\.protobuf\.\w+Value$/.test(fullName) ? wrappers[fullName.slice(16)] : undefined
}
