/** Fields of a head or of trailers, in their order. */
export type Fields = readonly (readonly [name: string, value: string])[]

const trailerFlag = 0x80

/**
 * The trailers of a call as the last frame of a gRPC-Web body: flag 0x80, the length, and lines as HTTP/1.1 has
 * them, names in lower case (PROTOCOL-WEB.md). The status and its message must be among them. Values are one
 * character an octet; CR, LF and NUL in one become spaces (RFC 9110 §5.5), so that no value can forge a line.
 */
export function encodeTrailerFrame(trailers: Fields): Buffer {
  let lines = ''
  for (const [name, value] of trailers) lines += `${name.toLowerCase()}: ${value.replace(/[\r\n\0]/g, ' ')}\r\n`
  const frame = Buffer.allocUnsafeSlow(5 + lines.length)
  frame[0] = trailerFlag
  frame.writeUInt32BE(lines.length, 1)
  frame.write(lines, 5, 'latin1')
  return frame
}
