/** The same place is reported at most once in so long, in milliseconds. */
const quietMs = 60_000

/** Places remembered, at most: a bug that makes up new ones must not fill the memory. */
const maxPlaces = 1_000

/** Passes bugs of ours on to whoever logs them, but each place once a minute: a loop must not flood the log. */
export class FaultLog {
  readonly #write: (fault: unknown) => void
  readonly #seen = new Map<string, number>()

  constructor(write: (fault: unknown) => void) {
    this.#write = write
  }

  report(fault: unknown): void {
    const stack = fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)
    const place = stack.split('\n', 2).join('\n')
    const now = Date.now()
    if (now - (this.#seen.get(place) ?? -Infinity) < quietMs) return
    if (this.#seen.size >= maxPlaces) this.#seen.clear()
    this.#seen.set(place, now)
    this.#write(fault)
  }
}
