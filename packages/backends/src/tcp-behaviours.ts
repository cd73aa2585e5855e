import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { pump } from './pump.ts'
import { randomBlocks } from './random.ts'

/** What a TCP backend does with a connection. */
export type TcpBehaviour = 'echo' | 'sink' | 'source' | 'reset' | 'silent' | 'half'

/** Says how many bytes a behaviour has read and written. */
export interface Meter {
  received(bytes: number): void
  sent(bytes: number): void
}

type Behave = (socket: Socket, meter: Meter) => void

/** Every byte comes back; a FIN is answered with a FIN once all has been sent. */
const echo: Behave = (socket, meter) => {
  socket.on('data', (chunk) => {
    meter.received(chunk.length)
    meter.sent(chunk.length)
    if (!socket.write(chunk)) socket.pause()
  })
  socket.on('drain', () => socket.resume())
  socket.on('end', () => socket.end())
}

/** Takes everything; after the FIN it answers with one line, `LENGTH SHA256`, and a FIN. */
const sink: Behave = (socket, meter) => {
  const hash = createHash('sha256')
  let length = 0
  socket.on('data', (chunk) => {
    meter.received(chunk.length)
    hash.update(chunk)
    length += chunk.length
  })
  socket.on('end', () => {
    const line = `${length} ${hash.digest('hex')}\n`
    meter.sent(line.length)
    socket.end(line)
  })
}

/** Sends as many pseudo-random bytes as the first line says (`N` or `N SEED`, seed 1 otherwise), then a FIN. */
const source: Behave = (socket, meter) => {
  onFirstLine(socket, meter, (line) => {
    const [length, seed] = numbers(line, 1)
    if (length === undefined || seed === undefined) {
      socket.end(`the first line must be N or N SEED, and is '${line}'\n`)
      return
    }
    void pump(socket, randomBlocks(length, seed)).then((whole) => {
      meter.sent(whole ? length : 0)
      socket.end()
    })
  })
}

/**
 * The first line is `N` (or `send N`): sends N bytes and breaks off with RST; or `read N`: breaks off after it has
 * read N bytes more.
 */
const reset: Behave = (socket, meter) => {
  onFirstLine(socket, meter, (line, rest) => {
    const read = line.startsWith('read ')
    const [length] = numbers(line.replace(/^(read|send) /, ''), 0)
    if (length === undefined) {
      socket.end(`the first line must be N, send N or read N, and is '${line}'\n`)
      return
    }
    if (read) {
      let left = length - rest.length
      if (left <= 0) socket.resetAndDestroy()
      socket.on('data', (chunk) => {
        left -= chunk.length
        if (left <= 0) socket.resetAndDestroy()
      })
      return
    }
    // RST throws away what the kernel has not sent; a turn after the last write a loopback peer that reads has it.
    void pump(socket, randomBlocks(length, 1)).then((whole) => {
      meter.sent(whole ? length : 0)
      setImmediate(() => socket.resetAndDestroy())
    })
  })
}

/** Accepts, reads and never says a word, not even a FIN. */
const silent: Behave = (socket, meter) => {
  socket.on('data', (chunk) => meter.received(chunk.length))
}

const maxHalfBytes = 16_777_216

/** Keeps everything (16 MiB at most) until the FIN, and only then sends it back, with a FIN. */
const half: Behave = (socket, meter) => {
  const chunks: Buffer[] = []
  let size = 0
  socket.on('data', (chunk) => {
    meter.received(chunk.length)
    size += chunk.length
    if (size > maxHalfBytes) socket.resetAndDestroy()
    else chunks.push(chunk)
  })
  socket.on('end', () => {
    meter.sent(size)
    socket.end(Buffer.concat(chunks, size))
  })
}

/** The behaviours by name. */
export const behaviours: Readonly<Record<TcpBehaviour, Behave>> = { echo, sink, source, reset, silent, half }

const maxLineBytes = 1024

/** Calls `then` once with the first line, without its end, and what came after it; the rest is read and counted. */
function onFirstLine(socket: Socket, meter: Meter, then: (line: string, rest: string) => void): void {
  let text: string | undefined = ''
  socket.on('data', (chunk) => {
    meter.received(chunk.length)
    if (text === undefined) return
    text += chunk.toString('latin1')
    const end = text.indexOf('\n')
    if (end < 0 && text.length <= maxLineBytes) return
    const line = end < 0 ? text.slice(0, 80) : text.slice(0, end).trimEnd()
    const rest = end < 0 ? '' : text.slice(end + 1)
    text = undefined
    then(line, rest)
  })
  // A client that only half-closes after its line (`nc -N`) still gets its answer; one that sent no line gets a FIN.
  socket.on('end', () => {
    if (text !== undefined) socket.end()
  })
}

/** `N` or `N M`, with a default for M; nothing when the line is anything else. */
function numbers(line: string, fallback: number): [number, number] | [] {
  const match = /^(\d{1,15})(?: (\d{1,9}))?$/.exec(line)
  return match === null ? [] : [Number(match[1]), Number(match[2] ?? fallback)]
}
