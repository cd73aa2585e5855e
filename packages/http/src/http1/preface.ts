import { readLatin1 } from '@sluice/wire'

const preface = Buffer.from('PRI', 'latin1')

/** As much of a line as is looked at. */
const maxLineBytes = 256

/**
 * Whether a connection begins as one of HTTP/2 does (RFC 9113 §3.4). No method of HTTP/1 begins so; undefined: too
 * little has come to say.
 */
export function beginsHttp2(bytes: Buffer, start: number, end: number): boolean | undefined {
  const length = Math.min(end - start, preface.length)
  for (let i = 0; i < length; i++) if (bytes[start + i] !== preface[i]) return false
  return length === preface.length ? true : undefined
}

/**
 * Whether a first line that is no request line does not even claim a version of HTTP: three words, the last of which
 * names no protocol. Whoever sends it speaks HTTP/2, badly.
 */
export function claimsNoVersion(bytes: Buffer, start: number, end: number): boolean {
  const line = readLatin1(bytes, start, Math.min(end, start + maxLineBytes)).split(/[\r\n]/, 1)[0]!
  const words = line.split(' ')
  return words.length === 3 && !words.includes('') && /^\w+$/.test(words[2]!)
}

/** Empty SETTINGS, and GOAWAY with PROTOCOL_ERROR (RFC 9113 §3.4, §6.8). */
export const HTTP2_REFUSAL: Buffer = Buffer.from(
  '000000040000000000' + '00000807000000000000000000' + '00000001',
  'hex',
)
