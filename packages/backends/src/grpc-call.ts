import type { ServerHttp2Stream } from 'node:http2'
import type { Metadata, ServerInterceptingCallInterface } from '@grpc/grpc-js'

interface Inside {
  readonly stream?: ServerHttp2Stream
  readonly metadata?: Metadata
  readonly deadlineTimer?: NodeJS.Timeout | null
}

// grpc-js offers no way to what a misbehaving server must touch; the fields are private, and looked at here alone.

/** The HTTP/2 stream and the metadata of a call, as the first interceptor gets it. */
export function insideOf(call: ServerInterceptingCallInterface): { stream: ServerHttp2Stream; metadata: Metadata } {
  const { stream, metadata } = call as Inside
  if (stream === undefined || metadata === undefined) throw new Error('this grpc-js keeps a call in another shape')
  return { stream, metadata }
}

/** Keeps grpc-js from ending the call by itself when its deadline has passed. */
export function ignoreDeadline(call: ServerInterceptingCallInterface): void {
  const { deadlineTimer } = call as Inside
  if (deadlineTimer !== null) clearTimeout(deadlineTimer)
}
