import type { RetryConfig } from './config/config.ts'
import type { ProxyError } from './errors.ts'

/** Repetitions that are always allowed, however little runs. */
const leastBudget = 3

/** What is known of the unit that failed. */
export interface RetryFacts {
  readonly retries: number
  /** RFC 9110 §9.2.2. */
  readonly idempotent: boolean
  /** Whether everything that was sent can be sent again. */
  readonly replayable: boolean
  /** Repetitions under way at this upstream, and units running there. */
  readonly retrying: number
  readonly running: number
}

/**
 * Whether a failed unit is tried again, and at whose cost: `free` repetitions mend a race that is nobody's fault,
 * the others count against the budget.
 */
export function judgeRetry(error: ProxyError, facts: RetryFacts, options: RetryConfig): 'no' | 'free' | 'budget' {
  if (facts.retries >= options.max || error.progress === 'responseBegun') return 'no'
  // Whatever the method: nobody has begun to act on it.
  if (error.refused && facts.replayable && options.on.includes('refused')) return 'free'
  const untouched = error.progress === 'nothingSent'
  const repeatable = untouched || ((facts.idempotent || options.retryNonIdempotent) && facts.replayable)
  const withinBudget = facts.retrying < Math.max(leastBudget, facts.running * options.budget)
  if (error.code === 'connectFailed' || error.code === 'connectTimeout') {
    return untouched && options.on.includes('connectFailure') && withinBudget ? 'budget' : 'no'
  }
  if (error.code !== 'upstreamReset' || !repeatable) return 'no'
  if (error.reusedConnection && options.on.includes('stale')) return 'free'
  return options.on.includes('resetBeforeResponse') && withinBudget ? 'budget' : 'no'
}
