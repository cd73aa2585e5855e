// node grpc-streams.ts PORT SECONDS CONNECTIONS STREAMS: one message at a time in each of the streams of each connection,
// echoed, in a closed loop. At the end the streams are ended and must bring their trailers.
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { grpcMessage } from '../grpc-call.ts'
import type { LoadResult } from './load.ts'
import { Samples } from './samples.ts'

const [port = 0, seconds = 5, connections = 4, streamsEach = 8] = process.argv.slice(2).map(Number)
const messageBytes = grpcMessage.length
const microseconds = () => performance.now() * 1000
const samples = new Samples()
const sessions: ClientHttp2Session[] = []
const streams: ClientHttp2Stream[] = []
const begin: (() => void)[] = []
let running = true
let bytes = 0
let elapsed = 0
let ended = 0
let invalid: string | undefined

function fail(reason: string): void {
  invalid ??= reason
  finish()
}

function open(session: ClientHttp2Session): void {
  const message = Buffer.from(grpcMessage, 'latin1')
  const pending = Buffer.alloc(messageBytes)
  let sequence = 0
  let filled = 0
  let sentAt = 0
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': '/bench.v1.Echo/Chat',
      'content-type': 'application/grpc',
      te: 'trailers',
    },
    { endStream: false },
  )
  const send = () => {
    // A buffer of its own: node:http2 may still hold the one before.
    const next = Buffer.from(message)
    next.writeUInt32BE(++sequence, 5)
    sentAt = microseconds()
    stream.write(next)
  }
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) fail(`a stream got ${headers[':status']}`)
  })
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (filled + chunk.length > messageBytes) return fail('more came back than was sent')
    filled += chunk.copy(pending, filled)
    if (filled < messageBytes) return
    if (pending.readUInt32BE(5) !== sequence) return fail('an echo differs from what was sent')
    filled = 0
    // The first message of a stream only opens it.
    if (sequence === 1) {
      begin.push(send)
      if (begin.length === connections * streamsEach) start()
    } else if (running) {
      samples.add(microseconds() - sentAt)
      send()
    }
  })
  stream.on('trailers', (trailers) => {
    if (trailers['grpc-status'] !== '0') return fail(`a stream ended with grpc-status ${trailers['grpc-status']}`)
    if (++ended === streams.length) finish()
  })
  stream.on('error', (error) => fail(error.message))
  stream.on('end', () => running && fail('a stream ended'))
  streams.push(stream)
  send()
}

let startedAt = 0
function start(): void {
  startedAt = microseconds()
  for (const send of begin) send()
  setTimeout(() => {
    running = false
    elapsed = (microseconds() - startedAt) / 1e6
    for (const stream of streams) stream.end()
    setTimeout(() => fail(`only ${ended} of ${streams.length} streams brought trailers within 5 s`), 5_000)
  }, seconds * 1000)
}

let finished = false
function finish(): void {
  if (finished) return
  finished = true
  for (const session of sessions) session.destroy()
  const result: LoadResult = { requests: samples.count, seconds: elapsed, bytes, latency: samples.summary() }
  if (invalid !== undefined) result.invalid = invalid
  console.log(JSON.stringify(result))
  process.exit(0)
}

setTimeout(() => startedAt === 0 && fail(`only ${begin.length} streams opened within 10 s`), 10_000).unref()
for (let at = 0; at < connections; at++) {
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', (error) => fail(error.message))
  session.on('close', () => running && fail('a connection closed'))
  sessions.push(session)
  for (let stream = 0; stream < streamsEach; stream++) open(session)
}
