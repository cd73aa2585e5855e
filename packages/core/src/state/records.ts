import { CapacityError } from './control.ts'

/** Numbers for identities, out of a fixed supply. */
export class RecordTable {
  readonly byId = new Map<string, number>()
  readonly #what: string
  readonly #capacity: number
  readonly #free: number[] = []
  #next = 0

  /** `what` they are of, in the plural. */
  constructor(what: string, capacity: number) {
    this.#what = what
    this.#capacity = capacity
  }

  /** The identity's number; a new one is told to `made`. */
  assign(id: string, made: (record: number) => void): number {
    const known = this.byId.get(id)
    if (known !== undefined) return known
    const record = this.#free.pop() ?? this.#next++
    if (record >= this.#capacity) {
      this.#next--
      throw new CapacityError(`The configuration has more than ${this.#capacity} ${this.#what}.`)
    }
    this.byId.set(id, record)
    made(record)
    return record
  }

  free(id: string): void {
    const record = this.byId.get(id)
    if (record === undefined) return
    this.byId.delete(id)
    this.#free.push(record)
  }
}
