import { ChunkedDecoder, chunkEvent, type FramingKind, framingKind } from '@sluice/wire'
import type { BodyReceiver } from '../half.ts'

/** Follows one body after another over runs of bytes and hands them to the receiver. */
export class BodyReader {
  /** Whether the body has ended. True before the first one. */
  done = true
  #kind: FramingKind = framingKind.none
  /** Bytes of a body by length that are still to come. */
  remaining = 0
  #chunked: ChunkedDecoder | undefined

  /** Begins a body. One without bytes is done at once, and its receiver is not told. */
  begin(kind: FramingKind, contentLength: number): void {
    this.#kind = kind
    this.remaining = contentLength
    this.done = kind === framingKind.none || (kind === framingKind.length && contentLength === 0)
    if (kind === framingKind.chunked) {
      this.#chunked ??= new ChunkedDecoder()
      this.#chunked.reset()
    }
  }

  get kind(): FramingKind {
    return this.#kind
  }

  /**
   * Reads on. Returns the position after what belongs to this body, or an `http1Error`. Once the end is reached `done`
   * is true and the receiver has been told.
   */
  read(buf: Buffer, start: number, end: number, receiver: BodyReceiver): number {
    switch (this.#kind) {
      case framingKind.none:
        return start
      case framingKind.untilClose:
        receiver.body(buf, start, end, end - start, true)
        return end
      case framingKind.length: {
        const run = Math.min(end - start, this.remaining)
        this.remaining -= run
        if (this.remaining === 0) this.done = true
        if (run > 0) receiver.body(buf, start, start + run, run, true)
        if (this.done) receiver.bodyEnd(null)
        return start + run
      }
      case framingKind.chunked:
        return this.#readChunked(this.#chunked!, buf, start, end, receiver)
    }
  }

  /** The sender has closed. Returns whether that ends the body as it should. */
  closed(receiver: BodyReceiver): boolean {
    if (this.#kind !== framingKind.untilClose) return false
    this.done = true
    receiver.bodyEnd(null)
    return true
  }

  #readChunked(decoder: ChunkedDecoder, buf: Buffer, start: number, end: number, receiver: BodyReceiver): number {
    if (receiver.takesChunks) {
      const event = decoder.skim(buf, start, end)
      if (event !== chunkEvent.rewritten) {
        this.done = event === chunkEvent.done
        receiver.chunks(buf, start, decoder.position, this.done)
        return decoder.position
      }
    }
    let at = start
    for (;;) {
      const event = decoder.next(buf, at, end)
      at = decoder.position
      if (event === chunkEvent.data) {
        const { dataStart, dataEnd, opensChunk, closesChunk } = decoder
        receiver.body(buf, dataStart, dataEnd, opensChunk ? decoder.chunkSize : 0, closesChunk)
      } else if (event === chunkEvent.done) {
        this.done = true
        receiver.bodyEnd(decoder.trailers)
        return at
      } else {
        return event < 0 ? event : at
      }
    }
  }
}
