import type { Link, LinkHandler } from './link.ts'

/** Bytes dropped from a peer that still sends, and the time it gets, before a lingering close cuts it. */
const defaults = { maxBytes: 1_048_576, maxMs: 2_000 }

/** Drops what still comes, so that the peer reads the answer before the kernel's RST could erase it. */
class Lingering implements LinkHandler {
  readonly #link: Link
  readonly #closed: (() => void) | undefined
  readonly #timer: NodeJS.Timeout
  #left: number

  constructor(link: Link, maxBytes: number, maxMs: number, closed: (() => void) | undefined) {
    this.#link = link
    this.#left = maxBytes
    this.#closed = closed
    this.#timer = setTimeout(() => link.destroy(), maxMs)
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
  options: { maxBytes?: number; maxMs?: number; closed?: () => void } = {},
): void {
  const { maxBytes, maxMs } = { ...defaults, ...options }
  if (link.closed) {
    options.closed?.()
    return
  }
  link.handler = new Lingering(link, maxBytes, maxMs, options.closed)
  link.resume()
  link.end()
}
