/** How a stream came to its end, as far as it is remembered. */
export const closedBy = { forgotten: 0, ends: 1, peer: 2, us: 3 } as const

const remembered = 256

/** Most connections of browsers see few streams: the memory begins small. */
const firstRemembered = 16

/**
 * A short memory of how the latest streams closed (RFC 9113 §5.1): what still comes for one that we reset is on its way
 * for no fault of the peer's, what comes for one that the peer has ended is an error.
 */
export class ClosedStreams {
  /** Thirty bits of each id, which is odd, and two of how. */
  #ring: Uint32Array | undefined
  #next = 0

  note(id: number, by: number): void {
    let ring = (this.#ring ??= new Uint32Array(firstRemembered))
    if (this.#next === ring.length) {
      this.#next = 0
      if (ring.length < remembered) {
        const larger = new Uint32Array(ring.length * 4)
        larger.set(ring)
        this.#next = ring.length
        ring = this.#ring = larger
      }
    }
    ring[this.#next++] = ((id >>> 1) << 2) | by
  }

  by(id: number): number {
    const entry = this.#ring?.find((noted) => noted >>> 2 === id >>> 1)
    return entry === undefined ? closedBy.forgotten : entry & 3
  }
}
