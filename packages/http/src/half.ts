import type { FieldBlock, FramingKind, HeaderField, Http2Head, RequestHead, ResponseHead } from '@sluice/wire'
import type { Answer } from './answer.ts'
import type { HttpExchange } from './exchange.ts'
import type { Http2Request } from './http2/request.ts'
import type { HttpListener } from './listener.ts'
import type { Origin } from './origin.ts'
import type { HttpSettings } from './settings.ts'

// A message passes from one half of an exchange to the other as head, body bytes, end with trailers, or reset. Each
// version of HTTP implements both halves, and so every pair of versions exists without code of its own.

/** The head of a request as its version brings it. */
export type IncomingRequest = RequestHead | Http2Request

/** The head of a response as its version brings it. */
export type IncomingResponse = ResponseHead | Http2Head

/** The fields after a body. Lent. */
export type Trailers = FieldBlock | readonly HeaderField[]

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
  bodyEnd(trailers: Trailers | null): void
}

/** Takes a body that nobody wants. */
export const dropper: BodyReceiver = { takesChunks: true, body() {}, chunks() {}, bodyEnd() {} }

/** The downstream half of an exchange: brings a request and takes its response. */
export interface Client {
  readonly listener: HttpListener
  /** What the present request goes by. */
  readonly settings: HttpSettings
  /** The peer's address. */
  readonly peer: string
  /** Whether the peer is a trusted proxy. */
  readonly trusted: boolean
  readonly origin: Origin
  readonly tlsName: string | undefined
  /** Takes the response's body. */
  readonly download: BodyReceiver
  /** What was stored is on its way; what comes next goes there as well. */
  forwarding(): void
  /**
   * So many bytes of the request's body could not be passed on and wait in memory: the client is to be held back for
   * them. Infinity: it is to send nothing more at the moment.
   */
  uploadHeld(bytes: number): void
  /** Passes on an interim response. */
  inform(head: IncomingResponse): void
  /** Passes on the head of a response; of its body, which ends by `kind`, `available` bytes follow in this turn. */
  respond(head: IncomingResponse, kind: FramingKind, available: number): void
  /** Sends an answer of ours, complete. */
  sendAnswer(answer: Answer): void
  /** The present response is the last one. */
  closeAfterwards(): void
  /** The last byte of the response has been given. */
  responseComplete(): void
  /** The response cannot be completed, and the client must not take it for complete. */
  cut(): void
  /** Tells an exchange how many bytes it has come to. */
  countBytes(exchange: HttpExchange): void
  /** The present exchange has settled. */
  exchangeSettled(): void
}

/** The upstream half of an exchange: takes a request and brings its response. */
export interface Carrier {
  /** Takes the request's body. */
  readonly upload: BodyReceiver
  /** Request bytes are on their way. */
  requestProgress(): void
  /** The last byte of the request has been given. */
  requestEnd(): void
  /** So many bytes of the response's body wait in memory for the client; as `Client.uploadHeld`. */
  downloadHeld(bytes: number): void
  /** Closes under an exchange that was cut, and tells it when that is done. */
  abort(exchange: HttpExchange): void
  /** Reads the response of an exchange that was cut to its end, for nobody. `requestDone`: all of the request is there. */
  readOn(requestDone: boolean): void
}
