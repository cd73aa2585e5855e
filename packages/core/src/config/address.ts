import { isHostName } from '../routing/host.ts'
import { parseIpAddress } from '../routing/ip-address.ts'
import { problem, type Problem } from './problem.ts'

/**
 * Where a listener listens. `host` is a name or an IP literal without brackets; `''` is every address of both families
 * (written `:8080`). Port 0 lets the system choose.
 */
export type BindAddress = { readonly host: string; readonly port: number } | { readonly path: string }

/** Where an endpoint is reached: a host (name or IP literal without brackets) and port, or the path of a unix socket. */
export type EndpointAddress = { readonly host: string; readonly port: number } | { readonly path: string }

/** How an endpoint is spoken to, as far as its address tells; undefined for a bare `host:port`. */
export type AddressScheme = 'http' | 'https' | 'h2c' | 'grpc' | 'grpcs' | 'tcp' | 'ws' | 'wss' | 'unix'

/** An address as it was written: where, and by which scheme. */
export interface ParsedAddress {
  readonly scheme: AddressScheme | undefined
  readonly address: EndpointAddress
}

/** The schemes an address may have, in the order they are listed to people. */
export const addressSchemes: readonly AddressScheme[] = [
  'http',
  'https',
  'h2c',
  'grpc',
  'grpcs',
  'tcp',
  'ws',
  'wss',
  'unix',
]

const defaultPorts: Readonly<Record<string, number>> = {
  http: 80,
  https: 443,
  h2c: 80,
  grpcs: 443,
  ws: 80,
  wss: 443,
}

/** `host:port`, `[::]:port`, `:port` (both families) or `unix:/path`. */
export function parseBind(text: string): BindAddress | Problem {
  if (text.startsWith('unix:')) return unixAddress(text)
  const parts = splitPort(text)
  if (parts === undefined) {
    const fix = /^\d+$/.test(text)
      ? `Write \`:${text}\`.`
      : 'Binds are written as 0.0.0.0:8080, [::]:8080, :8080 or unix:/run/s.sock.'
    return problem(`The bind \`${text}\` has no port.`, fix)
  }
  const port = parsePort(parts.port, 0)
  if (port === undefined) return problem(`The port of \`${text}\` must be a number from 0 to 65535.`)
  const host = bareHost(parts.host)
  if (host === undefined) return badHost(text, parts.host)
  return { host, port }
}

/** `host:port`, or a URL of a known scheme with a host and nothing behind the port, or `unix:/path`. */
export function parseEndpointAddress(text: string): ParsedAddress | Problem {
  if (text.startsWith('unix:')) {
    const address = unixAddress(text)
    return 'problem' in address ? address : { scheme: 'unix', address }
  }
  const [, scheme, rest = text] = /^([A-Za-z][A-Za-z\d+.-]*):\/\/(.*)$/s.exec(text) ?? []
  if (scheme !== undefined && !isScheme(scheme)) {
    return problem(`The scheme \`${scheme}\` is not known.`, `Known schemes are ${addressSchemes.join(', ')}.`)
  }
  const authority = rest.endsWith('/') && scheme !== undefined ? rest.slice(0, -1) : rest
  if (/[/?#@]/.test(authority)) {
    return problem(
      `The address \`${text}\` must end after the port, without user, path or query.`,
      'Paths are changed by `stripPrefix` on a route.',
    )
  }
  const parts = splitPort(authority)
  const port = parts === undefined ? defaultPorts[scheme ?? ''] : parsePort(parts.port, 1)
  if (port === undefined) {
    if (parts !== undefined) return problem(`The port of \`${text}\` must be a number from 1 to 65535.`)
    return problem(`The address \`${text}\` has no port.`, 'Write it as host:port, such as `127.0.0.1:3000`.')
  }
  const written = parts?.host ?? authority
  const host = bareHost(written)
  if (host === undefined || host === '') return badHost(text, written)
  return { scheme: scheme as AddressScheme | undefined, address: { host, port } }
}

/** Whether a scheme says that the endpoint is spoken to through TLS. */
export function isSecureScheme(scheme: AddressScheme | undefined): boolean {
  return scheme === 'https' || scheme === 'wss' || scheme === 'grpcs'
}

/** Whether a scheme says that the endpoint is spoken to by HTTP/2. */
export function isHttp2Scheme(scheme: AddressScheme | undefined): boolean {
  return scheme === 'h2c' || scheme === 'grpc' || scheme === 'grpcs'
}

/** An address as text: `host:port`, `[v6]:port`, `:port`, `unix:/path`. The same place has the same text. */
export function formatAddress(address: BindAddress | EndpointAddress): string {
  if ('path' in address) return `unix:${address.path}`
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

/** An address with its scheme: `http://127.0.0.1:4000`, `unix:/path`. */
export function formatParsedAddress({ scheme, address }: ParsedAddress): string {
  const text = formatAddress(address)
  return scheme === undefined || scheme === 'unix' ? text : `${scheme}://${text}`
}

function isScheme(text: string): text is AddressScheme {
  // `unix://host` is no address: a unix socket is `unix:` and a path, which was told apart before.
  return text !== 'unix' && addressSchemes.some((scheme) => scheme === text)
}

function unixAddress(text: string): { readonly path: string } | Problem {
  // `unix:///run/s.sock` is the same as `unix:/run/s.sock`, as other proxies read it.
  const path = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.includes('\0'))
    return problem(`\`${text}\` names no unix socket.`, 'Write it as unix:/run/s.sock.')
  if (path.startsWith('//')) return problem(`\`${text}\` names no unix socket.`, `Write it as unix:${path.slice(1)}.`)
  return { path }
}

function splitPort(text: string): { host: string; port: string } | undefined {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*):([^:]*)$/s.exec(text) ?? []
  return host === undefined || port === undefined ? undefined : { host, port }
}

function parsePort(text: string, min: number): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1
  return port >= min && port <= 65535 ? port : undefined
}

/** A host without brackets, in lower case; undefined when it is none. `''` stays. */
function bareHost(text: string): string | undefined {
  if (text === '') return ''
  const bracketed = text.startsWith('[') && text.endsWith(']')
  const host = (bracketed ? text.slice(1, -1) : text).toLowerCase()
  // IPv6 stands in brackets, and nothing else does.
  return isHostName(host) && bracketed === host.includes(':') ? host : undefined
}

function badHost(text: string, host: string): Problem {
  if (host === '')
    return problem(`The address \`${text}\` has no host.`, 'Write it as host:port, such as `127.0.0.1:3000`.')
  if (parseIpAddress(text)?.version === 6 || parseIpAddress(host)?.version === 6) {
    return problem(`The IPv6 address in \`${text}\` must stand in brackets.`, 'Write it as [::1]:8080.')
  }
  return problem(`\`${host}\` in \`${text}\` is not a host name or IP address.`)
}
