import {
  type BindAddress,
  type Config,
  type GateConfig,
  type ListenerConfig,
  type RouteConfig,
  canonicalMatch,
  formatAddress,
  formatDuration,
  normalizePath,
  Router,
  stripPrefix,
} from '@sluice/core'
import { checkPath, grpcFormat, type Transcoder, watchPath } from '@sluice/grpc'
import { loadTranscoder } from '../engine/handlers.ts'
import { type Line, policiesOf, spokenWith } from './explain-policies.ts'
import { type Asked, parseQuestion, type Question } from './explain-question.ts'
import { defaultFile, loadFile, type Loaded } from './load.ts'
import { UsageError } from './usage-error.ts'

/** `sluice explain [FILE] URL`: what would happen to a request, without sending it. */
export async function explain(file = defaultFile, question: Question): Promise<0> {
  const loaded = loadFile(file)
  const transcoders = new Map<ListenerConfig, Transcoder>()
  for (const listener of loaded.config.listeners) {
    const transcoder = await loadTranscoder(listener)
    if (transcoder !== undefined) transcoders.set(listener, transcoder)
  }
  console.log(explanation(loaded, question, transcoders))
  return 0
}

/**
 * The listener, the route and the rest of a request's way, as lines for people. `transcoders`: of the listeners that
 * have one.
 */
export function explanation(
  loaded: Loaded,
  question: Question,
  transcoders: ReadonlyMap<ListenerConfig, Transcoder> = new Map(),
): string {
  const request = parseQuestion(question)
  const { config, placeOf } = loaded
  const { listener, note } = findListener(config, request)
  const taken = asTaken(listener, request)
  const binding = taken.protocol === 'http' ? transcoders.get(listener)?.match(taken.method, taken.path) : undefined
  // Routes are matched on the method of gRPC.
  const asked: Asked =
    binding === undefined ? taken : { ...taken, protocol: 'grpc', method: 'POST', path: binding.grpcPath }
  const lines: Line[] = [
    ['listener', `${listener.name} (${listener.protocol} on ${listener.bind.map(formatAddress).join(', ')})${note}`],
    ['', placeOf(['listeners', listener.name]) ?? ''],
  ]
  if (listener.protocol === 'tcp') {
    return format([...lines, ...wayOf(config, { listener, route: listener.routes[0]!, asked })])
  }
  if (binding !== undefined) lines.push(['call', `${binding.grpcPath}, by its annotation (transcode)`])
  const own = ownAnswer(listener, asked, transcoders.get(listener)?.methods(taken.path) ?? [])
  if (own !== undefined) return format([...lines, ['answer', own]])
  const normal = normalizePath(asked.path, listener.pathMode)
  if (normal === undefined) {
    return format([...lines, ['answer', `400 badRequest: \`${asked.path}\` is not a path that all would read alike`]])
  }
  const head = { ...asked, path: normal.path }
  if (normal.path !== asked.path) lines.push(['path', `matched as ${normal.path}`])
  const router = new Router(listener.routes.map((route) => ({ match: route.match, value: route })))
  const { winner, runnerUp, reason } = router.explain(head)
  if (winner === undefined) {
    const answer = asked.protocol === 'grpc' ? 'status 12 UNIMPLEMENTED, noRoute' : '404 noRoute'
    return format([...lines, ['route', 'none'], ['answer', answer]])
  }
  lines.push(['route', describeRoute(winner)], ['', placeOfRoute(loaded, listener, winner)])
  if (runnerUp !== undefined) {
    lines.push(['runner-up', describeRoute(runnerUp)], ['', placeOfRoute(loaded, listener, runnerUp)])
  }
  lines.push(['why', reason], ...wayOf(config, { listener, route: winner, asked: head }))
  return format(lines)
}

/** What a listener takes a request for: all is TCP to one of TCP, and with `web` gRPC-Web is a call of gRPC. */
function asTaken(listener: ListenerConfig, asked: Asked): Asked {
  if (listener.protocol === 'tcp') return { ...asked, protocol: 'tcp' }
  const web = listener.web !== undefined && asked.method === 'POST'
  return web && grpcFormat(asked.header('content-type') ?? '') !== undefined ? { ...asked, protocol: 'grpc' } : asked
}

/** What a listener answers before it looks for a route. `bound`: the methods of HTTP for which the path is bound. */
function ownAnswer(
  listener: ListenerConfig,
  { protocol, path, method, header }: Asked,
  bound: readonly string[],
): string | undefined {
  if (listener.protocol === 'websocket') {
    return protocol === 'websocket' ? undefined : '426 upgradeRequired: this listener serves WebSockets only'
  }
  if (protocol === 'grpc') {
    const format = grpcFormat(header('content-type') ?? '')
    const heard = format === 'grpc' || (format !== undefined && listener.web !== undefined)
    const health = listener.health && heard && (path === checkPath || path === watchPath)
    return health ? 'by the listener itself (health: true)' : undefined
  }
  if (listener.protocol !== 'grpc' || listener.other === 'pass') return undefined
  if (bound.length > 0) return `405 methodNotAllowed: the path is bound for ${bound.join(', ')}, not for ${method}`
  const but = listener.transcode === undefined ? '' : ', and no annotation of `transcode` binds this path'
  return `415 unsupported: this listener takes gRPC only${but}`
}

function format(lines: readonly Line[]): string {
  return lines
    .filter(([, text]) => text !== '')
    .map(([name, text]) => `${name.padEnd(10)} ${text}`)
    .join('\n')
}

/** The listener on the URL's port; without one the only listener that speaks the protocol. */
function findListener(config: Config, asked: Asked): { listener: ListenerConfig; note: string } {
  const { port } = asked
  const onPort = config.listeners.find(({ bind }) => port !== undefined && bind.some((one) => portOf(one) === port))
  if (onPort !== undefined) return { listener: onPort, note: '' }
  const why = port === undefined ? 'the URL has no port' : `no listener is bound to port ${port}`
  const [only, another] = config.listeners.filter(({ protocol }) => speaks(protocol, asked.protocol))
  if (only !== undefined && another === undefined) {
    return { listener: only, note: `; ${why}, and this is the only one for it` }
  }
  const binds = config.listeners.map(({ name, bind }) => `${name} on ${bind.map(formatAddress).join(', ')}`)
  throw new UsageError(`${why[0]!.toUpperCase()}${why.slice(1)}. Listeners are ${binds.join('; ')}.`)
}

function speaks(listener: ListenerConfig['protocol'], asked: Asked['protocol']): boolean {
  if (asked === 'websocket') return listener === 'websocket' || listener === 'http'
  return listener === asked || (asked === 'grpc' && listener === 'http')
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

interface Way {
  readonly listener: ListenerConfig
  readonly route: RouteConfig
  /** With the normal form of its path. */
  readonly asked: Asked
}

/** Gates, upstream and endpoints, in the order in which a request meets them. */
function wayOf(config: Config, { listener, route, asked }: Way): Line[] {
  const upstream = config.upstreams.find(
    ({ name }) => route.action.kind === 'forward' && name === route.action.upstream,
  )
  const gates = [listener.gate, route.gate, upstream?.gate].filter((gate) => gate !== undefined)
  const lines: Line[] = gates.length === 0 ? [['gates', 'none']] : gates.map((gate) => ['gate', describeGate(gate)])
  if (upstream === undefined) return lines
  if (route.action.kind === 'forward' && route.action.stripPrefix !== undefined) {
    lines.push(['path', `sent as ${stripPrefix(asked.path, route.action.stripPrefix) ?? asked.path}`])
  }
  const spoken = spokenWith(upstream, asked)
  lines.push(['upstream', `${upstream.name} (${upstream.balance}${spoken === '' ? '' : `, ${spoken}`})`])
  for (const { address, weight, limit, secure } of upstream.endpoints) {
    const more = [
      ...(secure ? ['TLS'] : []),
      ...(weight === 1 ? [] : [`weight ${weight}`]),
      ...(limit === Infinity ? [] : [`${limit} at once`]),
    ]
    lines.push(['endpoint', `${formatAddress(address)}${more.length === 0 ? '' : ` (${more.join(', ')})`}`])
  }
  return [...lines, ...policiesOf(upstream, asked)]
}

const describeGate = ({ id, limit, queue, timeoutMs }: GateConfig): string =>
  `${id}: ${limit} at once, ${queue} wait, ${formatDuration(timeoutMs)} at most`
