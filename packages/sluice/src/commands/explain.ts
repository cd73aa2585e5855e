import {
  type BindAddress,
  type Config,
  type GateConfig,
  type Head,
  type ListenerConfig,
  type RouteConfig,
  type UpstreamConfig,
  canonicalMatch,
  formatAddress,
  formatDuration,
  normalizePath,
  Router,
  stripPrefix,
} from '@sluice/core'
import { defaultFile, loadFile, type Loaded } from './load.ts'
import { UsageError } from './usage-error.ts'

/** A request to explain. */
export interface Question {
  readonly url: string
  readonly method: string
  /** `Name: value`. */
  readonly headers: readonly string[]
}

/** `sluice explain [FILE] URL`: what would happen to a request, without sending it. */
export function explain(file = defaultFile, question: Question): 0 {
  console.log(explanation(loadFile(file), question))
  return 0
}

interface Asked extends Head {
  readonly port: number
}

/** The listener, the route and the rest of a request's way, as lines for people. */
export function explanation(loaded: Loaded, question: Question): string {
  const asked = parseQuestion(question)
  const { config, placeOf } = loaded
  const { listener, note } = findListener(config, asked)
  const lines: Line[] = [
    ['listener', `${listener.name} (${listener.protocol} on ${listener.bind.map(formatAddress).join(', ')})${note}`],
    ['', placeOf(['listeners', listener.name]) ?? ''],
  ]
  if (listener.protocol === 'tcp') {
    return format([...lines, ...wayOf(config, listener, listener.routes[0]!, undefined)])
  }
  if (listener.protocol === 'websocket' && asked.protocol !== 'websocket') {
    return format([...lines, ['answer', '426 upgradeRequired: this listener serves WebSockets only']])
  }
  const normal = normalizePath(asked.path, listener.pathMode)
  if (normal === undefined) {
    return format([...lines, ['answer', `400 badRequest: \`${asked.path}\` is not a path that all would read alike`]])
  }
  const head = { ...asked, path: normal.path }
  if (normal.path !== asked.path) lines.push(['path', `matched as ${normal.path}`])
  const router = new Router(listener.routes.map((route) => ({ match: route.match, value: route })))
  const { winner, runnerUp, reason } = router.explain(head)
  if (winner === undefined) return format([...lines, ['route', 'none'], ['answer', '404 noRoute']])
  lines.push(['route', describeRoute(winner)], ['', placeOfRoute(loaded, listener, winner)])
  if (runnerUp !== undefined) {
    lines.push(['runner-up', describeRoute(runnerUp)], ['', placeOfRoute(loaded, listener, runnerUp)])
  }
  lines.push(['why', reason], ...wayOf(config, listener, winner, normal.path))
  return format(lines)
}

type Line = readonly [name: string, text: string]

function format(lines: readonly Line[]): string {
  return lines
    .filter(([, text]) => text !== '')
    .map(([name, text]) => `${name.padEnd(10)} ${text}`)
    .join('\n')
}

const defaultPorts: Readonly<Record<string, number>> = { http: 80, ws: 80, https: 443, wss: 443 }

/** By hand, since `URL` would already bring the path into a normal form of its own. */
function parseQuestion({ url, method, headers }: Question): Asked {
  const [, scheme = '', authority = '', path = ''] = /^([a-z]+):\/\/([^/?#]*)([^?#]*)/.exec(url) ?? []
  if (authority === '' || !/^(?:https?|wss?|tcp)$/.test(scheme)) {
    throw new UsageError(
      `\`${url}\` is not a URL like http://api.example.com:8080/users/7 (http, https, ws, wss, tcp).`,
    )
  }
  const fields = new Map<string, string>()
  for (const header of headers) {
    const [, name = '', value = ''] = /^([^:\s]+)\s*:\s*(.*?)\s*$/.exec(header) ?? []
    if (name === '') throw new UsageError(`--header \`${header}\` must be written as \`Name: value\`.`)
    const before = fields.get(name.toLowerCase())
    fields.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`)
  }
  const [, port] = /:(\d+)$/.exec(authority) ?? []
  return {
    protocol: scheme === 'tcp' ? 'tcp' : scheme.startsWith('ws') ? 'websocket' : 'http',
    host: fields.get('host') ?? authority,
    path: path === '' ? '/' : path,
    method,
    header: (name) => fields.get(name),
    clientAddress: '127.0.0.1',
    tlsName: undefined,
    port: port === undefined ? (defaultPorts[scheme] ?? 0) : Number(port),
  }
}

/** The listener on the URL's port; without one the only listener that speaks the protocol. */
function findListener(config: Config, asked: Asked): { listener: ListenerConfig; note: string } {
  const onPort = config.listeners.find(({ bind }) => bind.some((one) => portOf(one) === asked.port))
  if (onPort !== undefined) return { listener: onPort, note: '' }
  const speaking = config.listeners.filter(({ protocol }) =>
    asked.protocol === 'websocket' ? protocol !== 'tcp' : protocol === asked.protocol,
  )
  const [only, another] = speaking
  if (only !== undefined && another === undefined) {
    return { listener: only, note: `; no listener is bound to port ${asked.port}, and this is the only one for it` }
  }
  const binds = config.listeners.map(({ name, bind }) => `${name} on ${bind.map(formatAddress).join(', ')}`)
  throw new UsageError(`No listener is bound to port ${asked.port}. Listeners are ${binds.join('; ')}.`)
}

const portOf = (bind: BindAddress): number | undefined => ('path' in bind ? undefined : bind.port)

function describeRoute({ id, name, match, action }: RouteConfig): string {
  const matched = name === undefined ? '' : `, matches ${canonicalMatch(match)}`
  const does =
    action.kind === 'forward'
      ? `to ${action.upstream}`
      : action.kind === 'respond'
        ? `answers ${action.status}`
        : `redirects (${action.status}) to ${action.to}`
  return `${id}${matched}: ${does}`
}

function placeOfRoute({ placeOf }: Loaded, listener: ListenerConfig, route: RouteConfig): string {
  return placeOf(['listeners', listener.name, 'routes', listener.routes.indexOf(route)]) ?? ''
}

/** Gates, upstream and endpoints, in the order in which a request meets them. */
function wayOf(config: Config, listener: ListenerConfig, route: RouteConfig, path: string | undefined): Line[] {
  const upstream = config.upstreams.find(
    ({ name }) => route.action.kind === 'forward' && name === route.action.upstream,
  )
  const gates = [listener.gate, route.gate, upstream?.gate].filter((gate) => gate !== undefined)
  const lines: Line[] = gates.length === 0 ? [['gates', 'none']] : gates.map((gate) => ['gate', describeGate(gate)])
  if (upstream === undefined) return lines
  if (path !== undefined && route.action.kind === 'forward' && route.action.stripPrefix !== undefined) {
    lines.push(['path', `sent as ${stripPrefix(path, route.action.stripPrefix) ?? path}`])
  }
  lines.push(['upstream', `${upstream.name} (${upstream.balance})`])
  for (const { address, weight, limit, secure } of upstream.endpoints) {
    const more = [
      ...(secure ? ['TLS'] : []),
      ...(weight === 1 ? [] : [`weight ${weight}`]),
      ...(limit === Infinity ? [] : [`${limit} at once`]),
    ]
    lines.push(['endpoint', `${formatAddress(address)}${more.length === 0 ? '' : ` (${more.join(', ')})`}`])
  }
  return [...lines, ...policiesOf(upstream, listener)]
}

const describeGate = ({ id, limit, queue, timeoutMs }: GateConfig): string =>
  `${id}: ${limit} at once, ${queue} wait, ${formatDuration(timeoutMs)} at most`

function policiesOf({ timeouts, retries, health }: UpstreamConfig, { protocol }: ListenerConfig): Line[] {
  const idle = timeouts.idleMs === undefined ? '' : `, idle ${formatDuration(timeouts.idleMs)}`
  const response = protocol === 'tcp' ? '' : `, response ${formatDuration(timeouts.responseMs)}`
  const { active, passive } = health
  const check =
    active === undefined
      ? 'no checks'
      : `${active.type === 'http' ? `GET ${active.path}` : 'connects'} every ${formatDuration(active.intervalMs)}`
  return [
    ['timeouts', `connect ${formatDuration(timeouts.connectMs)}${response}${idle}`],
    ['retries', retries.max === 0 ? 'none' : `${retries.max}, after ${retries.on.join(', ')}`],
    ['health', `${check}; ejected for ${formatDuration(passive.ejectMs)} after ${passive.failures} failures in a row`],
  ]
}
