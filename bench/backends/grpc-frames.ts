// node grpc-frames.ts PORT: answers every finished call with headers, one message and trailers, on bare HTTP/2 frames.
// It is no server, it only answers like one, for less than any other would take from the load generator. (nginx with
// `return` and `add_trailer` answers before it has read the request, and resets it: some proxies fail such a call.)
import { createServer, type Socket } from 'node:net'
import { forwardedHeader, grpcMessage } from '../grpc-call.ts'

const type = { data: 0, headers: 1, settings: 4, ping: 6, windowUpdate: 8 } as const
const flag = { ack: 1, endStream: 1, endHeaders: 4 } as const
const setting = { headerTableSize: 1, maxStreams: 3, initialWindow: 4 } as const
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const frameHead = 9
const largestWindow = 0x7fffffff
const firstWindow = 65_535
const defaultTableSize = 4_096

function frame(of: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(frameHead)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = of
  head[4] = flags
  return Buffer.concat([head, payload])
}

function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length)
  for (const [at, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, 6 * at)
    payload.writeUInt32BE(value, 6 * at + 2)
  }
  return frame(type.settings, 0, payload)
}

function windowUpdate(increment: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(increment)
  return frame(type.windowUpdate, 0, payload)
}

/** The frames of an answer, to be copied, and where their stream ids go. */
interface Answer {
  readonly bytes: Buffer
  readonly idsAt: readonly number[]
}

function answer(head: Buffer, trailers: Buffer): Answer {
  const parts = [
    frame(type.headers, flag.endHeaders, head),
    frame(type.data, 0, Buffer.from(grpcMessage)),
    frame(type.headers, flag.endHeaders | flag.endStream, trailers),
  ]
  const [first, second] = parts.map((part) => part.length) as [number, number, number]
  return { bytes: Buffer.concat(parts), idsAt: [5, first + 5, first + second + 5] }
}

const text = (value: string): Buffer => Buffer.from(String.fromCharCode(value.length) + value, 'latin1')
const status200 = Buffer.of(0x88)
const grpc = text('application/grpc')
const grpcStatus = Buffer.concat([text('grpc-status'), text('0')])
// RFC 7541 §6.2: literals that enter the table (0x40), and such that do not. `content-type` is entry 31.
const typeEntering = Buffer.concat([Buffer.of(0x5f), grpc])
const typePlain = Buffer.concat([Buffer.of(0x0f, 0x10), grpc])
const statusEntering = Buffer.concat([Buffer.of(0x40), grpcStatus])
const statusPlain = Buffer.concat([Buffer.of(0), grpcStatus])
const tableOfNone = Buffer.of(0x20)

const plainAnswer = answer(Buffer.concat([status200, typePlain]), statusPlain)
// The first answer has filled the table: the newest entry is 62.
const indexedAnswer = answer(Buffer.concat([status200, Buffer.of(0x80 | 63)]), Buffer.of(0x80 | 62))

function firstAnswer(indexed: boolean, forwarded: boolean): Answer {
  const told = Buffer.concat([Buffer.of(0), text(forwardedHeader), text(forwarded ? 'yes' : 'no')])
  return indexed
    ? answer(Buffer.concat([status200, typeEntering, told]), statusEntering)
    : answer(Buffer.concat([tableOfNone, status200, typePlain, told]), statusPlain)
}

// The name as it stands in a connection's first header block, where no table can know it yet: plain, and in Huffman code.
const forwardedNames = [Buffer.from('x-forwarded-for'), Buffer.from('f2b4a7b3c0ec90b22d29ec', 'hex')]

function serve(socket: Socket): void {
  let unread: Buffer = Buffer.alloc(0)
  let greeted = false
  let tableSize = defaultTableSize
  let credit = firstWindow
  let received = 0
  let first: Answer | undefined
  let answered = false
  const finished: number[] = []
  const replies: Buffer[] = [settings([setting.maxStreams, 1024], [setting.initialWindow, 1 << 20])]
  replies.push(windowUpdate(largestWindow - firstWindow))

  function take(of: number, flags: number, stream: number, payload: Buffer): void {
    if (of === type.headers) {
      first ??= firstAnswer(
        tableSize >= defaultTableSize,
        forwardedNames.some((name) => payload.includes(name)),
      )
    } else if (of === type.data) {
      received += payload.length
    } else if (of === type.settings && (flags & flag.ack) === 0) {
      for (let at = 0; at < payload.length; at += 6) {
        if (payload.readUInt16BE(at) === setting.headerTableSize) tableSize = payload.readUInt32BE(at + 2)
      }
      replies.push(frame(type.settings, flag.ack, Buffer.alloc(0)))
    } else if (of === type.ping && (flags & flag.ack) === 0) {
      replies.push(frame(type.ping, flag.ack, Buffer.from(payload)))
    } else if (of === type.windowUpdate && stream === 0) {
      credit += payload.readUInt32BE(0)
    }
    if (of <= type.headers && (flags & flag.endStream) !== 0) finished.push(stream)
  }

  function write(): void {
    if (received > largestWindow / 2) {
      replies.push(windowUpdate(received))
      received = 0
    }
    const count = Math.min(finished.length, Math.floor(credit / grpcMessage.length))
    credit -= count * grpcMessage.length
    for (const stream of finished.splice(0, count)) {
      const { bytes, idsAt } = answered ? (tableSize >= defaultTableSize ? indexedAnswer : plainAnswer) : first!
      answered = true
      const copy = Buffer.from(bytes)
      for (const at of idsAt) copy.writeUInt32BE(stream, at)
      replies.push(copy)
    }
    if (replies.length > 0) socket.write(Buffer.concat(replies.splice(0)))
  }

  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk) => {
    const bytes = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
    let at = 0
    if (!greeted) {
      if (bytes.length < preface.length) {
        unread = bytes
        return
      }
      greeted = true
      at = preface.length
    }
    while (bytes.length - at >= frameHead) {
      const end = at + frameHead + bytes.readUIntBE(at, 3)
      if (bytes.length < end) break
      take(bytes[at + 3]!, bytes[at + 4]!, bytes.readUInt32BE(at + 5), bytes.subarray(at + frameHead, end))
      at = end
    }
    unread = bytes.subarray(at)
    write()
  })
}

createServer({ noDelay: true }, serve).listen(Number(process.argv[2]), '127.0.0.1')
