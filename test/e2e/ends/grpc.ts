import type { Driver } from './driver.ts'
import { holdHttp2, http2Asker, http2ClientStates, resetStream } from './http2-client.ts'
import { http2UpstreamEnds, serveHttp2 } from './http2-upstream.ts'

/** Calls of gRPC. */
export const grpc = ({ secure }: { secure: boolean }): Driver => ({
  name: secure ? 'grpc under TLS' : 'grpc',
  protocol: 'grpc',
  secure,
  alpn: 'h2',
  upstreamIsHttp2: true,
  script: serveHttp2,
  hold: holdHttp2('grpc'),
  resetStream,
  clientStates: http2ClientStates('grpc'),
  upstreamEnds: secure ? [] : http2UpstreamEnds('grpc', http2Asker('grpc')),
})
