import type { Clock } from '../timers/wheel.ts'

/**
 * Milliseconds that mean the same in all threads, as a 32-bit number: they wrap around after 24 days, so only
 * differences mean anything, taken as `(later - earlier) | 0`.
 *
 * A thread's `performance.now()` begins with the thread; the machine's monotonic clock is common to all of them.
 */
export function sharedClock(clock: Clock): Clock {
  const offset = Number(process.hrtime.bigint() / 1_000n) / 1_000 - clock()
  return () => (clock() + offset) | 0
}
