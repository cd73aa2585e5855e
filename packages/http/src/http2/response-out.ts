import {
  FIELD_STRIDE,
  fieldId,
  type HeaderField,
  headerField,
  HOP_BY_HOP_MASK,
  type Http2Head,
  indexing,
  ResponseHead,
} from '@sluice/wire'
import type { Answer } from '../answer.ts'
import { httpDate } from '../date.ts'
import type { IncomingResponse } from '../half.ts'

const contentLengthBit = 1 << fieldId.contentLength

/** For the fields of one response after another: they are on the wire before the next one comes. */
const room: HeaderField[] = []

/** The fields that a response goes on with to a client of HTTP/2 (RFC 9113 §8.3.2). Lent until the next call. */
export function responseFields(head: IncomingResponse): readonly HeaderField[] {
  // RFC 9110 §8.6: neither 1xx nor 204 has a Content-Length.
  const drop = head.status < 200 || head.status === 204 ? HOP_BY_HOP_MASK | contentLengthBit : HOP_BY_HOP_MASK
  let at = head instanceof ResponseHead ? writeHttp1Fields(head, drop) : writeHttp2Fields(head, drop)
  // RFC 9110 §6.6.1: whoever forwards a response without Date adds one.
  if (head.status >= 200 && (head.seen & (1 << fieldId.date)) === 0) room[at++] = dateField()
  if (room.length > at) room.length = at
  return room
}

function writeHttp2Fields({ fields }: Http2Head, drop: number): number {
  let at = 0
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!
    if (field.id === 0 || (drop & (1 << field.id)) === 0) room[at++] = field
  }
  return at
}

function writeHttp1Fields(head: ResponseHead, drop: number): number {
  const { table, fieldCount, connectionNamesOthers } = head
  let at = 0
  room[at++] = statusField(head.status)
  for (let i = 0; i < fieldCount; i++) {
    const id = table[i * FIELD_STRIDE + 4]!
    if (id !== 0 && (drop & (1 << id)) !== 0) continue
    if (connectionNamesOthers && head.isNamedByConnection(i)) continue
    const varies = id === fieldId.contentLength || id === fieldId.date
    room[at++] = headerField(
      head.name(i).toLowerCase(),
      head.value(i),
      varies ? indexing.without : indexing.incremental,
    )
  }
  return at
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
