/** What one backend has seen since it started or since its counts were reset. */
export interface BackendStats {
  /** Units (requests, connections, WebSockets) in progress now. */
  readonly running: number
  /** The most that ran at the same instant. */
  readonly max: number
  readonly total: number
  /** Units whose client left before their end. */
  readonly aborted: number
}

/** How a unit ended. `byPeer`: a FIN or RST told us; otherwise it was our own last byte. */
export interface Departure {
  readonly byPeer: boolean
  readonly aborted: boolean
}

/**
 * Counts the units of one backend that run at once, exactly enough to prove or refute a gate.
 *
 * The peak of a turn is settled at the end of that turn. epoll may report the unit that a proxy started second before
 * the departure that made room for it, when both arrived since the last turn; counted at once, an exact gate would
 * look as if it had let one too many through. So departures told by the peer in the same turn lower the peak. A unit
 * that ends with our own last byte needs no such care: its successor cannot have arrived before that byte was sent.
 */
export class Tally {
  /** How to count out the units that have a name, by it. */
  readonly #named = new Map<string, () => void>()
  readonly #cut = new Set<string>()
  #running = 0
  #max = 0
  #total = 0
  #aborted = 0
  /** The peak of this turn while it is above `max`, otherwise 0. */
  #peak = 0

  /** Counts a unit in; the function given back counts it out, once, however often it is called. */
  enter(): (departure: Departure) => void {
    this.#total++
    this.#running++
    if (this.#running > Math.max(this.#max, this.#peak)) {
      if (this.#peak === 0) setImmediate(this.#settle)
      this.#peak = this.#running
    }
    let inside = true
    return (departure) => {
      if (!inside) return
      inside = false
      this.#leave(departure)
    }
  }

  /** Says which unit that is whose departure `leave` counts. */
  name(unit: string, leave: (departure: Departure) => void): void {
    const gone = () => leave({ byPeer: true, aborted: true })
    if (this.#cut.delete(unit)) gone()
    else this.#named.set(unit, gone)
  }

  /**
   * Its client, in this very process, is about to break off the unit of that name: it is not counted any more, though a
   * backend that does not read at the moment learns of it later.
   */
  cut(unit: string): void {
    const gone = this.#named.get(unit)
    if (gone === undefined) this.#cut.add(unit)
    else gone()
    this.#named.delete(unit)
  }

  /** The counts as they stand; the peak of the current turn is in them already. */
  stats(): BackendStats {
    const max = Math.max(this.#max, this.#peak)
    return { running: this.#running, max, total: this.#total, aborted: this.#aborted }
  }

  /** Starts counting anew; what runs goes on being counted as running. */
  reset(): void {
    this.#max = this.#running
    this.#peak = 0
    this.#total = this.#running
    this.#aborted = 0
  }

  #leave({ byPeer, aborted }: Departure): void {
    this.#running--
    if (aborted) this.#aborted++
    if (byPeer && this.#peak > 0) this.#peak--
  }

  #settle = (): void => {
    this.#max = Math.max(this.#max, this.#peak)
    this.#peak = 0
  }
}
