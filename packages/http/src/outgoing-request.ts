import { normalizePath, type PathMode, stripPrefix } from '@sluice/core'
import type { HeaderField } from '@sluice/wire'
import type { IncomingRequest } from './half.ts'
import { composeRequest } from './http1/request-out.ts'
import { requestFields, setScheme } from './http2/request-out.ts'
import type { Origin } from './origin.ts'
import type { RequestRewrite } from './request-rewrite.ts'

/** The head of a request: as it came, and as it goes up in the words of either version. */
export class OutgoingRequest {
  /** As it came; unless it was retained, valid in the turn in which it came. */
  head!: IncomingRequest
  /** The path to send in place of the one that came, without the query. */
  sentPath: string | undefined
  #path: string | undefined
  #retained = false
  /** What a repetition sends. */
  #bytes: Buffer | undefined
  #fields: readonly HeaderField[] | undefined
  /** For the fields of one request after another. */
  readonly #room: HeaderField[] = []

  begin(): void {
    this.#path = undefined
    this.sentPath = undefined
    this.forget()
  }

  /** Nothing will be sent any more. */
  forget(): void {
    this.#retained = false
    this.#bytes = undefined
    this.#fields = undefined
  }

  /** Whether it can be sent once more. */
  get repeatable(): boolean {
    return this.#bytes !== undefined || this.#fields !== undefined || this.#retained
  }

  /** The path that routes are matched on, without the query. */
  get path(): string {
    return (this.#path ??= this.head.path)
  }

  /** Brings the path into its normal form; false when it is not one that all would read alike. */
  normalize(mode: PathMode): boolean {
    if (this.head.plainPath) return true
    const normal = normalizePath(this.head.path, mode)
    if (normal === undefined) return false
    this.#path = normal.path
    if (normal.hadDots) this.sentPath = normal.path
    return true
  }

  strip(prefix: string): void {
    const came = this.sentPath ?? this.head.path
    this.sentPath = stripPrefix(came, prefix) ?? stripPrefix(this.path, prefix) ?? came
  }

  /** The head is needed after the turn. */
  retain(): void {
    if (this.#retained) return
    this.#retained = true
    this.head = this.head.retain()
  }

  /** As it goes up on HTTP/1.1; `chunked`: its body does. */
  http1(from: Origin, rewrite: RequestRewrite, chunked: boolean): Buffer {
    if (this.#bytes === undefined) {
      this.#expectHead(this.#fields)
      const { out, length } = composeRequest(this.head, from, rewrite, chunked)
      this.#bytes = Buffer.allocUnsafe(length)
      out.copy(this.#bytes, 0, 0, length)
    }
    return this.#bytes
  }

  /** As it goes up on HTTP/2; `scheme`: that of the connection. */
  http2(from: Origin, rewrite: RequestRewrite, scheme: 'http' | 'https'): readonly HeaderField[] {
    if (this.#fields === undefined) {
      this.#expectHead(this.#bytes)
      requestFields(this.#room, this.head, from, rewrite, scheme)
      this.#fields = this.#room
    }
    // A repetition may go to an endpoint of the other scheme.
    setScheme(this.#room, scheme)
    return this.#fields
  }

  /** A head that was not retained may be another client's by now. `other`: it was composed in the other version before. */
  #expectHead(other: unknown): void {
    if (other !== undefined && !this.#retained) throw new Error('the head of a request is not there any more')
  }

  /** Whether it asks for a stream of events, whose head may be as long in coming as the first event. */
  get wantsEvents(): boolean {
    const head = this.#bytes?.toString('latin1') ?? ''
    if (/^accept:[^\r]*text\/event-stream/im.test(head)) return true
    return this.#fields?.some(({ name, value }) => name === 'accept' && value.includes('text/event-stream')) ?? false
  }
}
