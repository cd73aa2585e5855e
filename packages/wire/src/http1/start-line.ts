import { http1Error } from './codes.ts'
import { CR, isDigit, LF } from './octets.ts'

/** What `versionAt` returns when more octets are needed: no minor version has two digits. */
export const VERSION_UNFINISHED = 10
/** Octets of `HTTP/1.1`. */
export const VERSION_LENGTH = 8

const PREFIX = Buffer.from('HTTP/', 'latin1')

/**
 * The minor version of the `HTTP-version` at `i` (RFC 9112 §2.3; the name is case-sensitive), `VERSION_UNFINISHED`,
 * `badVersion` for another major version than 1, or `otherwise` when it is no version at all.
 */
export function versionAt(buf: Uint8Array, i: number, end: number, otherwise: number): number {
  const length = Math.min(end - i, VERSION_LENGTH)
  for (let k = 0; k < length; k++) {
    const octet = buf[i + k]!
    const sound = k < 5 ? octet === PREFIX[k] : k === 6 ? octet === 0x2e : isDigit(octet)
    if (!sound) return otherwise
  }
  if (length < VERSION_LENGTH) return VERSION_UNFINISHED
  return buf[i + 5] === 0x31 ? buf[i + 7]! - 0x30 : http1Error.badVersion
}

/** What the octets at `i` are where a line has to end: 2 for CRLF, 0 when more are needed, or an `http1Error`. */
export function lineEndAt(buf: Uint8Array, i: number, end: number, otherwise: number): number {
  if (i >= end) return 0
  if (buf[i] === LF) return http1Error.bareLf
  if (buf[i] !== CR) return otherwise
  if (i + 1 >= end) return 0
  return buf[i + 1] === LF ? 2 : http1Error.bareCr
}
