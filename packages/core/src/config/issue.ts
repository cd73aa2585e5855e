import type * as z from 'zod'
import { formatPath, type ConfigPath } from './config-error.ts'
import { nearestHint } from './nearest.ts'

/** One thing that is wrong, found at a path: of its key, or of its value. */
export interface Finding {
  readonly path: ConfigPath
  readonly at: 'key' | 'value'
  readonly message: string
  readonly hint: string | undefined
  /** The type that was expected, where a value is of another: a variable's text may be converted to it. */
  readonly expected?: string | undefined
}

/** The findings in the issues of the schema, one for every mistake. */
export function findingsOf(issues: readonly z.core.$ZodIssue[], data: unknown): Finding[] {
  return issues.flatMap((issue) => flatten(issue, [], data))
}

/** Words for what the schema gives no message for; the hint stands behind a line break. */
export function wordIssue(issue: z.core.$ZodRawIssue): string {
  const { input } = issue
  switch (issue.code) {
    case 'invalid_type':
      if (input === undefined) return `The key \`${String(issue.path?.at(-1))}\` is missing.`
      return `${show(input)} is not ${typeName(String(issue.expected))}.`
    case 'invalid_value': {
      const values = (issue['values'] as unknown[]).map(String)
      if (input === undefined)
        return `The key \`${String(issue.path?.at(-1))}\` is missing.\nAllowed are ${values.join(', ')}.`
      const hint = nearestHint(typeof input === 'string' ? input : '', values, 'Allowed are')
      return `${show(input)} is not one of the values allowed here.\n${hint ?? ''}`
    }
    case 'too_small':
      if (issue.origin === 'array') return 'The list must not be empty.'
      return `The number ${show(input)} must be ${String(issue.minimum)} or more.`
    case 'too_big':
      return `The number ${show(input)} must be ${String(issue.maximum)} or less.`
    case 'invalid_union':
      if (input === undefined) return `The key \`${String(issue.path?.at(-1))}\` is missing.`
      return `${show(input)} must be one value or a list of them.`
    default:
      return `${show(input)} is not allowed here.`
  }
}

function flatten(issue: z.core.$ZodIssue, above: ConfigPath, data: unknown): Finding[] {
  const path = [...above, ...(issue.path as Array<string | number>)]
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(path, key, issue.message.split(' ')))
  if (issue.code === 'invalid_union') {
    // The branch whose type was meant is the one that did not stumble over the type of the whole.
    const meant = issue.errors.find(
      (branch) => !branch.some(({ code, path }) => code === 'invalid_type' && path.length === 0),
    )
    if (meant !== undefined) return meant.flatMap((inner) => flatten(inner, path, data))
    // A scalar was meant where a scalar was written: its own words say more than that no branch fits.
    const value = valueAt(data, path)
    const scalar = value === null || typeof value !== 'object' ? issue.errors[0]?.[0] : undefined
    if (scalar?.code === 'invalid_type' && scalar.message.includes('\n')) return flatten(scalar, path, data)
  }
  const [message = '', hint] = issue.message.split('\n')
  const expected = issue.code === 'invalid_type' ? issue.expected : issue.code === 'invalid_value' ? 'value' : undefined
  return [{ path, at: 'value', message, hint: hint === '' ? undefined : hint, expected }]
}

function unknownKey(path: ConfigPath, key: string, known: readonly string[]): Finding {
  const place = path.length === 0 ? '' : ` in \`${formatPath(path)}\``
  const hint = nearestHint(key, known, 'Known keys are')
  return { path: [...path, key], at: 'key', message: `The key \`${key}\` is not known${place}.`, hint }
}

/** The value at a path; undefined where there is none. */
export function valueAt(data: unknown, path: ConfigPath): unknown {
  let value = data
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string | number, unknown>)[key]
  }
  return value
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object of keys and values',
  record: 'an object of keys and values',
  array: 'a list',
}

const typeName = (expected: string): string => typeNames[expected] ?? expected

function show(value: unknown): string {
  if (value === null || value === undefined) return 'An empty value'
  if (Array.isArray(value)) return 'A list'
  if (typeof value === 'object') return 'An object'
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') return `A ${typeof value}`
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `\`${text.length > 60 ? `${text.slice(0, 57)}…` : text}\``
}
