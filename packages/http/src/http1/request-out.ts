import { copyBytes, fieldId, RequestHead, targetForm, writeLatin1 } from '@sluice/wire'
import type { IncomingRequest } from '../half.ts'
import { type Origin, receivedVersion } from '../origin.ts'
import { droppedUpwards, forwardedFor, type RequestRewrite } from '../request-rewrite.ts'
import { composeRoom, copyFields } from './fields.ts'
import { composeFromFields } from './request-from-fields.ts'

/**
 * Composes the head for the upstream and returns how many bytes of `composeRoom` it takes: hop-by-hop fields and what
 * strangers say about their origin left out, our own words about it added (RFC 9110 §7.6).
 */
export function composeRequest(
  head: IncomingRequest,
  from: Origin,
  rewrite: RequestRewrite,
  chunked: boolean,
): { out: Buffer; length: number } {
  if (!(head instanceof RequestHead)) return composeFromFields(head, from, rewrite, chunked)
  const { buf } = head
  const lines = from.lines(head.minorVersion === 0 ? receivedVersion.http10 : receivedVersion.http11)
  const out = composeRoom(
    head.headEnd -
      head.headStart +
      lines.length +
      2 * (head.hostEnd - head.hostStart) +
      1_024 +
      (rewrite.sentPath?.length ?? 0),
  )
  let at = copyBytes(out, 0, buf, head.methodStart, head.methodEnd + 1)
  at = writeTarget(out, at, head, rewrite.sentPath)
  at = writeLatin1(out, at, ' HTTP/1.1\r\n')
  let drop = droppedUpwards(from)
  if (head.targetForm === targetForm.absolute || head.hostEnd <= head.hostStart) {
    // RFC 9112 §3.2.2: the authority of the target replaces Host.
    drop |= 1 << fieldId.host
    at = writeLatin1(out, at, `Host: ${head.host === '' ? rewrite.defaultHost : head.host}\r\n`)
  }
  at = copyFields(out, at, head, drop)
  at = from.trusted ? writeTrustedOrigin(out, at, head, from, rewrite) : copyBytes(out, at, lines, 0, lines.length)
  if (head.hostEnd > head.hostStart && (!from.trusted || !has(head, fieldId.xForwardedHost))) {
    at = writeLatin1(out, at, 'X-Forwarded-Host: ')
    at = copyBytes(out, at, buf, head.hostStart, head.hostEnd)
    at = writeLatin1(out, at, '\r\n')
  }
  if (chunked) at = writeLatin1(out, at, 'Transfer-Encoding: chunked\r\n')
  if (rewrite.upgrade !== undefined) {
    at = writeLatin1(out, at, `Connection: Upgrade\r\nUpgrade: ${rewrite.upgrade}\r\n`)
  } else if (head.teTrailers) {
    at = writeLatin1(out, at, 'Connection: TE\r\nTE: trailers\r\n')
  }
  at = writeLatin1(out, at, '\r\n')
  return { out, length: at }
}

function writeTarget(out: Buffer, pos: number, head: RequestHead, path: string | undefined): number {
  const { buf } = head
  if (path !== undefined) {
    const at = writeLatin1(out, pos, path)
    return head.queryStart < 0 ? at : copyBytes(out, at, buf, head.queryStart, head.targetEnd)
  }
  if (head.targetForm !== targetForm.absolute || head.pathEnd > head.pathStart) {
    return copyBytes(out, pos, buf, head.pathStart, head.targetEnd)
  }
  const at = writeLatin1(out, pos, head.path)
  return head.queryStart < 0 ? at : copyBytes(out, at, buf, head.queryStart, head.targetEnd)
}

function writeTrustedOrigin(
  out: Buffer,
  pos: number,
  head: RequestHead,
  from: Origin,
  rewrite: RequestRewrite,
): number {
  const chain = forwardedFor(has(head, fieldId.xForwardedFor) ? head.header('x-forwarded-for') : undefined, from)
  let at = pos
  if (chain !== '') at = writeLatin1(out, at, `X-Forwarded-For: ${chain}\r\n`)
  if (rewrite.toldAddress !== '') at = writeLatin1(out, at, `X-Real-IP: ${rewrite.toldAddress}\r\n`)
  if (!has(head, fieldId.xForwardedProto)) at = writeLatin1(out, at, `X-Forwarded-Proto: ${from.scheme}\r\n`)
  const version = head.minorVersion === 0 ? receivedVersion.http10 : receivedVersion.http11
  return writeLatin1(out, at, `Via: ${from.via(version)}\r\n`)
}

function has(head: RequestHead, id: number): boolean {
  return (head.seen & (1 << id)) !== 0
}
