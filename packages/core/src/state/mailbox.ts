import type { SharedMemory } from './shared-memory.ts'

/** What a thread is asked to look at. */
export const mail = {
  /** Waiters of this thread have been granted permits by another one. */
  granted: 1,
  /** Room has come free that nobody has given away: limits were raised, or a thread has died. */
  admit: 2,
  /** A thread has died, perhaps between a grant and its wake-up. */
  recover: 4,
  /** Another thread wants a connection to an endpoint where this one may have an idle one. */
  starved: 8,
  /** A connection less stands to an endpoint for which this thread wants one, or more of them may. */
  room: 16,
} as const

/**
 * One word for each thread: whoever sets the first bit wakes it, further bits ride along. So a hundred grants in one
 * turn are one wake-up.
 */
export class Mailbox {
  readonly #words: Int32Array
  readonly #memory: SharedMemory
  readonly #at: number
  #open = false

  constructor(memory: SharedMemory, thread: number) {
    this.#words = memory.words
    this.#memory = memory
    this.#at = memory.threadPlace(thread, 'mail')
  }

  /** Asks another thread. */
  post(thread: number, what: number): void {
    const at = this.#memory.threadPlace(thread, 'mail')
    if (Atomics.or(this.#words, at, what) === 0) Atomics.notify(this.#words, at)
  }

  /** Asks another thread, and wakes it though it may have been asked: by one that died before it woke it. */
  postAndWake(thread: number, what: number): void {
    const at = this.#memory.threadPlace(thread, 'mail')
    Atomics.or(this.#words, at, what)
    Atomics.notify(this.#words, at)
  }

  /** Has `read` called with what this thread is asked, until `close`. */
  open(read: (what: number) => void): void {
    this.#open = true
    const listen = (): void => {
      for (;;) {
        if (!this.#open) return
        const what = Atomics.exchange(this.#words, this.#at, 0)
        if (what !== 0) {
          read(what)
          continue
        }
        const waiting = Atomics.waitAsync(this.#words, this.#at, 0)
        if (!waiting.async) continue
        void waiting.value.then(listen)
        return
      }
    }
    listen()
  }

  close(): void {
    this.#open = false
    // Ends the wait that is under way.
    Atomics.notify(this.#words, this.#at)
  }
}
