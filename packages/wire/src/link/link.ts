import type { Socket } from 'node:net'
import { enterTurn, type Flushable, flushAtEndOfTurn, leaveTurn } from './flush.ts'
import { copyBytes } from '../http1/bytes.ts'
import type { ByteAccount } from './byte-store.ts'
import { LinkError } from './link-error.ts'
import { HandleOutlet, type Outlet, returnLoans, StreamOutlet } from './outlet.ts'
import { bulkBytes, ReadBuffer, type Slab } from './read-buffers.ts'

/** The protocol's half of a link: what it is told. Every call may write to any link; the writes leave together. */
export interface LinkHandler {
  /** Bytes `start` to `end` have come. They are lent: valid until the call returns. */
  onBytes(bytes: Buffer, start: number, end: number): void
  /** The peer's FIN: it will send nothing more. */
  onEnd(): void
  /** So much is queued that whoever feeds this link should stop. */
  onCongested(): void
  /** What was queued has gone to the kernel. */
  onDrain(): void
  /** The socket is gone. Called once, last, whoever closed it; without an error after both sides' FIN or `destroy`. */
  onClose(error: LinkError | undefined): void
  /** A handler threw: a bug of ours. The link is destroyed afterwards, `onClose` follows. */
  onFault(fault: unknown): void
}

/** How long what is queued may take to leave, once nothing more comes, in milliseconds. */
const flushMs = 2_000

/** Queued bytes from which on a link reports congestion. */
export const congestedBytes = 65_536

const linkOf = Symbol('link')
type LinkedSocket = Socket & { [linkOf]?: Link }

/** The buffer of the link that is being read at the moment, whose bytes are lent. */
let lender: ReadBuffer | undefined

/** The bytes of that link when Node has made a buffer for them that nobody will read into again. */
let fresh: Buffer | undefined

/** TLS keeps every write until a later tick, and the whole slab with it: a slab must be worth keeping. */
const tlsBulkBytes = 2 * bulkBytes

/** Fresh bytes of this length are worth keeping a whole buffer for; shorter ones are copied. */
const uncopiedBytes = 4_096

/**
 * One connected socket, plain or TLS: the only place that touches it.
 *
 * Bytes to write are either lent (`write`: taken or copied before the call's turn is over) or given away (`send`: the
 * caller never touches them again). All writes of a turn leave in one system call.
 */
export class Link implements Flushable {
  handler: LinkHandler
  /** Bytes read and written so far. */
  bytesIn = 0
  bytesOut = 0
  /** Counts what is queued while the link is congested; less than that is not worth the look at every write. */
  account: ByteAccount | undefined
  #accountedBytes = 0
  readonly #socket: LinkedSocket
  /** The socket beneath TLS, which can be reset; the socket itself when there is no TLS. */
  readonly #raw: Socket
  readonly #readBuffer: ReadBuffer | undefined
  readonly #tls: boolean
  readonly #outlet: Outlet
  #pending: Buffer | undefined
  #morePending: Buffer[] | undefined
  /** Slabs that pending writes refer to. */
  #borrowed: Slab[] | undefined
  /** The last pending buffer while it has room for more. */
  #tail: Buffer | undefined
  #tailUsed = 0
  #dirty = false
  #ending = false
  #closed = false
  #congested = false
  #paused = false
  /** What was asked for while bytes were queued at the handle. */
  #afterDrain: 'end' | 'destroy' | undefined
  #error: LinkError | undefined

  constructor(socket: Socket, handler: LinkHandler, options: { raw?: Socket; readBuffer?: ReadBuffer } = {}) {
    this.#socket = socket
    this.handler = handler
    this.#raw = options.raw ?? socket
    this.#tls = options.raw !== undefined || 'encrypted' in socket
    this.#readBuffer = options.readBuffer
    this.#outlet =
      this.#readBuffer !== undefined && !this.#tls && HandleOutlet.works
        ? new HandleOutlet(socket, () => this.#drained())
        : new StreamOutlet(socket)
    this.#socket[linkOf] = this
    if (this.#readBuffer === undefined) socket.on('data', onData)
    socket.on('end', onEnd)
    socket.on('drain', onDrain)
    socket.on('error', onError)
    socket.on('close', onClose)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether the socket still takes bytes: neither `end` nor `destroy` was called and the peer did not reset it. */
  get writable(): boolean {
    return !this.#ending && !this.#closed && this.#socket.writable
  }

  get congested(): boolean {
    return this.#congested
  }

  /** Whether it is under TLS. */
  get secure(): boolean {
    return this.#tls
  }

  /** Bytes written that the kernel has not taken yet. */
  get unsentBytes(): number {
    // The stream counts a write until all of it has gone, the handle knows how much of it has: both shrink or stand.
    const handle = (this.#raw as unknown as { _handle?: { writeQueueSize?: number } | null })._handle
    return this.#socket.writableLength + (handle?.writeQueueSize ?? 0)
  }

  /** Bytes written that the kernel has taken. */
  get takenBytes(): number {
    return this.bytesOut - this.unsentBytes
  }

  get paused(): boolean {
    return this.#paused
  }

  /** Address of the peer without a port; the empty string once the socket is gone or when it is a Unix socket. */
  get remoteAddress(): string {
    const address = this.#raw.remoteAddress ?? ''
    // On a socket of both families IPv4 peers come in IPv6 notation (RFC 4291 §2.5.5.2).
    return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
  }

  get remotePort(): number {
    return this.#raw.remotePort ?? 0
  }

  /** Server name that a TLS client asked for (SNI). */
  get tlsName(): string | undefined {
    const name = (this.#socket as { servername?: string | false }).servername
    return typeof name === 'string' ? name : undefined
  }

  /** Application protocol that both sides of TLS have chosen (ALPN). */
  get protocol(): string | undefined {
    const protocol = (this.#socket as { alpnProtocol?: string | false | null }).alpnProtocol
    return typeof protocol === 'string' ? protocol : undefined
  }

  /**
   * Writes lent bytes: they are with the kernel or copied when this turn is over. `more` bytes will follow in this
   * turn: room is kept for them, so that a head and its body leave as one buffer.
   */
  write(bytes: Buffer, start: number, end: number, more = 0): void {
    const length = end - start
    if (length <= 0 || !this.writable) return
    const tail = this.#tail
    if (tail !== undefined) {
      if (length <= tail.length - this.#tailUsed) {
        this.#tailUsed = copyBytes(tail, this.#tailUsed, bytes, start, end)
        this.bytesOut += length
        return
      }
      this.#closeTail()
    }
    if (length >= uncopiedBytes && bytes === fresh) {
      this.#enqueue(bytes.subarray(start, end))
      return
    }
    if (length >= (this.#tls ? tlsBulkBytes : bulkBytes) && lender !== undefined && lender.owns(bytes)) {
      lender.slab.loans++
      ;(this.#borrowed ??= []).push(lender.slab)
      this.#enqueue(bytes.subarray(start, end))
      return
    }
    const kept = more < bulkBytes ? more : 0
    const copy = Buffer.allocUnsafe(length + kept)
    copyBytes(copy, 0, bytes, start, end)
    this.#enqueue(copy)
    if (kept > 0) {
      this.#tail = copy
      this.#tailUsed = length
      this.bytesOut -= kept
    }
  }

  /** The buffer with room left is the last one; what stayed unused of it is cut off. */
  #closeTail(): void {
    const tail = this.#tail
    if (tail === undefined) return
    this.#tail = undefined
    if (this.#tailUsed === tail.length) return
    const used = tail.subarray(0, this.#tailUsed)
    if (this.#morePending === undefined) this.#pending = used
    else this.#morePending[this.#morePending.length - 1] = used
  }

  /** Writes bytes that the caller gives away and never touches again. */
  send(bytes: Buffer): void {
    if (bytes.length === 0 || !this.writable) return
    this.#closeTail()
    this.#enqueue(bytes)
  }

  #enqueue(bytes: Buffer): void {
    this.bytesOut += bytes.length
    if (this.#pending === undefined) this.#pending = bytes
    else (this.#morePending ??= []).push(bytes)
    if (!this.#dirty) {
      this.#dirty = true
      flushAtEndOfTurn(this)
    }
  }

  /** Hands what was written in this turn to the kernel. Called by the turn; others need it only to order a FIN. */
  flush(): void {
    this.#dirty = false
    this.#closeTail()
    const first = this.#pending
    if (first === undefined) return
    const more = this.#morePending
    const borrowed = this.#borrowed
    this.#pending = undefined
    this.#morePending = undefined
    this.#borrowed = undefined
    if (this.#closed || !this.#socket.writable) {
      if (borrowed !== undefined) returnLoans(borrowed)
      return
    }
    this.#outlet.write(first, more, borrowed)
    this.#noteQueued()
  }

  /**
   * Writes bytes of a slab that the caller has filled, at once and after everything written before. What the kernel does
   * not take stays queued by reference: `slab.loans` is above zero until it has gone.
   */
  lend(slab: Slab, start: number, end: number): void {
    if (end <= start || !this.writable) return
    if (this.#pending !== undefined) this.flush()
    this.bytesOut += end - start
    const bytes = slab.bytes.subarray(start, end)
    // A whole slab is not to be kept for a few bytes that may have to wait for long.
    if (end - start < bulkBytes && (this.#tls || this.#outlet.queuedBytes > 0)) {
      this.#outlet.write(Buffer.from(bytes), undefined, undefined)
    } else {
      slab.loans++
      this.#outlet.write(bytes, undefined, [slab])
    }
    this.#noteQueued()
  }

  #noteQueued(): void {
    const queued = this.#outlet.queuedBytes
    if (this.#congested) this.#tellAccount(queued)
    else if (queued >= congestedBytes) {
      this.#congested = true
      this.#tellAccount(queued)
      this.#tellCongested()
    }
  }

  #tellAccount(queued: number): void {
    if (this.account === undefined) return
    this.account.add(queued - this.#accountedBytes)
    this.#accountedBytes = queued
  }

  /** Apart, in its own try: other links are flushed in the same turn, and must not pay for this one's handler. */
  #tellCongested(): void {
    try {
      this.handler.onCongested()
    } catch (fault) {
      this.fault(fault)
    }
  }

  /** Stops reading. Bytes, FIN and reset of the peer stay unseen until `resume`. */
  pause(): void {
    if (this.#paused || this.#closed) return
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused || this.#closed) return
    this.#paused = false
    this.#socket.resume()
  }

  /** Sends FIN after everything written. Reading goes on. */
  end(): void {
    if (this.#ending || this.#closed) return
    if (this.#pending !== undefined) this.flush()
    this.#ending = true
    if (this.#queuedPastStream) this.#afterDrain = 'end'
    else if (this.#socket.writable) this.#socket.end()
  }

  /**
   * Whether bytes are queued that the stream knows nothing of. A FIN has to wait for them here: libuv would keep the
   * order, but refuses a reset while a FIN is queued, and the socket would never close.
   */
  get #queuedPastStream(): boolean {
    return this.#outlet instanceof HandleOutlet && this.#socket.writableLength === 0 && this.#outlet.queuedBytes > 0
  }

  #drained(): void {
    const then = this.#afterDrain
    this.#afterDrain = undefined
    if (then === 'end') this.#socket.end()
    else if (then === 'destroy') this.#socket.destroySoon()
    this.event('drain')
  }

  /**
   * Sends FIN after everything written, and closes then: what the peer still sends is not waited for. A peer that has
   * not taken everything after two seconds is reset.
   */
  destroyAfterFlush(): void {
    if (this.#closed) return
    if (this.#pending !== undefined) this.flush()
    this.#ending = true
    if (this.#outlet.queuedBytes > 0) {
      // A peer that reads no more would keep the socket, and whatever is counted with it, for ever.
      const timer = setTimeout(() => this.reset(), flushMs)
      this.#socket.once('close', () => clearTimeout(timer))
    }
    if (this.#queuedPastStream) this.#afterDrain = 'destroy'
    else this.#socket.destroySoon()
  }

  /** Closes at once; what is queued is dropped. */
  destroy(): void {
    this.#dropPending()
    this.#ending = true
    this.#socket.destroy()
    if (this.#raw !== this.#socket) this.#raw.destroy()
  }

  /** Closes at once with RST, so that the peer cannot take the end for a complete one. */
  reset(): void {
    this.#dropPending()
    this.#ending = true
    if (this.#closed || this.#socket.destroyed) return
    if (this.#raw.connecting || (this.#tls && this.#raw === this.#socket) || !resettable(this.#raw)) {
      // Under TLS of our own making the socket beneath cannot be reached; without close_notify the peer sees a cut.
      // Unix sockets know no RST, and libuv gives none while a FIN is on its way.
      this.destroy()
      return
    }
    this.#raw.resetAndDestroy()
    if (this.#raw !== this.#socket) this.#socket.destroy()
  }

  #dropPending(): void {
    this.#pending = undefined
    this.#morePending = undefined
    this.#tail = undefined
    if (this.#borrowed !== undefined) returnLoans(this.#borrowed)
    this.#borrowed = undefined
  }

  /** One read has come, by whichever way. */
  readInto(bytes: Buffer, length: number): void {
    this.bytesIn += length
    const outerLender = lender
    const outerFresh = fresh
    lender = this.#readBuffer
    fresh = lender === undefined ? bytes : undefined
    enterTurn()
    try {
      this.handler.onBytes(bytes, 0, length)
    } catch (fault) {
      this.fault(fault)
    }
    leaveTurnSafely(this)
    lender = outerLender
    fresh = outerFresh
  }

  /** Where the next read goes. */
  nextReadBuffer(readBytes: number): Buffer {
    return this.#readBuffer!.next(readBytes)
  }

  event(kind: 'end' | 'drain' | 'close' | 'connect'): void {
    enterTurn()
    try {
      switch (kind) {
        case 'end':
          this.handler.onEnd()
          break
        case 'drain':
          // Node says `drain` after any long write, also when the kernel took it at once.
          if (!this.#congested) break
          this.#congested = false
          this.#tellAccount(0)
          this.handler.onDrain()
          break
        case 'close':
          this.#closed = true
          this.#tellAccount(0)
          this.#dropPending()
          this.#readBuffer?.release()
          this.handler.onClose(this.#error)
          break
        case 'connect':
          ;(this.handler as ConnectingHandler).onConnect()
          break
      }
    } catch (fault) {
      this.fault(fault)
    }
    leaveTurnSafely(this)
  }

  failed(error: unknown): void {
    this.#error ??= LinkError.from(error)
  }

  /** A bug of ours, seen while this link's handler ran: costs this link, never the thread. */
  fault(fault: unknown): void {
    try {
      this.handler.onFault(fault)
    } catch {
      // The handler is broken beyond its own fault path; closing the socket is all that is left.
    }
    this.destroy()
  }
}

/** A handler of an outgoing link learns that it stands. */
export interface ConnectingHandler extends LinkHandler {
  onConnect(): void
}

function leaveTurnSafely(link: Link): void {
  try {
    leaveTurn()
  } catch (fault) {
    link.fault(fault)
  }
}

function resettable(socket: Socket): boolean {
  const ending = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  return !ending && (socket as unknown as { _handle?: { reset?: unknown } | null })._handle?.reset !== undefined
}

function linkFor(socket: LinkedSocket): Link {
  return socket[linkOf]!
}

function onData(this: LinkedSocket, bytes: Buffer): void {
  linkFor(this).readInto(bytes, bytes.length)
}

function onEnd(this: LinkedSocket): void {
  linkFor(this).event('end')
}

function onDrain(this: LinkedSocket): void {
  linkFor(this).event('drain')
}

function onError(this: LinkedSocket, error: unknown): void {
  linkFor(this).failed(error)
}

function onClose(this: LinkedSocket): void {
  linkFor(this).event('close')
}

/** For sockets that read into our buffers: the two functions of Node's `onread` option. */
let nextBuffer: Buffer | undefined

export function onRead(this: unknown, bytes: number, buffer: Uint8Array): boolean {
  const link = linkFor(this as LinkedSocket)
  link.readInto(buffer as Buffer, bytes)
  nextBuffer = link.nextReadBuffer(bytes)
  return true
}

/** Node asks for the next buffer right after `onRead` of the same socket, without saying which socket it is. */
export function takeNextBuffer(first: Buffer): Buffer {
  const next = nextBuffer ?? first
  nextBuffer = undefined
  return next
}
