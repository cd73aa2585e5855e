import { type ErrorCode, type Progress, ProxyError } from '@sluice/core'
import { http1Error, http1ErrorName, type LinkError } from '@sluice/wire'

/** What a request that the codec refused is answered with. */
export function requestError(code: number): ProxyError {
  return new ProxyError(requestCode(code), `the request is malformed: ${http1ErrorName(code)}`)
}

function requestCode(code: number): ErrorCode {
  switch (code) {
    case http1Error.targetTooLong:
      return 'uriTooLong'
    case http1Error.tooLarge:
    case http1Error.tooManyFields:
      return 'headTooLarge'
    case http1Error.badVersion:
      return 'version'
    case http1Error.methodTooLong:
    case http1Error.unknownTransferCoding:
      return 'notImplemented'
    default:
      return 'badRequest'
  }
}

/** An upstream that does not speak HTTP/1.1 as it must. */
export function responseError(code: number, progress: Progress): ProxyError {
  return new ProxyError('upstreamInvalid', `the response is malformed: ${http1ErrorName(code)}`, { progress })
}

/** A connection that could not be made; `timedOut`: for want of an answer. */
export function connectError(error: LinkError | undefined, timedOut = false): ProxyError {
  if (timedOut) return new ProxyError('connectTimeout', 'the upstream did not accept in time')
  // That we have no descriptor or port left says nothing about the endpoint.
  const code =
    error?.kind === 'timedOut' ? 'connectTimeout' : error?.kind === 'descriptors' ? 'overloaded' : 'connectFailed'
  return new ProxyError(code, error?.message ?? 'the upstream closed the connection as it was made', { cause: error })
}
