import {
  formatAddress,
  formatParsedAddress,
  isHttp2Scheme,
  parseEndpointAddress,
  type AddressScheme,
  type ParsedAddress,
} from './address.ts'
import type { ConfigPath } from './config-error.ts'
import { nearestHint } from './nearest.ts'
import { isProblem } from './problem.ts'
import { isObject, list, record, type Raw, type Report } from './raw.ts'

// A WebSocket begins as a request of HTTP/1.1, and gRPC is one of HTTP/2, so each takes the schemes of its kin.
const schemesOf: Readonly<Record<string, readonly AddressScheme[]>> = {
  http: ['http', 'https', 'h2c', 'grpc', 'grpcs', 'ws', 'wss', 'unix'],
  websocket: ['ws', 'wss', 'http', 'https', 'unix'],
  grpc: ['grpc', 'grpcs', 'http', 'https', 'h2c', 'unix'],
  tcp: ['tcp', 'unix'],
}

/** What a route or listener says about its upstream: a name that exists or an address, of a scheme that fits. */
export function checkUpstreamReference(
  value: unknown,
  { protocol, grpc }: { readonly protocol: unknown; readonly grpc: boolean },
  path: ConfigPath,
  upstreams: Raw,
  report: Report,
): void {
  if (typeof value !== 'string') return
  const allowed = typeof protocol === 'string' && Object.hasOwn(schemesOf, protocol) ? schemesOf[protocol] : undefined
  const reportScheme = (scheme: AddressScheme | undefined, what: string): void => {
    if (scheme === undefined || allowed === undefined || allowed.includes(scheme)) return
    report(
      path,
      `${what} has the scheme \`${scheme}\`, which a ${String(protocol)} listener does not speak.`,
      `It speaks ${allowed.join(', ')}.`,
    )
  }
  // A name has no colon, so a text with one was meant as an address.
  if (value.includes(':')) {
    const parsed = parseEndpointAddress(value)
    if (isProblem(parsed)) report(path, parsed.problem, parsed.hint)
    else if (parsed.scheme === undefined) {
      const scheme = allowed?.[0] ?? 'http'
      report(path, `The address \`${value}\` has no scheme.`, `Did you mean \`${scheme}://${value}\`?`)
    } else reportScheme(parsed.scheme, `The address \`${value}\``)
    return
  }
  if (!Object.hasOwn(upstreams, value)) {
    const names = Object.keys(upstreams)
    const none = 'Upstreams stand under `upstreams`; an address such as `http://127.0.0.1:3000` is possible too.'
    report(path, `No upstream is named \`${value}\`.`, nearestHint(value, names, 'Upstreams are') ?? none)
    return
  }
  const upstream = record(upstreams[value])
  const spoken = upstream['protocol']
  if (spoken === 'http1' && grpc) {
    const hint = 'Leave out `protocol`, or write `protocol: http2`.'
    report(path, `gRPC needs HTTP/2, and the upstream \`${value}\` has \`protocol: http1\`.`, hint)
  }
  if (spoken === 'http2' && protocol === 'websocket') {
    const hint = 'Leave out `protocol`, or write `protocol: http1`.'
    report(path, `A WebSocket needs HTTP/1.1, and the upstream \`${value}\` has \`protocol: http2\`.`, hint)
  }
  for (const { scheme, address } of endpointsOf(upstream)) {
    if (scheme !== undefined)
      reportScheme(scheme, `The endpoint \`${formatParsedAddress({ scheme, address })}\` of \`${value}\``)
  }
}

/** What holds between the keys of one upstream. */
export function checkUpstream(name: string, upstream: Raw, report: Report): void {
  const path = ['upstreams', name]
  const seen = new Set<string>()
  for (const { scheme, address, index } of endpointsOf(upstream)) {
    const text = formatAddress(address)
    if (seen.has(text)) report([...path, 'endpoints', index], `The endpoint \`${text}\` stands in \`${name}\` twice.`)
    seen.add(text)
    const secure = scheme === undefined ? undefined : secureScheme[scheme]
    if (upstream['tls'] !== undefined && secure !== undefined) {
      report(
        [...path, 'endpoints', index],
        `The endpoint \`${scheme}://${text}\` is in the clear, but \`${name}\` has \`tls\`.`,
        `Write \`${secure}://${text}\`, or leave out the scheme.`,
      )
    }
  }
  checkSpoken(name, upstream, report)
  checkProbe(name, upstream, report)
}

const secureScheme: Readonly<Partial<Record<AddressScheme, AddressScheme>>> = {
  http: 'https',
  ws: 'wss',
  h2c: 'https',
  grpc: 'grpcs',
}

const hintProtocol = 'Leave out `protocol`: the schemes tell it.'

/** Schemes and `protocol` say the same of what is spoken, and one thing of the whole upstream. */
function checkSpoken(name: string, upstream: Raw, report: Report): void {
  const { protocol } = upstream
  const endpoints = endpointsOf(upstream)
  const byHttp2 = endpoints.find(({ scheme }) => isHttp2Scheme(scheme))
  for (const { scheme, address, index } of endpoints) {
    const at = ['upstreams', name, 'endpoints', index]
    const text = formatParsedAddress({ scheme, address })
    if (protocol === 'http1' && isHttp2Scheme(scheme)) {
      report(at, `The endpoint \`${text}\` speaks HTTP/2, but \`${name}\` has \`protocol: http1\`.`, hintProtocol)
    } else if (protocol === 'http2' && (scheme === 'ws' || scheme === 'wss')) {
      report(at, `The WebSocket \`${text}\` needs HTTP/1.1, but \`${name}\` has \`protocol: http2\`.`, hintProtocol)
    } else if ((protocol === 'http1' || protocol === 'http2') && scheme === 'tcp') {
      const hint = 'Leave out `protocol`.'
      report(at, `The endpoint \`${text}\` speaks no HTTP, but \`${name}\` has \`protocol: ${protocol}\`.`, hint)
    } else if (byHttp2 !== undefined && (protocol === undefined || protocol === 'auto') && !mayBeHttp2(scheme)) {
      const other = formatParsedAddress(byHttp2)
      const hint = scheme === 'http' || scheme === 'https' ? 'Write `protocol: http2` if it does too.' : undefined
      report(at, `The endpoint \`${text}\` does not say that it speaks HTTP/2 as \`${other}\` does.`, hint)
    }
  }
}

// An address without a scheme, or of a socket, says nothing against it.
const mayBeHttp2 = (scheme: AddressScheme | undefined): boolean =>
  scheme === undefined || scheme === 'unix' || isHttp2Scheme(scheme)

function checkProbe(name: string, upstream: Raw, report: Report): void {
  const active = record(upstream['health'])['active']
  if (!isObject(active)) return
  const path = ['upstreams', name, 'health', 'active']
  const type = active['type'] ?? (active['grpc'] === undefined ? 'http' : 'grpc')
  if ((type === 'tcp' || type === 'grpc') && active['path'] !== undefined) {
    const hint = active['type'] === undefined ? 'Write `path` or `grpc`.' : 'Leave out `path`, or write `type: http`.'
    report([...path, 'path'], `A ${String(type)} probe asks for no path.`, hint, 'key')
  }
  if ((type === 'http' || type === 'tcp') && active['grpc'] !== undefined) {
    report([...path, 'grpc'], `A ${String(type)} probe asks for no service.`, 'Leave out `type`.', 'key')
  }
  if (type === 'http' && active['path'] === undefined) {
    const hint = 'Write `path: /healthz` or what the service answers, `grpc: ""`, or `type: tcp`.'
    report(path, 'An HTTP probe needs a `path`.', hint, 'key')
  }
  if (type === 'grpc' && upstream['protocol'] === 'http1') {
    report(path, `A grpc probe needs HTTP/2, but \`${name}\` has \`protocol: http1\`.`, undefined, 'key')
  }
}

/** The endpoints that have an address, with their place in the list. */
function endpointsOf(upstream: Raw): Array<ParsedAddress & { readonly index: number }> {
  return list(upstream['endpoints']).flatMap((item, index) => {
    const text = typeof item === 'string' ? item : record(item)['address']
    const parsed = typeof text === 'string' ? parseEndpointAddress(text) : undefined
    return parsed === undefined || isProblem(parsed) ? [] : [{ ...parsed, index }]
  })
}
