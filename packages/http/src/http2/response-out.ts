import {
  FIELD_STRIDE,
  fieldId,
  type HeaderField,
  headerField,
  HOP_BY_HOP_MASK,
  indexing,
  pseudoId,
  ResponseHead,
} from '@sluice/wire'
import type { Answer } from '../answer.ts'
import { httpDate } from '../date.ts'
import type { IncomingResponse } from '../half.ts'

const contentLengthBit = 1 << fieldId.contentLength

/** The fields that a response goes on with to a client of HTTP/2 (RFC 9113 §8.3.2). */
export function responseFields(head: IncomingResponse): readonly HeaderField[] {
  const fields: HeaderField[] = []
  // RFC 9110 §8.6: neither 1xx nor 204 has a Content-Length.
  const drop = head.status < 200 || head.status === 204 ? HOP_BY_HOP_MASK | contentLengthBit : HOP_BY_HOP_MASK
  if (head instanceof ResponseHead) pushHttp1Fields(fields, head, drop)
  else {
    for (const field of head.fields) {
      if (field.pseudo !== pseudoId.none || field.id === 0 || (drop & (1 << field.id)) === 0) fields.push(field)
    }
  }
  // RFC 9110 §6.6.1: whoever forwards a response without Date adds one.
  if (head.status >= 200 && (head.seen & (1 << fieldId.date)) === 0) fields.push(dateField())
  return fields
}

function pushHttp1Fields(out: HeaderField[], head: ResponseHead, drop: number): void {
  const { table, fieldCount, connectionNamesOthers } = head
  out.push(statusField(head.status))
  for (let i = 0; i < fieldCount; i++) {
    const id = table[i * FIELD_STRIDE + 4]!
    if (id !== 0 && (drop & (1 << id)) !== 0) continue
    if (connectionNamesOthers && head.isNamedByConnection(i)) continue
    const varies = id === fieldId.contentLength || id === fieldId.date
    out.push(headerField(head.name(i).toLowerCase(), head.value(i), varies ? indexing.without : indexing.incremental))
  }
}

/** The fields of an answer of ours. */
export function answerFields(answer: Answer): readonly HeaderField[] {
  const { status, body } = answer
  const fields = [statusField(status), dateField()]
  for (const [name, value] of answer.headers) {
    // RFC 9113 §8.2.2: an upgrade is nothing that HTTP/2 knows.
    const lower = name.toLowerCase()
    if (lower !== 'upgrade') fields.push(headerField(lower, value))
  }
  if (status !== 204 && status !== 304 && answer.headOnly !== true) {
    fields.push(headerField('content-length', String(body.length), indexing.without))
  }
  return fields
}

function statusField(status: number): HeaderField {
  return headerField(':status', String(status))
}

let date: HeaderField | undefined

/** The same for a second, which is worth a place in the table under load. */
function dateField(): HeaderField {
  const now = httpDate()
  if (date === undefined || date.value !== now) date = headerField('date', now)
  return date
}
