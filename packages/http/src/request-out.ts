import {
  copyBytes,
  FIELD_CLASS,
  fieldClass,
  fieldId,
  HOP_BY_HOP_MASK,
  ORIGIN_MASK,
  type RequestHead,
  targetForm,
  writeLatin1,
} from '@sluice/wire'
import { composeRoom, copyFields } from './fields.ts'

let proxyAuthMask = 0
for (let id = 1; id < FIELD_CLASS.length; id++) {
  if ((FIELD_CLASS[id]! & fieldClass.proxyAuth) !== 0) proxyAuthMask |= 1 << id
}

const neverUp = HOP_BY_HOP_MASK | proxyAuthMask
const fromStrangers = neverUp | ORIGIN_MASK
const rewrittenForTrusted = neverUp | (1 << fieldId.xForwardedFor) | (1 << fieldId.xRealIp)

/** What a request tells the upstream about where it came from: the same for all requests of a connection. */
export interface Origin {
  /** The peer's address. */
  readonly peer: string
  /** Whether the peer's own words about it are believed. */
  readonly trusted: boolean
  readonly scheme: 'http' | 'https'
  /** What Via calls us. */
  readonly pseudonym: string
  /** The lines for an untrusted peer, by the minor version of the request. */
  readonly lines: readonly [Buffer, Buffer]
}

export function origin(peer: string, trusted: boolean, scheme: 'http' | 'https', pseudonym: string): Origin {
  const from = peer === '' ? '' : `X-Forwarded-For: ${peer}\r\nX-Real-IP: ${peer}\r\n`
  const lines = (minor: number) =>
    Buffer.from(`${from}X-Forwarded-Proto: ${scheme}\r\nVia: 1.${minor} ${pseudonym}\r\n`, 'latin1')
  return { peer, trusted, scheme, pseudonym, lines: [lines(0), lines(1)] }
}

/** What the request's head becomes on its way up, beyond the rules for all. */
export interface RequestRewrite {
  /** The path to send in place of the one that came, without the query. */
  readonly path: string | undefined
  /** Host to send when the request names none, which HTTP/1.0 allows. */
  readonly defaultHost: string
  /** Protocol to upgrade to; its handshake fields pass as they are. */
  readonly upgrade: string | undefined
  /** The client's address, which a trusted peer may have told. */
  readonly clientAddress: string
}

/**
 * Composes the head for the upstream and returns how many bytes of `composeRoom` it takes: hop-by-hop fields and what
 * strangers say about their origin left out, our own words about it added (RFC 9110 §7.6).
 */
export function composeRequest(
  head: RequestHead,
  from: Origin,
  rewrite: RequestRewrite,
): { out: Buffer; length: number } {
  const { buf } = head
  const out = composeRoom(
    head.headEnd -
      head.headStart +
      from.lines[0].length +
      2 * (head.hostEnd - head.hostStart) +
      1_024 +
      (rewrite.path?.length ?? 0),
  )
  let at = copyBytes(out, 0, buf, head.methodStart, head.methodEnd + 1)
  at = writeTarget(out, at, head, rewrite.path)
  at = writeLatin1(out, at, ' HTTP/1.1\r\n')
  let drop = from.trusted ? rewrittenForTrusted : fromStrangers
  if (head.targetForm === targetForm.absolute || head.hostEnd <= head.hostStart) {
    // RFC 9112 §3.2.2: the authority of the target replaces Host.
    drop |= 1 << fieldId.host
    at = writeLatin1(out, at, `Host: ${head.host === '' ? rewrite.defaultHost : head.host}\r\n`)
  }
  at = copyFields(out, at, head, drop)
  at = from.trusted
    ? writeTrustedOrigin(out, at, head, from, rewrite)
    : copyAll(out, at, from.lines[head.minorVersion === 0 ? 0 : 1])
  if (head.hostEnd > head.hostStart && (!from.trusted || !has(head, fieldId.xForwardedHost))) {
    at = writeLatin1(out, at, 'X-Forwarded-Host: ')
    at = copyBytes(out, at, buf, head.hostStart, head.hostEnd)
    at = writeLatin1(out, at, '\r\n')
  }
  if (head.chunked) at = writeLatin1(out, at, 'Transfer-Encoding: chunked\r\n')
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
  const before = has(head, fieldId.xForwardedFor) ? head.header('x-forwarded-for') : undefined
  const chain = [before, from.peer].filter((part) => part !== undefined && part !== '').join(', ')
  let at = pos
  if (chain !== '') at = writeLatin1(out, at, `X-Forwarded-For: ${chain}\r\n`)
  if (rewrite.clientAddress !== '') at = writeLatin1(out, at, `X-Real-IP: ${rewrite.clientAddress}\r\n`)
  if (!has(head, fieldId.xForwardedProto)) at = writeLatin1(out, at, `X-Forwarded-Proto: ${from.scheme}\r\n`)
  return writeLatin1(out, at, `Via: 1.${head.minorVersion} ${from.pseudonym}\r\n`)
}

function copyAll(out: Buffer, pos: number, bytes: Buffer): number {
  return copyBytes(out, pos, bytes, 0, bytes.length)
}

function has(head: RequestHead, id: number): boolean {
  return (head.seen & (1 << id)) !== 0
}
