import type { Driver } from './driver.ts'
import { holdHttp1, http1Asker, http1ClientStates, http1UpstreamEnds, serveHttp1 } from './http1.ts'
import { holdHttp2, http2Asker, http2ClientStates, resetStream } from './http2-client.ts'
import { http2UpstreamEnds, serveHttp2 } from './http2-upstream.ts'

const under = (name: string, secure: boolean) => (secure ? `${name} under TLS` : name)

/** From HTTP/1.1 to HTTP/2. */
export const http1To2 = ({ secure }: { secure: boolean }): Driver => ({
  name: under('http 1→2', secure),
  protocol: 'http',
  secure,
  upstreamIsHttp2: true,
  script: serveHttp2,
  hold: holdHttp1,
  clientStates: http1ClientStates,
  upstreamEnds: secure ? [] : http2UpstreamEnds('http', http1Asker),
})

/** From HTTP/2 to HTTP/1.1. */
export const http2To1 = ({ secure }: { secure: boolean }): Driver => ({
  name: under('http 2→1', secure),
  protocol: 'http',
  secure,
  alpn: 'h2',
  script: serveHttp1,
  hold: holdHttp2('http'),
  resetStream,
  clientStates: http2ClientStates('http'),
  upstreamEnds: secure ? [] : http1UpstreamEnds(http2Asker('http')),
})

/** HTTP/2 from client to upstream. */
export const http2To2 = ({ secure }: { secure: boolean }): Driver => ({
  name: under('http 2→2', secure),
  protocol: 'http',
  secure,
  alpn: 'h2',
  upstreamIsHttp2: true,
  script: serveHttp2,
  hold: holdHttp2('http'),
  resetStream,
  clientStates: http2ClientStates('http'),
  upstreamEnds: secure ? [] : http2UpstreamEnds('http', http2Asker('http')),
})
