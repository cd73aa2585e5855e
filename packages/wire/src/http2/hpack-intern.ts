/** Items that share a place. */
export const INTERN_WAYS = 4

/** A bounded memory of objects that recur: of those that share a place the one used least lately makes room. */
export class InternTable<Item> {
  readonly #items: (Item | undefined)[]
  readonly #mask: number

  /** `places`: a power of two; each holds `INTERN_WAYS` items. */
  constructor(places: number) {
    this.#items = new Array<Item | undefined>(places * INTERN_WAYS).fill(undefined)
    this.#mask = places - 1
  }

  /** Where items of this hash lie. */
  place(hash: number): number {
    return (hash & this.#mask) * INTERN_WAYS
  }

  /** One of the items at a place, from the one used last to the one used least lately; `undefined` after the last. */
  item(place: number, way: number): Item | undefined {
    return this.#items[place + way]
  }

  /** Says that an item is in use. */
  promote(place: number, way: number): void {
    const items = this.#items
    const item = items[place + way]
    for (let i = place + way; i > place; i--) items[i] = items[i - 1]
    items[place] = item
  }

  /** Puts an item in, where the one used least lately leaves. */
  add(place: number, item: Item): void {
    this.#items[place + INTERN_WAYS - 1] = item
    this.promote(place, INTERN_WAYS - 1)
  }
}
