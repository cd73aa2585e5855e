import type { HeaderField } from './header-field.ts'
import type { HpackName } from './hpack-name.ts'

const places = 8
const maxOctets = 64

/**
 * The last value of a few names among those that stay out of the table, by its octets in the block.
 *
 * Clients on nghttp2, which grpc-js and h2load are, never index `:path`, though it is the same in call after call.
 */
export class HpackMemo {
  readonly #fields: (HeaderField | undefined)[] = []
  #octets: Uint8Array | undefined

  /** The field of this name whose value was `block[start, end)` as well, the octet of its length included. */
  find(name: HpackName, block: Uint8Array, start: number, end: number): HeaderField | undefined {
    const place = name.serial & (places - 1)
    const field = this.#fields[place]
    if (field === undefined || field.key !== name || end - start > maxOctets) return undefined
    const octets = this.#octets!
    const shift = place * maxOctets - start
    // The length comes first: when it is the same, so are the ends.
    for (let i = start; i < end; i++) if (block[i] !== octets[i + shift]) return undefined
    return field
  }

  /** Keeps a field whose value is `block[start, end)`, unless it is long. */
  keep(field: HeaderField, block: Uint8Array, start: number, end: number): void {
    if (end - start > maxOctets) return
    if (this.#octets === undefined) {
      this.#octets = new Uint8Array(places * maxOctets)
      for (let i = 0; i < places; i++) this.#fields.push(undefined)
    }
    const octets = this.#octets
    const place = field.key.serial & (places - 1)
    const shift = place * maxOctets - start
    for (let i = start; i < end; i++) octets[i + shift] = block[i]!
    this.#fields[place] = field
  }
}
