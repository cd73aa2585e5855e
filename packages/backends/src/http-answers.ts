import { bodies } from './http-bodies.ts'
import { type Answer, BadCall } from './http-call.ts'
import { pause } from './pump.ts'

const maxEchoBytes = 16_777_216

/** Any other path: the request as it arrived. A body that is no text comes as `bodyBase64` too. */
export const echo: Answer = async (call) => {
  const { req, res } = call
  const body = await call.body(maxEchoBytes)
  const text = body.toString('utf8')
  call.json({
    backend: res.getHeader('x-backend'),
    method: req.method,
    path: req.url,
    httpVersion: req.httpVersion,
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    body: text,
    ...(Buffer.byteLength(text) === body.length && Buffer.from(text).equals(body)
      ? {}
      : { bodyBase64: body.toString('base64') }),
    trailers: req.trailers,
    rawTrailers: req.rawTrailers,
  })
}

/** `/slow?ms=1000`: answers after a while. */
const slow: Answer = async (call) => {
  const ms = call.number('ms', 1000)
  call.wantBody()
  call.req.resume()
  if (await pause(call.res, ms)) call.line(`slow: ${ms} ms`)
}

/** `/status/N`. */
const status: Answer = (call) => {
  const code = call.size()
  if (code < 200 || code > 999) throw new BadCall(`status must be from 200 to 999, and is ${code}`)
  if (code === 204 || code === 304) call.res.writeHead(code).end()
  else call.line(`status ${code}`, code)
}

/** `/trailers`: an announced trailer, and what came as trailers in the body. */
const trailers: Answer = async (call) => {
  const body = await call.body(maxEchoBytes)
  call.res.writeHead(200, { 'content-type': 'application/json', trailer: 'x-length, x-end' })
  call.res.write(`${JSON.stringify({ length: body.length, trailers: call.req.trailers })}\n`)
  call.res.addTrailers({ 'x-length': String(body.length), 'x-end': 'yes' })
  call.res.end()
}

/** `/early?status=413&close=0`: answers before it has read the body; close=1 hangs up on the rest of it. */
const early: Answer = (call) => {
  if (call.number('close', 0) === 1) call.res.shouldKeepAlive = false
  call.line('early: nothing of the body was read', call.number('status', 413))
}

/** `/informational?n=1`: so many `103 Early Hints` before the answer. */
const informational: Answer = async (call) => {
  const n = call.number('n', 1)
  for (let i = 1; i <= n; i++) {
    await new Promise<void>((resolve) => call.res.writeEarlyHints({ link: `</style-${i}.css>; rel=preload` }, resolve))
  }
  call.line(`informational: ${n}`)
}

/** `/close?size=1000`: a body that ends with the connection, as HTTP/1.0 has it. */
const close: Answer = (call) => {
  call.res.shouldKeepAlive = false
  call.res.useChunkedEncodingByDefault = false
  call.res.removeHeader('transfer-encoding')
  call.res.writeHead(200, { 'content-type': 'text/plain' })
  call.res.write('x'.repeat(call.number('size', 1000)))
  call.res.end()
}

/** `/reset?after=none|head|body`: breaks off with RST: at once, after the head, or half way through the body. */
const reset: Answer = async (call) => {
  const { req, res } = call
  const after = call.text('after', 'none')
  const size = call.number('size', 1000)
  if (after !== 'none') {
    res.writeHead(200, { 'content-type': 'text/plain', 'content-length': size })
    res.flushHeaders()
    if (after === 'body') res.write('x'.repeat(Math.floor(size / 2)))
    // RST throws away what the kernel has not sent; a turn later a loopback peer has it.
    await new Promise((resolve) => setImmediate(resolve))
  }
  req.socket.resetAndDestroy()
}

/** `/hang`: reads the request and never answers. */
const hang: Answer = (call) => {
  call.wantBody()
  call.req.resume()
}

/** `/expect-fail`: refuses an expectation with 417. */
const expectFail: Answer = (call) => {
  call.line('expectation failed', 417)
}

/** Every behaviour by the first segment of its path; any other path is an echo. */
export const answers: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ...Object.entries(bodies),
  ...Object.entries({ slow, status, trailers, early, informational, close, reset, hang, continue: echo }),
  ['expect-fail', expectFail],
])
