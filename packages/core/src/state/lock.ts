/** How often a held lock is looked at before the thread sleeps for a moment. */
const spins = 200

/** How long it sleeps, in milliseconds. */
const sleepMs = 0.05

const pause = (Atomics as { pause?: () => void }).pause ?? (() => {})

/**
 * Takes the lock at `words[at]`, whose value is 0 or its owner's number.
 *
 * Whoever holds it does a few dozen stores and no more, so waiting is spinning; only an owner that the machine has put
 * aside is slept for. Nobody is woken: the sleep is that short, and a wake-up would cost every unlock.
 */
export function lock(words: Int32Array, at: number, owner: number): void {
  if (Atomics.compareExchange(words, at, 0, owner) !== 0) lockSlowly(words, at, owner)
}

function lockSlowly(words: Int32Array, at: number, owner: number): void {
  for (let spin = 0; ; spin++) {
    const held = Atomics.load(words, at)
    if (held === 0) {
      if (Atomics.compareExchange(words, at, 0, owner) === 0) return
    } else if (spin < spins) {
      pause()
    } else {
      Atomics.wait(words, at, held, sleepMs)
      spin = 0
    }
  }
}

export function unlock(words: Int32Array, at: number): void {
  Atomics.store(words, at, 0)
}
