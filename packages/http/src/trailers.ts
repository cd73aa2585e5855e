import { FieldBlock, type HeaderField, headerField, indexing, scanFields } from '@sluice/wire'
import type { Trailers } from './half.ts'

/** A copy that outlives the turn. */
export function ownTrailers(trailers: Trailers): Trailers {
  if (!(trailers instanceof FieldBlock)) return [...trailers]
  const { buf, fieldsStart, fieldsEnd, fieldCount } = trailers
  const lines = Buffer.allocUnsafe(fieldsEnd - fieldsStart + 2)
  buf.copy(lines, 0, fieldsStart, fieldsEnd)
  lines.write('\r\n', lines.length - 2, 'latin1')
  const copy = new FieldBlock(fieldCount)
  scanFields(copy, lines, 0, lines.length, fieldCount)
  return copy
}

/** As fields of HTTP/2. Their values differ from message to message as a rule, and are not worth an encoder's table. */
export function trailerFields(trailers: Trailers): readonly HeaderField[] {
  if (!(trailers instanceof FieldBlock)) return trailers
  const fields: HeaderField[] = []
  for (let i = 0; i < trailers.fieldCount; i++) {
    fields.push(headerField(trailers.name(i).toLowerCase(), trailers.value(i), indexing.without))
  }
  return fields
}

/** As lines of HTTP/1.1. */
export function trailerLines(trailers: readonly HeaderField[]): string {
  return trailers.map(({ name, value }) => `${name}: ${value}\r\n`).join('')
}
