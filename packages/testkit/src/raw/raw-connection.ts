import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/** How a connection or one direction of it came to its end. */
export type End = 'fin' | 'rst'

/** The peer ended the connection, or we did, while bytes were still waited for. */
export class ConnectionEnded extends Error {
  readonly by: End
  constructor(by: End, message: string) {
    super(message)
    this.by = by
  }
}

/** How the raw connections of a test behave. */
export interface RawConnectionOptions {
  /** How long a reading verb waits before it fails with what has come so far. Default: 10_000. */
  readonly timeoutMs?: number
}

interface Reader {
  /** How many buffered bytes make the verb complete, or -1 while there are too few. */
  readonly enough: () => number
  readonly settle: (result: Buffer | Error) => void
}

/**
 * A connection spoken byte by byte, from either side. Reading verbs take what they return out of `buffered` and are
 * used one at a time. Half-open is allowed: a FIN of the peer is never answered by itself.
 *
 * While reading is paused, and after the peer's FIN, neither FIN nor RST of the peer is noticed (libuv takes a socket
 * that is not read out of epoll); writing finds out.
 */
export class RawConnection {
  readonly socket: Socket
  /** How the peer's direction ended: resolves as soon as its FIN or RST is seen. */
  readonly ended: Promise<End>
  /** Resolves when nothing is left of the connection; `rst` when either side broke it off. */
  readonly closed: Promise<{ readonly by: End }>
  readonly #transport: Socket
  readonly #timeoutMs: number
  #chunks: Buffer[] = []
  #size = 0
  #end: End | undefined
  #reader: Reader | undefined
  #pausedByHand = false
  #reset = false

  /** `transport` is the TCP socket below a TLS socket. */
  constructor(socket: Socket | TLSSocket, options: RawConnectionOptions = {}, transport: Socket = socket) {
    this.socket = socket
    this.#transport = transport
    this.#timeoutMs = options.timeoutMs ?? 10_000
    const ended = Promise.withResolvers<End>()
    this.ended = ended.promise
    const end = (by: End): void => {
      this.#end ??= by
      ended.resolve(by)
      this.#serve()
    }
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#size += chunk.length
      this.#serve()
    })
    socket.once('end', () => end('fin'))
    socket.on('error', () => {
      this.#reset = true
      end('rst')
    })
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        end(this.#reset ? 'rst' : 'fin')
        resolve({ by: this.#reset ? 'rst' : 'fin' })
      })
    })
  }

  /** The bytes that have come and were not taken yet. */
  get buffered(): Buffer {
    const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#size)
    this.#chunks = this.#size === 0 ? [] : [whole]
    return whole
  }

  /** Writes bytes (text as latin1); resolves when the kernel has them all, or when the connection is gone. */
  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () => resolve())
    })
  }

  /** All bytes up to and with the first match. An expression is matched against latin1 text. */
  readUntil(pattern: string | Uint8Array | RegExp): Promise<Buffer> {
    if (!(pattern instanceof RegExp)) {
      const wanted = typeof pattern === 'string' ? Buffer.from(pattern, 'latin1') : pattern
      let searched = 0
      return this.#read(`until ${String(pattern)}`, () => {
        // Only what is new, and as much before it as a match may have begun in: many megabytes may come in small pieces.
        const from = Math.max(0, searched - wanted.length + 1)
        const at = this.#from(from).indexOf(wanted)
        searched = this.#size
        return at < 0 ? -1 : from + at + wanted.length
      })
    }
    return this.#read(`until ${String(pattern)}`, () => {
      const match = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).exec(
        this.buffered.toString('latin1'),
      )
      return match === null ? -1 : match.index + match[0].length
    })
  }

  /** An HTTP/1.1 head with its empty line, as latin1 text. */
  async readHead(): Promise<string> {
    return (await this.readUntil('\r\n\r\n')).toString('latin1')
  }

  /** Exactly `n` bytes. */
  readExactly(n: number): Promise<Buffer> {
    return this.#read(`${n} bytes`, () => (this.#size >= n ? n : -1))
  }

  /** All that is there, and at least one byte. */
  readSome(): Promise<Buffer> {
    return this.#read('at least one byte', () => (this.#size > 0 ? this.#size : -1))
  }

  /** Everything up to the peer's FIN. Rejects with `ConnectionEnded` on RST; what came stays in `buffered`. */
  readToEnd(): Promise<Buffer> {
    return this.#read('the FIN', () => (this.#end === 'fin' ? this.#size : -1))
  }

  /**
   * The bytes as they come, to the FIN, for transfers too large to hold: reading stops while the loop's body runs.
   * Ends with `ConnectionEnded` on RST. No deadline.
   */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      if (this.#size > 0) {
        const bytes = this.buffered
        this.#take(this.#size)
        this.socket.pause()
        try {
          yield bytes
        } finally {
          if (!this.#pausedByHand) this.socket.resume()
        }
      } else if (this.#end === 'rst') throw new ConnectionEnded('rst', 'the connection was reset')
      else if (this.#end === 'fin') return
      else
        await new Promise<void>((resolve) =>
          this.#wait({ enough: () => (this.#size > 0 ? 0 : -1), settle: () => resolve() }),
        )
    }
  }

  /** Stops reading, as a slow reader does; the kernel's buffers fill and then the peer's writes stop. */
  pause(): void {
    this.#pausedByHand = true
    this.socket.pause()
  }

  resume(): void {
    this.#pausedByHand = false
    this.socket.resume()
  }

  /** Ends our direction; resolves when the FIN, and all before it, has been handed over. */
  fin(): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve()
      else this.socket.end(() => resolve())
    })
  }

  /**
   * Breaks the connection off with RST; what the kernel has not sent is lost. On TLS exchange a byte first: in the turn
   * of the handshake the peer's session tickets still wait to be written, that write takes the ECONNRESET, Node drops
   * it, and what the peer then reads is an end.
   */
  rst(): void {
    this.#reset = true
    // Not the TLS socket as well: its destroy would close the handle before the reset is asked for. It closes by itself.
    this.#transport.resetAndDestroy()
  }

  /** Drops the connection, without waiting for anything. */
  async close(): Promise<void> {
    this.socket.destroy()
    await this.closed
  }

  #read(what: string, enough: () => number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#reader = undefined
        reject(new Error(`no ${what} within ${this.#timeoutMs} ms; ${this.#describe()}`))
      }, this.#timeoutMs)
      this.#wait({
        enough,
        settle: (result) => {
          clearTimeout(timer)
          if (result instanceof ConnectionEnded)
            reject(new ConnectionEnded(result.by, `${result.message} before ${what}`))
          else if (result instanceof Error) reject(result)
          else resolve(result)
        },
      })
    })
  }

  #wait(reader: Reader): void {
    if (this.#reader !== undefined) {
      reader.settle(new Error('two reads at a time on one raw connection'))
      return
    }
    this.#reader = reader
    this.#serve()
  }

  #serve(): void {
    const reader = this.#reader
    if (reader === undefined) return
    const length = reader.enough()
    if (length >= 0) {
      this.#reader = undefined
      reader.settle(this.#take(length))
    } else if (this.#end !== undefined) {
      this.#reader = undefined
      reader.settle(new ConnectionEnded(this.#end, `${this.#end} came, ${this.#describe()},`))
    }
  }

  /** The unread bytes from there on. */
  #from(offset: number): Buffer {
    let before = this.#size
    let first = this.#chunks.length
    while (first > 0 && before > offset) before -= this.#chunks[--first]!.length
    const [only, ...more] = this.#chunks.slice(first)
    const found = more.length === 0 ? (only ?? Buffer.alloc(0)) : Buffer.concat([only!, ...more])
    return found.subarray(offset - before)
  }

  #take(length: number): Buffer {
    const whole = this.buffered
    this.#chunks = length < whole.length ? [whole.subarray(length)] : []
    this.#size -= length
    return whole.subarray(0, length)
  }

  #describe(): string {
    const text = JSON.stringify(this.buffered.subarray(0, 200).toString('latin1'))
    return `with ${this.#size} bytes unread: ${text}`
  }
}
