/** A bounded memory of objects that recur: of two that share a place the one that was asked for last stays longer. */
export class InternTable<Item> {
  readonly #items: (Item | undefined)[]
  readonly #mask: number

  /** `places`: a power of two; each holds two items. */
  constructor(places: number) {
    this.#items = new Array<Item | undefined>(places * 2).fill(undefined)
    this.#mask = places - 1
  }

  /** Where items of this hash lie: for `first`, `second`, `promote` and `add`. */
  place(hash: number): number {
    return (hash & this.#mask) << 1
  }

  first(place: number): Item | undefined {
    return this.#items[place]
  }

  second(place: number): Item | undefined {
    return this.#items[place + 1]
  }

  /** The second becomes the first. */
  promote(place: number): void {
    this.add(place, this.#items[place + 1]!)
  }

  /** Makes `item` the first, and what was the first the second. */
  add(place: number, item: Item): void {
    this.#items[place + 1] = this.#items[place]
    this.#items[place] = item
  }
}
