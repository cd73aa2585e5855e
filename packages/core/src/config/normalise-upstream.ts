import {
  formatAddress,
  formatParsedAddress,
  isHttp2Scheme,
  isSecureScheme,
  parseEndpointAddress,
  type EndpointAddress,
  type ParsedAddress,
} from './address.ts'
import type {
  ActiveProbe,
  EndpointConfig,
  GateConfig,
  HealthConfig,
  UpstreamConfig,
  UpstreamProtocol,
} from './config.ts'
import { defaults } from './defaults.ts'
import { endpointId, upstreamGateId } from './identity.ts'
import { isProblem } from './problem.ts'
import type { CheckedGate, CheckedUpstream } from './schema.ts'

/** Makes a relative path absolute. */
export type ResolvePath = (path: string) => string

/** A gate with its defaults. */
export function makeGate(id: string, gate: CheckedGate): GateConfig {
  const { queuePerLimit, minQueue, timeoutMs, dryRun, abandoned } = defaults.gate
  return {
    id,
    limit: gate.limit,
    queue: gate.queue ?? Math.max(minQueue, queuePerLimit * gate.limit),
    timeoutMs: gate.timeout ?? timeoutMs,
    dryRun: gate.dryRun ?? dryRun,
    abandoned: gate.abandoned ?? abandoned,
  }
}

/** An upstream with its defaults. */
export function normaliseUpstream(name: string, upstream: CheckedUpstream, resolvePath: ResolvePath): UpstreamConfig {
  const { pool, timeouts, buffer, dns, retries } = defaults.upstream
  const endpoints = upstream.endpoints.map((written): EndpointConfig => {
    const { address, weight, limit } = endpointOf(written)
    const resolved = resolveAddress(address.address, resolvePath)
    return {
      id: endpointId(name, formatAddress(resolved)),
      address: resolved,
      secure: upstream.tls !== undefined || isSecureScheme(address.scheme),
      weight: weight ?? defaults.endpoint.weight,
      limit: limit ?? Infinity,
    }
  })
  return {
    name,
    endpoints,
    protocol: protocolOf(upstream),
    balance: upstream.balance ?? defaults.upstream.balance,
    gate: upstream.gate === undefined ? undefined : makeGate(upstreamGateId(name), upstream.gate),
    pool: {
      maxIdle: upstream.pool?.maxIdle ?? pool.maxIdle,
      idleTimeoutMs: upstream.pool?.idleTimeout ?? pool.idleTimeoutMs,
      maxConnections: upstream.pool?.maxConnections ?? pool.maxConnections,
      maxStreams: upstream.pool?.maxStreams ?? pool.maxStreams,
      maxAgeMs: upstream.pool?.maxAge ?? pool.maxAgeMs,
      pingMs: upstream.pool?.ping ?? pool.pingMs,
    },
    timeouts: {
      connectMs: upstream.timeouts?.connect ?? timeouts.connectMs,
      responseMs: upstream.timeouts?.response ?? timeouts.responseMs,
      idleMs: upstream.timeouts?.idle,
    },
    buffer: { maxRequestBytes: upstream.buffer?.request ?? buffer.maxRequestBytes },
    dns: { refreshMs: upstream.dns?.refresh ?? dns.refreshMs },
    health: normaliseHealth(upstream.health),
    retries: {
      max: upstream.retries?.max ?? retries.max,
      on: upstream.retries?.on ?? retries.on,
      budget: upstream.retries?.budget ?? retries.budget,
      retryNonIdempotent: upstream.retries?.retryNonIdempotent ?? retries.retryNonIdempotent,
    },
    tls:
      upstream.tls === undefined
        ? undefined
        : {
            caFile: upstream.tls.ca === undefined ? undefined : resolvePath(upstream.tls.ca),
            serverName: upstream.tls.serverName?.toLowerCase(),
          },
  }
}

type WrittenEndpoint = CheckedUpstream['endpoints'][number]

/** An endpoint as an object, also where only its address was written. */
function endpointOf(written: WrittenEndpoint): Exclude<WrittenEndpoint, ParsedAddress> {
  return 'weight' in written || 'limit' in written || !('scheme' in written)
    ? (written as Exclude<WrittenEndpoint, ParsedAddress>)
    : { address: written }
}

/** What is written, or what the schemes say; the checks have made sure that they do not contradict each other. */
function protocolOf({ protocol = defaults.upstream.protocol, endpoints }: CheckedUpstream): UpstreamProtocol {
  if (protocol !== 'auto') return protocol
  return endpoints.some((one) => isHttp2Scheme(endpointOf(one).address.scheme)) ? 'http2' : protocol
}

/** The upstream that stands for an address; its name is the address with its scheme, and so the same each time. */
export function normaliseAnonymous(text: string, resolvePath: ResolvePath): UpstreamConfig {
  const parsed = parseEndpointAddress(text)
  // The checks have parsed it before.
  if (isProblem(parsed)) throw new TypeError(parsed.problem)
  const resolved = { ...parsed, address: resolveAddress(parsed.address, resolvePath) }
  return normaliseUpstream(formatParsedAddress(resolved), { endpoints: [resolved] }, resolvePath)
}

/** An address whose path, if it is one, is absolute. */
export function resolveAddress<A extends EndpointAddress>(address: A, resolvePath: ResolvePath): A {
  return 'path' in address ? { ...address, path: resolvePath(address.path) } : address
}

function normaliseHealth(health: CheckedUpstream['health']): HealthConfig {
  const { activeHealth, passiveHealth } = defaults.upstream
  const passive = {
    failures: health?.passive?.failures ?? passiveHealth.failures,
    ejectMs: health?.passive?.eject ?? passiveHealth.ejectMs,
    maxEjected: health?.passive?.maxEjected ?? passiveHealth.maxEjected,
    on: health?.passive?.on ?? passiveHealth.on,
  }
  const active = health?.active
  if (active === undefined) return { active: undefined, passive }
  const schedule = {
    intervalMs: active.interval ?? activeHealth.intervalMs,
    timeoutMs: active.timeout ?? activeHealth.timeoutMs,
    fall: active.fall ?? activeHealth.fall,
    rise: active.rise ?? activeHealth.rise,
  }
  return { active: { ...schedule, ...probeOf(active) }, passive }
}

function probeOf({ type, path, grpc }: NonNullable<NonNullable<CheckedUpstream['health']>['active']>): ActiveProbe {
  if (type === 'grpc' || grpc !== undefined) return { type: 'grpc', service: grpc ?? '' }
  if (type === 'tcp') return { type }
  // The checks have made sure that an HTTP probe has a path.
  return { type: defaults.upstream.activeHealth.type, path: path! }
}
