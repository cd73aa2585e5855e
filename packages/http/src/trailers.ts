import {
  FieldBlock,
  type HeaderField,
  headerField,
  type Http2Head,
  indexing,
  isTrailerNameAllowed,
  scanFields,
} from '@sluice/wire'
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

/** Those of the fields that may be passed on as trailers; null when there are none. Lent, as the section is. */
export function allowedTrailers({ fields }: Http2Head): Trailers | null {
  for (let i = 0; i < fields.length; i++) {
    if (!isAllowed(fields[i]!)) return nullIfEmpty(fields.filter(isAllowed))
  }
  return nullIfEmpty(fields)
}

const isAllowed = ({ id, name }: HeaderField) => isTrailerNameAllowed(id, name)

function nullIfEmpty(fields: readonly HeaderField[]): Trailers | null {
  return fields.length === 0 ? null : fields
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
