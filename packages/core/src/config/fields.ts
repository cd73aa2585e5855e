import * as z from 'zod'
import { isProblem, problem, type Problem } from './problem.ts'
import {
  formatDuration,
  durationPattern,
  missingUnit,
  parseDuration,
  parseRate,
  parseRatio,
  parseSize,
  type Quantity,
  ratePattern,
  ratioPattern,
  sizePattern,
} from './quantity.ts'

// The building blocks of the schema. A message is one sentence, and after a line break a hint; `issue.ts` takes them
// apart again, and words what has no message here.

/** One message of two parts. */
function words({ problem, hint }: Problem): string {
  return hint === undefined ? problem : `${problem}\n${hint}`
}

/** An object of known keys; unknown ones are reported one by one, each with the nearest. */
export function section<S extends z.core.$ZodLooseShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  return z.strictObject(shape, {
    // The message of unknown keys is the list of the known ones; `issue.ts` makes the sentence for each.
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : undefined),
  })
}

/** A string that a parser turns into a value or into a problem. */
export function text<T>(
  parse: (text: string) => T | Problem,
  wrongType: (input: unknown) => Problem | undefined,
  pattern?: string,
) {
  const string = z.string({
    error: (issue) => {
      const wrong = issue.input === undefined ? undefined : wrongType(issue.input)
      return wrong === undefined ? undefined : words(wrong)
    },
  })
  // A reference to a variable is replaced before anything is parsed, so the schema that editors use must let it pass.
  const described = pattern === undefined ? string : string.meta({ pattern: `^(?:${pattern})$|\\$\\{` })
  return described.transform((written, context): T => {
    const parsed = parse(written)
    if (!isProblem(parsed)) return parsed as T
    context.issues.push({ code: 'custom', message: words(parsed), input: written })
    return z.NEVER
  })
}

/** A string that a check lets pass or finds a problem in. */
export function checkedText(check: (text: string) => string | Problem | undefined) {
  return text((written) => {
    const wrong = check(written)
    return wrong === undefined ? written : typeof wrong === 'string' ? problem(wrong) : wrong
  }, notText)
}

/** The problem of what should have been text, with the quotes that would make it so. */
export function notText(input: unknown): Problem | undefined {
  if (typeof input !== 'number' && typeof input !== 'boolean') return undefined
  return problem(`${String(input)} is not text.`, `Write it in quotes: "${String(input)}".`)
}

/** A duration in ms, `min` at least; `off` is Infinity, where it may be written. */
export function duration({ min = 1, off = true }: { min?: number; off?: boolean } = {}) {
  const parse = (written: string): number | Problem => {
    if (written === 'off') {
      return off
        ? Infinity
        : problem('This duration cannot be `off`.', 'Durations are written as 250ms, 2s, 1m30s or 1h.')
    }
    const parsed = parseDuration(written)
    if (typeof parsed !== 'number' || parsed >= min) return parsed
    const shortest = `The duration \`${written}\` must be ${formatDuration(min)} or more.`
    return problem(shortest, off ? 'Write `off` for no limit.' : undefined)
  }
  return text(parse, quantityOf('duration'), off ? `off|${durationPattern}` : durationPattern)
}

/** A size in bytes, within bounds. */
export function size({ min, max }: { min: number; max: number }) {
  const parse = (written: string): number | Problem => {
    const parsed = parseSize(written)
    if (typeof parsed !== 'number' || (parsed >= min && parsed <= max)) return parsed
    return problem(`The size \`${written}\` must be from ${min} to ${max} bytes.`)
  }
  return text(parse, quantityOf('size'), sizePattern)
}

/** The least rate in bytes a second; `off` is 0. */
export function minRate() {
  const parse = (written: string): number | Problem => {
    const parsed = written === 'off' ? 0 : parseRate(written)
    return parsed === 0 && written !== 'off'
      ? problem('The rate must be more than 0.', 'Write `off` for none.')
      : parsed
  }
  return text(parse, quantityOf('rate'), `off|${ratePattern}`)
}

/** A ratio from 0 to 1. */
export function ratio() {
  return text(parseRatio, quantityOf('ratio'), ratioPattern)
}

/** A whole number within bounds. */
export function count(min: number, max: number) {
  return z.int().min(min).max(max)
}

/** One value or a list of them that is not empty, as a list. */
export function oneOrMore<S extends z.ZodType>(item: S) {
  return z.union([item, z.array(item).min(1)]).transform((value): ReadonlyArray<z.output<S>> => {
    return Array.isArray(value) ? (value as z.output<S>[]) : [value as z.output<S>]
  })
}

/** Named things: `listeners`, `gates`, `upstreams`. The names themselves are checked in `check.ts`. */
export function named<S extends z.ZodType>(pattern: string, value: S) {
  return z.record(z.string().meta({ pattern: `^${pattern}$` }), value)
}

function quantityOf(quantity: Quantity) {
  return (input: unknown): Problem | undefined =>
    typeof input === 'number' ? missingUnit(String(input), quantity) : notText(input)
}
