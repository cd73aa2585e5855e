/**
 * A text as the value of `grpc-message`: its UTF-8 percent-encoded, but for 0x20 to 0x7E without `%`
 * (PROTOCOL-HTTP2.md, "Responses").
 */
export function encodeMessage(text: string): string {
  if (!/[^\x20-\x7e]|%/.test(text)) return text
  let encoded = ''
  for (const octet of Buffer.from(text, 'utf8')) {
    if (octet >= 0x20 && octet <= 0x7e && octet !== 0x25) encoded += String.fromCharCode(octet)
    else encoded += `%${hex[octet >> 4]}${hex[octet & 15]}`
  }
  return encoded
}

const hex = '0123456789ABCDEF'

/**
 * The text in a `grpc-message`, given as it stands in the field, one character an octet. Nothing makes it fail, as
 * the specification demands: an escape that is none stays as it is, octets that are no UTF-8 become U+FFFD.
 */
export function decodeMessage(value: string): string {
  if (!/[^\x20-\x7e]|%/.test(value)) return value
  const octets = value.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return Buffer.from(octets, 'latin1').toString('utf8')
}
