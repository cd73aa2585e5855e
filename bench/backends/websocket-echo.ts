// node websocket-echo.ts PORT: accepts every upgrade and sends each message (of less than 126 bytes) back, unmasked.
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'

const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

createServer({ noDelay: true }, (socket) => {
  let head: string | undefined = ''
  let rest = Buffer.alloc(0)
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    if (head !== undefined) {
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? ''
      const accept = createHash('sha1')
        .update(key + magic)
        .digest('base64')
      head = undefined
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      )
      return
    }
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (bytes.length - at >= 6) {
      const length = bytes[at + 1]! & 0x7f
      const end = at + 6 + length
      if (bytes.length < end) break
      if ((bytes[at]! & 0x0f) === 8) {
        socket.end()
        return
      }
      const echo = Buffer.allocUnsafe(2 + length)
      echo[0] = bytes[at]!
      echo[1] = length
      for (let index = 0; index < length; index++) {
        echo[2 + index] = bytes[at + 6 + index]! ^ bytes[at + 2 + (index & 3)]!
      }
      socket.write(echo)
      at = end
    }
    rest = Buffer.from(bytes.subarray(at))
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
