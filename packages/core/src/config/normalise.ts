import { resolve } from 'node:path'
import { normalizeLiteral } from '../routing/path.ts'
import type { BindAddress } from './address.ts'
import type {
  Config,
  GateConfig,
  ListenerConfig,
  ListenerHttp2Config,
  ListenerProtocol,
  ListenerTimeouts,
  RouteAction,
  RouteConfig,
  TranscodeConfig,
  UpstreamConfig,
} from './config.ts'
import { defaults } from './defaults.ts'
import { normaliseOrigin } from './grpc-text.ts'
import { listenerGateId, routeGateId, routeId } from './identity.ts'
import { normaliseMatch } from './normalise-match.ts'
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
    http2: normaliseHttp2(listener.http2),
    other: listener.other ?? defaults.listener.other,
    web: listener.web === undefined ? undefined : { origins: listener.web.origins.map(normaliseOrigin) },
    health: listener.health ?? defaults.listener.health,
    transcode: normaliseTranscode(listener.transcode, resolvePath),
    gate: resolveGate(listener.gate, listenerGateId(name), context),
    routes: routes.map((route) => normaliseRoute({ name, protocol: listener.protocol }, route, context)),
  }
}

function normaliseHttp2(http2: CheckedListener['http2']): ListenerHttp2Config {
  const { http2: fallback } = defaults.listener
  const windowBytes = http2?.window ?? fallback.windowBytes
  return {
    maxStreams: http2?.maxStreams ?? fallback.maxStreams,
    windowBytes,
    // Who writes a large window alone means that it may be so large.
    maxWindowBytes: http2?.maxWindow ?? Math.max(windowBytes, fallback.maxWindowBytes),
    maxResets: http2?.maxResets ?? fallback.maxResets,
    maxPings: http2?.maxPings ?? fallback.maxPings,
    maxSettings: http2?.maxSettings ?? fallback.maxSettings,
    maxEmptyFrames: http2?.maxEmptyFrames ?? fallback.maxEmptyFrames,
    maxPriorities: http2?.maxPriorities ?? fallback.maxPriorities,
    maxWindowUpdates: http2?.maxWindowUpdates ?? fallback.maxWindowUpdates,
    maxUnsentControlBytes: http2?.maxUnsentControl ?? fallback.maxUnsentControlBytes,
    maxContinuations: http2?.maxContinuations ?? fallback.maxContinuations,
    maxAgeMs: http2?.maxAge ?? fallback.maxAgeMs,
    pingMs: http2?.ping ?? fallback.pingMs,
  }
}

function normaliseTranscode(
  transcode: CheckedListener['transcode'],
  resolvePath: ResolvePath,
): TranscodeConfig | undefined {
  if (transcode === undefined) return undefined
  const { protos, services, includes = [] } = transcode
  return { protos: protos.map(resolvePath), services, includes: includes.map(resolvePath) }
}

function normaliseRoute(
  { name: listener, protocol }: { readonly name: string; readonly protocol: ListenerProtocol },
  route: CheckedRoute,
  context: Context,
): RouteConfig {
  const match = normaliseMatch(route.match ?? {}, protocol)
  const id = routeId(listener, { name: route.name, match })
  return {
    id,
    name: route.name,
    match,
    gate: resolveGate(route.gate, routeGateId(id), context),
    action: actionOf(route, context),
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
