import { opcode } from './frame-follower.ts'

// A control frame holds at most 125 octets, two of them the code (RFC 6455 §5.5).
const maxReasonBytes = 123

/**
 * A close frame (RFC 6455 §5.5.1). A reason that is too long is cut before the character that does not fit. `maskKey`
 * (four octets) masks the payload, as a client must (§5.3).
 */
export function encodeCloseFrame(code: number, reason = '', maskKey?: Uint8Array): Buffer {
  const text = Buffer.from(reason, 'utf8')
  let length = Math.min(text.length, maxReasonBytes)
  while (length < text.length && length > 0 && (text[length]! & 0xc0) === 0x80) length--
  const head = maskKey === undefined ? 2 : 6
  const frame = Buffer.allocUnsafeSlow(head + 2 + length)
  frame[0] = 0x80 | opcode.close
  frame[1] = (maskKey === undefined ? 0 : 0x80) | (2 + length)
  if (maskKey !== undefined) frame.set(maskKey.subarray(0, 4), 2)
  frame.writeUInt16BE(code, head)
  text.copy(frame, head + 2, 0, length)
  if (maskKey !== undefined) for (let i = 0; i < 2 + length; i++) frame[head + i]! ^= maskKey[i & 3]!
  return frame
}
