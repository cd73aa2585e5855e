import { problem, type Problem } from './problem.ts'

const millisecondsPer: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const bytesPer: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** What a duration looks like, for the JSON Schema. */
export const durationPattern = String.raw`(?:\d+(?:\.\d+)?(?:ms|s|m|h))+`
/** What a size looks like. */
export const sizePattern = String.raw`\d+(?:\.\d+)?(?:B|KiB|MiB|GiB)`
/** What a rate looks like. */
export const ratePattern = `${sizePattern}/s`
/** What a ratio looks like. */
export const ratioPattern = String.raw`\d+(?:\.\d+)?%`

/** The longest duration: what a timer of Node can hold, nearly 25 days. */
export const maxDurationMs = 2 ** 31 - 1

const durationText = new RegExp(`^${durationPattern}$`)
const sizeText = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/
const ratioText = /^(\d+(?:\.\d+)?)%$/
const bareNumber = /^\d+(?:\.\d+)?$/

/** Milliseconds from `250ms`, `2s`, `1m30s`, `1h`. `off` is not known here. */
export function parseDuration(text: string): number | Problem {
  if (bareNumber.test(text)) return missingUnit(text, 'duration')
  if (!durationText.test(text)) {
    return problem(`\`${text}\` is not a duration.`, 'Durations are written as 250ms, 2s, 1m30s or 1h.')
  }
  let sum = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    sum += Number(number) * millisecondsPer[unit!]!
  const milliseconds = Math.round(sum)
  if (milliseconds > maxDurationMs)
    return problem(`\`${text}\` is longer than the longest duration, ${formatDuration(maxDurationMs)}.`)
  return milliseconds
}

/** Bytes from `512B`, `64KiB`, `10MiB`, `1GiB`. */
export function parseSize(text: string): number | Problem {
  if (bareNumber.test(text)) return missingUnit(text, 'size')
  const [, number, unit = ''] = sizeText.exec(text) ?? []
  const factor = bytesPer[unit]
  if (number === undefined || factor === undefined) {
    const nearest = /^[kmg]i?b?$/i.test(unit) ? `${number}${unit[0]!.toUpperCase()}iB` : undefined
    return problem(
      `\`${text}\` is not a size.`,
      nearest === undefined ? 'Sizes are written as 512B, 64KiB, 10MiB or 1GiB.' : `Did you mean \`${nearest}\`?`,
    )
  }
  return Math.round(Number(number) * factor)
}

/** Bytes a second from `512B/s`, `1KiB/s`. `off` is not known here. */
export function parseRate(text: string): number | Problem {
  if (bareNumber.test(text)) return missingUnit(text, 'rate')
  const size = text.endsWith('/s') ? parseSize(text.slice(0, -2)) : undefined
  if (typeof size === 'number') return size
  const meant = typeof parseSize(text) === 'number' ? `${text}/s` : undefined
  return problem(
    `\`${text}\` is not a rate.`,
    meant === undefined ? 'Rates are written as 512B/s, 1KiB/s or 10MiB/s.' : `Did you mean \`${meant}\`?`,
  )
}

/** A number from 0 to 1 from `20%`. */
export function parseRatio(text: string): number | Problem {
  const [, number] = ratioText.exec(text) ?? []
  if (number === undefined) {
    if (bareNumber.test(text)) return missingUnit(text, 'ratio')
    return problem(`\`${text}\` is not a ratio.`, 'Ratios are written as 20%.')
  }
  if (Number(number) > 100) return problem(`\`${text}\` is more than 100%.`, 'Ratios go from 0% to 100%.')
  return Number(number) / 100
}

/** What is written with a unit. */
export type Quantity = 'duration' | 'size' | 'rate' | 'ratio'

/** Why a bare number is refused where a quantity stands, with both readings it could have had. */
export function missingUnit(number: string, quantity: Quantity): Problem {
  if (quantity === 'duration') return problem(`The duration ${number} has no unit.`, `Write ${number}ms or ${number}s.`)
  if (quantity === 'rate') return problem(`The rate ${number} has no unit.`, `Write ${number}B/s or ${number}KiB/s.`)
  if (quantity === 'size') return problem(`The size ${number} has no unit.`, `Write ${number}B or ${number}KiB.`)
  const percent = Number(number) <= 1 ? Number((Number(number) * 100).toFixed(6)) : number
  return problem(`The ratio ${number} has no percent sign.`, `Write ${percent}%.`)
}

/** A duration as people write it; `off` for Infinity. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === Infinity) return 'off'
  for (const unit of ['h', 'm', 's']) {
    const factor = millisecondsPer[unit]!
    if (milliseconds >= factor && milliseconds % factor === 0) return `${milliseconds / factor}${unit}`
  }
  return `${milliseconds}ms`
}

/** A size as people write it. */
export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB']) {
    const factor = bytesPer[unit]!
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`
  }
  return `${bytes}B`
}

/** A rate as people write it; `off` for 0. */
export function formatRate(bytesPerSecond: number): string {
  return bytesPerSecond === 0 ? 'off' : `${formatSize(bytesPerSecond)}/s`
}

/** A ratio as people write it. */
export function formatRatio(ratio: number): string {
  return `${Number((ratio * 100).toFixed(6))}%`
}
