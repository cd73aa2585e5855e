import {
  copyBytes,
  fieldId,
  type FramingKind,
  framingKind,
  HOP_BY_HOP_MASK,
  type Http2Head,
  pseudoId,
  ResponseHead,
  writeLatin1,
} from '@sluice/wire'
import { httpDate } from '../date.ts'
import type { IncomingResponse } from '../half.ts'
import { reasonPhrase } from '../reason-phrase.ts'
import { composeRoom, copyFields } from './fields.ts'

/** What the connection to the client makes of a response head. */
export interface ResponseFraming {
  /** How the body's end will be told to the client. */
  readonly kind: FramingKind
  /** How the connection goes on: persistently by its version's default, or with this word in Connection. */
  readonly connection: 'close' | 'keep-alive' | undefined
  /** The protocol that a 426 asks for, or a 101 agrees to. */
  readonly upgrade: boolean
}

const contentLengthBit = 1 << fieldId.contentLength

/** Composes the head for the client and returns how many bytes of `composeRoom` it takes. */
export function composeResponse(head: IncomingResponse, framing: ResponseFraming): { out: Buffer; length: number } {
  const { status } = head
  const out = composeRoom(roomFor(head))
  let drop = HOP_BY_HOP_MASK
  // RFC 9110 §8.6: neither 1xx nor 204 has a Content-Length; what another framing replaces must not stand beside it.
  if (status < 200 || status === 204 || framing.kind === framingKind.chunked) drop |= contentLengthBit
  if (framing.upgrade) drop &= ~(1 << fieldId.upgrade)
  let at = head instanceof ResponseHead ? writeHttp1(out, head, drop) : writeHttp2(out, head, drop)
  if (framing.kind === framingKind.length && (head.seen & contentLengthBit) === 0) {
    at = writeLatin1(out, at, `Content-Length: ${head.contentLength}\r\n`)
  }
  // RFC 9110 §6.6.1: whoever forwards a response without Date adds one.
  if (status >= 200 && (head.seen & (1 << fieldId.date)) === 0) at = writeLatin1(out, at, `Date: ${httpDate()}\r\n`)
  if (framing.kind === framingKind.chunked) at = writeLatin1(out, at, 'Transfer-Encoding: chunked\r\n')
  if (framing.upgrade) {
    const option = framing.connection === undefined ? '' : `, ${framing.connection}`
    at = writeLatin1(out, at, `Connection: Upgrade${option}\r\n`)
  } else if (framing.connection !== undefined) at = writeLatin1(out, at, `Connection: ${framing.connection}\r\n`)
  at = writeLatin1(out, at, '\r\n')
  return { out, length: at }
}

/** For the head itself, and what may be added to it. */
function roomFor(head: IncomingResponse): number {
  if (head instanceof ResponseHead) return head.headEnd - head.headStart + 512
  let bytes = 512
  for (const { size } of head.fields) bytes += size
  return bytes
}

function writeHttp1(out: Buffer, head: ResponseHead, drop: number): number {
  const { buf } = head
  let at: number
  if (head.statusLineVerbatim) {
    at = copyBytes(out, 0, buf, head.headStart, head.fieldsStart)
  } else {
    at = writeLatin1(out, 0, `HTTP/1.1 ${head.status} `)
    at = copyBytes(out, at, buf, head.reasonStart, head.reasonEnd)
    at = writeLatin1(out, at, '\r\n')
  }
  return copyFields(out, at, head, drop)
}

function writeHttp2(out: Buffer, head: Http2Head, drop: number): number {
  let at = writeLatin1(out, 0, `HTTP/1.1 ${head.status} ${reasonPhrase(head.status)}\r\n`)
  for (const { id, pseudo, name, value } of head.fields) {
    if (pseudo !== pseudoId.none || (id !== 0 && (drop & (1 << id)) !== 0)) continue
    at = writeLatin1(out, at, name)
    at = writeLatin1(out, at, ': ')
    at = writeLatin1(out, at, value)
    at = writeLatin1(out, at, '\r\n')
  }
  return at
}
