import type { HeaderField } from './header-field.ts'
import type { HpackTable } from './hpack-table.ts'

const places = 4
/** A shorter block is read or written as fast as it is compared. */
const minOctets = 4
const maxOctets = 128
/** Blocks that are kept in a row without one of them coming again; then only one of `rarely` is. */
const maxInVain = 16
const rarely = 32

interface KeptBlock {
  readonly octets: Buffer
  length: number
  fields: HeaderField[]
  /** The sum of the fields' sizes (RFC 7541 §4.1). */
  listBytes: number
  // The state of the table in which it means this: entries only come at its new end and go at its old one.
  newest: number
  count: number
}

/**
 * A few blocks that went over a connection last, each with its fields: clients make the same call again and again, and
 * what the table and the names have to be asked for is then known at once.
 *
 * A block is kept when it leaves the table as it was. One with a field that is never indexed is not: nothing of such a
 * field is to be compared with what comes later (RFC 7541 §7.1.3).
 */
export class HpackBlockMemo {
  readonly #kept: (KeptBlock | undefined)[] = [undefined, undefined, undefined, undefined]
  #inVain = 0
  #skipped = 0

  /** What `block[start, end)` meant when it came before. */
  ofOctets(block: Uint8Array, start: number, end: number, table: TableState): KeptBlock | undefined {
    const length = end - start
    const kept = this.#kept[length & (places - 1)]
    if (kept === undefined || kept.length !== length || !isState(kept, table)) return undefined
    const { octets } = kept
    for (let i = 0; i < length; i++) if (octets[i] !== block[start + i]) return undefined
    this.#inVain = 0
    return kept
  }

  /** How these very fields were written before. */
  ofFields(fields: readonly HeaderField[], table: TableState): KeptBlock | undefined {
    const { length } = fields
    const kept = this.#kept[length & (places - 1)]
    if (kept === undefined || kept.fields.length !== length || !isState(kept, table)) return undefined
    const known = kept.fields
    for (let i = 0; i < length; i++) if (known[i] !== fields[i]) return undefined
    this.#inVain = 0
    return kept
  }

  /** Keeps a block, in the place that its length (`by` octets) or the number of its fields says. */
  keep(
    by: 'octets' | 'fields',
    block: Uint8Array,
    start: number,
    end: number,
    fields: readonly HeaderField[],
    table: TableState,
  ): void {
    const length = end - start
    if (length < minOctets || length > maxOctets) return
    if (this.#inVain >= maxInVain && ++this.#skipped % rarely !== 0) return
    this.#inVain++
    const place = (by === 'octets' ? length : fields.length) & (places - 1)
    const kept = (this.#kept[place] ??= emptyBlock())
    const { octets } = kept
    for (let i = 0; i < length; i++) octets[i] = block[start + i]!
    kept.length = length
    kept.newest = table.newest
    kept.count = table.count
    const known = kept.fields
    let listBytes = 0
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      known[i] = field
      listBytes += field.size
    }
    if (known.length > fields.length) known.length = fields.length
    kept.listBytes = listBytes
  }
}

/** What of a dynamic table decides what its indices mean. */
export type TableState = Pick<HpackTable, 'newest' | 'count'>

function isState(kept: KeptBlock, table: TableState): boolean {
  return kept.newest === table.newest && kept.count === table.count
}

function emptyBlock(): KeptBlock {
  return { octets: Buffer.alloc(maxOctets), length: 0, fields: [], listBytes: 0, newest: 0, count: 0 }
}
