import { ByteStore, copyBytes, type ByteAccount, type FramingKind, framingKind } from '@sluice/wire'
import type { BodyReceiver, Trailers } from './half.ts'
import { ownTrailers } from './trailers.ts'

/** Bodies that are kept while they are passed on are no longer than this as a rule. */
const smallBytes = 1_024

/** The body of a request: kept in memory while there is no connection, passed on from then on. */
export class Upload implements BodyReceiver {
  /** How the client ends it. */
  kind: FramingKind = framingKind.none
  /** Bytes that went up without being kept: the request cannot be repeated. */
  streamed = false
  /** Up to so many bytes are kept for a repetition even while they are passed on. */
  keptBytes = 0
  /** Part of it was read before it could be passed on: the client's chunks do not go on as they are. */
  rechunked = false
  readonly #stored: ByteStore
  /** The copy of a body that is passed on, as long as it is small: of memory that is used again. */
  #small: Buffer | undefined
  #copied = 0
  #to: BodyReceiver | undefined
  /** What was stored when it was passed on: a repetition begins with it. */
  #sent: Buffer | undefined
  /** Undefined until the body is complete. */
  #trailers: Trailers | null | undefined

  constructor(account: ByteAccount | undefined) {
    this.#stored = new ByteStore(account)
  }

  begin(kind: FramingKind): void {
    this.forget()
    this.kind = kind
    this.streamed = false
    this.rechunked = false
    this.#to = undefined
    this.#trailers = undefined
  }

  /** Bytes that wait to be passed on, or were passed on and are kept. */
  get storedBytes(): number {
    return this.#stored.length + this.#copied + (this.#sent?.length ?? 0)
  }

  /** What is stored, for whoever answers the request itself. */
  take(): Buffer {
    return this.#stored.take()
  }

  /** The body is another one, and complete. */
  replace(bytes: Buffer): void {
    this.kind = framingKind.length
    this.#stored.clear()
    this.#stored.write(bytes, 0, bytes.length)
    this.#trailers = null
  }

  /** What is stored is passed on, and what comes from now on. */
  connect(to: BodyReceiver): void {
    this.#to = to
    this.#moveCopied()
    if (this.#stored.length > 0) {
      const stored = this.#stored.take()
      this.#sent = this.#sent === undefined ? stored : Buffer.concat([this.#sent, stored])
    }
    const sent = this.#sent
    if (sent !== undefined) to.body(sent, 0, sent.length, sent.length, true)
    if (this.#trailers !== undefined) to.bodyEnd(this.#trailers)
  }

  /** What comes from now on goes there; undefined: into memory. */
  redirect(to: BodyReceiver | undefined): void {
    this.#to = to
  }

  /** Nothing will be repeated any more. */
  forget(): void {
    this.#stored.clear()
    this.#copied = 0
    this.#sent = undefined
    this.keptBytes = 0
  }

  get takesChunks(): boolean {
    return this.#to?.takesChunks === true && this.keptBytes === 0 && !this.rechunked
  }

  body(buf: Buffer, start: number, end: number, chunkSize: number, closesChunk: boolean): void {
    if (this.#to === undefined) {
      this.#moveCopied()
      this.#stored.write(buf, start, end)
    } else {
      this.#keep(buf, start, end)
      if (this.rechunked) this.#to.body(buf, start, end, end - start, true)
      else this.#to.body(buf, start, end, chunkSize, closesChunk)
    }
  }

  #keep(buf: Buffer, start: number, end: number): void {
    if (this.streamed) return
    const length = end - start
    if (this.storedBytes + length > this.keptBytes) {
      this.streamed = true
      this.forget()
    } else if (this.#stored.length === 0 && this.#copied + length <= smallBytes) {
      this.#small ??= Buffer.allocUnsafe(smallBytes)
      this.#copied = copyBytes(this.#small, this.#copied, buf, start, end)
    } else {
      this.#moveCopied()
      this.#stored.write(buf, start, end)
    }
  }

  #moveCopied(): void {
    if (this.#copied === 0) return
    this.#stored.write(this.#small!, 0, this.#copied)
    this.#copied = 0
  }

  chunks(buf: Buffer, start: number, end: number, last: boolean): void {
    this.streamed = true
    this.#to!.chunks(buf, start, end, last)
  }

  bodyEnd(trailers: Trailers | null): void {
    if (this.#to === undefined || this.keptBytes > 0) this.#trailers = trailers === null ? null : ownTrailers(trailers)
    else this.streamed = true
    this.#to?.bodyEnd(trailers)
  }
}
