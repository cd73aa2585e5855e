import { resolve } from 'node:path'
import { formatHostPattern } from '../routing/host.ts'
import { compileMatch, type RouteMatch } from '../routing/match.ts'
import { normalizeLiteral } from '../routing/path.ts'
import type { BindAddress } from './address.ts'
import type {
  Config,
  GateConfig,
  ListenerConfig,
  ListenerTimeouts,
  RouteAction,
  RouteConfig,
  UpstreamConfig,
} from './config.ts'
import { defaults } from './defaults.ts'
import { listenerGateId, routeGateId, routeId } from './identity.ts'
import {
  makeGate,
  normaliseAnonymous,
  normaliseUpstream,
  resolveAddress,
  type ResolvePath,
} from './normalise-upstream.ts'
import type { CheckedGate, CheckedInput, CheckedListener, CheckedRoute } from './schema.ts'

/**
 * The configuration in an input without mistakes: defaults filled in, identities given, references resolved.
 * Relative paths are resolved against `baseDir`; without one they stay as they are.
 */
export function normalise(input: CheckedInput, baseDir: string | undefined): Config {
  const resolvePath: ResolvePath = (path) => (baseDir === undefined ? path : resolve(baseDir, path))
  const gates = Object.entries(input.gates ?? {}).map(([name, gate]) => makeGate(name, gate))
  const context: Context = { gates: new Map(gates.map((gate) => [gate.id, gate])), anonymous: new Map(), resolvePath }
  const listeners = Object.entries(input.listeners).map(([name, listener]) =>
    normaliseListener(name, listener, context),
  )
  const upstreams = Object.entries(input.upstreams ?? {}).map(([name, upstream]) =>
    normaliseUpstream(name, upstream, resolvePath),
  )
  return {
    threads: input.threads,
    maxWaiting: input.maxWaiting ?? defaults.maxWaiting,
    drainDelayMs: input.drainDelay ?? defaults.drainDelayMs,
    drainTimeoutMs: input.drainTimeout ?? defaults.drainTimeoutMs,
    maxBufferedBytes: input.maxBuffered ?? defaults.maxBufferedBytes,
    admin: input.admin === undefined ? undefined : { bind: resolveBinds(input.admin.bind, resolvePath) },
    log: {
      level: input.log?.level ?? defaults.log.level,
      access: input.log?.access ?? defaults.log.access,
      file: input.log?.file === undefined ? undefined : resolvePath(input.log.file),
      query: input.log?.query ?? defaults.log.query,
    },
    listeners,
    gates,
    upstreams: [...upstreams, ...context.anonymous.values()],
  }
}

interface Context {
  readonly gates: ReadonlyMap<string, GateConfig>
  /** Upstreams that stand for an address, by that address: written twice it is one, with one pool. */
  readonly anonymous: Map<string, UpstreamConfig>
  readonly resolvePath: ResolvePath
}

function normaliseListener(name: string, listener: CheckedListener, context: Context): ListenerConfig {
  const { resolvePath } = context
  const timeouts = defaults.listener.timeouts
  const limits = defaults.listener.limits
  const merged: ListenerTimeouts = {
    headMs: listener.timeouts?.head ?? timeouts.headMs,
    bodyMs: listener.timeouts?.body ?? timeouts.bodyMs,
    sendMs: listener.timeouts?.send ?? timeouts.sendMs,
    keepAliveMs: listener.timeouts?.keepAlive ?? timeouts.keepAliveMs,
    idleMs: listener.timeouts?.idle ?? timeouts.idleMs,
  }
  // The bare `upstream` is one route that takes everything. `gate` beside it is the listener's, not the route's.
  const routes = listener.routes ?? [{ upstream: listener.upstream }]
  return {
    name,
    protocol: listener.protocol,
    bind: resolveBinds(listener.bind, resolvePath),
    tls:
      listener.tls === undefined
        ? undefined
        : { certFile: resolvePath(listener.tls.cert), keyFile: resolvePath(listener.tls.key) },
    trustedProxies: listener.trustedProxies ?? [],
    reasonHeader: listener.reasonHeader ?? defaults.listener.reasonHeader,
    pathMode: listener.path ?? defaults.listener.pathMode,
    halfClose: listener.halfClose ?? defaults.listener.halfClose,
    backlog: listener.backlog ?? defaults.listener.backlog,
    maxConnections: listener.maxConnections ?? Infinity,
    perClient: listener.perClient ?? Infinity,
    minRate: {
      bytesPerSecond: listener.minRate ?? defaults.listener.minRate.bytesPerSecond,
      windowMs: defaults.listener.minRate.windowMs,
    },
    timeouts: merged,
    limits: {
      maxHeadBytes: listener.limits?.head ?? limits.maxHeadBytes,
      maxFields: listener.limits?.fields ?? limits.maxFields,
      maxTargetBytes: listener.limits?.target ?? limits.maxTargetBytes,
    },
    gate: resolveGate(listener.gate, listenerGateId(name), context),
    routes: routes.map((route) => normaliseRoute(name, route, context)),
  }
}

function normaliseRoute(listener: string, route: CheckedRoute, context: Context): RouteConfig {
  const match = normaliseMatch(route.match)
  const id = routeId(listener, { name: route.name, match })
  return {
    id,
    name: route.name,
    match,
    gate: resolveGate(route.gate, routeGateId(id), context),
    action: actionOf(route, context),
  }
}

/** The match in its canonical writing; methods keep their order. */
function normaliseMatch(match: CheckedRoute['match']): RouteMatch {
  const { host, path, headers } = compileMatch(match ?? {})
  return {
    host: host === undefined ? undefined : formatHostPattern(host),
    path: path?.text,
    methods: match?.method,
    headers: headers === undefined ? undefined : Object.fromEntries(headers),
  }
}

function actionOf(route: CheckedRoute, context: Context): RouteAction {
  if (route.respond !== undefined) {
    const { status = defaults.respond.status, body = '', headers = {} } = route.respond
    return { kind: 'respond', status, body, headers: Object.entries(headers) }
  }
  if (route.redirect !== undefined) {
    return { kind: 'redirect', to: route.redirect.to, status: route.redirect.status ?? defaults.redirect.status }
  }
  // The checks have made sure that one of the three is there.
  const upstream = upstreamName(route.upstream!, context)
  const prefix = route.stripPrefix?.replace(/\/$/, '')
  return { kind: 'forward', upstream, stripPrefix: prefix === undefined ? undefined : normalizeLiteral(prefix) }
}

function upstreamName(reference: string, { anonymous, resolvePath }: Context): string {
  if (!reference.includes(':')) return reference
  const upstream = normaliseAnonymous(reference, resolvePath)
  if (!anonymous.has(upstream.name)) anonymous.set(upstream.name, upstream)
  return upstream.name
}

function resolveGate(
  gate: string | CheckedGate | undefined,
  ownId: string,
  { gates }: Context,
): GateConfig | undefined {
  if (gate === undefined) return undefined
  return typeof gate === 'string' ? gates.get(gate) : makeGate(ownId, gate)
}

function resolveBinds(binds: readonly BindAddress[], resolvePath: ResolvePath): readonly BindAddress[] {
  return binds.map((bind) => resolveAddress(bind, resolvePath))
}
