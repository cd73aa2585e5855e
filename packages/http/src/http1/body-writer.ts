import {
  encodeChunkHead,
  FieldBlock,
  type FramingKind,
  framingKind,
  LAST_CHUNK,
  LAST_CHUNK_LINE,
  MAX_CHUNK_HEAD_BYTES,
} from '@sluice/wire'
import type { BodyReceiver, Trailers } from '../half.ts'
import { trailerLines } from '../trailers.ts'

const crlf = Buffer.from('\r\n', 'latin1')
const chunkHead = Buffer.allocUnsafeSlow(MAX_CHUNK_HEAD_BYTES)

/** Takes lent bytes: a link, or memory while there is no connection yet. */
export interface ByteSink {
  /** `more` bytes will follow in this turn. */
  write(bytes: Buffer, start: number, end: number, more?: number): void
}

/** Sends one body after another, in the framing that this side uses. */
export class BodyWriter implements BodyReceiver {
  /** Where the bytes go; changed between two writes only. */
  sink: ByteSink
  kind: FramingKind = framingKind.none

  constructor(sink: ByteSink) {
    this.sink = sink
  }

  get takesChunks(): boolean {
    return this.kind === framingKind.chunked
  }

  body(buf: Buffer, start: number, end: number, chunkSize: number, closesChunk: boolean): void {
    const { sink } = this
    switch (this.kind) {
      case framingKind.none:
        return
      case framingKind.chunked:
        if (chunkSize > 0) {
          const length = encodeChunkHead(chunkHead, 0, chunkSize)
          sink.write(chunkHead, 0, length, end - start + crlf.length + LAST_CHUNK.length)
        }
        sink.write(buf, start, end)
        if (closesChunk) sink.write(crlf, 0, crlf.length)
        return
      case framingKind.length:
      case framingKind.untilClose:
        sink.write(buf, start, end)
    }
  }

  chunks(buf: Buffer, start: number, end: number): void {
    this.sink.write(buf, start, end)
  }

  bodyEnd(trailers: Trailers | null): void {
    if (this.kind !== framingKind.chunked) return
    if (trailers === null) {
      this.sink.write(LAST_CHUNK, 0, LAST_CHUNK.length)
      return
    }
    this.sink.write(LAST_CHUNK_LINE, 0, LAST_CHUNK_LINE.length)
    if (trailers instanceof FieldBlock) this.sink.write(trailers.buf, trailers.fieldsStart, trailers.fieldsEnd)
    else {
      const lines = Buffer.from(trailerLines(trailers), 'latin1')
      this.sink.write(lines, 0, lines.length)
    }
    this.sink.write(crlf, 0, crlf.length)
  }
}
