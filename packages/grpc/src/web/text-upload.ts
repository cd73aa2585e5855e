import type { BodyReceiver, Trailers } from '@sluice/http'
import { Base64Decoder } from './base64.ts'

/**
 * Decodes the body of a request in gRPC-Web's text mode on its way to where it goes. What is malformed goes nowhere, and
 * neither does what follows it.
 */
export class TextUpload implements BodyReceiver {
  readonly takesChunks = false
  /** Whether the text is no base64. Whoever brings it looks here once the bytes are read, and not in their midst. */
  malformed = false
  readonly #to: BodyReceiver
  #decoder = new Base64Decoder()

  constructor(to: BodyReceiver) {
    this.#to = to
  }

  begin(): void {
    this.#decoder = new Base64Decoder()
    this.malformed = false
  }

  body(buf: Buffer, start: number, end: number): void {
    const bytes = this.#decoder.decode(buf, start, end)
    if (bytes === undefined) this.malformed = true
    else if (bytes.length > 0) this.#to.body(bytes, 0, bytes.length, bytes.length, true)
  }

  chunks(): void {
    throw new Error('chunks are read before they are decoded')
  }

  bodyEnd(trailers: Trailers | null): void {
    if (this.#decoder.whole) this.#to.bodyEnd(trailers)
    else this.malformed = true
  }
}
