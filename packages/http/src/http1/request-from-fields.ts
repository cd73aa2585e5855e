import { fieldId, type HeaderField, writeLatin1 } from '@sluice/wire'
import type { Http2Request } from '../http2/request.ts'
import type { Origin } from '../origin.ts'
import { writeRequestFields } from '../request-fields.ts'
import type { RequestRewrite } from '../request-rewrite.ts'
import { composeRoom } from './fields.ts'

/**
 * Composes the head of a request that came on HTTP/2 for an upstream that speaks HTTP/1.1, and returns how many bytes of
 * `composeRoom` it takes. Cookie crumbs are joined (RFC 9113 §8.2.3); a body without a length goes chunked.
 */
export function composeFromFields(
  head: Http2Request,
  from: Origin,
  rewrite: RequestRewrite,
  chunked: boolean,
): { out: Buffer; length: number } {
  const fields: HeaderField[] = []
  writeRequestFields(fields, 0, head, from, rewrite)
  const path = rewrite.sentPath === undefined ? head.target : rewrite.sentPath + head.query
  const host = head.host === '' ? rewrite.defaultHost : head.host
  let text = `${head.method} ${path} HTTP/1.1\r\nHost: ${host}\r\n`
  let cookies = ''
  for (const { name, value } of fields) {
    if (name === 'cookie') cookies += cookies === '' ? value : `; ${value}`
    else text += `${name}: ${value}\r\n`
  }
  if (cookies !== '') text += `cookie: ${cookies}\r\n`
  if (chunked && (head.seen & (1 << fieldId.contentLength)) === 0) text += 'Transfer-Encoding: chunked\r\n'
  if (head.teTrailers) text += 'Connection: TE\r\nTE: trailers\r\n'
  text += '\r\n'
  const out = composeRoom(text.length)
  return { out, length: writeLatin1(out, 0, text) }
}
