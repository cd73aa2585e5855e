import { COLON, DOT, HEX, HOST, isDigit, PERCENT } from './octets.ts'

const OPEN = 0x5b
const CLOSE = 0x5d
const LOWER_V = 0x76

/**
 * Whether `buf[start, end)` is `uri-host [":" port]` (RFC 9110 §7.2, RFC 3986 §3.2.2): no userinfo, no zone, a port of
 * at most 65535.
 *
 * The RFC's port is any row of digits; a larger one is refused because recipients disagree on what is left of it.
 */
export function isAuthority(buf: Uint8Array, start: number, end: number): boolean {
  let i = start
  while (i < end && HOST[buf[i]!] === 1) i++
  if (i === end) return i > start
  if (buf[start] === OPEN) i = literalEnd(buf, start, end)
  else i = nameEnd(buf, i, end)
  if (i <= start) return false
  return i === end || (buf[i] === COLON && portOf(buf, i + 1, end) >= 0)
}

/** The port in `buf[start, end)`: 0 when there are no digits (RFC 3986 §3.2.3 allows that), -1 when it is no port. */
export function portOf(buf: Uint8Array, start: number, end: number): number {
  let port = 0
  for (let i = start; i < end; i++) {
    const octet = buf[i]!
    if (!isDigit(octet)) return -1
    port = port * 10 + octet - 0x30
    if (port > 65535) return -1
  }
  return port
}

/** Where the reg-name ends that is sound up to `i`, with its percent-escapes checked. */
function nameEnd(buf: Uint8Array, from: number, end: number): number {
  let i = from
  while (i < end) {
    if (HOST[buf[i]!] === 1) i++
    else if (buf[i] === PERCENT && i + 2 < end && HEX[buf[i + 1]!] !== 255 && HEX[buf[i + 2]!] !== 255) i += 3
    else break
  }
  return i
}

/** The position after the `]` of an IP-literal that begins at `start`, or 0. */
function literalEnd(buf: Uint8Array, start: number, end: number): number {
  let close = start + 1
  while (close < end && buf[close] !== CLOSE) close++
  if (close === end) return 0
  const sound =
    (buf[start + 1]! | 0x20) === LOWER_V ? isFutureAddress(buf, start + 2, close) : isIpv6(buf, start + 1, close)
  return sound ? close + 1 : 0
}

/** IPvFuture after its `v`: 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ). */
function isFutureAddress(buf: Uint8Array, start: number, end: number): boolean {
  let i = start
  while (i < end && HEX[buf[i]!] !== 255) i++
  if (i === start || buf[i] !== DOT || i + 1 >= end) return false
  for (i++; i < end; i++) if (HOST[buf[i]!] !== 1 && buf[i] !== COLON) return false
  return true
}

/** Eight groups of up to four digits, one `::` for any number of them, the last two possibly as IPv4. */
function isIpv6(buf: Uint8Array, start: number, end: number): boolean {
  let groups = 0
  let compressed = false
  let i = start
  if (buf[i] === COLON) {
    if (buf[i + 1] !== COLON) return false
    compressed = true
    i += 2
  }
  while (i < end) {
    const from = i
    while (i < end && HEX[buf[i]!] !== 255) i++
    if (i === from) return false
    if (i < end && buf[i] === DOT) {
      if (!isIpv4(buf, from, end)) return false
      groups += 2
      break
    }
    if (i - from > 4) return false
    groups++
    if (i === end) break
    if (buf[i] !== COLON) return false
    i++
    if (i === end) return false
    if (buf[i] === COLON) {
      if (compressed) return false
      compressed = true
      i++
    }
  }
  return compressed ? groups <= 7 : groups === 8
}

function isIpv4(buf: Uint8Array, start: number, end: number): boolean {
  let i = start
  for (let part = 0; part < 4; part++) {
    if (part > 0 && buf[i++] !== DOT) return false
    const from = i
    let value = 0
    while (i < end && isDigit(buf[i]!)) value = value * 10 + buf[i++]! - 0x30
    if (i === from || i - from > 3 || value > 255 || (buf[from] === 0x30 && i - from > 1)) return false
  }
  return i === end
}
