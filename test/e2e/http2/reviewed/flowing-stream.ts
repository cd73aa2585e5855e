import { dataFrame, h2, pingFrame, type RawHttp2 } from '../../../../packages/testkit/src/http2/index.ts'

const frameBytes = 16_384
const initialWindow = 65_535

/** A stream of a client that sends its request's body as fast as the proxy lets it, and not a byte more. */
export class FlowingStream {
  readonly #peer: RawHttp2
  readonly #id: number
  sentBytes = 0
  #pings = 0

  constructor(peer: RawHttp2, id: number) {
    this.#peer = peer
    this.#id = id
  }

  /** What may be sent now, by all frames that have been read; bodies of other streams are not reckoned with. */
  get credit(): number {
    let [ofConnection, ofStream] = [initialWindow, initialWindow]
    for (const { type, id, flags, payload } of this.#peer.frames) {
      if (type === h2.settings && (flags & h2.ack) === 0) {
        for (let at = 0; at < payload.length; at += 6) {
          if (payload.readUInt16BE(at) === 4) ofStream += payload.readUInt32BE(at + 2) - initialWindow
        }
      }
      if (type !== h2.windowUpdate) continue
      if (id === 0) ofConnection += payload.readUInt32BE()
      if (id === this.#id) ofStream += payload.readUInt32BE()
    }
    return Math.min(ofConnection, ofStream) - this.sentBytes
  }

  /** Whether the stream has been reset. */
  get reset(): number | undefined {
    return this.#peer.frames.find(({ type, id }) => type === h2.rstStream && id === this.#id)?.payload.readUInt32BE()
  }

  /** Sends what `content` gives for an offset and a length. */
  async send(content: (at: number, length: number) => Uint8Array, length: number): Promise<void> {
    await this.#peer.send(dataFrame(this.#id, content(this.sentBytes, length)))
    this.sentBytes += length
  }

  /** Resolves when the proxy has taken note of all that was sent, and its frames about it have been read. */
  async noted(): Promise<void> {
    const payload = String(this.#pings++).padStart(8)
    await this.#peer.send(pingFrame(payload))
    for (;;) {
      const { type, flags, payload: came } = await this.#peer.next()
      if (type === h2.ping && (flags & h2.ack) !== 0 && came.toString('latin1') === payload) return
    }
  }

  /** Sends until there is no credit left, or `mostBytes` have been sent; gives what has been sent in all. */
  async fill(
    mostBytes: number,
    content = (_at: number, length: number): Uint8Array => Buffer.alloc(length),
  ): Promise<number> {
    while (this.sentBytes < mostBytes && this.reset === undefined) {
      const length = Math.min(this.credit, frameBytes, mostBytes - this.sentBytes)
      if (length > 0) await this.send(content, length)
      // Credit may come with the answer to a second PING, when the first one has passed what was about to be read.
      await this.noted()
      if (this.credit <= 0) await this.noted()
      if (this.credit <= 0) break
    }
    return this.sentBytes
  }
}
