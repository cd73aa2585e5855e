/** An IP address as a number, so that it can be compared with a network. */
export interface IpAddress {
  readonly version: 4 | 6
  readonly value: bigint
}

const octet = /^(?:0|[1-9]\d{0,2})$/
const hextet = /^[\da-f]{1,4}$/i

/**
 * An IPv4 address in four decimal octets or an IPv6 address (RFC 4291 §2.2, without brackets; a zone is ignored);
 * undefined for any other text. An IPv4-mapped IPv6 address is the IPv4 address it carries, so that a peer reads the
 * same on a socket of both families as on one of IPv4.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (!text.includes(':')) {
    const value = parseOctets(text)
    return value === undefined ? undefined : { version: 4, value: BigInt(value) }
  }
  const zone = text.indexOf('%')
  const value = parseHextets(zone < 0 ? text : text.slice(0, zone))
  if (value === undefined) return undefined
  return value >> 32n === 0xffffn ? { version: 4, value: value & 0xffffffffn } : { version: 6, value }
}

/** Whether a host (a name, or an IP literal without brackets) is this machine alone. */
export function isLoopback(host: string): boolean {
  const address = parseIpAddress(host)
  if (address === undefined) return host.toLowerCase() === 'localhost'
  return address.version === 4 ? address.value >> 24n === 127n : address.value === 1n
}

function parseOctets(text: string): number | undefined {
  const parts = text.split('.', 5)
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    // A leading zero is refused: some read it as octal, and an address must not have two readings.
    if (!octet.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

function parseHextets(text: string): bigint | undefined {
  const gap = text.indexOf('::')
  if (gap >= 0 && text.indexOf('::', gap + 1) >= 0) return undefined
  // Only at the end of the whole may four octets stand, so in front of a gap they may not.
  const front = gap < 0 ? hextetsOf(text, true) : hextetsOf(text.slice(0, gap), false)
  const back = gap < 0 ? [] : hextetsOf(text.slice(gap + 2), true)
  if (front === undefined || back === undefined) return undefined
  const missing = 8 - front.length - back.length
  if (gap < 0 ? missing !== 0 : missing < 1) return undefined
  let value = 0n
  for (const part of [...front, ...Array<number>(missing).fill(0), ...back]) value = (value << 16n) | BigInt(part)
  return value
}

function hextetsOf(text: string, octetsAllowed: boolean): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const hextets: number[] = []
  for (const [index, part] of parts.entries()) {
    if (hextet.test(part)) {
      hextets.push(Number.parseInt(part, 16))
      continue
    }
    const octets = octetsAllowed && index === parts.length - 1 ? parseOctets(part) : undefined
    if (octets === undefined) return undefined
    hextets.push(Math.floor(octets / 65536), octets % 65536)
  }
  return hextets
}

/** A network in CIDR notation: the address with its host bits cut off. */
export interface Network extends IpAddress {
  readonly hostBits: bigint
}

/** `10.0.0.0/8`, `fd00::/8`, or one address; a string saying what is wrong with any other text. */
export function parseNetwork(text: string): Network | string {
  const slash = text.indexOf('/')
  const address = parseIpAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return `\`${text}\` is not an IP address with a prefix length.`
  // The prefix of a mapped network counts from the front of the IPv6 form, of which 96 bits were cut off.
  const written = text.includes(':') ? 128 : 32
  const bits = slash < 0 ? String(written) : text.slice(slash + 1)
  const prefix = Number(bits) - (written === 128 && address.version === 4 ? 96 : 0)
  const width = address.version === 4 ? 32 : 128
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > written || prefix < 0) {
    return `The prefix length of \`${text}\` must be a number from 0 to ${written}.`
  }
  const hostBits = BigInt(width - prefix)
  return { version: address.version, value: address.value >> hostBits, hostBits }
}
