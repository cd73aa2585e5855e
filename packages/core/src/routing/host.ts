import { parseIpAddress } from './ip-address.ts'

/** What a route says about the host: one name, or every name below a domain. */
export interface HostPattern {
  /** Lower case, without port and brackets; of `*.example.com` it is `example.com`. */
  readonly name: string
  /** `*.` stood before the name: every name below it matches, at any depth, and not the name itself. */
  readonly wildcard: boolean
}

const label = /^[\da-z_](?:[\da-z_-]{0,61}[\da-z_])?$/

/** Whether a text is a host name or an IP literal (IPv6 without brackets), in lower case. */
export function isHostName(text: string): boolean {
  if (text.includes(':')) return parseIpAddress(text) !== undefined
  if (text.length === 0 || text.length > 253) return false
  // What ends in a number must be an IPv4 address (WHATWG URL), or `1.2.3.256` would be a name.
  if (/(?:^|\.)\d+$/.test(text)) return parseIpAddress(text) !== undefined
  return text.split('.').every((part) => label.test(part))
}

/** The host pattern in a text, or a sentence that says what is wrong with it. */
export function parseHostPattern(text: string): HostPattern | string {
  const wildcard = text.startsWith('*.')
  const name = hostName(wildcard ? text.slice(2) : text)
  if (text.includes('*', wildcard ? 1 : 0)) {
    return `\`${text}\` is not a host pattern: \`*\` may only stand for the first labels, as in \`*.example.com\`.`
  }
  if (/:\d+$/.test(text) && !parseIpAddress(text)) {
    return `The host \`${text}\` must have no port: a port is not matched, since the listener's bind decides it.`
  }
  if (!isHostName(name) || (wildcard && parseIpAddress(name) !== undefined)) return `\`${text}\` is not a host name.`
  return { name, wildcard }
}

/** A host pattern as text in its canonical form. */
export function formatHostPattern(pattern: HostPattern): string {
  return pattern.wildcard ? `*.${pattern.name}` : pattern.name
}

/** The name in an authority: lower case, without port, brackets and the root's dot. */
export function hostName(authority: string): string {
  let end = authority.length
  if (authority.charCodeAt(0) === 0x5b) {
    const close = authority.indexOf(']')
    return (close < 0 ? authority : authority.slice(1, close)).toLowerCase()
  }
  const colon = authority.indexOf(':')
  // Several colons without brackets are an IPv6 literal, and none of them begins a port.
  if (colon >= 0 && colon === authority.lastIndexOf(':')) end = colon
  if (end > 1 && authority.charCodeAt(end - 1) === 0x2e) end--
  return authority.slice(0, end).toLowerCase()
}
