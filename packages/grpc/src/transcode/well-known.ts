import { ProtobufReader } from '../protobuf/reader.ts'
import type { Json } from './json.ts'
import type { JsonCodec } from './json-codec.ts'

/** A message that has a JSON form of its own. What it has for fields is known by number, whatever they are called. */
export interface WellKnown {
  /** Throws a FieldProblem at a value that JSON cannot have. */
  toJson(message: Buffer, codec: JsonCodec, depth: number): Json
  /** Throws a FieldProblem. */
  fromJson(json: Json, codec: JsonCodec, depth: number): Buffer
}

/** Goes through a message; `take` reads the fields that it knows and returns false for the others. */
export function eachKnownField(
  message: Buffer,
  take: (reader: ProtobufReader, number: number, type: number) => boolean,
): void {
  const reader = new ProtobufReader(message)
  while (!reader.done) {
    const tag = reader.tag()
    if (!take(reader, tag >>> 3, tag & 7)) reader.skip(tag)
  }
}
