import { constants, type Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import { answers } from './http-answers.ts'
import type { Answer, Call } from './http-call.ts'

/** The same call, as what it is on HTTP/2. */
const responseOf = ({ res }: Call): Http2ServerResponse => res as unknown as Http2ServerResponse

/** `/informational?n=1&status=103`: so many informational answers before the final one. */
const informational: Answer = (call) => {
  const n = call.number('n', 1)
  const status = call.number('status', 103)
  for (let i = 1; i <= n; i++) {
    responseOf(call).stream.additionalHeaders({ ':status': status, link: `</style-${i}.css>; rel=preload` })
  }
  call.line(`informational: ${n}`)
}

/**
 * `/reset?after=none|head|body|all&code=2`: RST_STREAM: at once, after the head, half way through the body, or after the
 * whole body of a request that was not read (code=0 then, RFC 9113 §8.1).
 */
const reset: Answer = async (call) => {
  const { res } = call
  const { stream } = responseOf(call)
  const after = call.text('after', 'none')
  const size = call.number('size', 1_000)
  if (after === 'all') {
    res.writeHead(200, { 'content-type': 'text/plain' }).end('x'.repeat(size))
    await new Promise((resolve) => stream.once('wantTrailers', resolve))
  } else if (after !== 'none') {
    res.writeHead(200, { 'content-type': 'text/plain', 'content-length': size })
    res.flushHeaders()
    if (after === 'body') res.write('x'.repeat(Math.floor(size / 2)))
  }
  // A turn later, as a reset overtakes what has not left yet.
  await new Promise((resolve) => setImmediate(resolve))
  stream.close(call.number('code', after === 'all' ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_INTERNAL_ERROR))
}

/**
 * `/goaway?refused=0&code=0`: GOAWAY, and the answer. With refused=1 the stream before this one is the last that is
 * served, which cannot be said of the first stream of a connection.
 */
const goaway: Answer = (call) => {
  const { stream } = responseOf(call)
  const code = call.number('code', constants.NGHTTP2_NO_ERROR)
  if (call.number('refused', 0) === 1) {
    stream.session?.goaway(code, stream.id! - 2)
    return
  }
  stream.session?.goaway(code)
  call.line('goaway')
  if (code === constants.NGHTTP2_NO_ERROR) stream.session?.close()
}

/** `/drop`: the connection breaks off with a TCP RST. */
const drop =
  (socketOf: (call: Call) => Socket | undefined): Answer =>
  (call) => {
    socketOf(call)?.resetAndDestroy()
  }

/** `/settings?streams=1`: other SETTINGS_MAX_CONCURRENT_STREAMS for the connection from now on. */
const settings: Answer = async (call) => {
  const { session } = responseOf(call).stream
  const maxConcurrentStreams = call.number('streams', 1)
  await new Promise<void>((resolve) => session?.settings({ maxConcurrentStreams }, () => resolve()))
  call.line(`settings: ${maxConcurrentStreams}`)
}

/** `/head/N`: N bytes of response fields, in fields of 1,000. */
const head: Answer = (call) => {
  for (let left = call.size(), i = 0; left > 0; left -= 1_000, i++) {
    call.res.setHeader(`x-filler-${i}`, 'x'.repeat(Math.min(left, 1_000)))
  }
  call.line('head')
}

/** Every behaviour by the first segment of its path: those of HTTP/1.1, and what HTTP/2 has of its own. */
export function http2Answers(socketOf: (call: Call) => Socket | undefined): ReadonlyMap<string, Answer> {
  const own = { informational, reset, goaway, settings, head, drop: drop(socketOf) }
  const map = new Map([...answers, ...Object.entries(own)])
  map.delete('close') // a body that ends with the connection: there is no such thing
  return map
}
