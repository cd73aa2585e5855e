import {
  formatAddress,
  formatParsedAddress,
  parseEndpointAddress,
  type AddressScheme,
  type ParsedAddress,
} from './address.ts'
import type { ConfigPath } from './config-error.ts'
import { nearestHint } from './nearest.ts'
import { isProblem } from './problem.ts'
import { isObject, list, record, type Raw, type Report } from './raw.ts'

// A WebSocket begins as a request of HTTP, so a listener of either takes the schemes of both.
const schemesOf: Readonly<Record<string, readonly AddressScheme[]>> = {
  http: ['http', 'https', 'ws', 'wss', 'unix'],
  websocket: ['ws', 'wss', 'http', 'https', 'unix'],
  tcp: ['tcp', 'unix'],
}

/** What a route or listener says about its upstream: a name that exists or an address, of a scheme that fits. */
export function checkUpstreamReference(
  value: unknown,
  protocol: unknown,
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
  for (const { scheme, address } of endpointsOf(record(upstreams[value]))) {
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
    if (upstream['tls'] !== undefined && (scheme === 'http' || scheme === 'ws')) {
      report(
        [...path, 'endpoints', index],
        `The endpoint \`${scheme}://${text}\` is in the clear, but \`${name}\` has \`tls\`.`,
        `Write \`${scheme === 'http' ? 'https' : 'wss'}://${text}\`, or leave out the scheme.`,
      )
    }
  }
  const active = record(upstream['health'])['active']
  if (!isObject(active)) return
  const activePath = [...path, 'health', 'active']
  if (active['type'] === 'tcp' && active['path'] !== undefined) {
    report([...activePath, 'path'], 'A tcp probe asks for no path.', 'Leave out `path`, or write `type: http`.', 'key')
  }
  const asksHttp = active['type'] === undefined || active['type'] === 'http'
  if (asksHttp && active['path'] === undefined) {
    report(
      activePath,
      'An HTTP probe needs a `path`.',
      'Write `path: /healthz` or what the service answers, or `type: tcp`.',
      'key',
    )
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
