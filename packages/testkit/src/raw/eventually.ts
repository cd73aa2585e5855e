import { inspect } from 'node:util'

/** How `eventually` waits. */
export interface EventuallyOptions {
  /** Default: 10_000. */
  readonly timeoutMs?: number
  /** What is waited for, in the words of the error. Default: the source of the predicate. */
  readonly what?: string
}

/** What of a type can be truthy. */
export type Truthy<T> = Exclude<T, undefined | null | false | 0 | ''>

const eagerTurns = 50
const pollMs = 2

/**
 * Asks `predicate` again and again until it gives something truthy, and gives that back. An assertion that throws
 * counts as "not yet". At the deadline it rejects, with the last value or the last error in the message.
 */
export async function eventually<T>(
  predicate: () => T | PromiseLike<T>,
  { timeoutMs = 10_000, what = String(predicate) }: EventuallyOptions = {},
): Promise<Truthy<T>> {
  const deadline = performance.now() + timeoutMs
  let last: string
  for (let turn = 0; ; turn++) {
    let cause: unknown
    try {
      const value = await predicate()
      if (value) return value as Truthy<T>
      last = `the last value was ${inspect(value)}`
    } catch (error) {
      cause = error
      last = `the last error was ${error instanceof Error ? error.message : inspect(error)}`
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}; ${last}`, { cause })
    await new Promise<void>((resolve) => {
      if (turn < eagerTurns) setImmediate(resolve)
      else setTimeout(resolve, pollMs)
    })
  }
}
