import { FIELD_CLASS, fieldClass, fieldId } from './field-names.ts'
import type { FieldBlock } from './fields.ts'

const forbiddenIds =
  (1 << fieldId.host) |
  (1 << fieldId.expect) |
  (1 << fieldId.trailer) |
  (1 << fieldId.via) |
  (1 << fieldId.contentType) |
  (1 << fieldId.date)

const forbiddenNames = new Set([
  'authorization',
  'www-authenticate',
  'authentication-info',
  'proxy-authentication-info',
  'cookie',
  'set-cookie',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
  'max-forwards',
  'cache-control',
  'pragma',
  'age',
  'expires',
  'location',
  'retry-after',
  'vary',
  'warning',
  'content-encoding',
  'content-range',
])

/**
 * Whether a trailer field may be passed on. Left out are those that change framing, routing, authentication, the
 * meaning of a request, how a response is controlled or how content is read (RFC 9110 §6.5.1), and what a backend
 * reads as origin: a recipient may merge trailers into the head.
 */
export function isTrailerAllowed(fields: FieldBlock, index: number): boolean {
  const id = fields.idOf(index)
  return isTrailerNameAllowed(id, id === fieldId.other ? fields.name(index).toLowerCase() : '')
}

/** The same by a field's id and, where that is `other`, its name in lower case. */
export function isTrailerNameAllowed(id: number, name: string): boolean {
  if (id === fieldId.other) return !forbiddenNames.has(name)
  return FIELD_CLASS[id] === fieldClass.plain && (forbiddenIds & (1 << id)) === 0
}
