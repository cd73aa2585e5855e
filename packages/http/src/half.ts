import type { FieldBlock } from '@sluice/wire'

/**
 * Takes the body of a message from the other half, whatever framing either side uses.
 *
 * A run of a chunked body comes with its place in the chunk, so that chunks pass through as they are: `chunkSize` is
 * the size of the chunk that the run opens, or 0; `closesChunk` says whether it ends there. A run of any other body is
 * a chunk of its own.
 */
export interface BodyReceiver {
  /** Whether `chunks` may be called: this side sends chunked as well. */
  readonly takesChunks: boolean
  /** Body bytes, lent. */
  body(buf: Buffer, start: number, end: number, chunkSize: number, closesChunk: boolean): void
  /** Chunked framing that is canonical, lent, to be passed on as it is: the last chunk and an end may be in it. */
  chunks(buf: Buffer, start: number, end: number, last: boolean): void
  /** The body is complete; not called after `chunks` with `last`. */
  bodyEnd(trailers: FieldBlock | null): void
}

/** Takes a body that nobody wants. */
export const dropper: BodyReceiver = { takesChunks: true, body() {}, chunks() {}, bodyEnd() {} }
