import { ProxyError } from '@sluice/core'
import type { BodyReceiver, Trailers } from '@sluice/http'
import { Base64Decoder } from './base64.ts'

/** Decodes the body of a request in gRPC-Web's text mode on its way to where it goes. */
export class TextUpload implements BodyReceiver {
  readonly takesChunks = false
  readonly #to: BodyReceiver
  readonly #failed: (error: ProxyError) => void
  #decoder = new Base64Decoder()

  constructor(to: BodyReceiver, failed: (error: ProxyError) => void) {
    this.#to = to
    this.#failed = failed
  }

  begin(): void {
    this.#decoder = new Base64Decoder()
  }

  body(buf: Buffer, start: number, end: number): void {
    const bytes = this.#decoder.decode(buf, start, end)
    if (bytes === undefined) this.#failed(malformed)
    else if (bytes.length > 0) this.#to.body(bytes, 0, bytes.length, bytes.length, true)
  }

  chunks(): void {
    throw new Error('chunks are read before they are decoded')
  }

  bodyEnd(trailers: Trailers | null): void {
    if (this.#decoder.whole) this.#to.bodyEnd(trailers)
    else this.#failed(malformed)
  }
}

const malformed = new ProxyError('badRequest', 'the body is no base64')
