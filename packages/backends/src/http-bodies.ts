import { createHash } from 'node:crypto'
import type { Answer, Call } from './http-call.ts'
import { pause, pump } from './pump.ts'
import { randomBlocks, randomSha256 } from './random.ts'

const filler = Buffer.alloc(65_536, 'sluice backend \n')
const prepared = new Map<number, Buffer>()

/** `/bytes/N`: N bytes with a content-length. The small ones are prepared, as benchmarks ask for the same ones. */
const bytes: Answer = async (call) => {
  const size = call.size()
  call.res.writeHead(200, { 'content-type': 'text/plain', 'content-length': size })
  if (size <= filler.length) {
    let body = prepared.get(size)
    if (body === undefined) prepared.set(size, (body = filler.subarray(0, size)))
    call.res.end(body)
    return
  }
  if (call.req.method === 'HEAD' || (await pump(call.res, fill(size)))) call.res.end()
}

function* fill(size: number): Generator<Buffer> {
  for (let left = size; left > 0; left -= filler.length) yield left < filler.length ? filler.subarray(0, left) : filler
}

/** `/drip?n=10&ms=100&size=16`: a body of known length that comes in n pieces, `ms` apart. */
const drip: Answer = async (call) => {
  const n = call.number('n', 10)
  const size = call.number('size', 16)
  call.res.writeHead(200, { 'content-type': 'text/plain', 'content-length': n * size })
  call.res.flushHeaders()
  await pieces(call, n, size, call.number('ms', 100))
}

/** `/chunked?n=4&size=16&ms=0`: a chunked body of n chunks. */
const chunked: Answer = async (call) => {
  const n = call.number('n', 4)
  const size = call.number('size', 16)
  call.res.writeHead(200, { 'content-type': 'text/plain' })
  call.res.flushHeaders()
  await pieces(call, n, size, call.number('ms', 0))
}

async function pieces({ res }: Call, n: number, size: number, ms: number): Promise<void> {
  for (let i = 0; i < n; i++) {
    if (ms > 0 && !(await pause(res, ms))) return
    if (!(await pump(res, fill(size)))) return
  }
  res.end()
}

/** `/random/N?seed=1&framing=length|chunked`: known bytes. Their SHA-256 comes in `x-sha256`, a header or a trailer. */
const random: Answer = async (call) => {
  const { res } = call
  const size = call.size()
  const seed = call.number('seed', 1)
  const asChunks = call.text('framing', 'length') === 'chunked'
  res.setHeader('content-type', 'application/octet-stream')
  if (asChunks) res.setHeader('trailer', 'x-sha256')
  else res.setHeader('content-length', size).setHeader('x-sha256', randomSha256(size, seed))
  if (call.req.method === 'HEAD') {
    res.end()
    return
  }
  const hash = createHash('sha256')
  const blocks = asChunks ? hashed(randomBlocks(size, seed), hash) : randomBlocks(size, seed)
  if (!(await pump(res, blocks))) return
  if (asChunks) res.addTrailers({ 'x-sha256': hash.digest('hex') })
  res.end()
}

function* hashed(blocks: Iterable<Buffer>, hash: ReturnType<typeof createHash>): Generator<Buffer> {
  for (const block of blocks) {
    hash.update(block)
    yield block
  }
}

/** `POST /hash`: the length and SHA-256 of the body, which is never held. */
const hash: Answer = async (call) => {
  call.wantBody()
  const digest = createHash('sha256')
  let length = 0
  for await (const chunk of call.req as AsyncIterable<Buffer>) {
    digest.update(chunk)
    length += chunk.length
  }
  call.json({ length, sha256: digest.digest('hex'), trailers: call.req.trailers })
}

/** `/sse?n=10&ms=1000`: server-sent events; n=0 goes on until the client leaves. */
const sse: Answer = async (call) => {
  const n = call.number('n', 10)
  const ms = call.number('ms', 1000)
  call.res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  call.res.flushHeaders()
  for (let id = 1; n === 0 || id <= n; id++) {
    if (!(await pump(call.res, [Buffer.from(`id: ${id}\ndata: event ${id}\n\n`)]))) return
    if (id !== n && !(await pause(call.res, ms))) return
  }
  call.res.end()
}

/** The behaviours that differ in how a body comes or goes. */
export const bodies = { bytes, drip, chunked, random, hash, sse } satisfies Record<string, Answer>
