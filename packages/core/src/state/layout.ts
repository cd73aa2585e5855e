/**
 * How the state that all threads share lies in memory: 32-bit words, one region after the other.
 *
 * Truth lies in words that one thread alone changes, or that stand in the slot of one waiter; every other word is a
 * count or a link that can be made anew from them. So a thread may die between any two stores.
 */

/** How much there is room for. Fixed when the state is made. */
export interface Capacity {
  /** Data-plane threads. */
  readonly threads: number
  readonly gates: number
  readonly endpoints: number
  readonly listeners: number
  /** Units that may wait at once, at all gates together. Rounded up to whole chunks, and one chunk more for each thread. */
  readonly waiters: number
}

/** What is there for when nothing else is said. */
export const defaultCapacity = { gates: 4_096, endpoints: 8_192, listeners: 256, waiters: 65_536 } as const

/** Words of a gate's record. The permits that each thread holds follow at `held`. */
export const gateWord = {
  /** 0, or the owner's number: see `Lock`. */
  lock: 0,
  limit: 1,
  queue: 2,
  /** Milliseconds, or `unlimited`. */
  timeout: 3,
  /** 1: lets everything through and only counts. */
  dryRun: 4,
  running: 5,
  waiting: 6,
  /** Slots, or `none`. */
  oldest: 7,
  newest: 8,
  /** Ticket of the next waiter. */
  ticket: 9,
  /** Where the round robin over an upstream's endpoints goes on. */
  cursor: 10,
  /** Shared milliseconds of the last release while somebody waited, and the mean time between two, in 1/256 ms. */
  releasedAt: 11,
  releaseInterval: 12,
  /** How long a dead thread's permits are kept (`abandoned: wait`), in milliseconds; 0: not at all. */
  abandonedMs: 13,
  /** 1: it stands before endpoints, so nobody is let through without room at one. */
  rooms: 14,
  held: 16,
} as const

/** Words of a waiter's slot. */
export const slotWord = {
  state: 0,
  gate: 1,
  thread: 2,
  ticket: 3,
  /** Towards the newest; of a granted slot the next one in its thread's list. Slots, or `none`. */
  next: 4,
  previous: 5,
  /** Record of the endpoint that a granted waiter was given, or `none`. */
  room: 6,
  /** Shared milliseconds. */
  since: 7,
} as const
export const slotWords = 8

/** Where a slot stands. */
export const slotState = { free: 0, waiting: 1, granted: 2, left: 3 } as const

/** Words of an endpoint's record; the words of each thread follow at `perThread`. */
export const endpointWord = {
  /** Record of its upstream's gate. */
  gate: 0,
  limit: 1,
  maxConnections: 2,
  running: 3,
  /** Failures in a row. */
  failures: 4,
  /** 1: left out until `ejectedUntil`, in shared milliseconds. */
  ejected: 5,
  ejectedUntil: 6,
  /** 1: the active check says no. */
  probedDown: 7,
  /** Of the weighted round robin. */
  credit: 8,
  /** Exchanges that each connection carries: as configured, and as the last one has said. */
  configuredConcurrency: 9,
  concurrency: 10,
  perThread: 16,
} as const

/** What each thread counts at an endpoint. */
export const endpointThreadWord = { running: 0, connections: 1, idle: 2, connecting: 3, starved: 4 } as const
export const endpointThreadWords = 5

/** Words of a thread: a line of memory for what others write, and one that it alone writes. */
export const threadWord = {
  /** What is to be looked at: see `Mailbox`. */
  mail: 0,
  /** The slot granted last to this thread and not taken up, or `none`. */
  granted: 1,
  /** Shared milliseconds. */
  heartbeat: 16,
  unitsBegun: 17,
  unitsEnded: 21,
  timers: 18,
  connections: 19,
  bufferedKiB: 20,
} as const
export const threadWords = 32

/** Slots are handed to threads in chunks. */
export const chunkSlots = 64

export const none = -1
export const unlimited = 0x7fff_ffff

const cacheLine = 16
const roundUp = (value: number, to: number): number => Math.ceil(value / to) * to

/** Where each region begins, and how long its records are. */
export interface Layout {
  readonly capacity: Capacity
  /** One word: the number of the newest configuration that holds. */
  readonly published: number
  readonly gates: number
  readonly gateWords: number
  readonly endpoints: number
  readonly endpointWords: number
  readonly listeners: number
  readonly threads: number
  readonly chunks: number
  readonly chunkCount: number
  readonly slots: number
  /** Words in all. */
  readonly length: number
}

/** Lays the state out. The same capacity gives the same layout in every thread. */
export function layOut(capacity: Capacity): Layout {
  // One more than the data-plane threads: the main thread holds what dead threads have left behind.
  const holders = capacity.threads + 1
  const gateWords = roundUp(gateWord.held + holders, cacheLine)
  const endpointWords = roundUp(endpointWord.perThread + endpointThreadWords * holders, cacheLine)
  const chunkCount = capacity.threads + Math.ceil(capacity.waiters / chunkSlots)
  let length = 0
  const region = (words: number): number => {
    const at = length
    length += roundUp(words, cacheLine)
    return at
  }
  return {
    capacity,
    published: region(1),
    threads: region(holders * threadWords),
    gates: region(capacity.gates * gateWords),
    gateWords,
    endpoints: region(capacity.endpoints * endpointWords),
    endpointWords,
    listeners: region(capacity.listeners * holders),
    chunks: region(chunkCount),
    chunkCount,
    slots: region(chunkCount * chunkSlots * slotWords),
    length,
  }
}
