/** Opcodes that a follower knows (RFC 6455 §5.2). */
export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/**
 * Follows the frames that pass in one direction of a tunnel, by their heads alone (RFC 6455 §5.2), so that a proxy
 * knows where a frame of its own may be put in.
 *
 * It judges nothing: reserved bits, opcodes and masks pass, and no octets make it throw.
 */
export class FrameFollower {
  /** True once a close frame has passed whole: nothing may follow it (RFC 6455 §5.5.1). */
  closed = false
  /** True while a fragmented message is open: control frames may stand here, data frames may not (RFC 6455 §5.4). */
  insideMessage = false
  /**
   * The first position in the run last passed to `advance` where a frame had ended and none begun, or -1. It is the
   * start of the run when the run began at a boundary.
   */
  firstBoundary = -1
  /** Frames that have passed whole. */
  frames = 0

  /** Octets of the head still to come; 0 amid a payload. The head's length is known after its second octet. */
  #headLeft = 2
  #headSeen = 0
  #lengthLeft = 0
  /** Payload to come. Beyond 2^53 it is not exact, and nobody will live to see it. */
  #payloadLeft = 0
  #first = 0

  /** True when the octets so far end with a whole frame, or there were none. */
  get atBoundary(): boolean {
    return this.#headSeen === 0 && this.#payloadLeft === 0
  }

  /** Follows `buf[start, end)`, the octets written next. */
  advance(buf: Uint8Array, start: number, end: number): void {
    let i = start
    this.firstBoundary = this.atBoundary ? start : -1
    while (i < end) {
      if (this.#headLeft > 0) {
        this.#headOctet(buf[i++]!)
        if (this.#headLeft > 0 || this.#payloadLeft > 0) continue
      } else {
        const run = end - i
        if (run < this.#payloadLeft) {
          this.#payloadLeft -= run
          return
        }
        i += this.#payloadLeft
        this.#payloadLeft = 0
      }
      this.#frameEnded()
      if (this.firstBoundary < 0) this.firstBoundary = i
    }
  }

  #headOctet(octet: number): void {
    this.#headLeft--
    if (this.#headSeen === 0) this.#first = octet
    else if (this.#headSeen === 1) {
      const length = octet & 0x7f
      this.#lengthLeft = length === 126 ? 2 : length === 127 ? 8 : 0
      this.#payloadLeft = this.#lengthLeft === 0 ? length : 0
      this.#headLeft = this.#lengthLeft + (octet >= 0x80 ? 4 : 0)
    } else if (this.#lengthLeft > 0) {
      // The top bit of a 64-bit length must be 0 (RFC 6455 §5.2); it is ignored, so that no length is negative.
      const bits = this.#lengthLeft === 8 ? octet & 0x7f : octet
      this.#lengthLeft--
      this.#payloadLeft = this.#payloadLeft * 256 + bits
    }
    this.#headSeen++
  }

  #frameEnded(): void {
    const code = this.#first & 0x0f
    const final = this.#first >= 0x80
    if (code === opcode.close) this.closed = true
    else if (code < 8) this.insideMessage = !final
    this.#headLeft = 2
    this.#headSeen = 0
    this.frames++
  }
}
