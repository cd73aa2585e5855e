import { canonicalMatch } from '../routing/match.ts'
import { normalizeLiteral, stripPrefix } from '../routing/path.ts'
import { parsePathPattern } from '../routing/path-pattern.ts'
import { formatAddress, parseBind, type BindAddress } from './address.ts'
import { checkMatch, rawMatch } from './check-match.ts'
import { checkAnswerOnGrpc, checkProtocolKeys, checkWindows } from './check-protocol.ts'
import { checkUpstream, checkUpstreamReference } from './check-upstream.ts'
import type { ConfigPath } from './config-error.ts'
import { checkAnswerFieldName, checkPrefix } from './http-text.ts'
import { isLoopback } from '../routing/ip-address.ts'
import { isName, routeId } from './identity.ts'
import type { Finding } from './issue.ts'
import { nearestHint } from './nearest.ts'
import { isProblem } from './problem.ts'
import { isObject, list, listOf, record, type Raw, type Report } from './raw.ts'

// What concerns more than one key. These checks read the raw data, not what the schema made of it: one wrong value
// anywhere would leave nothing to check, and people would meet their mistakes one run at a time. So every reader here
// takes anything, and is silent where the schema has already spoken.

/** The mistakes between the keys of a configuration. */
export function checkReferences(data: unknown): Finding[] {
  const findings: Finding[] = []
  const report: Report = (path, message, hint, at = 'value') => findings.push({ path, at, message, hint })
  const root = record(data)
  for (const kind of ['listeners', 'gates', 'upstreams']) checkNames(record(root[kind]), [kind], report)
  if (isObject(root['listeners']) && Object.keys(root['listeners']).length === 0) {
    report(['listeners'], 'There is no listener.')
  }
  const binds = new Map<string, string>()
  for (const bind of listOf(record(root['admin'])['bind'])) {
    claimBind(bind, 'admin', ['admin', 'bind'], binds, report)
    checkAdminBind(bind, report)
  }
  for (const [name, listener] of Object.entries(record(root['listeners']))) {
    if (isObject(listener)) checkListener(name, listener, { root, binds, report })
  }
  for (const [name, upstream] of Object.entries(record(root['upstreams'])))
    if (isObject(upstream)) checkUpstream(name, upstream, report)
  return findings
}

interface Context {
  readonly root: Raw
  readonly binds: Map<string, string>
  readonly report: Report
}

function checkListener(name: string, listener: Raw, context: Context): void {
  const { report } = context
  const path = ['listeners', name]
  for (const bind of listOf(listener['bind'])) claimBind(bind, name, [...path, 'bind'], context.binds, report)
  checkProtocolKeys(listener, path, report)
  checkWindows(listener['http2'], [...path, 'http2'], report)
  checkGate(listener['gate'], [...path, 'gate'], context)
  const hasRoutes = listener['routes'] !== undefined
  const hasUpstream = listener['upstream'] !== undefined
  if (hasRoutes && hasUpstream && listener['protocol'] !== 'tcp') {
    report(
      [...path, 'upstream'],
      `The listener \`${name}\` has both \`routes\` and \`upstream\`.`,
      'Write `- upstream: …` as the last of the routes.',
      'key',
    )
  }
  if (!hasRoutes && !hasUpstream) {
    const keys = listener['protocol'] === 'tcp' ? '`upstream`' : '`routes` or `upstream`'
    report(path, `The listener \`${name}\` has no ${keys}.`, undefined, 'key')
  }
  if (hasUpstream) checkForward(listener, listener, path, context)
  const seen = new Map<string, string>()
  const ids = new Map<string, string>()
  for (const [index, route] of list(listener['routes']).entries()) {
    if (!isObject(route)) continue
    const routePath = [...path, 'routes', index]
    checkRoute(route, listener, routePath, report)
    checkGate(route['gate'], [...routePath, 'gate'], context)
    if (listener['protocol'] !== 'tcp') checkForward(route, listener, routePath, context)
    checkIdentity({ name, protocol: listener['protocol'] }, route, routePath, { seen, ids, report })
  }
}

/** Everything on the way of what is passed on: the upstream, its protocol, and no gate twice. */
function checkForward(route: Raw, listener: Raw, path: ConfigPath, { root, report }: Context): void {
  const { protocol } = listener
  const grpc = protocol === 'grpc' || (protocol === 'http' && record(route['match'])['service'] !== undefined)
  checkUpstreamReference(
    route['upstream'],
    { protocol, grpc },
    [...path, 'upstream'],
    record(root['upstreams']),
    report,
  )
  // A unit that holds a permit of a gate and waits for a second one of it would wait for itself.
  if (route !== listener && typeof route['gate'] === 'string' && route['gate'] === listener['gate']) {
    report(
      [...path, 'gate'],
      `The gate \`${route['gate']}\` stands on the listener already, and no unit may pass a gate twice.`,
    )
  }
}

function checkRoute(route: Raw, listener: Raw, path: ConfigPath, report: Report): void {
  const actions = ['upstream', 'respond', 'redirect'].filter((key) => route[key] !== undefined)
  const choice = 'Write one of `upstream`, `respond` and `redirect`.'
  if (actions.length === 0) report(path, 'The route leads nowhere.', choice)
  const [first, ...others] = actions
  for (const key of others) report([...path, key], `The route has \`${first}\` and \`${key}\`.`, choice, 'key')
  const { name } = route
  if (typeof name === 'string' && !isName(name)) report([...path, 'name'], badName(name))

  const match = record(route['match'])
  checkMatch(match, listener['protocol'], [...path, 'match'], report)
  checkAnswerOnGrpc(route, listener, path, report)
  const respond = record(route['respond'])
  for (const field of Object.keys(record(respond['headers'])))
    reportAt(report, [...path, 'respond', 'headers', field], checkAnswerFieldName(field), 'key')
  if (
    respond['body'] !== undefined &&
    respond['body'] !== '' &&
    [204, 205, 304].includes(respond['status'] as number)
  ) {
    report(
      [...path, 'respond', 'body'],
      `An answer with status ${String(respond['status'])} has no body (RFC 9110 §6.4.1).`,
    )
  }
  checkStripPrefix(route, match, path, report)
}

function checkStripPrefix(route: Raw, match: Raw, path: ConfigPath, report: Report): void {
  const written = route['stripPrefix']
  if (typeof written !== 'string' || checkPrefix(written) !== undefined) return
  const prefix = normalizeLiteral(written) ?? written
  const at = [...path, 'stripPrefix']
  if (route['upstream'] === undefined && (route['respond'] !== undefined || route['redirect'] !== undefined)) {
    report(at, 'A prefix is stripped only on the way to an upstream.', undefined, 'key')
  }
  const pattern = typeof match['path'] === 'string' ? parsePathPattern(match['path']) : undefined
  if (typeof pattern === 'string') return
  if (pattern === undefined) {
    report(at, `The route has no \`match.path\`, so \`${prefix}\` may not be there to strip.`)
  } else if (stripPrefix(pattern.literalPrefix, prefix) === undefined) {
    report(
      at,
      `The path \`${pattern.text}\` of the route does not begin with \`${prefix}\`, so it may not be there to strip.`,
    )
  }
}

interface Identities {
  readonly seen: Map<string, string>
  readonly ids: Map<string, string>
  readonly report: Report
}

function checkIdentity(
  { name: listener, protocol }: { readonly name: string; readonly protocol: unknown },
  route: Raw,
  path: ConfigPath,
  { seen, ids, report }: Identities,
): void {
  const match = rawMatch(route['match'], protocol)
  const where = `the route ${Number(path.at(-1)) + 1}`
  const name = typeof route['name'] === 'string' ? route['name'] : undefined
  if (match !== undefined) {
    const canonical = canonicalMatch(match)
    const other = seen.get(canonical)
    if (other !== undefined)
      report(
        [...path, 'match'],
        `This route matches \`${canonical}\`, exactly as ${other} of the listener, which wins always.`,
      )
    else seen.set(canonical, where)
    if (other !== undefined && name === undefined) return
  }
  if (match === undefined && name === undefined) return
  const id = routeId(listener, { name, match })
  const other = ids.get(id)
  if (other !== undefined)
    report([...path, name === undefined ? 'match' : 'name'], `The identity \`${id}\` belongs to ${other} already.`)
  else ids.set(id, where)
}

function checkGate(gate: unknown, path: ConfigPath, { root, report }: Context): void {
  if (typeof gate !== 'string') return
  const names = Object.keys(record(root['gates']))
  if (!names.includes(gate))
    report(
      path,
      `No gate is named \`${gate}\`.`,
      nearestHint(gate, names, 'Gates are') ?? 'Named gates stand under `gates`.',
    )
}

function claimBind(bind: unknown, owner: string, path: ConfigPath, binds: Map<string, string>, report: Report): void {
  const parsed = typeof bind === 'string' ? parseBind(bind) : undefined
  if (parsed === undefined || isProblem(parsed)) return
  // Port 0 is another port each time.
  if ('port' in parsed && parsed.port === 0) return
  const place = bindPlace(parsed)
  const other = binds.get(place)
  if (other !== undefined) report(path, `The bind \`${String(bind)}\` belongs to \`${other}\` already.`)
  else binds.set(place, owner)
}

/** Whoever reaches the admin listener may drain the proxy, so nobody else than this machine does. */
function checkAdminBind(bind: unknown, report: Report): void {
  const parsed = typeof bind === 'string' ? parseBind(bind) : undefined
  if (parsed === undefined || isProblem(parsed) || 'path' in parsed || isLoopback(parsed.host)) return
  const hint = `Write 127.0.0.1:${parsed.port}, or a unix socket such as unix:/run/sluice.sock.`
  report(['admin', 'bind'], `The admin bind \`${String(bind)}\` must be an address of this machine alone.`, hint)
}

/** Every way to say "all addresses" is one place: the system lets nobody bind two of them. */
function bindPlace(bind: BindAddress): string {
  if ('path' in bind) return formatAddress(bind)
  return formatAddress({ host: bind.host === '::' || bind.host === '0.0.0.0' ? '' : bind.host, port: bind.port })
}

function checkNames(things: Raw, path: ConfigPath, report: Report): void {
  for (const name of Object.keys(things)) if (!isName(name)) report([...path, name], badName(name), undefined, 'key')
}

const badName = (name: string): string =>
  `\`${name}\` is not a name: names are letters, digits, \`_\`, \`.\` and \`-\`, and begin with a letter or digit.`

function reportAt(report: Report, path: ConfigPath, message: string | undefined, at: 'key' | 'value'): void {
  if (message !== undefined) report(path, message, undefined, at)
}
