/**
 * A number that all threads count together: each adds to a word that it alone writes, whoever asks gets the sum.
 *
 * So nothing is lost when a thread dies at any moment: its word is set to 0, and the sum is that of the living.
 */
export class ThreadCount {
  readonly #words: Int32Array
  readonly #first: number
  readonly #own: number
  readonly #threads: number
  readonly #stride: number

  /** `words[first]` belongs to thread 0, and each next one lies `stride` further. By default all that `words` has. */
  constructor(words: Int32Array, thread: number, first = 0, threads: number = words.length, stride = 1) {
    this.#words = words
    this.#first = first
    this.#own = first + thread * stride
    this.#threads = threads
    this.#stride = stride
  }

  /** What this thread has added. */
  get own(): number {
    return this.#words[this.#own]!
  }

  get total(): number {
    let total = 0
    for (let i = 0; i < this.#threads; i++) total += Atomics.load(this.#words, this.#first + i * this.#stride)
    return total
  }

  add(amount: number): void {
    // Whoever adds and then looks at what others have added must not look first: atomic access keeps the order.
    Atomics.add(this.#words, this.#own, amount)
  }

  /** What one thread has added. */
  of(thread: number): number {
    return Atomics.load(this.#words, this.#first + thread * this.#stride)
  }

  /** A thread has died, and what it counted with it. */
  forget(thread: number): void {
    this.#words[this.#first + thread * this.#stride] = 0
  }
}
