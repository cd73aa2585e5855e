import { type HeaderField, headerField, indexing, RequestHead } from '@sluice/wire'
import type { IncomingRequest } from '../half.ts'
import type { Origin } from '../origin.ts'
import { writeRequestFields } from '../request-fields.ts'
import type { RequestRewrite } from '../request-rewrite.ts'
import type { Http2Request } from './request.ts'

const schemes = { http: headerField(':scheme', 'http'), https: headerField(':scheme', 'https') }
const teTrailers = headerField('te', 'trailers')

/** Makes `out` the fields that a request goes up with on HTTP/2 (RFC 9113 §8.3.1); `scheme`: that of the connection. */
export function requestFields(
  out: HeaderField[],
  head: IncomingRequest,
  from: Origin,
  rewrite: RequestRewrite,
  scheme: 'http' | 'https',
): void {
  setScheme(out, scheme)
  if (head instanceof RequestHead) writeHttp1Pseudo(out, head, rewrite)
  else writeHttp2Pseudo(out, head, rewrite)
  let at = writeRequestFields(out, 4, head, from, rewrite)
  if (head.teTrailers) out[at++] = teTrailers
  if (out.length > at) out.length = at
}

/** In fields that `requestFields` has made: the scheme of the connection. */
export function setScheme(out: HeaderField[], scheme: 'http' | 'https'): void {
  out[1] = schemes[scheme]
}

function writeHttp1Pseudo(out: HeaderField[], head: RequestHead, rewrite: RequestRewrite): void {
  out[0] = headerField(':method', head.method)
  out[2] = headerField(':authority', head.host === '' ? rewrite.defaultHost : head.host)
  out[3] = pathField((rewrite.sentPath ?? head.path) + head.query)
}

function writeHttp2Pseudo(out: HeaderField[], request: Http2Request, rewrite: RequestRewrite): void {
  const { head, host } = request
  out[0] = head.method!
  out[2] = head.authority ?? headerField(':authority', host === '' ? rewrite.defaultHost : host)
  out[3] = rewrite.sentPath === undefined ? head.path! : pathField(rewrite.sentPath + request.query)
}

/** Paths are as many as there are things: a table of a few dozen entries is not for them. */
function pathField(path: string): HeaderField {
  return headerField(':path', path, path.length > 1 ? indexing.without : indexing.incremental)
}
