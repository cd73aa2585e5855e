// node grpc-echo.ts PORT: answers every call at once with headers, sends each byte back, and ends with trailers.
import { createServer } from 'node:http2'

const head = { ':status': 200, 'content-type': 'application/grpc' }

createServer({ settings: { maxConcurrentStreams: 1024 } })
  .on('sessionError', () => {})
  .on('stream', (stream) => {
    stream.on('error', () => {})
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.respond(head, { waitForTrailers: true })
    stream.pipe(stream)
  })
  .listen(Number(process.argv[2]), '127.0.0.1')
