import { type HeaderField, headerField, indexing, RequestHead } from '@sluice/wire'
import type { IncomingRequest } from '../half.ts'
import type { Origin } from '../origin.ts'
import { pushRequestFields } from '../request-fields.ts'
import type { RequestRewrite } from '../request-rewrite.ts'

const schemes = { http: headerField(':scheme', 'http'), https: headerField(':scheme', 'https') }
const teTrailers = headerField('te', 'trailers')

/** The fields that a request goes up with on HTTP/2 (RFC 9113 §8.3.1); `scheme`: that of the connection. */
export function requestFields(
  head: IncomingRequest,
  from: Origin,
  rewrite: RequestRewrite,
  scheme: 'http' | 'https',
): readonly HeaderField[] {
  const fields =
    head instanceof RequestHead ? pseudoOfHttp1(head, rewrite, scheme) : pseudoOfHttp2(head, rewrite, scheme)
  pushRequestFields(fields, head, from, rewrite)
  if (head.teTrailers) fields.push(teTrailers)
  return fields
}

function pseudoOfHttp1(head: RequestHead, rewrite: RequestRewrite, scheme: 'http' | 'https'): HeaderField[] {
  const path = (rewrite.path ?? head.path) + head.query
  return [
    headerField(':method', head.method),
    schemes[scheme],
    headerField(':authority', head.host === '' ? rewrite.defaultHost : head.host),
    pathField(path),
  ]
}

function pseudoOfHttp2(
  { head, query, host }: Exclude<IncomingRequest, RequestHead>,
  rewrite: RequestRewrite,
  scheme: 'http' | 'https',
): HeaderField[] {
  return [
    head.method!,
    schemes[scheme],
    head.authority ?? headerField(':authority', host === '' ? rewrite.defaultHost : host),
    rewrite.path === undefined ? head.path! : pathField(rewrite.path + query),
  ]
}

/** Paths are as many as there are things: a table of a few dozen entries is not for them. */
function pathField(path: string): HeaderField {
  return headerField(':path', path, path.length > 1 ? indexing.without : indexing.incremental)
}
