import { copyBytes } from '../http1/bytes.ts'
import { FRAME_HEAD_BYTES, frameFlag, frameType, HTTP2_PREFACE, readUint31 } from './frame.ts'

const noBytes = Buffer.alloc(0)

/** A buffer for held bytes that is longer is not kept for the next frame. */
const maxKeptBytes = 1_024

/** Who reads the frames. */
export interface FrameSink {
  /** Whether frames are still read. */
  readonly reading: boolean
  /** A whole frame other than DATA; `buf[start, end)` is its payload, lent. */
  frame(type: number, flags: number, id: number, buf: Buffer, start: number, end: number): void
  /** A DATA frame begins: `length` counts for flow control, `contentBytes` of it are content. */
  dataHead(id: number, flags: number, length: number, contentBytes: number): void
  /** A part of the content of that frame, the last one or not; one empty part when there is no content. */
  dataPart(buf: Buffer, start: number, end: number, last: boolean): void
  /** Its padding is as long as its payload, or longer (RFC 9113 §6.1). */
  paddingTooLong(): void
  /** A frame is longer than we allow, or too short to be what it says (RFC 9113 §4.2). */
  wrongFrameSize(): void
  /** What came first is no preface. */
  noPreface(): void
}

/** Takes what a connection brings apart into frames, in place; only a frame that comes in pieces is held, DATA never. */
export class FrameReader {
  readonly #sink: FrameSink
  readonly #maxFrameBytes: number
  #prefaceLeft: number
  #held = noBytes
  #heldBytes = 0
  /** Bytes of the frame at hand that are needed to act on it. */
  #need = 0
  #contentLeft = 0
  #paddingLeft = 0

  constructor(sink: FrameSink, maxFrameBytes: number, preface: boolean) {
    this.#sink = sink
    this.#maxFrameBytes = maxFrameBytes
    this.#prefaceLeft = preface ? HTTP2_PREFACE.length : 0
  }

  /** Whether a frame or the preface has come in part; DATA, which is read as it comes, does not count. */
  get pending(): boolean {
    return this.#heldBytes > 0 || this.#prefaceLeft > 0
  }

  read(bytes: Buffer, start: number, end: number): void {
    let at = start
    while (at < end && this.#sink.reading) {
      if (this.#contentLeft > 0) at = this.#readContent(bytes, at, end)
      else if (this.#paddingLeft > 0) at = this.#skipPadding(at, end)
      else if (this.#heldBytes > 0) at = this.#readOn(bytes, at, end)
      else if (this.#prefaceLeft > 0) at = this.#readPreface(bytes, at, end)
      else at = this.#readFrame(bytes, at, end)
    }
  }

  #readPreface(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && this.#prefaceLeft > 0) {
      if (bytes[at] !== HTTP2_PREFACE[HTTP2_PREFACE.length - this.#prefaceLeft]) {
        this.#sink.noPreface()
        return end
      }
      at++
      this.#prefaceLeft--
    }
    return at
  }

  #readFrame(bytes: Buffer, at: number, end: number): number {
    const there = end - at
    const need = this.#needOf(bytes, at, there)
    if (need < 0) return end
    if (need <= there) {
      this.#act(bytes, at)
      return at + need
    }
    this.#hold(bytes, at, end, need)
    return end
  }

  /** Goes on with a frame of which a part is held. */
  #readOn(bytes: Buffer, start: number, end: number): number {
    const at = start + Math.min(end - start, this.#need - this.#heldBytes)
    this.#hold(bytes, start, at, this.#need)
    if (this.#heldBytes < this.#need) return at
    const held = this.#held
    const need = this.#needOf(held, 0, this.#heldBytes)
    if (need < 0) return end
    if (need > this.#heldBytes) {
      this.#need = need
      return at
    }
    this.#heldBytes = 0
    if (held.length > maxKeptBytes) this.#held = noBytes
    this.#act(held, 0)
    return at
  }

  #hold(bytes: Buffer, start: number, end: number, need: number): void {
    if (this.#held.length < need) {
      const larger = Buffer.allocUnsafe(Math.max(need, 64))
      copyBytes(larger, 0, this.#held, 0, this.#heldBytes)
      this.#held = larger
    }
    this.#need = need
    this.#heldBytes = copyBytes(this.#held, this.#heldBytes, bytes, start, end)
  }

  /** How many octets must be there to act on the frame at `at`, as far as can be said by `there`; below zero: none will do. */
  #needOf(buf: Buffer, at: number, there: number): number {
    if (there < FRAME_HEAD_BYTES) return FRAME_HEAD_BYTES
    const length = (buf[at]! << 16) | (buf[at + 1]! << 8) | buf[at + 2]!
    if (length > this.#maxFrameBytes) {
      this.#sink.wrongFrameSize()
      return -1
    }
    if (buf[at + 3] !== frameType.data) return FRAME_HEAD_BYTES + length
    return (buf[at + 4]! & frameFlag.padded) !== 0 && length > 0 ? FRAME_HEAD_BYTES + 1 : FRAME_HEAD_BYTES
  }

  #act(buf: Buffer, at: number): void {
    const length = (buf[at]! << 16) | (buf[at + 1]! << 8) | buf[at + 2]!
    const type = buf[at + 3]!
    const flags = buf[at + 4]!
    const id = readUint31(buf, at + 5)
    const payload = at + FRAME_HEAD_BYTES
    if (type !== frameType.data) {
      this.#sink.frame(type, flags, id, buf, payload, payload + length)
      return
    }
    let contentBytes = length
    if ((flags & frameFlag.padded) !== 0) {
      if (length === 0) return this.#sink.wrongFrameSize()
      const padding = buf[payload]!
      if (padding >= length) return this.#sink.paddingTooLong()
      contentBytes = length - 1 - padding
      this.#paddingLeft = padding
    }
    this.#contentLeft = contentBytes
    this.#sink.dataHead(id, flags, length, contentBytes)
    if (contentBytes === 0) this.#sink.dataPart(noBytes, 0, 0, true)
  }

  #readContent(bytes: Buffer, start: number, end: number): number {
    const at = start + Math.min(end - start, this.#contentLeft)
    this.#contentLeft -= at - start
    this.#sink.dataPart(bytes, start, at, this.#contentLeft === 0)
    return at
  }

  #skipPadding(start: number, end: number): number {
    const at = start + Math.min(end - start, this.#paddingLeft)
    this.#paddingLeft -= at - start
    return at
  }
}
