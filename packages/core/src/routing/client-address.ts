import { parseIpAddress, parseNetwork, type Network } from './ip-address.ts'

/** The proxies whose `X-Forwarded-For` is believed: a set of networks in CIDR notation. */
export class TrustedProxies {
  readonly #networks: readonly Network[]

  /** Throws a TypeError when a text is neither an address nor a network. */
  constructor(networks: readonly string[]) {
    this.#networks = networks.map((text) => {
      const network = parseNetwork(text)
      if (typeof network === 'string') throw new TypeError(network)
      return network
    })
  }

  /** Whether nobody is trusted: then the client is always the peer, and nothing needs to be parsed. */
  get empty(): boolean {
    return this.#networks.length === 0
  }

  /** Whether an address lies in one of the networks. What is no address does not. */
  has(address: string): boolean {
    if (this.#networks.length === 0) return false
    const ip = parseIpAddress(address)
    if (ip === undefined) return false
    return this.#networks.some(
      (network) => network.version === ip.version && ip.value >> network.hostBits === network.value,
    )
  }

  /**
   * The client's address: the first from the right of the peer and `X-Forwarded-For` that is not trusted, or the
   * leftmost when all are. A peer without an address (a unix socket: `''`) is trusted when anyone is. An entry that is
   * no address ends the search at the hop before it: what stands left of it has no one who vouches for it.
   */
  clientAddress(peer: string, forwardedFor: string | undefined): string {
    const client = plainAddress(peer) ?? peer
    if (this.#networks.length === 0 || forwardedFor === undefined) return client
    if (peer !== '' && !this.has(client)) return client
    let found = client
    let end = forwardedFor.length
    while (end >= 0) {
      const comma = end === 0 ? -1 : forwardedFor.lastIndexOf(',', end - 1)
      const entry = plainAddress(forwardedFor.slice(comma + 1, end).trim())
      if (entry === undefined) return found
      found = entry
      if (!this.has(entry)) return found
      end = comma
    }
    return found
  }
}

/** An address without port and brackets, IPv4-mapped ones as IPv4; undefined when it is none. */
function plainAddress(text: string): string | undefined {
  let address = text
  if (text.startsWith('[')) {
    const close = text.indexOf(']')
    if (close < 0 || (close + 1 < text.length && text[close + 1] !== ':')) return undefined
    address = text.slice(1, close)
  } else if (text.includes('.') && text.indexOf(':') === text.lastIndexOf(':')) {
    const colon = text.indexOf(':')
    if (colon >= 0) address = text.slice(0, colon)
  }
  const ip = parseIpAddress(address)
  if (ip === undefined) return undefined
  if (ip.version === 6 || !address.includes(':')) return address
  const value = Number(ip.value)
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
}
