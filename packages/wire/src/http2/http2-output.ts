import { copyBytes, writeLatin1 } from '../http1/bytes.ts'
import { type Flushable, flushAfterPoll } from '../link/flush.ts'
import type { Link } from '../link/index.ts'
import { type Slab, takeSlab, takeSmallSlab } from '../link/read-buffers.ts'
import { DEFAULT_WINDOW, FRAME_HEAD_BYTES, frameFlag, frameType, writeFrameHead, writeUint32 } from './frame.ts'
import type { HeaderField } from './header-field.ts'
import { HpackEncoder } from './hpack-encoder.ts'
import type { Http2Stream } from './http2-stream.ts'
import { ReadyStreams } from './ready-streams.ts'

/** The longest payload of a frame that we send, whatever the peer would take: streams take turns by frames. */
const maxPayloadBytes = 16_384

/** Where a frame's flags lie in its head (RFC 9113 §4.1). */
const flagsOffset = 4

/** Who hears of what goes wrong with the output. */
export interface OutputOwner {
  /** The peer does not read, and what waits for it is more than it is worth. */
  unread(): void
  fault(fault: unknown): void
}

/**
 * What a session sends: frames are written into a slab as they are made, and leave in one write after all sockets that
 * have something to read have been read.
 *
 * While the link is congested only frames that flow control does not bound are written; DATA waits with its stream.
 */
export class Http2Output implements Flushable {
  readonly link: Link
  /** What the peer takes on the whole connection. */
  window = DEFAULT_WINDOW
  /** How often what was written has been handed to the kernel. */
  flushes = 0
  /** DATA frames written so far, without small ones that a window has cut short. */
  dataFrames = 0
  /** The octets in them. */
  dataBytes = 0
  readonly #owner: OutputOwner
  readonly #maxUnsentBytes: number
  readonly #encoder = new HpackEncoder()
  readonly #ready = new ReadyStreams()
  #slab: Slab | undefined
  #used = 0
  #touched = false
  #unsentBytes = 0
  /** Where the DATA frame lies that was written last, while it has not left; whose it is. */
  #lastDataAt = 0
  #lastDataEnd = -1
  #lastDataId = 0

  constructor(link: Link, owner: OutputOwner, maxUnsentBytes: number) {
    this.link = link
    this.#owner = owner
    this.#maxUnsentBytes = maxUnsentBytes
  }

  /** The table of the peer's decoder (RFC 9113 §4.3.1). */
  setPeerTableBytes(bytes: number): void {
    this.#encoder.setPeerTableBytes(bytes)
  }

  // Frames that flow control does not bound.

  /** Writes a header section: HEADERS, and CONTINUATION where one frame is too short. Returns the octets of its block. */
  head(id: number, fields: readonly HeaderField[], ended: boolean): number {
    const flags = ended ? frameFlag.endStream : 0
    const bound = this.#encoder.bound(fields)
    if (bound > maxPayloadBytes) return this.#longHead(id, fields, flags, bound)
    const pos = this.#room(FRAME_HEAD_BYTES + bound)
    const out = this.#slab!.bytes
    const end = this.#encoder.encode(out, pos + FRAME_HEAD_BYTES, fields)
    const length = end - pos - FRAME_HEAD_BYTES
    writeFrameHead(out, pos, length, frameType.headers, flags | frameFlag.endHeaders, id)
    this.#used = end
    return length
  }

  #longHead(id: number, fields: readonly HeaderField[], flags: number, bound: number): number {
    const block = Buffer.allocUnsafeSlow(bound)
    const length = this.#encoder.encode(block, 0, fields)
    let start = 0
    do {
      const end = Math.min(length, start + maxPayloadBytes)
      const type = start === 0 ? frameType.headers : frameType.continuation
      const last = end === length ? frameFlag.endHeaders : 0
      this.#frame(type, start === 0 ? flags | last : last, id, block, start, end)
      start = end
    } while (start < length)
    return length
  }

  #frame(type: number, flags: number, id: number, payload: Buffer, start: number, end: number): void {
    const pos = this.#room(FRAME_HEAD_BYTES + end - start)
    const out = this.#slab!.bytes
    const at = writeFrameHead(out, pos, end - start, type, flags, id)
    this.#used = copyBytes(out, at, payload, start, end)
  }

  /** A frame whose payload is one number. */
  #word(type: number, id: number, word: number): void {
    const pos = this.#room(FRAME_HEAD_BYTES + 4)
    const out = this.#slab!.bytes
    this.#used = writeUint32(out, writeFrameHead(out, pos, 4, type, 0, id), word)
  }

  rstStream(id: number, code: number): void {
    this.#word(frameType.rstStream, id, code)
  }

  windowUpdate(id: number, increment: number): void {
    this.#word(frameType.windowUpdate, id, increment)
  }

  /** `values`: names and values by turns. */
  settings(values: readonly number[]): void {
    const payload = Buffer.allocUnsafe(values.length * 3)
    for (let i = 0; i < values.length; i += 2) {
      payload.writeUInt16BE(values[i]!, i * 3)
      payload.writeUInt32BE(values[i + 1]!, i * 3 + 2)
    }
    this.#frame(frameType.settings, 0, 0, payload, 0, payload.length)
  }

  settingsAck(): void {
    const pos = this.#room(FRAME_HEAD_BYTES)
    this.#used = writeFrameHead(this.#slab!.bytes, pos, 0, frameType.settings, frameFlag.ack, 0)
  }

  /** `payload[start, start + 8)`. */
  ping(payload: Buffer, start: number, ack: boolean): void {
    this.#frame(frameType.ping, ack ? frameFlag.ack : 0, 0, payload, start, start + 8)
  }

  goaway(lastId: number, code: number, debug: string): void {
    const payload = Buffer.allocUnsafe(8 + debug.length)
    writeLatin1(payload, writeUint32(payload, writeUint32(payload, 0, lastId), code), debug)
    this.#frame(frameType.goaway, 0, 0, payload, 0, payload.length)
  }

  /** Bytes as they are: the preface. */
  raw(bytes: Buffer): void {
    const pos = this.#room(bytes.length)
    this.#used = copyBytes(this.#slab!.bytes, pos, bytes, 0, bytes.length)
  }

  // DATA.

  /** Octets of content that one frame may carry now, as far as the connection is concerned. */
  get dataRoom(): number {
    if (this.link.congested) return 0
    return this.window < maxPayloadBytes ? this.window : maxPayloadBytes
  }

  /** Writes a DATA frame; the room for it has been asked for. */
  data(id: number, bytes: Buffer, start: number, end: number, ended: boolean): void {
    const length = end - start
    this.#used = copyBytes(this.#slabFor(id, length, ended), this.#used, bytes, start, end)
  }

  /** Writes an empty DATA frame that ends the stream, which no window bounds. */
  emptyEnd(id: number): void {
    if (this.#slab !== undefined && this.#lastDataEnd === this.#used && this.#lastDataId === id) {
      // The frame before has not left: it ends the stream as well.
      this.#slab.bytes[this.#lastDataAt + flagsOffset]! |= frameFlag.endStream
      return
    }
    const pos = this.#room(FRAME_HEAD_BYTES)
    this.#used = writeFrameHead(this.#slab!.bytes, pos, 0, frameType.data, frameFlag.endStream, id)
  }

  /** Writes the head of a DATA frame; its `length` octets are to be written into what is returned, at `dataPos`. */
  dataHead(id: number, length: number, ended: boolean): Buffer {
    const out = this.#slabFor(id, length, ended)
    this.#used += length
    return out
  }

  /** Where the payload of the frame begins whose head was written last, when it has `length` octets. */
  dataPos(length: number): number {
    return this.#used - length
  }

  #slabFor(id: number, length: number, ended: boolean): Buffer {
    this.window -= length
    const pos = this.#room(FRAME_HEAD_BYTES + length)
    const out = this.#slab!.bytes
    this.#used = writeFrameHead(out, pos, length, frameType.data, ended ? frameFlag.endStream : 0, id)
    this.#lastDataAt = pos
    this.#lastDataEnd = this.#used + length
    this.#lastDataId = id
    return out
  }

  /** The peer takes so much more on the whole connection. */
  addWindow(increment: number): void {
    this.window += increment
    if (this.#ready.first !== undefined) this.touch()
  }

  /** The stream has something to send, and its own window lets it. */
  ready(stream: Http2Stream): void {
    this.#ready.add(stream)
    this.touch()
  }

  /** The stream has nothing to send, or may not, or is no more. */
  unready(stream: Http2Stream): void {
    this.#ready.remove(stream)
  }

  /** Lets the streams send, a frame each in turn. */
  #pump(): void {
    for (;;) {
      const stream = this.#ready.first
      if (stream === undefined || this.dataRoom <= 0) return
      this.#ready.remove(stream)
      if (stream.sendQueued()) this.#ready.add(stream)
    }
  }

  // How it leaves.

  /** Has what was written leave with what all other sessions write until then. */
  touch(): void {
    if (this.#touched) return
    this.#touched = true
    flushAfterPoll(this)
  }

  /** Position at which `length` octets may be written. */
  #room(length: number): number {
    const slab = this.#slab
    if (slab === undefined) this.#take(length)
    else if (this.#used + length > slab.bytes.length) {
      if (slab.small) this.#enlarge(slab)
      else {
        this.#handOver()
        this.#take(length)
      }
    }
    this.touch()
    return this.#used
  }

  /** A small slab as a rule: a thousand sessions that say a word each are not to take a slab each. */
  #take(length: number): void {
    this.#slab = takeSmallSlab()
    this.#used = 0
    if (length > this.#slab.bytes.length) this.#enlarge(this.#slab)
  }

  #enlarge(small: Slab): void {
    const slab = takeSlab()
    copyBytes(slab.bytes, 0, small.bytes, 0, this.#used)
    small.release()
    this.#slab = slab
  }

  #handOver(): void {
    const slab = this.#slab
    if (slab === undefined) return
    // While the link is congested no DATA is written.
    if (this.link.congested) this.#unsentBytes += this.#used
    // A link that is gone drops what it is lent: streams whose heads are in there have never left.
    if (this.link.writable) this.flushes++
    this.#slab = undefined
    this.#lastDataEnd = -1
    this.link.lend(slab, 0, this.#used)
    slab.release()
    if (this.#unsentBytes > this.#maxUnsentBytes) this.#owner.unread()
  }

  /** Hands what was written to the kernel. */
  flush(): void {
    this.#pump()
    this.#touched = false
    this.#handOver()
  }

  fault(fault: unknown): void {
    this.#owner.fault(fault)
  }

  /** The kernel has taken everything. */
  drained(): void {
    this.#unsentBytes = 0
    if (this.#ready.first !== undefined) this.touch()
  }

  /** Nothing can leave any more. */
  drop(): void {
    this.#slab?.release()
    this.#slab = undefined
  }
}
