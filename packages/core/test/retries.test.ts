import { expect } from 'chai'
import type { RetryConfig } from '../src/config/config.ts'
import { type ErrorCode, errorCodes, type Progress, ProxyError } from '../src/errors.ts'
import { judgeRetry, type RetryFacts } from '../src/retries.ts'

describe('judgeRetry', () => {
  const options: RetryConfig = {
    max: 1,
    on: ['connectFailure', 'refused', 'stale'],
    budget: 0.2,
    retryNonIdempotent: false,
  }
  const facts: RetryFacts = { retries: 0, idempotent: true, replayable: true, retrying: 0, running: 10 }
  const error = (code: ErrorCode, progress: Progress, reusedConnection = false) =>
    new ProxyError(code, '', { progress, reusedConnection })
  const judge = (
    failure: ProxyError,
    changed: { facts?: Partial<RetryFacts>; options?: Partial<RetryConfig> } = {},
  ): string => judgeRetry(failure, { ...facts, ...changed.facts }, { ...options, ...changed.options })

  const connectFailed = error('connectFailed', 'nothingSent')
  const stale = error('upstreamReset', 'requestSent', true)
  const refused = (facts: { progress?: Progress } = {}) =>
    new ProxyError('upstreamReset', '', { progress: 'requestSent', refused: true, ...facts })
  const fresh = error('upstreamReset', 'requestSent')
  const resetBeforeResponse = { on: ['resetBeforeResponse'] as const }

  for (const [title, verdict, expected] of [
    ['a connect that failed, at the cost of the budget', judge(connectFailed), 'budget'],
    ['a connect that timed out, likewise', judge(error('connectTimeout', 'nothingSent')), 'budget'],
    [
      'a connect that failed, of a request that is not idempotent',
      judge(connectFailed, { facts: { idempotent: false } }),
      'budget',
    ],
    ['a stale connection, free of charge', judge(stale), 'free'],
    ['a stale connection while the budget is spent', judge(stale, { facts: { retrying: 100 } }), 'free'],
    [
      'a stale connection of which nothing had been written, whatever the method',
      judge(error('upstreamReset', 'nothingSent', true), { facts: { idempotent: false } }),
      'free',
    ],
    ['a stream that was refused, free of charge', judge(refused()), 'free'],
    ['a refused stream of what is not idempotent', judge(refused(), { facts: { idempotent: false } }), 'free'],
    ['a refused stream while the budget is spent', judge(refused(), { facts: { retrying: 100 } }), 'free'],
    ['a refused stream that had not been written', judge(refused({ progress: 'nothingSent' })), 'free'],
    [
      'a refused stream as any other reset, where that alone is opted in',
      judge(refused(), { options: resetBeforeResponse }),
      'budget',
    ],
    ['a reset before the response, where that is opted in', judge(fresh, { options: resetBeforeResponse }), 'budget'],
    [
      'such a reset of what is not idempotent, on the word of the user',
      judge(fresh, { facts: { idempotent: false }, options: { ...resetBeforeResponse, retryNonIdempotent: true } }),
      'budget',
    ],
    [
      'the second time, where two are allowed',
      judge(connectFailed, { facts: { retries: 1 }, options: { max: 2 } }),
      'budget',
    ],
    ['three at least, however little runs', judge(connectFailed, { facts: { retrying: 2, running: 1 } }), 'budget'],
    ['within a fifth of what runs', judge(connectFailed, { facts: { retrying: 19, running: 100 } }), 'budget'],
  ] as const) {
    it(`repeats ${title}`, () => expect(verdict).to.equal(expected))
  }

  for (const [title, verdict] of [
    ['more often than allowed', judge(connectFailed, { facts: { retries: 1 } })],
    ['a stale connection more often than allowed', judge(stale, { facts: { retries: 1 } })],
    ['anything when none is allowed', judge(connectFailed, { options: { max: 0 } })],
    ['what is not asked for: connects', judge(connectFailed, { options: { on: ['stale'] } })],
    ['what is not asked for: stale connections', judge(stale, { options: { on: ['connectFailure'] } })],
    ['a reset of a fresh connection, by default', judge(fresh)],
    ['a refused stream of which not all is there any more', judge(refused(), { facts: { replayable: false } })],
    ['a refused stream more often than allowed', judge(refused(), { facts: { retries: 1 } })],
    ['a refused stream whose answer has begun', judge(refused({ progress: 'responseBegun' }))],
    ['what is not asked for: refused streams', judge(refused(), { options: { on: ['connectFailure', 'stale'] } })],
    [
      'a refused POST as any other reset',
      judge(refused(), { facts: { idempotent: false }, options: resetBeforeResponse }),
    ],
    ['a stale connection’s POST that was written', judge(stale, { facts: { idempotent: false } })],
    ['what cannot be sent again', judge(stale, { facts: { replayable: false } })],
    ['once the response has begun', judge(error('upstreamReset', 'responseBegun', true))],
    ['beyond a fifth of what runs', judge(connectFailed, { facts: { retrying: 20, running: 100 } })],
    ['beyond three when little runs', judge(connectFailed, { facts: { retrying: 3, running: 1 } })],
    [
      'a POST after a reset, though resets are opted in',
      judge(fresh, { facts: { idempotent: false }, options: resetBeforeResponse }),
    ],
  ] as const) {
    it(`does not repeat ${title}`, () => expect(verdict).to.equal('no'))
  }

  it('repeats nothing but failed connects and resets, whatever is asked for', () => {
    const everything: Partial<RetryConfig> = {
      on: ['connectFailure', 'refused', 'stale', 'resetBeforeResponse'],
      retryNonIdempotent: true,
      max: 9,
    }
    const repeated = errorCodes.filter(
      (code) => judge(error(code, 'nothingSent', true), { options: everything }) !== 'no',
    )
    expect(repeated).to.deep.equal(['connectFailed', 'upstreamReset', 'connectTimeout'])
  })
})
