import { copyBytes } from '../http1/bytes.ts'
import { closedBy } from './closed-streams.ts'
import { type Flood, flood, floodBounds, FloodGuard } from './flood-guard.ts'
import { frameFlag, frameType, MAX_31_BITS, readUint31, readUint32 } from './frame.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { hpackError } from './hpack-codes.ts'
import { HpackDecoder, type HpackLimits } from './hpack-decoder.ts'
import { http2Error } from './http2-codes.ts'
import { Http2Head } from './http2-head.ts'
import type { Http2Output } from './http2-output.ts'
import type { Http2Session } from './http2-session.ts'
import type { Http2Stream } from './http2-stream.ts'

const noBytes = Buffer.alloc(0)

/** The block of a header section may be longer than the section when it is bounded so low; beyond this it is none. */
const minBlockBytes = 65_536

/** Beyond this a block is as long as it may become: who sends so much sends more. */
const smallBlockBytes = 4_096

/** Long blocks are kept for others: made anew for each of thousands of connections they outrun the garbage collector. */
const maxSpareBlocks = 8
const spareBlocks: Buffer<ArrayBuffer>[] = []

function keepBlock(block: Buffer<ArrayBuffer>): void {
  if (block.length > 2 * smallBlockBytes && spareBlocks.length < maxSpareBlocks) spareBlocks.push(block)
}

/** Streams over `maxStreams` that a peer may open before it has our SETTINGS, for each of `maxResets`. */
const earlyRefusals = 10

/** For sections that nobody is told of: they are read for the sake of the table. One for all sessions of the thread. */
const nobodysHead = new Http2Head()

/** What a session reads: keeps the rules of RFC 9113 for frames, and tells streams and session what they say. */
export class Http2Input implements FrameSink {
  /** Frames so far. */
  frames = 0
  readonly #session: Http2Session
  readonly #out: Http2Output
  readonly #reader: FrameReader
  readonly #decoder: HpackDecoder
  readonly #limits: HpackLimits
  readonly #maxBlockBytes: number
  readonly #guard: FloodGuard
  /** What the connection is to be credited for. */
  #creditDue = 0
  /** The stream of the DATA frame at hand, by its id: it may be gone before the frame is. */
  #dataStream: Http2Stream | undefined
  #dataId = 0
  #dataEnds = false
  /** A header block that CONTINUATION frames complete; no other frames may come before its end (RFC 9113 §6.10). */
  #blockId = 0
  #blockEnds = false
  #blockMalformed = false
  #block = noBytes
  #blockBytes = 0
  #continuations = 0
  #earlyRefusals = 0

  constructor(session: Http2Session, out: Http2Output) {
    const { options } = session
    this.#session = session
    this.#out = out
    this.#reader = new FrameReader(this, options.maxFrameBytes, session.server)
    // Until the peer has our SETTINGS it may use the table that RFC 9113 §6.5.2 takes for granted.
    this.#decoder = new HpackDecoder(Math.max(4_096, options.tableBytes))
    this.#limits = { maxListBytes: options.maxHeadBytes, maxFields: options.maxFields }
    this.#maxBlockBytes = Math.max(minBlockBytes, 4 * options.maxHeadBytes)
    this.#guard = new FloodGuard(options, session)
  }

  /** Whether the preface, a frame or a header block has come in part. */
  get pending(): boolean {
    return this.#blockId !== 0 || this.#reader.pending
  }

  read(bytes: Buffer, start: number, end: number): void {
    this.#reader.read(bytes, start, end)
  }

  /** Counts one of its kind; when there are too many the session is closed and false returned. */
  allows(kind: Flood): boolean {
    if (this.#guard.allows(kind)) return true
    this.#session.close(http2Error.enhanceYourCalm, `more than ${floodBounds[kind]} allows`)
    return false
  }

  // What the reader tells.

  get reading(): boolean {
    return this.#session.reading
  }

  noPreface(): void {
    this.#session.close(http2Error.protocolError, 'no preface')
  }

  paddingTooLong(): void {
    this.#session.close(http2Error.protocolError, 'padding is longer than its frame')
  }

  wrongFrameSize(): void {
    this.#session.close(http2Error.frameSizeError, 'a frame of a wrong size')
  }

  frame(type: number, flags: number, id: number, buf: Buffer, start: number, end: number): void {
    this.frames++
    if (this.#blockId !== 0) {
      if (type === frameType.continuation && id === this.#blockId) return this.#continue(flags, buf, start, end)
      return this.#session.close(http2Error.protocolError, 'a header block is not complete')
    }
    if (!this.#session.settled && (type !== frameType.settings || (flags & frameFlag.ack) !== 0)) {
      return this.#session.close(http2Error.protocolError, 'SETTINGS do not come first')
    }
    switch (type) {
      case frameType.headers:
        return this.#headers(flags, id, buf, start, end)
      case frameType.priority:
        return this.#priority(id, buf, start, end)
      case frameType.rstStream:
        return this.#rstStream(id, buf, start, end)
      case frameType.settings:
        return this.#settings(flags, id, buf, start, end)
      case frameType.ping:
        return this.#ping(flags, id, buf, start, end)
      case frameType.goaway:
        return this.#goaway(id, buf, start, end)
      case frameType.windowUpdate:
        return this.#windowUpdate(id, buf, start, end)
      case frameType.pushPromise:
        return this.#session.close(http2Error.protocolError, 'PUSH_PROMISE is not welcome')
      case frameType.continuation:
        return this.#session.close(http2Error.protocolError, 'CONTINUATION without a header block')
      default:
        // RFC 9113 §5.5. Browsers send a PRIORITY_UPDATE with each request (RFC 9218).
        this.allows(flood.priorities)
    }
  }

  // DATA (RFC 9113 §6.1).

  dataHead(id: number, flags: number, length: number, contentBytes: number): void {
    this.frames++
    this.#dataStream = undefined
    const session = this.#session
    if (!session.settled || this.#blockId !== 0 || session.isIdle(id)) {
      return session.close(http2Error.protocolError, 'DATA where none may be')
    }
    this.#credit(length)
    this.#dataEnds = (flags & frameFlag.endStream) !== 0
    if (contentBytes === 0 && !this.#dataEnds && !this.allows(flood.emptyFrames)) return
    const stream = session.streams.get(id)
    if (stream === undefined) this.#dataAfterEnd(id, length)
    else if (stream.receiveDataHead(length, contentBytes)) {
      this.#dataStream = stream
      this.#dataId = id
    }
  }

  /**
   * Credit of the connection goes back on receipt: a stream that waits must not keep the others from theirs. So its window
   * is never used up, and there is nothing to compare with it; the streams' windows bound what is kept.
   */
  #credit(length: number): void {
    this.#creditDue += length
    if (this.#creditDue < this.#session.options.connectionWindow >> 1) return
    this.#out.windowUpdate(0, this.#creditDue)
    this.#creditDue = 0
  }

  dataPart(buf: Buffer, start: number, end: number, last: boolean): void {
    const stream = this.#dataStream
    if (stream === undefined || stream.closed || stream.id !== this.#dataId || stream.session !== this.#session) return
    if (last) this.#dataStream = undefined
    stream.receiveData(buf, start, end, last && this.#dataEnds)
  }

  /** DATA has come for a stream that is closed (RFC 9113 §5.1). */
  #dataAfterEnd(id: number, length: number): void {
    const session = this.#session
    switch (session.closedBy(id)) {
      case closedBy.us:
        // On its way when we reset the stream: as much as it was allowed then, in frames of any size.
        if (length === 0 && !this.allows(flood.emptyFrames)) return
        session.lateBytes -= length
        if (session.lateBytes < 0) session.close(http2Error.flowControlError, 'DATA on streams that were reset')
        return
      case closedBy.ends:
        return session.close(http2Error.streamClosed, 'DATA on a stream that has ended')
      default:
        if (this.allows(flood.emptyFrames)) this.#out.rstStream(id, http2Error.streamClosed)
    }
  }

  // HEADERS and CONTINUATION (RFC 9113 §6.2, §6.10).

  #headers(flags: number, id: number, buf: Buffer, start: number, end: number): void {
    let from = start
    let to = end
    let malformed = false
    if ((flags & frameFlag.padded) !== 0) {
      if (from === to) return this.wrongFrameSize()
      to -= buf[from]!
      from++
    }
    if ((flags & frameFlag.priority) !== 0) {
      if (end - from < 5) return this.wrongFrameSize()
      // A stream that depends on itself (RFC 7540 §5.3.1).
      malformed = readUint31(buf, from) === id
      from += 5
    }
    if (from > to) return this.paddingTooLong()
    if ((id & 1) === 0) return this.#session.close(http2Error.protocolError, 'HEADERS on a stream that is no request')
    const ends = (flags & frameFlag.endStream) !== 0
    if ((flags & frameFlag.endHeaders) !== 0) return this.#headerBlock(id, ends, malformed, buf, from, to)
    this.#blockId = id
    this.#blockEnds = ends
    this.#blockMalformed = malformed
    this.#continuations = 0
    this.#store(buf, from, to)
  }

  #continue(flags: number, buf: Buffer, start: number, end: number): void {
    if (++this.#continuations > this.#session.options.maxContinuations) {
      this.#dropBlock()
      return this.#session.close(http2Error.enhanceYourCalm, 'more than maxContinuations allows')
    }
    this.#store(buf, start, end)
    if ((flags & frameFlag.endHeaders) === 0 || !this.reading) return
    const id = this.#blockId
    const block = this.#block
    const length = this.#blockBytes
    this.#blockId = 0
    this.#block = noBytes
    this.#blockBytes = 0
    this.#headerBlock(id, this.#blockEnds, this.#blockMalformed, block, 0, length)
    keepBlock(block)
  }

  #store(buf: Buffer, start: number, end: number): void {
    const length = this.#blockBytes + end - start
    if (length > this.#maxBlockBytes) {
      this.#dropBlock()
      return this.#session.close(http2Error.enhanceYourCalm, 'a header block longer than maxHeadBytes allows')
    }
    if (start === end && !this.allows(flood.emptyFrames)) return
    if (length > this.#block.length) {
      const larger = this.#blockFor(length)
      copyBytes(larger, 0, this.#block, 0, this.#blockBytes)
      this.#block = larger
    }
    this.#blockBytes = copyBytes(this.#block, this.#blockBytes, buf, start, end)
  }

  #blockFor(length: number): Buffer<ArrayBuffer> {
    if (length <= smallBlockBytes) return Buffer.allocUnsafe(length * 2)
    const spare = spareBlocks.pop()
    return spare !== undefined && spare.length >= this.#maxBlockBytes
      ? spare
      : Buffer.allocUnsafeSlow(this.#maxBlockBytes)
  }

  #dropBlock(): void {
    keepBlock(this.#block)
    this.#block = noBytes
    this.#blockBytes = 0
  }

  #headerBlock(id: number, ends: boolean, malformed: boolean, buf: Buffer, start: number, end: number): void {
    const session = this.#session
    const stream = session.streams.get(id)
    if (stream !== undefined) {
      const error = this.#decode(stream.nextHead, buf, start, end)
      if (error !== hpackError.compression) stream.receiveHead(end - start, ends, error !== 0, malformed)
    } else if (!session.isIdle(id)) this.#headersAfterEnd(id, buf, start, end)
    else if (!session.server) session.close(http2Error.protocolError, 'HEADERS on an idle stream')
    else this.#newStream(id, ends, malformed, buf, start, end)
  }

  #decode(head: Http2Head, buf: Buffer, start: number, end: number): number {
    head.clear()
    const error = this.#decoder.decode(buf, start, end, head.fields, this.#limits)
    if (error === hpackError.compression) this.#session.close(http2Error.compressionError, 'a header block is broken')
    return error
  }

  #newStream(id: number, ends: boolean, malformed: boolean, buf: Buffer, start: number, end: number): void {
    const session = this.#session
    const refusal = session.newPeerStream(id)
    if (refusal !== 'none') {
      if (this.#decode(nobodysHead, buf, start, end) === hpackError.compression || refusal === 'silent') return
      this.#out.rstStream(id, http2Error.refusedStream)
      session.noteRefused(id)
      // Before it has our SETTINGS it cannot know better; one that never says that it has them need not be believed.
      if (session.settingsAcked || ++this.#earlyRefusals > earlyRefusals * session.options.maxResets) session.blame()
      return
    }
    const stream = session.owner.newStream()
    const error = this.#decode(stream.head, buf, start, end)
    if (error === hpackError.compression) return
    session.adopt(stream, id)
    stream.receiveHead(end - start, ends, error !== 0, malformed)
  }

  /** Read for the table's sake, as far as the peer is not at fault (RFC 9113 §5.1, §5.1.1). */
  #headersAfterEnd(id: number, buf: Buffer, start: number, end: number): void {
    const session = this.#session
    const by = session.closedBy(id)
    if (by === closedBy.ends) return session.close(http2Error.streamClosed, 'HEADERS on a stream that has ended')
    if (by === closedBy.forgotten && session.server) {
      return session.close(http2Error.protocolError, 'stream ids do not rise')
    }
    if (by === closedBy.peer) {
      if (this.#decode(nobodysHead, buf, start, end) === hpackError.compression) return
      if (this.allows(flood.emptyFrames)) this.#out.rstStream(id, http2Error.streamClosed)
      return
    }
    // We have reset it; of a client's, perhaps so long ago that nobody knows: the answer is late.
    if (this.allows(flood.emptyFrames)) this.#decode(nobodysHead, buf, start, end)
  }

  // The other frames.

  #priority(id: number, buf: Buffer, start: number, end: number): void {
    if (id === 0) return this.#session.close(http2Error.protocolError, 'PRIORITY without a stream')
    if (!this.allows(flood.priorities)) return
    const wrongSize = end - start !== 5
    if (!wrongSize && readUint31(buf, start) !== id) return
    const code = wrongSize ? http2Error.frameSizeError : http2Error.protocolError
    const stream = this.#session.streams.get(id)
    if (stream !== undefined) stream.fail(code)
    // RST_STREAM must not name an idle stream (RFC 9113 §6.4).
    else if (this.#session.isIdle(id)) this.#session.close(code, 'PRIORITY is wrong')
    else if (this.allows(flood.emptyFrames)) this.#out.rstStream(id, code)
  }

  #rstStream(id: number, buf: Buffer, start: number, end: number): void {
    const session = this.#session
    if (end - start !== 4) return this.wrongFrameSize()
    if (session.isIdle(id)) return session.close(http2Error.protocolError, 'RST_STREAM on an idle stream')
    const stream = session.streams.get(id)
    if (stream === undefined) {
      this.allows(flood.emptyFrames)
      return
    }
    const code = readUint32(buf, start)
    const early = session.server && !stream.headSent
    stream.resetByPeer(code, code !== http2Error.refusedStream)
    if (early) this.allows(flood.resets)
  }

  #settings(flags: number, id: number, buf: Buffer, start: number, end: number): void {
    if (id !== 0) return this.#session.close(http2Error.protocolError, 'SETTINGS on a stream')
    if ((flags & frameFlag.ack) !== 0) {
      if (start !== end) return this.wrongFrameSize()
      if (this.allows(flood.settings)) this.#session.settingsAcked = true
      return
    }
    if ((end - start) % 6 !== 0) return this.wrongFrameSize()
    if (this.allows(flood.settings)) this.#session.receiveSettings(buf, start, end)
  }

  #ping(flags: number, id: number, buf: Buffer, start: number, end: number): void {
    if (id !== 0) return this.#session.close(http2Error.protocolError, 'PING on a stream')
    if (end - start !== 8) return this.wrongFrameSize()
    if ((flags & frameFlag.ack) !== 0) {
      if (!this.#session.receivePong(readUint32(buf, start), readUint32(buf, start + 4))) this.allows(flood.emptyFrames)
    } else if (this.allows(flood.pings)) this.#out.ping(buf, start, true)
  }

  #goaway(id: number, buf: Buffer, start: number, end: number): void {
    if (id !== 0) return this.#session.close(http2Error.protocolError, 'GOAWAY on a stream')
    if (end - start < 8) return this.wrongFrameSize()
    if (this.allows(flood.settings)) this.#session.receiveGoaway(readUint31(buf, start), readUint32(buf, start + 4))
  }

  #windowUpdate(id: number, buf: Buffer, start: number, end: number): void {
    const session = this.#session
    if (end - start !== 4) return this.wrongFrameSize()
    if (id !== 0 && session.isIdle(id)) {
      return session.close(http2Error.protocolError, 'WINDOW_UPDATE on an idle stream')
    }
    if (!this.allows(flood.windowUpdates)) return
    const increment = readUint31(buf, start)
    if (id === 0) {
      const window = this.#out.window + increment
      if (increment === 0) session.close(http2Error.protocolError, 'WINDOW_UPDATE of 0')
      else if (window > MAX_31_BITS) session.close(http2Error.flowControlError, 'the connection window is too large')
      else this.#out.addWindow(increment)
      return
    }
    const stream = session.streams.get(id)
    if (stream === undefined) return
    if (increment === 0) stream.fail(http2Error.protocolError)
    else if (!stream.addWindow(increment)) stream.fail(http2Error.flowControlError)
  }
}
