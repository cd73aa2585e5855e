import { type FramingKind, framingKind, type Link } from '@sluice/wire'
import { type Answer, composeAnswer } from '../answer.ts'
import type { IncomingResponse } from '../half.ts'
import { BodyWriter } from './body-writer.ts'
import { HTTP2_REFUSAL } from './preface.ts'
import { composeResponse } from './response-out.ts'

/** Room that chunk framing may need beside a body that came in one piece. */
const chunkRoom = 32

/** Sends one response after another to a client, in the words and the framing that its version of HTTP/1 knows. */
export class ResponseWriter {
  readonly body: BodyWriter
  /** Of the request that is answered. */
  minorVersion = 1
  /** The connection ends after the response. */
  last = false
  /** The client speaks HTTP/2, not HTTP/1: it is refused in words of HTTP/2. */
  foreign = false
  readonly #link: Link

  constructor(link: Link) {
    this.#link = link
    this.body = new BodyWriter(link)
  }

  /** Passes on an interim response, to clients of HTTP/1.1 only (RFC 9110 §15.2). */
  informational(head: IncomingResponse): void {
    if (this.minorVersion === 0) return
    const { out, length } = composeResponse(head, { kind: framingKind.none, connection: undefined, upgrade: false })
    this.#link.write(out, 0, length)
  }

  /** Passes on a 101, after which the link is not HTTP's any more. */
  switchingProtocols(head: IncomingResponse): void {
    const { out, length } = composeResponse(head, { kind: framingKind.none, connection: undefined, upgrade: true })
    this.#link.write(out, 0, length)
  }

  /** Passes on the head of a response; of its body, which ends by `kind`, `available` bytes follow in this turn. */
  head(head: IncomingResponse, kind: FramingKind, available: number): void {
    // A body that ends with the connection is re-framed, so that its client can tell an end from a break.
    const sent =
      kind === framingKind.none || kind === framingKind.length
        ? kind
        : this.minorVersion === 1
          ? framingKind.chunked
          : framingKind.untilClose
    if (sent === framingKind.untilClose) this.last = true
    this.body.kind = sent
    const { out, length } = composeResponse(head, {
      kind: sent,
      connection: this.#connectionOption,
      upgrade: head.status === 426,
    })
    this.#link.write(out, 0, length, available > 0 ? available + (sent === kind ? 0 : chunkRoom) : 0)
  }

  /** Sends an answer of ours, complete. */
  answer(answer: Answer, headOnly: boolean): void {
    this.body.kind = framingKind.length
    if (this.foreign) this.#link.write(HTTP2_REFUSAL, 0, HTTP2_REFUSAL.length)
    else this.#link.send(composeAnswer(answer, this.#connectionOption, headOnly))
  }

  get #connectionOption(): 'close' | 'keep-alive' | undefined {
    if (this.last) return 'close'
    return this.minorVersion === 0 ? 'keep-alive' : undefined
  }
}
