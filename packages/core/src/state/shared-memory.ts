import type { GateLimits } from '../gate/gate.ts'
import { EndpointCells } from './endpoint-cells.ts'
import {
  type Capacity,
  gateWord,
  type Layout,
  layOut,
  none,
  slotWords,
  threadWord,
  threadWords,
  unlimited,
} from './layout.ts'
import { ThreadCount } from './thread-count.ts'
import { UnitCount } from './unit-count.ts'

/** What a thread is given so that it sees the same memory. Can be posted. */
export interface SharedMemoryHandle {
  readonly buffer: SharedArrayBuffer
  readonly capacity: Capacity
}

/** The memory that all threads share, and its layout. */
export class SharedMemory {
  readonly words: Int32Array
  readonly layout: Layout
  readonly handle: SharedMemoryHandle

  private constructor(handle: SharedMemoryHandle) {
    this.handle = handle
    this.layout = layOut(handle.capacity)
    this.words = new Int32Array(handle.buffer)
  }

  static create(capacity: Capacity): SharedMemory {
    const { length } = layOut(capacity)
    const memory = new SharedMemory({
      buffer: new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT),
      capacity,
    })
    for (let thread = 0; thread <= capacity.threads; thread++)
      memory.words[memory.threadPlace(thread, 'granted')] = none
    return memory
  }

  static from(handle: SharedMemoryHandle): SharedMemory {
    return new SharedMemory(handle)
  }

  /** The number of the newest configuration that holds. */
  get published(): number {
    return Atomics.load(this.words, this.layout.published)
  }

  set published(number: number) {
    Atomics.store(this.words, this.layout.published, number)
  }

  /** Where a word of a thread lies. */
  threadPlace(thread: number, word: keyof typeof threadWord): number {
    return this.layout.threads + thread * threadWords + threadWord[word]
  }

  /** A word that each thread has, as a number that they count together. */
  threadCount(word: keyof typeof threadWord, thread: number): ThreadCount {
    const { capacity } = this.layout
    return new ThreadCount(this.words, thread, this.threadPlace(0, word), capacity.threads + 1, threadWords)
  }

  /** The units of all threads, as `thread` counts them. */
  unitCount(thread: number): UnitCount {
    return new UnitCount(this.threadCount('unitsBegun', thread), this.threadCount('unitsEnded', thread))
  }

  /** Where a gate's record begins. */
  gatePlace(record: number): number {
    return this.layout.gates + record * this.layout.gateWords
  }

  /** Where a waiter's slot begins. */
  slotPlace(slot: number): number {
    return this.layout.slots + slot * slotWords
  }

  /** What is known of an endpoint, as `thread` counts it. */
  endpointCells(record: number, thread: number): EndpointCells {
    const holders = this.layout.capacity.threads + 1
    return new EndpointCells(this.endpointWords(record), { record, thread, holders })
  }

  /** An endpoint's record. */
  endpointWords(record: number): Int32Array {
    const { endpoints, endpointWords } = this.layout
    return this.words.subarray(endpoints + record * endpointWords, endpoints + (record + 1) * endpointWords)
  }

  /** Connections of the listener with that record. */
  listenerCount(record: number, thread: number): ThreadCount {
    const { listeners, capacity } = this.layout
    const holders = capacity.threads + 1
    return new ThreadCount(this.words, thread, listeners + record * holders, holders)
  }

  /** The permits of a gate that one thread holds. */
  heldPlace(record: number, thread: number): number {
    return this.gatePlace(record) + gateWord.held + thread
  }

  /** Writes a gate's limits. Each is one word, read inside the gate: it holds from some moment on. */
  writeLimits(record: number, limits: GateLimits): void {
    const at = this.gatePlace(record)
    this.words[at + gateWord.limit] = Math.min(limits.limit, unlimited)
    this.words[at + gateWord.queue] = Math.min(limits.queue, unlimited)
    this.words[at + gateWord.timeout] = Math.min(limits.timeoutMs, unlimited)
    this.words[at + gateWord.dryRun] = limits.dryRun === true ? 1 : 0
  }

  readLimits(record: number): GateLimits {
    const at = this.gatePlace(record)
    const bounded = (word: number) => {
      const value = this.words[at + word]!
      return value === unlimited ? Infinity : value
    }
    return {
      limit: bounded(gateWord.limit),
      queue: bounded(gateWord.queue),
      timeoutMs: bounded(gateWord.timeout),
      dryRun: this.words[at + gateWord.dryRun] !== 0,
    }
  }
}
