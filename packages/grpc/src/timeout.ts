const msPerUnit = new Map([
  ['H', 3_600_000],
  ['M', 60_000],
  ['S', 1_000],
  ['m', 1],
  ['u', 1e-3],
  ['n', 1e-6],
])

const maxAmount = 99_999_999

/**
 * The value of a `grpc-timeout` field in milliseconds, with a fraction; `undefined` when it is malformed: it is one
 * to eight digits and one of `H M S m u n` (PROTOCOL-HTTP2.md, "Requests"). Zero is let through, and has passed.
 */
export function parseTimeout(value: string): number | undefined {
  const digits = value.length - 1
  if (digits < 1 || digits > 8) return undefined
  const unit = msPerUnit.get(value.charAt(digits))
  if (unit === undefined) return undefined
  let amount = 0
  for (let i = 0; i < digits; i++) {
    const digit = value.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return undefined
    amount = amount * 10 + digit
  }
  // Divided where the factor is below one: 1e-3 and 1e-6 have no exact binary form, 1e3 and 1e6 do.
  return unit < 1 ? amount / Math.round(1 / unit) : amount * unit
}

/**
 * What is left of a deadline as a `grpc-timeout`, in the finest unit whose amount has eight digits, rounded up so
 * that the upstream never gives up first. Nothing left is one nanosecond: zero is not in the grammar.
 */
export function formatTimeout(ms: number): string {
  if (ms <= 0) return '1n'
  if (ms * 1e6 <= maxAmount) return `${Math.ceil(ms * 1e6)}n`
  if (ms * 1e3 <= maxAmount) return `${Math.ceil(ms * 1e3)}u`
  if (ms <= maxAmount) return `${Math.ceil(ms)}m`
  if (ms / 1_000 <= maxAmount) return `${Math.ceil(ms / 1_000)}S`
  if (ms / 60_000 <= maxAmount) return `${Math.ceil(ms / 60_000)}M`
  return `${Math.min(maxAmount, Math.ceil(ms / 3_600_000))}H`
}
