import { MalformedMessage, wireType } from '../protobuf/reader.ts'
import { errorDetails } from './error-details.ts'
import { emptyObject, type Json, writeJson } from './json.ts'
import type { JsonCodec } from './json-codec.ts'
import { protobufjs } from './protobufjs.ts'
import { reflectInto } from './reflect.ts'
import { MessageType, type Schema } from './schema.ts'
import { FieldProblem } from './transcode-error.ts'
import { eachKnownField } from './well-known.ts'

/** Lets the details that services usually send (google/rpc/error_details.proto) be known; a user's own words win. */
export function addErrorDetails(schema: Schema): void {
  const root = new protobufjs.Root()
  root.addJSON(structuredClone((protobufjs.common['google/protobuf/duration.proto'] as { nested: object }).nested))
  root.addJSON(errorDetails)
  reflectInto(schema, root.resolveAll())
}

const anyType = new MessageType('google.protobuf.Any')

/** google.rpc.Status as JSON; see `Transcoder.errorBody`. Never fails: details that cannot be read are left out. */
export function encodeErrorBody(codec: JsonCodec, code: number, message: string, detailsBin?: string): Buffer {
  const body = emptyObject()
  body.code = code
  body.message = message
  body.details = detailsBin === undefined ? [] : readDetails(codec, Buffer.from(detailsBin, 'base64'))
  return writeJson(body)
}

function readDetails(codec: JsonCodec, status: Buffer): Json[] {
  const details: Json[] = []
  try {
    eachKnownField(status, (reader, number, type) => {
      if (number !== 3 || type !== wireType.bytes) return false
      details.push(codec.toJson(anyType, reader.bytes()))
      return true
    })
  } catch (error) {
    if (!(error instanceof MalformedMessage) && !(error instanceof FieldProblem)) throw error
  }
  return details
}
