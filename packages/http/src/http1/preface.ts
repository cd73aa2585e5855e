const preface = Buffer.from('PRI', 'latin1')

/**
 * Whether a connection begins as one of HTTP/2 does (RFC 9113 §3.4). No method of HTTP/1 begins so; undefined: too
 * little has come to say.
 */
export function beginsHttp2(bytes: Buffer, start: number, end: number): boolean | undefined {
  const length = Math.min(end - start, preface.length)
  for (let i = 0; i < length; i++) if (bytes[start + i] !== preface[i]) return false
  return length === preface.length ? true : undefined
}
