import { FIELD_STRIDE, fieldId, type HeaderField, headerField, pseudoId, RequestHead } from '@sluice/wire'
import type { IncomingRequest } from './half.ts'
import { type Origin, type ReceivedVersion, receivedVersion } from './origin.ts'
import { droppedUpwards, forwardedFor, type RequestRewrite } from './request-rewrite.ts'

const contentLengthBit = 1 << fieldId.contentLength

/**
 * Writes the regular fields that a request goes up with (RFC 9110 §7.6) to `out`, from `start` on: those it came with
 * but for hop-by-hop ones and what strangers say about their origin, then our own words about it. Returns the position
 * after them. By position and not by `push`: an array that is used again keeps its memory.
 */
export function writeRequestFields(
  out: HeaderField[],
  start: number,
  head: IncomingRequest,
  from: Origin,
  rewrite: RequestRewrite,
): number {
  const drop = droppedUpwards(from) | (1 << fieldId.host)
  let at: number
  let version: ReceivedVersion
  if (head instanceof RequestHead) {
    at = writeHttp1Fields(out, start, head, drop)
    version = head.minorVersion === 0 ? receivedVersion.http10 : receivedVersion.http11
  } else {
    at = writeHttp2Fields(out, start, head.head.fields, drop)
    version = receivedVersion.http2
  }
  if (from.trusted) at = writeTrustedOrigin(out, at, head, from, rewrite, version)
  else {
    const own = from.fields(version)
    for (let i = 0; i < own.length; i++) out[at++] = own[i]!
  }
  const { host } = head
  if (host !== '' && (!from.trusted || (head.seen & (1 << fieldId.xForwardedHost)) === 0)) {
    out[at++] = forwardedHost(host)
  }
  return at
}

function writeHttp2Fields(out: HeaderField[], start: number, fields: readonly HeaderField[], drop: number): number {
  let at = start
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!
    if (field.pseudo !== pseudoId.none) continue
    if (field.id === 0 || (drop & (1 << field.id)) === 0) out[at++] = field
  }
  return at
}

function writeHttp1Fields(out: HeaderField[], start: number, head: RequestHead, drop: number): number {
  const { table, fieldCount, connectionNamesOthers } = head
  const dropped = head.chunked ? drop | contentLengthBit : drop
  let at = start
  for (let i = 0; i < fieldCount; i++) {
    const id = table[i * FIELD_STRIDE + 4]!
    if (id !== 0 && (dropped & (1 << id)) !== 0) continue
    if (connectionNamesOthers && head.isNamedByConnection(i)) continue
    out[at++] = headerField(head.name(i).toLowerCase(), head.value(i))
  }
  return at
}

function writeTrustedOrigin(
  out: HeaderField[],
  start: number,
  head: IncomingRequest,
  from: Origin,
  rewrite: RequestRewrite,
  version: ReceivedVersion,
): number {
  const has = (id: number) => (head.seen & (1 << id)) !== 0
  const chain = forwardedFor(has(fieldId.xForwardedFor) ? head.header('x-forwarded-for') : undefined, from)
  let at = start
  if (chain !== '') out[at++] = headerField('x-forwarded-for', chain)
  if (rewrite.toldAddress !== '') out[at++] = headerField('x-real-ip', rewrite.toldAddress)
  if (!has(fieldId.xForwardedProto)) out[at++] = headerField('x-forwarded-proto', from.scheme)
  out[at++] = headerField('via', from.via(version))
  return at
}

let lastHost: HeaderField | undefined

/** Most requests of a moment are for the same host. */
function forwardedHost(host: string): HeaderField {
  if (lastHost === undefined || lastHost.value !== host) lastHost = headerField('x-forwarded-host', host)
  return lastHost
}
