/** What happens to a path that is not in its normal form: refused, brought into it, or left alone. */
export type PathMode = 'strict' | 'normalize' | 'raw'

/** A path that may be matched. */
export interface NormalPath {
  /** The normal form: what routes are matched on. */
  readonly path: string
  /** The normal form differs from what came. */
  readonly changed: boolean
  /** Dot segments were removed: then the normal form goes upwards too, and not the bytes as they came. */
  readonly hadDots: boolean
}

// Only these can make a path differ from its normal form, or make it bad.
const suspicious = /[%\\\0]|\/\./

/**
 * The normal form of a path without its query, or undefined when the path is bad.
 *
 * Unreserved octets (RFC 3986 §2.3) are decoded once, the hexadecimal digits of the others are upper case, dot segments
 * (also encoded ones) are removed; `%2F` stays data and `//` is kept. Backslash, NUL (also `%00`), invalid escapes and
 * dot segments above the root are bad. `strict` refuses in addition what the normal form would change, hexadecimal
 * letter case excepted; `raw` returns everything as it came. `*` (the target of OPTIONS) is its own normal form.
 */
export function normalizePath(path: string, mode: PathMode = 'normalize'): NormalPath | undefined {
  if (mode === 'raw') return { path, changed: false, hadDots: false }
  if (path.charCodeAt(0) !== 0x2f) return path === '*' ? { path, changed: false, hadDots: false } : undefined
  if (!suspicious.test(path)) return { path, changed: false, hadDots: false }
  if (path.includes('\\') || path.includes('\0')) return undefined
  const decoded = path.includes('%') ? decodeUnreserved(path) : path
  if (decoded === undefined) return undefined
  const normal = decoded.includes('/.') ? removeDotSegments(decoded) : decoded
  if (normal === undefined) return undefined
  // Decoding shortens what it changes, so equal length means that at most hexadecimal letters changed case.
  if (mode === 'strict' && normal.length !== path.length) return undefined
  return { path: normal, changed: normal !== path, hadDots: normal.length !== decoded.length }
}

/** Whether a path is in its normal form for certain: one scan, for hot paths that want no object. */
export function isPlainPath(path: string): boolean {
  return path.charCodeAt(0) === 0x2f && !suspicious.test(path)
}

/**
 * The path below a prefix, always beginning with `/`; undefined when the path does not lie below it.
 * The prefix ends at a segment's end: `/users` is a prefix of `/users` and `/users/1`, not of `/users2`.
 */
export function stripPrefix(path: string, prefix: string): string | undefined {
  const length = prefix.endsWith('/') ? prefix.length - 1 : prefix.length
  if (!path.startsWith(prefix.slice(0, length))) return undefined
  if (path.length === length) return '/'
  return path.charCodeAt(length) === 0x2f ? path.slice(length) : undefined
}

function decodeUnreserved(path: string): string | undefined {
  let decoded = ''
  let copied = 0
  for (let at = path.indexOf('%'); at >= 0; at = path.indexOf('%', at + 3)) {
    const high = hexDigit(path.charCodeAt(at + 1))
    const low = hexDigit(path.charCodeAt(at + 2))
    if (high < 0 || low < 0) return undefined
    const octet = high * 16 + low
    if (octet === 0) return undefined
    decoded += path.slice(copied, at)
    decoded += isUnreserved(octet) ? String.fromCharCode(octet) : path.slice(at, at + 3).toUpperCase()
    copied = at + 3
  }
  return decoded + path.slice(copied)
}

function removeDotSegments(path: string): string | undefined {
  const kept: string[] = []
  const segments = path.split('/')
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i]!
    const last = i === segments.length - 1
    if (segment === '..') {
      if (kept.length === 0) return undefined
      kept.pop()
    } else if (segment !== '.') {
      kept.push(segment)
      continue
    }
    // A dot segment at the end names a directory: `/a/.` is `/a/` (RFC 3986 §5.2.4).
    if (last) kept.push('')
  }
  return `/${kept.join('/')}`
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function isUnreserved(octet: number): boolean {
  const letter = octet | 0x20
  if (letter >= 0x61 && letter <= 0x7a) return true
  if (octet >= 0x30 && octet <= 0x39) return true
  return octet === 0x2d || octet === 0x2e || octet === 0x5f || octet === 0x7e
}

/** The normal form of the literal text of a pattern: as `normalizePath`, but what is not ASCII is encoded first. */
export function normalizeLiteral(text: string): string | undefined {
  let encoded = ''
  for (const character of text) {
    encoded += character.charCodeAt(0) > 0x7f || character === ' ' ? encodeURIComponent(character) : character
  }
  return normalizePath(encoded)?.path
}
