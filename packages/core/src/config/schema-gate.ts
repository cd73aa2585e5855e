import * as z from 'zod'
import { defaults } from './defaults.ts'
import { count, duration, section } from './fields.ts'
import { ms, plain } from './schema-words.ts'

/** The most permits that a gate can have: what its shared words can hold. */
export const maxPermits = 1_000_000

/** A gate. */
export const gate = section({
  limit: count(1, maxPermits).describe('How many units may run at once.'),
  queue: count(0, maxPermits)
    .optional()
    .describe(
      `How many may wait. Default: ${defaults.gate.queuePerLimit} × limit, ${defaults.gate.minQueue} at least.`,
    ),
  timeout: duration()
    .optional()
    .describe(`How long one may wait. ${ms(defaults.gate.timeoutMs)}`),
  dryRun: z
    .boolean()
    .optional()
    .describe(`Lets everything through and only counts what it would refuse. ${plain(defaults.gate.dryRun)}`),
  abandoned: z
    .enum(['reset', 'wait'])
    .optional()
    .describe(
      'When the permit of a unit that was cut comes back: `reset`, once the upstream half has been reset; `wait`, only ' +
        'when the upstream has answered or closed, `timeouts.response` long at most, for services that cannot cancel. ' +
        plain(defaults.gate.abandoned),
    ),
})
