// node latency.ts PORT SECONDS CONNECTIONS: one GET at a time on each connection, every latency kept.
import { type Socket, connect } from 'node:net'
import type { LoadResult } from './load.ts'
import { Samples } from './samples.ts'

const [port = 0, seconds = 5, connections = 10] = process.argv.slice(2).map(Number)
const request = Buffer.from(`GET /delayed HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: */*\r\n\r\n`)
const microseconds = () => performance.now() * 1000
const total = new Samples()
const withoutBackend = new Samples()
const sockets: Socket[] = []
let running = true
let bytes = 0
let invalid: string | undefined

/** The end of the response in `text`, or -1 when there is more to come. */
function responseEnd(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return -1
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
  const end = length === undefined ? text.indexOf('\r\n0\r\n\r\n', headEnd) + 7 : headEnd + 4 + Number(length)
  return end > headEnd + 3 && text.length >= end ? end : -1
}

function connection(at: number): void {
  let received = ''
  let sentAt = 0
  const send = () => {
    sentAt = microseconds()
    socket.write(request)
  }
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  // Spread over the backend's delay: in step, each request would wait for the others' turns in the proxy.
  socket.on('connect', () => setTimeout(send, at % 6))
  socket.on('data', (chunk) => {
    if (!running) return
    const now = microseconds()
    received += chunk.toString('latin1')
    if (responseEnd(received) < 0) return
    const took = Number(/\r\nx-took-us: *([\d.]+)/i.exec(received)?.[1])
    if (!received.startsWith('HTTP/1.1 200') || Number.isNaN(took)) {
      invalid ??= `an unexpected answer: ${received.split('\r\n')[0]}`
      return finish()
    }
    bytes += received.length
    received = ''
    total.add(now - sentAt)
    withoutBackend.add(now - sentAt - took)
    send()
  })
  socket.on('error', (error) => {
    invalid ??= error.message
    finish()
  })
  socket.on('close', () => {
    if (running) invalid ??= 'a connection closed'
    finish()
  })
  sockets.push(socket)
}

const startedAt = microseconds()
function finish(): void {
  if (!running) return
  running = false
  for (const socket of sockets) socket.destroy()
  const result: LoadResult = {
    requests: total.count,
    seconds: (microseconds() - startedAt) / 1e6,
    bytes,
    latency: total.summary(),
    withoutBackend: withoutBackend.summary(),
  }
  if (invalid !== undefined) result.invalid = invalid
  console.log(JSON.stringify(result))
  process.exit(0)
}

for (let at = 0; at < connections; at++) connection(at)
setTimeout(finish, seconds * 1000)
