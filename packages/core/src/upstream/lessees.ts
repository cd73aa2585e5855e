import type { ProxyError } from '../errors.ts'
import type { Lessee } from './connection.ts'

/** Who waits for a connection of a pool, first come first served, and who has waited in vain and has not heard of it yet. */
export class Lessees {
  /** With the time when each began to wait. */
  readonly #waiting = new Map<Lessee, number>()
  readonly #refused = new Map<Lessee, ProxyError>()
  readonly #pool: { fault(fault: unknown): void }

  /** `pool` hears of bugs of ours that are met as one is told. */
  constructor(pool: { fault(fault: unknown): void }) {
    this.#pool = pool
  }

  /** Who waits. */
  get size(): number {
    return this.#waiting.size
  }

  /** When whoever waits longest began to; undefined: nobody waits. */
  get since(): number | undefined {
    const [since] = this.#waiting.values()
    return since
  }

  /** `since`: the clock's milliseconds. */
  add(lessee: Lessee, since: number): void {
    this.#waiting.set(lessee, since)
  }

  /** Takes out who has waited longest. */
  next(): Lessee | undefined {
    const [lessee] = this.#waiting.keys()
    if (lessee !== undefined) this.#waiting.delete(lessee)
    return lessee
  }

  /** It waits no more, and hears nothing. False when it has not waited. */
  leave(lessee: Lessee): boolean {
    return this.#waiting.delete(lessee) || this.#refused.delete(lessee)
  }

  /** Takes out at most so many of those who have waited longest, and since `since` at the latest: `tell` tells them. */
  refuse(most: number, error: ProxyError, since: number = Infinity): void {
    let left = most
    for (const [lessee, began] of this.#waiting) {
      if (left-- <= 0 || began > since) return
      this.#waiting.delete(lessee)
      this.#refused.set(lessee, error)
    }
  }

  /** Tells those who were refused. They may do anything meanwhile: leave, have others leave, wait anew. */
  tell(): void {
    for (const [lessee, error] of this.#refused) {
      this.#refused.delete(lessee)
      try {
        lessee.connectFailed(error)
      } catch (fault) {
        this.#pool.fault(fault)
      }
    }
  }
}
