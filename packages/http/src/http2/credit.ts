import type { Http2Stream } from '@sluice/wire'

/** Gives a stream's credit back for the bytes that the other half of the exchange has taken, and for no others. */
export class Credit {
  readonly #stream: Http2Stream
  /** Received, and not credited yet. */
  #owed = 0
  /** What the other half could not pass on. Infinity: it takes nothing. */
  #held = 0

  constructor(stream: Http2Stream) {
    this.#stream = stream
  }

  begin(held = 0): void {
    this.#owed = 0
    this.#held = held
  }

  /** Whether the other half is behind. */
  get holding(): boolean {
    return this.#held > 0
  }

  received(bytes: number): void {
    this.#owed += bytes
  }

  /** So many bytes are not to be credited yet. */
  hold(bytes: number): void {
    this.#held = bytes
    this.give()
  }

  give(): void {
    const taken = this.#owed - this.#held
    if (taken <= 0) return
    this.#owed -= taken
    this.#stream.consumed(taken)
  }
}
