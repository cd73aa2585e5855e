import { StartError } from '../start-error.ts'

/** A data plane is stuck: it has not done in time what it was asked. It may do so later. */
export class NoAnswer extends StartError {}

/** Node's timers know no longer time, in milliseconds. */
const longestMs = 2 ** 31 - 1

/** What `work` comes to, or a `NoAnswer` after so many milliseconds. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  if (ms > longestMs) return work
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer(`a data-plane thread has not answered for ${ms / 1_000} s`, 1)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
