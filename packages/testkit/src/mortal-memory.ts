/** Thrown out of whatever a thread was doing when it died. */
export class Death extends Error {
  override readonly name = 'Death'
}

/**
 * One thread's view of shared memory, in which it can be made to die between any two stores, as `terminate()` lets it.
 *
 * From its death on every access throws, so that nothing that its code still does on its way out, such as a `finally`,
 * reaches the memory. Reads of one word can be watched, too. `Atomics` must be made to see through it: `seeThrough`.
 */
export class MortalMemory {
  /** What is to be used in the place of the true words. */
  readonly words: Int32Array
  readonly target: Int32Array
  dead = false
  /** Called before each read of a word, with where it lies. */
  beforeRead: ((at: number) => void) | undefined
  #left = Infinity

  constructor(target: Int32Array) {
    this.target = target
    this.words = this.#cover(target, 0)
  }

  /** It dies before the store that comes after so many. */
  dieAfter(stores: number): void {
    this.#left = stores
  }

  live(): void {
    if (this.dead) throw new Death('it is dead already')
  }

  store(): void {
    this.live()
    if (this.#left-- > 0) return
    this.dead = true
    throw new Death('it dies here')
  }

  #cover(target: Int32Array, offset: number): Int32Array {
    const cover = new Proxy(target, {
      get: (_, key) => {
        this.live()
        if (key === 'subarray') {
          return (from: number, to: number) => this.#cover(target.subarray(from, to), offset + from)
        }
        if (key === 'length') return target.length
        this.beforeRead?.(offset + Number(key))
        return target[Number(key)]
      },
      set: (_, key, value: number) => {
        this.store()
        target[Number(key)] = value
        return true
      },
    })
    covers.set(cover, { memory: this, target, offset })
    return cover
  }
}

/** What stands behind each view. */
const covers = new WeakMap<object, { memory: MortalMemory; target: Int32Array; offset: number }>()

type Operation = (words: Int32Array, at: number, first?: number, second?: number) => number

const reading = ['load'] as const
const storing = ['store', 'exchange', 'compareExchange', 'add', 'or', 'notify'] as const

/**
 * Makes `Atomics` work on views, until the function that it returns is called. Whoever would wait for a lock is told
 * that it is held for ever: where all threads are one, nobody else could open it.
 */
export function seeThrough(): () => void {
  const atomics = Atomics as unknown as Record<string, Operation>
  const originals = new Map<string, Operation>()
  const replace = (name: string, operation: Operation) => {
    originals.set(name, atomics[name]!)
    atomics[name] = operation
  }
  for (const name of [...reading, ...storing]) {
    const original = atomics[name]!
    replace(name, (words, at, first, second) => {
      const cover = covers.get(words)
      if (cover === undefined) return original(words, at, first, second)
      if (name === 'load') {
        cover.memory.live()
        cover.memory.beforeRead?.(cover.offset + at)
      } else {
        cover.memory.store()
      }
      return original(cover.target, at, first, second)
    })
  }
  replace('wait', (_words, _at, held) => {
    throw new Error(`a lock is held for ever, by owner ${held}`)
  })
  return () => {
    for (const [name, operation] of originals) atomics[name] = operation
  }
}
