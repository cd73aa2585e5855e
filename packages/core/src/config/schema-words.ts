import { checkedText } from './fields.ts'
import { formatDuration, formatRatio, formatSize } from './quantity.ts'

// How the schema tells people its defaults, and the texts that several of its parts have.

/** The default of a duration, in words. */
export const ms = (value: number): string => `Default: ${formatDuration(value)}.`
/** The default of a size, in words. */
export const bytes = (value: number): string => `Default: ${formatSize(value)}.`
/** The default of a ratio, in words. */
export const percent = (value: number): string => `Default: ${formatRatio(value)}.`
/** Any other default, in words. */
export const plain = (value: string | number | boolean | readonly string[]): string =>
  `Default: ${Array.isArray(value) ? `[${value.join(', ')}]` : String(value)}.`

/** The path of a file. */
export const file = (what: string) =>
  checkedText((path) => (path === '' ? 'A path must not be empty.' : undefined)).describe(what)

/** A parser's answer as a check's: its sentence, if it is one. */
export function sentence(parsed: unknown): string | undefined {
  return typeof parsed === 'string' ? parsed : undefined
}
