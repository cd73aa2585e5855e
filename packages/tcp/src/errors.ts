import { ProxyError } from '@sluice/core'
import type { LinkError } from '@sluice/wire'

export const connectTimeout = new ProxyError('connectTimeout', 'the upstream did not accept in time')

/** A connection that could not be made. */
export function connectError(error: LinkError | undefined): ProxyError {
  const message = error?.message ?? 'the connection was closed as it was made'
  switch (error?.kind) {
    case 'timedOut':
      return new ProxyError('connectTimeout', message, { cause: error })
    case 'descriptors':
      // That we have no descriptor or port left says nothing about the endpoint.
      return new ProxyError('overloaded', message, { cause: error })
    default:
      return new ProxyError('connectFailed', message, { cause: error })
  }
}
