import { randomInt } from 'node:crypto'
import { parseIpAddress } from '../routing/ip-address.ts'
import { lock, unlock } from './lock.ts'

/** Words at the front: the lock, the seeds of the hash, the number of threads. */
const headWord = { lock: 0, seedHigh: 1, seedLow: 2, threads: 3 } as const
const headWords = 16
/** An entry's hash; the counts of each thread follow. */
const hashWords = 2
/** Entries among which one client's may lie. */
const bucketEntries = 8

/** What `enter` returns when the client has as many as it may. */
export const tooMany = -1
/** What `enter` returns for a client that there is no room for. */
export const uncounted = -2

/**
 * Connections of each client, counted together by all threads in one `Int32Array`, that they may share.
 *
 * Its size is fixed. A newcomer that finds no room is not counted, and so not limited: whoever fills the table from tens
 * of thousands of addresses meets `maxConnections` instead. Clients are told apart by 64 bits of a hash of their own
 * making, IPv6 ones by their /64: whoever has one address there has them all.
 */
export class ClientTable {
  readonly words: Int32Array
  readonly #thread: number
  readonly #entryWords: number
  readonly #buckets: number

  /** Over what `create` made, in whichever thread. */
  constructor(words: Int32Array, thread: number) {
    this.words = words
    this.#thread = thread
    this.#entryWords = hashWords + words[headWord.threads]!
    this.#buckets = Math.floor((words.length - headWords) / (this.#entryWords * bucketEntries))
  }

  /** The memory of a table for `entries` clients at once. Pages that nobody writes to cost nothing. */
  static create(threads: number, entries = 65_536): Int32Array {
    const length = headWords + Math.ceil(entries / bucketEntries) * bucketEntries * (hashWords + threads)
    const words = new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT))
    words[headWord.threads] = threads
    // Nobody outside can tell which addresses share a bucket.
    words[headWord.seedHigh] = randomInt(2 ** 31)
    words[headWord.seedLow] = randomInt(2 ** 31)
    return words
  }

  /**
   * One connection more of the client with this address, if it has fewer than `limit` in `group`. Returns the entry to
   * `leave` later, `tooMany` or `uncounted`.
   */
  enter(group: string, address: string, limit: number): number {
    const { words } = this
    const key = `${group} ${networkOf(address)}`
    const high = hash(key, words[headWord.seedHigh]!)
    // 0 and 0 is an entry that nobody has had yet.
    const low = hash(key, words[headWord.seedLow]!) | 1
    const bucket = headWords + ((high >>> 0) % this.#buckets) * bucketEntries * this.#entryWords
    lock(words, headWord.lock, this.#thread + 1)
    try {
      return this.#count(bucket, high, low, limit)
    } finally {
      unlock(words, headWord.lock)
    }
  }

  #count(bucket: number, high: number, low: number, limit: number): number {
    const { words } = this
    let free = uncounted
    for (let i = 0; i < bucketEntries; i++) {
      const entry = bucket + i * this.#entryWords
      const total = this.#total(entry)
      if (words[entry] === high && words[entry + 1] === low) {
        if (total >= limit) return tooMany
        free = entry
        break
      }
      if (total === 0 && free === uncounted) free = entry
    }
    if (free === uncounted) return uncounted
    words[free] = high
    words[free + 1] = low
    // Last: whoever dies before this leaves an entry without connections, which is free.
    Atomics.add(words, free + hashWords + this.#thread, 1)
    return free
  }

  /** A connection that `enter` has counted is gone. Needs no lock: an entry with connections belongs to their client. */
  leave(entry: number): void {
    Atomics.sub(this.words, entry + hashWords + this.#thread, 1)
  }

  /** A thread has died: its connections are forgotten, and the lock is free if it died holding it. */
  forget(thread: number): void {
    const { words } = this
    Atomics.compareExchange(words, headWord.lock, thread + 1, 0)
    const end = headWords + this.#buckets * bucketEntries * this.#entryWords
    for (let entry = headWords; entry < end; entry += this.#entryWords) {
      const count = entry + hashWords + thread
      if (words[count] !== 0) words[count] = 0
    }
  }

  #total(entry: number): number {
    let total = 0
    for (let count = entry + hashWords; count < entry + this.#entryWords; count++) {
      total += Atomics.load(this.words, count)
    }
    return total
  }
}

/** What stands for a client: an IPv4 address, or the first half of an IPv6 one. */
function networkOf(address: string): string {
  const ip = parseIpAddress(address)
  if (ip === undefined) return address
  return ip.version === 4 ? String(ip.value) : `${(ip.value >> 64n).toString(16)}::`
}

/** MurmurHash3's mixing over the characters of an address. */
function hash(text: string, seed: number): number {
  let mixed = seed
  for (let i = 0; i < text.length; i++) {
    mixed = Math.imul(mixed ^ text.charCodeAt(i), 0xcc9e2d51)
    mixed = Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0x1b873593
  }
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
