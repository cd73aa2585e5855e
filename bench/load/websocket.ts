// node websocket.ts PORT SECONDS TUNNELS: one 64-byte message at a time in each tunnel, echoed, in a closed loop.
import { type Socket, connect } from 'node:net'
import type { LoadResult } from './load.ts'
import { Samples } from './samples.ts'

const [port = 0, seconds = 5, tunnels = 64] = process.argv.slice(2).map(Number)
const payloadBytes = 64
const sentBytes = 2 + 4 + payloadBytes
const echoedBytes = 2 + payloadBytes
const microseconds = () => performance.now() * 1000
const samples = new Samples()
let open = 0
let running = true
let bytes = 0
let invalid: string | undefined
const sockets: Socket[] = []
const begin: (() => void)[] = []

function fail(reason: string): void {
  invalid ??= reason
  finish()
}

function tunnel(): void {
  // A zero masking key is allowed and leaves the payload as it is.
  const message = Buffer.alloc(sentBytes, 0x61)
  message.set([0x82, 0x80 | payloadBytes, 0, 0, 0, 0])
  let sequence = 0
  let sentAt = 0
  let head: string | undefined = ''
  const pending = Buffer.alloc(64 * 1024)
  let filled = 0

  const send = () => {
    message.writeUInt32BE(++sequence >>> 0, 6)
    sentAt = microseconds()
    socket.write(message)
  }
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('connect', () => {
    socket.write(
      `GET /echo HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
  })
  socket.on('data', (chunk) => {
    if (!running) return
    if (head !== undefined) {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      if (!head.startsWith('HTTP/1.1 101')) return fail(`the upgrade was refused: ${head.split('\r\n')[0]}`)
      head = undefined
      begin.push(send)
      if (++open === tunnels) start()
      return
    }
    bytes += chunk.length
    filled += chunk.copy(pending, filled)
    if (filled < echoedBytes) return
    if (
      filled !== echoedBytes ||
      pending[0] !== 0x82 ||
      pending[1] !== payloadBytes ||
      pending.readUInt32BE(2) !== sequence
    ) {
      return fail('an echo differs from what was sent')
    }
    filled = 0
    samples.add(microseconds() - sentAt)
    send()
  })
  socket.on('error', (error) => running && fail(error.message))
  socket.on('close', () => running && fail('a tunnel closed'))
  sockets.push(socket)
}

let startedAt = 0
function start(): void {
  startedAt = microseconds()
  for (const send of begin) send()
  setTimeout(finish, seconds * 1000)
}

function finish(): void {
  if (!running) return
  running = false
  const elapsed = (microseconds() - startedAt) / 1e6
  for (const socket of sockets) socket.destroy()
  const result: LoadResult = { requests: samples.count, seconds: elapsed, bytes, latency: samples.summary() }
  if (invalid !== undefined) result.invalid = invalid
  console.log(JSON.stringify(result))
  process.exit(0)
}

setTimeout(() => open < tunnels && fail(`only ${open} of ${tunnels} tunnels opened within 10 s`), 10_000).unref()
for (let at = 0; at < tunnels; at++) tunnel()
