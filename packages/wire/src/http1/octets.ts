// Octets by name and octet classes as 256-entry tables: one load and one compare a byte is the fastest test V8 offers.

export const HT = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const HASH = 0x23
export const PERCENT = 0x25
export const ASTERISK = 0x2a
export const COMMA = 0x2c
export const DOT = 0x2e
export const SLASH = 0x2f
export const COLON = 0x3a
export const QUESTION = 0x3f

const alphanumeric = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

function tableOf(members: string): Uint8Array {
  const table = new Uint8Array(256)
  for (let i = 0; i < members.length; i++) table[members.charCodeAt(i)] = 1
  return table
}

/** 1 for the octets of a token (RFC 9110 §5.6.2). */
export const TOKEN = tableOf(`!#$%&'*+-.^_\`|~${alphanumeric}`)

/** 1 for what a field value may hold: HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5). Also the octets of a reason phrase. */
export const VALUE = new Uint8Array(256).fill(1, 0x20)
VALUE[HT] = 1
VALUE[0x7f] = 0

/** 1 for the octets of a reg-name but for `%` (RFC 3986 §3.2.2): unreserved and sub-delims. */
export const HOST = tableOf(`-._~!$&'()*+,;=${alphanumeric}`)

/** Values of `TARGET`. */
export const targetOctet = {
  /** Ends the target: SP is right there, `#`, controls and non-ASCII are not. */
  outside: 0,
  /** Stands for itself in a path (RFC 3986 §3.3, pchar and `/`). */
  plain: 1,
  /** `%`, and what RFC 3986 keeps out but browsers send raw: the path needs a look before it is matched. */
  odd: 2,
  /** `.`, plain unless it begins a segment. */
  dot: 3,
  /** `?`, which begins the query. */
  query: 4,
} as const

/** What an octet means in a request target: a `targetOctet`. */
export const TARGET = new Uint8Array(256)
for (let octet = 0x21; octet < 0x7f; octet++) TARGET[octet] = targetOctet.odd
for (let octet = 0; octet < 256; octet++) if (HOST[octet] === 1) TARGET[octet] = targetOctet.plain
TARGET[0x40] = TARGET[COLON] = TARGET[SLASH] = targetOctet.plain
TARGET[DOT] = targetOctet.dot
TARGET[QUESTION] = targetOctet.query
TARGET[HASH] = targetOctet.outside

/** The value of a hexadecimal digit, 255 for every other octet. */
export const HEX = new Uint8Array(256).fill(255)
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16)
  HEX[digit.charCodeAt(0)] = value
  HEX[digit.toUpperCase().charCodeAt(0)] = value
}

/** True for `0` to `9`. */
export function isDigit(octet: number): boolean {
  return octet >= 0x30 && octet <= 0x39
}

/** True for the optional whitespace around values (RFC 9110 §5.6.3). */
export function isOws(octet: number): boolean {
  return octet === SP || octet === HT
}

/**
 * True when `buf[start, end)` spells `lower` (lower-case ASCII letters, digits and `-`) in any letter case.
 *
 * Only for octets that are known to hold no controls (a scanned name or value): `| 0x20` would take 0x0d for `-`.
 */
export function spells(buf: Uint8Array, start: number, end: number, lower: string): boolean {
  const length = lower.length
  if (end - start !== length) return false
  for (let i = 0; i < length; i++) {
    if ((buf[start + i]! | 0x20) !== lower.charCodeAt(i)) return false
  }
  return true
}
