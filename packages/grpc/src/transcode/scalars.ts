import { type ProtobufReader, wireType } from '../protobuf/reader.ts'
import type { ProtobufWriter } from '../protobuf/writer.ts'
import type { Json } from './json.ts'
import type { ScalarKind } from './schema.ts'
import { FieldProblem } from './transcode-error.ts'

/** A scalar as it is between the wire and JSON. */
export type Scalar = number | bigint | boolean | string | Buffer

/** How a kind of scalar stands on the wire, unpacked. */
export function wireTypeOf(kind: ScalarKind): number {
  switch (kind) {
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return wireType.fixed64
    case 'float':
    case 'fixed32':
    case 'sfixed32':
      return wireType.fixed32
    case 'string':
    case 'bytes':
      return wireType.bytes
    default:
      return wireType.varint
  }
}

/** Reads a scalar whose tag was just read. Bytes are a view of what is read. */
export function readScalar(reader: ProtobufReader, kind: ScalarKind): Scalar {
  switch (kind) {
    case 'double':
      return reader.double()
    case 'float':
      return reader.float()
    case 'int32':
      return reader.uint32() | 0
    case 'int64':
      return BigInt.asIntN(64, reader.uint64())
    case 'uint32':
      return reader.uint32()
    case 'uint64':
      return reader.uint64()
    case 'sint32': {
      const zigzag = reader.uint32()
      return (zigzag >>> 1) ^ -(zigzag & 1)
    }
    case 'sint64': {
      const zigzag = reader.uint64()
      return (zigzag >> 1n) ^ -(zigzag & 1n)
    }
    case 'fixed32':
      return reader.fixed32()
    case 'fixed64':
      return reader.fixed64()
    case 'sfixed32':
      return reader.fixed32() | 0
    case 'sfixed64':
      return BigInt.asIntN(64, reader.fixed64())
    case 'bool':
      return reader.uint64() !== 0n
    case 'string':
      return reader.bytes().toString('utf8')
    case 'bytes':
      return reader.bytes()
  }
}

/** Writes a scalar without its tag. */
export function writeScalar(writer: ProtobufWriter, kind: ScalarKind, value: Scalar): void {
  switch (kind) {
    case 'double':
      writer.double(value as number)
      return
    case 'float':
      writer.float(value as number)
      return
    case 'uint32':
      writer.uint32(value as number)
      return
    case 'int32':
    case 'int64':
    case 'uint64':
      // A negative int32 takes ten octets too.
      writer.uint64(BigInt(value as number | bigint))
      return
    case 'sint32':
      writer.uint32((((value as number) << 1) ^ ((value as number) >> 31)) >>> 0)
      return
    case 'sint64':
      writer.uint64(((value as bigint) << 1n) ^ ((value as bigint) >> 63n))
      return
    case 'fixed32':
    case 'sfixed32':
      writer.fixed32(value as number)
      return
    case 'fixed64':
    case 'sfixed64':
      writer.fixed64(value as bigint)
      return
    case 'bool':
      writer.uint32(value === true ? 1 : 0)
      return
    case 'string':
      writer.string(value as string)
      return
    case 'bytes':
      writer.bytes(value as Buffer)
      return
  }
}

/** Whether a value is what an unset field of its kind has. -0 is not. */
export function isDefault(value: Scalar): boolean {
  if (typeof value === 'object') return value.length === 0
  return Object.is(value, 0) || value === 0n || value === false || value === ''
}

/** What an unset field of a kind has. */
export function defaultOf(kind: ScalarKind): Scalar {
  if (kind === 'string') return ''
  if (kind === 'bytes') return Buffer.alloc(0)
  if (kind === 'bool') return false
  return kind.endsWith('64') ? 0n : 0
}

/** A scalar in JSON: 64-bit numbers as strings, bytes as base64, what is no number by its name. */
export function scalarToJson(kind: ScalarKind, value: Scalar): Json {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'object') return value.toString('base64')
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return kind === 'float' ? shortestFloat(value as number) : value
}

/** The shortest decimal that is the same number in 32 bits: 0.1 and not 0.10000000149011612. */
function shortestFloat(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const shorter = Number(value.toPrecision(digits))
    if (Math.fround(shorter) === value) return shorter
  }
  return value
}

/** A scalar from JSON, as proto3's JSON mapping has it. Throws a FieldProblem. */
export function scalarFromJson(kind: ScalarKind, json: Json): Scalar {
  switch (kind) {
    case 'double':
    case 'float':
      return floatFromJson(json, kind)
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return Number(integerFromJson(json, -(2n ** 31n), 2n ** 31n))
    case 'uint32':
    case 'fixed32':
      return Number(integerFromJson(json, 0n, 2n ** 32n))
    case 'int64':
    case 'sint64':
    case 'sfixed64':
      return integerFromJson(json, -(2n ** 63n), 2n ** 63n)
    case 'uint64':
    case 'fixed64':
      return integerFromJson(json, 0n, 2n ** 64n)
    case 'bool':
      if (typeof json !== 'boolean') throw new FieldProblem('must be true or false')
      return json
    case 'string':
      if (typeof json !== 'string') throw new FieldProblem('must be a string')
      if (!json.isWellFormed()) throw new FieldProblem('has half of a surrogate pair, which is no text')
      return json
    case 'bytes':
      return bytesFromJson(json)
  }
}

/** A key of a map from the key of an object. */
export function keyFromJson(kind: ScalarKind, key: string): Scalar {
  return scalarFromJson(kind, kind === 'bool' ? textToBoolean(key) : key)
}

/** `true` and `false`; any other text as it is, which no boolean is. */
export function textToBoolean(text: string): Json {
  return text === 'true' ? true : text === 'false' ? false : text
}

const decimal = /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/

/** A whole number in [min, end). */
function integerFromJson(json: Json, min: bigint, end: bigint): bigint {
  const value = wholeNumber(json)
  if (value === undefined) throw new FieldProblem('must be a whole number')
  if (value < min || value >= end) throw new FieldProblem(`must be from ${min} to ${end - 1n}`)
  return value
}

function wholeNumber(json: Json): bigint | undefined {
  if (typeof json === 'bigint') return json
  // No number of 64 bits has more digits, and BigInt takes its time over long texts.
  if (typeof json === 'string' && /^-?\d{1,40}$/.test(json)) return BigInt(json)
  const number = typeof json === 'string' && decimal.test(json) ? Number(json) : json
  return typeof number === 'number' && Number.isInteger(number) ? BigInt(number) : undefined
}

function floatFromJson(json: Json, kind: 'double' | 'float'): number {
  if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json)
  const value = typeof json === 'string' && decimal.test(json) ? Number(json) : json
  if (typeof value !== 'number' && typeof value !== 'bigint') throw new FieldProblem('must be a number')
  const number = kind === 'float' ? Math.fround(Number(value)) : Number(value)
  if (!Number.isFinite(number)) throw new FieldProblem(`is too large for a ${kind}`)
  return number
}

function bytesFromJson(json: Json): Buffer {
  // Both alphabets, padded or not.
  const valid = typeof json === 'string' && /^[\w+/-]*={0,2}$/.test(json)
  const length = valid ? json.replaceAll('=', '').length : 1
  if (length % 4 === 1) throw new FieldProblem('must be base64')
  return Buffer.from(json as string, 'base64')
}
