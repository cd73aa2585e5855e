import type { HeaderField } from './header-field.ts'
import type { HpackName } from './hpack-name.ts'
import { HpackTable, ringSize } from './hpack-table.ts'

/**
 * The dynamic table of an encoder, with a hash of its entries and one of their names, both by identity.
 *
 * Entries of a bucket are chained from the newest back. Eviction need not touch the chains: a chain ends where it
 * comes to a number that the table does not hold any more.
 */
export class HpackIndex {
  readonly #table: HpackTable
  readonly #mask: number
  #heads = new Int32Array(0)
  #before = new Int32Array(0)
  #nameHeads = new Int32Array(0)
  #nameBefore = new Int32Array(0)

  /** As those of `HpackTable`. */
  constructor(capacityBytes: number, maxBytes: number) {
    this.#table = new HpackTable(capacityBytes, maxBytes)
    this.#mask = ringSize(capacityBytes) - 1
  }

  get maxBytes(): number {
    return this.#table.maxBytes
  }

  /** The number of the newest entry. */
  get newest(): number {
    return this.#table.newest
  }

  get count(): number {
    return this.#table.count
  }

  /** The distance of a field from the newest entry, -1 when it is not in the table. */
  find(field: HeaderField): number {
    const table = this.#table
    if (table.count === 0) return -1
    let number = this.#heads[field.serial & this.#mask]!
    for (let last = -1; ; ) {
      const distance = (table.newest - number) | 0
      if (distance <= last || distance >= table.count) return -1
      if (table.at(distance) === field) return distance
      last = distance
      number = this.#before[number & this.#mask]!
    }
  }

  /** The distance of the newest entry with this name, -1 when there is none. */
  findName(name: HpackName): number {
    const table = this.#table
    if (table.count === 0) return -1
    let number = this.#nameHeads[name.serial & this.#mask]!
    for (let last = -1; ; ) {
      const distance = (table.newest - number) | 0
      if (distance <= last || distance >= table.count) return -1
      if (table.at(distance)!.key === name) return distance
      last = distance
      number = this.#nameBefore[number & this.#mask]!
    }
  }

  /** Puts a field in that is no larger than the table. */
  insert(field: HeaderField): void {
    const mask = this.#mask
    if (this.#heads.length === 0) {
      this.#heads = new Int32Array(mask + 1)
      this.#before = new Int32Array(mask + 1)
      this.#nameHeads = new Int32Array(mask + 1)
      this.#nameBefore = new Int32Array(mask + 1)
    }
    this.#table.insert(field)
    const number = this.#table.newest
    this.#before[number & mask] = this.#heads[field.serial & mask]!
    this.#heads[field.serial & mask] = number
    this.#nameBefore[number & mask] = this.#nameHeads[field.key.serial & mask]!
    this.#nameHeads[field.key.serial & mask] = number
  }

  /** As that of `HpackTable`. */
  resize(maxBytes: number): void {
    this.#table.resize(maxBytes)
  }
}
