import type { PathMode } from '../routing/path.ts'
import type { RouteMatch } from '../routing/match.ts'
import type { BindAddress, EndpointAddress } from './address.ts'

/**
 * A checked configuration with every default in place. Plain data: it can be posted to a thread.
 *
 * Durations are milliseconds, and Infinity where `off` was written; sizes are bytes; ratios are numbers from 0 to 1;
 * paths of files are absolute when a base directory was given. Lists keep the order of the file.
 */
export interface Config {
  /** Data-plane threads; `auto`: one for each core; 0: the calling thread; undefined: whoever runs it decides. */
  readonly threads: number | 'auto' | undefined
  /** Units that may wait at once, at all gates together, where there are threads. */
  readonly maxWaiting: number
  /** How long a drain goes on accepting. */
  readonly drainDelayMs: number
  /** How long a drain may take from then on before the rest is cut. */
  readonly drainTimeoutMs: number
  /** Bytes held for others beyond which new units are refused. */
  readonly maxBufferedBytes: number
  /** Undefined: no admin listener. */
  readonly admin: AdminConfig | undefined
  readonly log: LogConfig
  readonly listeners: readonly ListenerConfig[]
  /** The named gates, whether a route uses them or not. */
  readonly gates: readonly GateConfig[]
  /** The named upstreams, then the anonymous ones that stand for addresses written in place of a name. */
  readonly upstreams: readonly UpstreamConfig[]
}

/** Where metrics and state are served. */
export interface AdminConfig {
  readonly bind: readonly BindAddress[]
}

/** The levels of the log, the most talkative first. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** What is logged, and where to. */
export interface LogConfig {
  readonly level: LogLevel
  /** The access log: one line an exchange, or none. */
  readonly access: 'off' | 'json' | 'pretty'
  /** Undefined: standard output. */
  readonly file: string | undefined
  /** Whether the access log shows the query of a target. */
  readonly query: boolean
}

/** The protocols a listener can speak. */
export type ListenerProtocol = 'http' | 'websocket' | 'grpc' | 'tcp'

/** One listener: addresses that speak one protocol and share routes. */
export interface ListenerConfig {
  readonly name: string
  readonly protocol: ListenerProtocol
  readonly bind: readonly BindAddress[]
  /** Undefined: in the clear. */
  readonly tls: ListenerTlsConfig | undefined
  /** Networks in CIDR notation. */
  readonly trustedProxies: readonly string[]
  readonly reasonHeader: boolean
  readonly pathMode: PathMode
  /** A client that has ended its half after a request is still waiting for the answer. */
  readonly halfClose: boolean
  /** Connections that the kernel keeps until they are accepted. */
  readonly backlog: number
  /** Connections at once, over all threads; Infinity where none is written. */
  readonly maxConnections: number
  /** Connections of one client address at once, over all threads; Infinity where none is written. */
  readonly perClient: number
  readonly minRate: MinRate
  readonly timeouts: ListenerTimeouts
  readonly limits: ListenerLimits
  readonly http2: ListenerHttp2Config
  /** What a grpc listener does with requests of other content types: 415, or it passes them on. */
  readonly other: 'refuse' | 'pass'
  /** gRPC-Web; undefined: it is not spoken. */
  readonly web: WebConfig | undefined
  /** Whether the listener answers grpc.health.v1 by itself. */
  readonly health: boolean
  /** JSON for gRPC services; undefined: none. */
  readonly transcode: TranscodeConfig | undefined
  readonly gate: GateConfig | undefined
  /** Never empty. A tcp listener, and one with a bare `upstream`, has one route that takes everything. */
  readonly routes: readonly RouteConfig[]
}

/** One certificate of a listener: paths of PEM files. */
export interface ListenerTlsConfig {
  readonly certFile: string
  readonly keyFile: string
}

/** How slow a client may be while a permit is held for it. */
export interface MinRate {
  /** 0: as slow as it likes. */
  readonly bytesPerSecond: number
  /** Over how long the rate is averaged. */
  readonly windowMs: number
}

/** How long a client may take. Infinity: for ever. */
export interface ListenerTimeouts {
  /** From the first byte of a request to the end of its head. */
  readonly headMs: number
  /** Without a byte of a body that is due. */
  readonly bodyMs: number
  /** Without progress in sending to the client. */
  readonly sendMs: number
  /** Between two requests. */
  readonly keepAliveMs: number
  /** Without a byte either way in a tunnel (TCP, WebSocket). */
  readonly idleMs: number
}

/** How large a request's head may be. */
export interface ListenerLimits {
  readonly maxHeadBytes: number
  readonly maxFields: number
  readonly maxTargetBytes: number
}

/** How clients speak HTTP/2, and what they may do to a connection. The `max…` are `wire`'s floods: one more ends it. */
export interface ListenerHttp2Config {
  /** Streams that a client may have open at once on one connection. */
  readonly maxStreams: number
  /** What a client may send on a new stream before it is given more. */
  readonly windowBytes: number
  /** What the window of a stream may grow to. Not below `windowBytes`. */
  readonly maxWindowBytes: number
  /** Streams reset before they were answered. */
  readonly maxResets: number
  readonly maxPings: number
  readonly maxSettings: number
  /** Frames that carry nothing. */
  readonly maxEmptyFrames: number
  /** PRIORITY frames, and frames of unknown types. */
  readonly maxPriorities: number
  readonly maxWindowUpdates: number
  /** What a client may leave unread of all that is no data. */
  readonly maxUnsentControlBytes: number
  /** CONTINUATION frames of one header block. */
  readonly maxContinuations: number
  /** The age from which a connection is asked to end (GOAWAY); Infinity: it lives as long as it likes. */
  readonly maxAgeMs: number
  /** A PING after so long without a frame while streams are open; Infinity: none. */
  readonly pingMs: number
}

/** gRPC-Web on a listener. */
export interface WebConfig {
  /** `https://host` or `https://host:port`, as browsers write them, or `*` for any. */
  readonly origins: readonly string[]
}

/** gRPC services that are also served as JSON by their `google.api.http` annotations. */
export interface TranscodeConfig {
  /** `.proto` files; those of any other extension are descriptor sets. */
  readonly protos: readonly string[]
  /** Full names; undefined: all that the files tell of. */
  readonly services: readonly string[] | undefined
  /** Where imports are looked up besides. */
  readonly includes: readonly string[]
}

/** One route of a listener. */
export interface RouteConfig {
  /** `LISTENER/NAME`, or `LISTENER/` and the canonical match: what metrics call it and what outlives a reload. */
  readonly id: string
  /** Undefined when it was given no name. */
  readonly name: string | undefined
  readonly match: RouteMatch
  readonly gate: GateConfig | undefined
  readonly action: RouteAction
}

/** What a route does with what it takes. */
export type RouteAction = ForwardAction | RespondAction | RedirectAction

/** Passes it to an upstream. */
export interface ForwardAction {
  readonly kind: 'forward'
  /** The name of an entry of `Config.upstreams`, of an anonymous one its address. */
  readonly upstream: string
  /** Cut off the path before it goes up, without a `/` at its end. */
  readonly stripPrefix: string | undefined
}

/** Answers it by itself. */
export interface RespondAction {
  readonly kind: 'respond'
  readonly status: number
  readonly body: string
  /** In the order and letter case of the file. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
}

/** Sends the client elsewhere. */
export interface RedirectAction {
  readonly kind: 'redirect'
  /** With the placeholders `{path}`, `{query}` (with its `?`, empty without one) and `{host}`. */
  readonly to: string
  readonly status: number
}

/** A gate: how many may run, how many may wait, and for how long. The same id is the same gate. */
export interface GateConfig {
  /** `listener:NAME`, `route:ROUTE-ID`, `upstream:NAME`, or the bare name of an entry under `gates`. */
  readonly id: string
  readonly limit: number
  readonly queue: number
  /** Infinity: a waiter waits for ever. */
  readonly timeoutMs: number
  /** Lets everything through and only counts what it would refuse. */
  readonly dryRun: boolean
  /**
   * When the permit of a unit that was cut comes back: once the upstream half has been reset, or only when the upstream
   * has answered or closed.
   */
  readonly abandoned: 'reset' | 'wait'
}

/** The ways to choose among endpoints. */
export type Balance = 'roundRobin' | 'weightedRoundRobin'

/** What is spoken with an upstream. `auto`: what ALPN says under TLS; in the clear HTTP/2 for gRPC, HTTP/1.1 for the rest. */
export type UpstreamProtocol = 'auto' | 'http1' | 'http2'

/** A set of endpoints that serve the same. */
export interface UpstreamConfig {
  /** Of an anonymous upstream the canonical address, such as `http://127.0.0.1:4000`. */
  readonly name: string
  /** Never empty. */
  readonly endpoints: readonly EndpointConfig[]
  /** `http2` too when an endpoint is written as `h2c:`, `grpc:` or `grpcs:`. */
  readonly protocol: UpstreamProtocol
  readonly balance: Balance
  readonly gate: GateConfig | undefined
  readonly pool: PoolConfig
  readonly timeouts: UpstreamTimeouts
  readonly buffer: { readonly maxRequestBytes: number }
  /** Infinity: names are resolved once. */
  readonly dns: { readonly refreshMs: number }
  readonly health: HealthConfig
  readonly retries: RetryConfig
  /** Undefined when nothing was written; whether an endpoint is spoken to through TLS says `EndpointConfig.secure`. */
  readonly tls: UpstreamTlsConfig | undefined
}

/** One address of an upstream. */
export interface EndpointConfig {
  /** `endpoint:UPSTREAM/ADDRESS`, the identity of its limit and its state. */
  readonly id: string
  readonly address: EndpointAddress
  /** Through TLS: the upstream has `tls`, or the address is `https:`, `wss:` or `grpcs:`. */
  readonly secure: boolean
  readonly weight: number
  /** How many may run on it; Infinity where none is written. */
  readonly limit: number
}

/** The connections kept to one endpoint. */
export interface PoolConfig {
  readonly maxIdle: number
  readonly idleTimeoutMs: number
  readonly maxConnections: number
  /** Exchanges that one connection of HTTP/2 carries at once, if its peer lets it. */
  readonly maxStreams: number
  /** The age from which a connection of HTTP/2 takes no new exchange; Infinity: none. */
  readonly maxAgeMs: number
  /** A PING after so long without a frame while exchanges run on a connection of HTTP/2; Infinity: none. */
  readonly pingMs: number
}

/** How long an upstream may take. Infinity: for ever. */
export interface UpstreamTimeouts {
  readonly connectMs: number
  /** From the last byte of the request to the head of the response. */
  readonly responseMs: number
  /** Without a byte either way; undefined when not written: each protocol has its own default. */
  readonly idleMs: number | undefined
}

/** How it is found out which endpoints can take work. */
export interface HealthConfig {
  /** Undefined: no probes. */
  readonly active: ActiveHealthConfig | undefined
  readonly passive: PassiveHealthConfig
}

/** What a probe asks. */
export type ActiveProbe =
  | { readonly type: 'http'; readonly path: string }
  | { readonly type: 'tcp' }
  /** grpc.health.v1; the empty name asks for the server as a whole. */
  | { readonly type: 'grpc'; readonly service: string }

/** Probes. */
export type ActiveHealthConfig = {
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Failures in a row that take an endpoint out. */
  readonly fall: number
  /** Successes in a row that bring it back. */
  readonly rise: number
} & ActiveProbe

/** What counts as a failure of an endpoint. */
export type PassiveFailure = 'connectFailure' | '5xx'

/** Ejection by what exchanges met. */
export interface PassiveHealthConfig {
  /** Failures in a row that eject an endpoint. */
  readonly failures: number
  readonly ejectMs: number
  /** The part of the endpoints that may be ejected at once, rounded down. */
  readonly maxEjected: number
  readonly on: readonly PassiveFailure[]
}

/** What may be tried again. */
export type RetryCause = 'connectFailure' | 'refused' | 'stale' | 'resetBeforeResponse'

/** When a failed attempt is followed by another. */
export interface RetryConfig {
  /** Attempts after the first. */
  readonly max: number
  readonly on: readonly RetryCause[]
  /** The part of what runs that may be retries. */
  readonly budget: number
  readonly retryNonIdempotent: boolean
}

/** TLS towards an upstream. The peer is always verified. */
export interface UpstreamTlsConfig {
  /** The path of a PEM file; undefined: the authorities of Node. */
  readonly caFile: string | undefined
  /** The name in SNI and the certificate; undefined: the endpoint's host. */
  readonly serverName: string | undefined
}
