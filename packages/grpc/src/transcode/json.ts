import { lookThrough } from './json-parts.ts'
import { FieldProblem } from './transcode-error.ts'

/** A value of JSON. A whole number beyond 2^53 is a bigint, so that nothing of it is lost. */
export type Json = null | boolean | number | bigint | string | Json[] | JsonObject

/** An object of JSON. It has no prototype where we make it: any key is a key. */
export interface JsonObject {
  [key: string]: Json
}

/** Whether a value is an object, and neither null nor a list. */
export function isJsonObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** An object without keys. */
export function emptyObject(): JsonObject {
  return Object.create(null) as JsonObject
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Reads JSON (RFC 8259) in UTF-8. Throws a FieldProblem at what is none, or is more than any message may be. */
export function parseJson(bytes: Uint8Array): Json {
  const long = lookThrough(bytes)
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new FieldProblem('the body is not UTF-8')
  }
  try {
    return (long ? JSON.parse(text, keepLargeNumbers) : JSON.parse(text)) as Json
  } catch (error) {
    throw new FieldProblem(`the body is not JSON: ${(error as Error).message}`)
  }
}

// The third argument is newer than the type of `JSON.parse`: https://tc39.es/proposal-json-parse-with-source.
function keepLargeNumbers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  return context?.source !== undefined && /^-?\d{16,40}$/.test(context.source) ? BigInt(context.source) : value
}

/** Writes JSON in UTF-8. */
export function writeJson(json: Json): Buffer {
  return Buffer.from(JSON.stringify(json), 'utf8')
}
