import type { BodyReceiver, Client } from '@sluice/http'
import { encodeText } from './base64.ts'
import { encodeTrailerFrame, type Fields } from './trailer-frame.ts'

/** Takes the body of an answer for a client of gRPC-Web: as it is, or in base64. */
export class WebDownload implements BodyReceiver {
  /** Whether the client wants base64. */
  text = false
  readonly takesChunks = false
  readonly #client: Client

  constructor(client: Client) {
    this.#client = client
  }

  body(buf: Buffer, start: number, end: number): void {
    if (this.text) this.#pass(encodeText(buf, start, end))
    else this.#client.download.body(buf, start, end, end - start, true)
  }

  /** The status and the other trailers, as the last frame of the body. */
  trailerFrame(trailers: Fields): void {
    const frame = encodeTrailerFrame(trailers)
    this.#pass(this.text ? encodeText(frame) : frame)
  }

  #pass(bytes: Buffer): void {
    this.#client.download.body(bytes, 0, bytes.length, bytes.length, true)
  }

  chunks(): void {
    throw new Error('the body of an answer of HTTP/2 has no chunks')
  }

  bodyEnd(_trailers: null): void {
    this.#client.download.bodyEnd(null)
  }
}
