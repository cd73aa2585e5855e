import type { Http2Options } from './http2-options.ts'

/** What a peer can have too much of. */
export const flood = { resets: 0, settings: 1, pings: 2, emptyFrames: 3, priorities: 4, windowUpdates: 5 } as const

/** One of the numbers in `flood`. */
export type Flood = (typeof flood)[keyof typeof flood]

/** The options that bound them, in their order. */
export const floodBounds = [
  'maxResets',
  'maxSettings',
  'maxPings',
  'maxEmptyFrames',
  'maxPriorities',
  'maxWindowUpdates',
] as const satisfies readonly (keyof Http2Options)[]

/**
 * What makes more of a kind legitimate: streams that ended well, all that have closed, and frames of data that were sent,
 * with the octets in them.
 */
export interface HonestWork {
  readonly servedStreams: number
  readonly closedStreams: number
  readonly dataFramesOut: number
  readonly dataBytesOut: number
}

/** Octets of data for which a peer may say that it has taken them, once. */
const octetsPerUpdate = 128

/**
 * Counts what costs us and brings the peer nothing. Each kind has a bucket that holds its bound at most, and fills within
 * a second; what the session does for the peer fills it as well. The clock is read only when a bucket is empty.
 */
export class FloodGuard {
  readonly #options: Http2Options
  readonly #work: HonestWork
  readonly #left: number[]
  /** When each bucket was filled last, and what had been done by then; made when the first is empty. */
  #since: number[] | undefined
  #workBefore: number[] | undefined
  readonly #begun = performance.now()

  constructor(options: Http2Options, work: HonestWork) {
    this.#options = options
    this.#work = work
    this.#left = floodBounds.map((name) => options[name])
  }

  /** Takes one of its kind; false when there are too many. */
  allows(kind: Flood): boolean {
    const left = (this.#left[kind] = this.#left[kind]! - 1)
    return left >= 0 || this.#refill(kind)
  }

  #refill(kind: Flood): boolean {
    const bound = this.#options[floodBounds[kind]]
    const since = (this.#since ??= floodBounds.map(() => this.#begun))
    const workBefore = (this.#workBefore ??= floodBounds.map(() => 0))
    const now = performance.now()
    const done = this.#workDone(kind)
    const earned = ((now - since[kind]!) / 1_000) * bound + done - workBefore[kind]!
    since[kind] = now
    workBefore[kind] = done
    const left = (this.#left[kind] = Math.min(bound, this.#left[kind]! + earned))
    return left >= 0
  }

  #workDone(kind: Flood): number {
    const { servedStreams, closedStreams, dataFramesOut, dataBytesOut } = this.#work
    switch (kind) {
      case flood.resets:
        return servedStreams
      case flood.settings:
        return 0
      case flood.pings:
        return dataFramesOut
      case flood.emptyFrames:
      case flood.priorities:
        // What is late for a stream that both sides have left, and what ranks it.
        return 2 * closedStreams
      case flood.windowUpdates:
        // Go credits what its application reads, in pieces of 512 octets and less, on the stream and on the connection.
        return 2 * closedStreams + dataBytesOut / octetsPerUpdate
    }
  }
}
