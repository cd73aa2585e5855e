import type { Link, LinkHandler } from './link.ts'

/**
 * Bytes dropped from a peer that still sends, and the time it gets, before a lingering close cuts it; `sendMs` is the
 * time without progress while it has not taken what was written for it.
 */
const defaults = { maxBytes: 1_048_576, maxMs: 2_000, sendMs: 2_000 }

/** Drops what still comes, so that the peer reads the answer before the kernel's RST could erase it. */
class Lingering implements LinkHandler {
  readonly #link: Link
  readonly #closed: (() => void) | undefined
  readonly #maxMs: number
  #timer: NodeJS.Timeout | undefined
  #left: number
  #unsent = 0
  #stalledMs = 0

  constructor(link: Link, options: { maxBytes: number; maxMs: number; closed?: () => void }) {
    this.#link = link
    this.#left = options.maxBytes
    this.#maxMs = options.maxMs
    this.#closed = options.closed
  }

  /** Begins to count, after FIN was asked for. */
  start(sendMs: number): void {
    this.#unsent = this.#link.unsentBytes
    this.#timer = setTimeout(() => this.#expired(sendMs), Math.min(this.#maxMs, sendMs))
  }

  /** The time of a peer that still reads its answer has not begun yet. */
  #expired(sendMs: number): void {
    const unsent = this.#link.unsentBytes
    if (this.#unsent === 0) return this.#link.destroy()
    this.#stalledMs = unsent < this.#unsent ? 0 : this.#stalledMs + this.#maxMs
    if (this.#stalledMs >= sendMs) return this.#link.reset()
    this.start(sendMs)
  }

  /** From now on only the last bytes are waited for. */
  hurry(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#link.destroy(), this.#maxMs)
  }

  onBytes(_bytes: Buffer, start: number, end: number): void {
    this.#left -= end - start
    if (this.#left < 0) this.#link.destroy()
  }

  onEnd(): void {}
  onCongested(): void {}
  onDrain(): void {}
  onFault(): void {}

  onClose(): void {
    clearTimeout(this.#timer)
    this.#closed?.()
  }
}

/**
 * Sends FIN after what is written, drops what the peer still sends, and closes when it is done or the bounds are
 * reached (RFC 9112 §9.6). The link's handler is replaced; `closed` is called when the socket is gone.
 */
export function lingeringClose(
  link: Link,
  options: { maxBytes?: number; maxMs?: number; sendMs?: number; closed?: () => void } = {},
): void {
  const bounds = { ...defaults, ...options }
  if (link.closed) {
    options.closed?.()
    return
  }
  const lingering = new Lingering(link, bounds)
  link.handler = lingering
  link.resume()
  link.end()
  lingering.start(bounds.sendMs)
}

/** Ends a lingering close soon, also when its peer has not taken all of its answer. */
export function hurryLingering(link: Link): void {
  if (link.handler instanceof Lingering) link.handler.hurry()
}
