import { FIELD_OVERHEAD, type HeaderField } from './header-field.ts'

/** The dynamic table (RFC 7541 §2.3.2) as a ring: what is evicted is forgotten in place, nothing is moved. */
export class HpackTable {
  /** Entries by their number, less what the mask takes off; made when the first comes. */
  #ring: (HeaderField | undefined)[] = []
  readonly #mask: number
  /** How many fields have come in: the number of the newest. Numbers wrap at 32 bits. */
  #newest = 0
  #count = 0
  #bytes = 0
  #maxBytes: number

  /** `capacityBytes`: what `maxBytes` will never exceed. */
  constructor(capacityBytes: number, maxBytes: number) {
    this.#mask = ringSize(capacityBytes) - 1
    this.#maxBytes = maxBytes
  }

  get maxBytes(): number {
    return this.#maxBytes
  }

  /** Octets of all entries (§4.1). */
  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#count
  }

  /** The number of the newest entry; those before it have the numbers before it. */
  get newest(): number {
    return this.#newest
  }

  /** The entry that came in `distance` after the newest: 0 is the newest itself. */
  at(distance: number): HeaderField | undefined {
    return distance < this.#count ? this.#ring[(this.#newest - distance) & this.#mask] : undefined
  }

  /** Puts a field in and evicts for it (§4.4); one that is larger than the table empties it and stays out. */
  insert(field: HeaderField): void {
    if (this.#ring.length === 0) this.#ring = new Array<undefined>(this.#mask + 1).fill(undefined)
    this.#evictTo(this.#maxBytes - field.size)
    if (field.size > this.#maxBytes) return
    this.#newest = (this.#newest + 1) | 0
    this.#ring[this.#newest & this.#mask] = field
    this.#count++
    this.#bytes += field.size
  }

  /** Evicts all. */
  clear(): void {
    this.#evictTo(0)
  }

  /** Changes the size and evicts what is above it (§4.3). */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
    this.#evictTo(maxBytes)
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes && this.#count > 0) {
      const at = (this.#newest - this.#count + 1) & this.#mask
      this.#bytes -= this.#ring[at]!.size
      this.#ring[at] = undefined
      this.#count--
    }
  }
}

/** A power of two that is no less than the entries which fit into so many octets. */
export function ringSize(capacityBytes: number): number {
  let size = 1
  while (size * FIELD_OVERHEAD < capacityBytes) size *= 2
  return size
}
