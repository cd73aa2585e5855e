import { type StatusCode, statusCode } from './status.ts'

/** Why a body cannot be split into messages. */
export interface MessageFault {
  readonly code: StatusCode
  /** A sentence. */
  readonly message: string
}

/** What a reader does with a message: one buffer of its own, without the five octets of its head. */
export type OnMessage = (message: Buffer) => void

const headBytes = 5

/** The five octets before a message that is not compressed (PROTOCOL-HTTP2.md, "Length-Prefixed-Message"). */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafeSlow(headBytes + message.length)
  frame[0] = 0
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, headBytes)
  return frame
}

/**
 * Splits the body of a gRPC call into messages, over any splits of it. Memory is bounded by `maxMessageBytes`, and
 * grows with what has come, not with what a head promises.
 */
export class MessageReader {
  readonly #maxMessageBytes: number
  readonly #onMessage: OnMessage
  readonly #head = Buffer.allocUnsafeSlow(headBytes)
  #headSeen = 0
  #length = 0
  #body = Buffer.alloc(0)
  #bodySeen = 0
  #fault: MessageFault | undefined

  constructor(maxMessageBytes: number, onMessage: OnMessage) {
    this.#maxMessageBytes = maxMessageBytes
    this.#onMessage = onMessage
  }

  /** True where a body may end: between two messages. */
  get atBoundary(): boolean {
    return this.#fault === undefined && this.#headSeen === 0
  }

  /** Reads on in `buf[start, end)`; a fault is final, and answers every later call too. */
  read(buf: Uint8Array, start = 0, end: number = buf.length): MessageFault | undefined {
    let at = start
    while (at < end && this.#fault === undefined) {
      if (this.#headSeen < headBytes) {
        this.#head[this.#headSeen++] = buf[at++]!
        if (this.#headSeen === headBytes) this.#begin()
      } else {
        const taken = Math.min(end - at, this.#length - this.#bodySeen)
        this.#reserve(this.#bodySeen + taken)
        this.#body.set(buf.subarray(at, at + taken), this.#bodySeen)
        this.#bodySeen += taken
        at += taken
        if (this.#bodySeen === this.#length) this.#finish()
      }
    }
    return this.#fault
  }

  #begin(): void {
    const flag = this.#head[0]!
    this.#length = this.#head.readUInt32BE(1)
    if (flag === 1) {
      this.#fault = { code: statusCode.UNIMPLEMENTED, message: 'compressed messages cannot be read here' }
    } else if (flag !== 0) {
      this.#fault = { code: statusCode.INTERNAL, message: `a message has the unknown flags ${flag}` }
    } else if (this.#length > this.#maxMessageBytes) {
      const message = `a message of ${this.#length} bytes is larger than the ${this.#maxMessageBytes} that are allowed`
      this.#fault = { code: statusCode.RESOURCE_EXHAUSTED, message }
    } else if (this.#length === 0) this.#finish()
  }

  #reserve(size: number): void {
    if (size <= this.#body.length) return
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#length, Math.max(size, this.#body.length * 2)))
    this.#body.copy(larger, 0, 0, this.#bodySeen)
    this.#body = larger
  }

  #finish(): void {
    const message = this.#body.subarray(0, this.#length)
    this.#headSeen = this.#bodySeen = this.#length = 0
    this.#body = Buffer.alloc(0)
    this.#onMessage(message)
  }
}
