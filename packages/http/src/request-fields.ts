import { FIELD_STRIDE, fieldId, type HeaderField, headerField, pseudoId, RequestHead } from '@sluice/wire'
import type { IncomingRequest } from './half.ts'
import { type Origin, type ReceivedVersion, receivedVersion } from './origin.ts'
import { droppedUpwards, forwardedFor, type RequestRewrite } from './request-rewrite.ts'

const contentLengthBit = 1 << fieldId.contentLength

/**
 * Appends the regular fields that a request goes up with (RFC 9110 §7.6): those it came with but for hop-by-hop ones
 * and what strangers say about their origin, then our own words about it.
 */
export function pushRequestFields(
  out: HeaderField[],
  head: IncomingRequest,
  from: Origin,
  rewrite: RequestRewrite,
): void {
  const drop = droppedUpwards(from) | (1 << fieldId.host)
  const version =
    head instanceof RequestHead ? pushHttp1Fields(out, head, drop) : pushHttp2Fields(out, head.head.fields, drop)
  if (from.trusted) pushTrustedOrigin(out, head, from, rewrite, version)
  else for (const field of from.fields(version)) out.push(field)
  const { host } = head
  if (host !== '' && (!from.trusted || (head.seen & (1 << fieldId.xForwardedHost)) === 0)) {
    out.push(forwardedHost(host))
  }
}

function pushHttp2Fields(out: HeaderField[], fields: readonly HeaderField[], drop: number): ReceivedVersion {
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!
    if (field.pseudo !== pseudoId.none) continue
    if (field.id === 0 || (drop & (1 << field.id)) === 0) out.push(field)
  }
  return receivedVersion.http2
}

function pushHttp1Fields(out: HeaderField[], head: RequestHead, drop: number): ReceivedVersion {
  const { table, fieldCount, connectionNamesOthers } = head
  const dropped = head.chunked ? drop | contentLengthBit : drop
  for (let i = 0; i < fieldCount; i++) {
    const id = table[i * FIELD_STRIDE + 4]!
    if (id !== 0 && (dropped & (1 << id)) !== 0) continue
    if (connectionNamesOthers && head.isNamedByConnection(i)) continue
    out.push(headerField(head.name(i).toLowerCase(), head.value(i)))
  }
  return head.minorVersion === 0 ? receivedVersion.http10 : receivedVersion.http11
}

function pushTrustedOrigin(
  out: HeaderField[],
  head: IncomingRequest,
  from: Origin,
  rewrite: RequestRewrite,
  version: ReceivedVersion,
): void {
  const has = (id: number) => (head.seen & (1 << id)) !== 0
  const chain = forwardedFor(has(fieldId.xForwardedFor) ? head.header('x-forwarded-for') : undefined, from)
  if (chain !== '') out.push(headerField('x-forwarded-for', chain))
  if (rewrite.clientAddress !== '') out.push(headerField('x-real-ip', rewrite.clientAddress))
  if (!has(fieldId.xForwardedProto)) out.push(headerField('x-forwarded-proto', from.scheme))
  out.push(headerField('via', from.via(version)))
}

let lastHost: HeaderField | undefined

/** Most requests of a moment are for the same host. */
function forwardedHost(host: string): HeaderField {
  if (lastHost === undefined || lastHost.value !== host) lastHost = headerField('x-forwarded-host', host)
  return lastHost
}
