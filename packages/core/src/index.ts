export {
  type AddressScheme,
  type BindAddress,
  type EndpointAddress,
  formatAddress,
  type ParsedAddress,
  parseBind,
  parseEndpointAddress,
} from './config/address.ts'
export type * from './config/config.ts'
export { type ConfigError, type ConfigPath, formatConfigErrors, formatPath } from './config/config-error.ts'
export { defaults } from './config/defaults.ts'
export { endpointId, listenerGateId, routeGateId, routeId, upstreamGateId } from './config/identity.ts'
export { jsonSchema } from './config/json-schema.ts'
export { nearest } from './config/nearest.ts'
export { type ConfigResult, type Locate, type ParseOptions, parseConfig, parseConfigObject } from './config/parse.ts'
export { isProblem, type Problem } from './config/problem.ts'
export { formatDuration, formatSize, parseDuration, parseSize } from './config/quantity.ts'
export type { ConfigInput } from './config/schema.ts'
export * from './errors.ts'
export { Exchange, type ExchangeState } from './exchange.ts'
export type { Route } from './route.ts'
export {
  type Admission,
  type Gate,
  type GateLimits,
  type GateObserver,
  type GateRefusal,
  Permit,
  type Room,
  Waiter,
  type WaiterState,
} from './gate/gate.ts'
export { type GateParts, LocalGate } from './gate/local-gate.ts'
export { SharedGate } from './gate/shared-gate.ts'
export { Generation, type GenerationParts } from './generation.ts'
export type { Listener, ListenerParts } from './listener.ts'
export { ClientAdmission, type Peer } from './client-admission.ts'
export { ClientTable } from './state/client-table.ts'
export { HeldBytes } from './state/held-bytes.ts'
export { type RatedPeer, RateWatch } from './timers/rate-watch.ts'
export {
  type Labels,
  type MetricFamily,
  type MetricsAnnouncement,
  MetricsBlock,
  type MetricsSource,
  type MetricType,
  type Series,
} from './metrics/block.ts'
export { EventLoopDelay } from './metrics/event-loop-delay.ts'
export { MetricsReader } from './metrics/reader.ts'
export { MetricsSum } from './metrics/sum.ts'
export { ExchangeMetrics } from './metrics/exchange-metrics.ts'
export { families } from './metrics/families.ts'
export { GateMetrics } from './metrics/gate-metrics.ts'
export { judgeRetry, type RetryFacts } from './retries.ts'
export { TrustedProxies } from './routing/client-address.ts'
export type { Head } from './routing/head.ts'
export { hostName } from './routing/host.ts'
export { parseIpAddress } from './routing/ip-address.ts'
export { canonicalMatch, type RouteMatch } from './routing/match.ts'
export { isPlainPath, type NormalPath, normalizePath, type PathMode, stripPrefix } from './routing/path.ts'
export { type Explanation, Router, type RouterEntry } from './routing/router.ts'
export { type Accountant, Runtime } from './runtime.ts'
export { CapacityError, type GateState, type StateControl } from './state/control.ts'
export { EndpointCells, type EndpointLimits } from './state/endpoint-cells.ts'
export { type Capacity, defaultCapacity } from './state/layout.ts'
export { LocalStore } from './state/local-store.ts'
export { SharedControl } from './state/shared-control.ts'
export { SharedMemory, type SharedMemoryHandle } from './state/shared-memory.ts'
export { type Records, SharedStore } from './state/shared-store.ts'
export type { Cursor, StateStore } from './state/store.ts'
export { ThreadCount } from './state/thread-count.ts'
export { UnitCount } from './state/unit-count.ts'
export { type Clock, type Expirable, Timer, TimerWheel } from './timers/wheel.ts'
export { type TunnelTimeouts, TunnelWatch, type WatchedTunnel } from './timers/tunnel-watch.ts'
export { type Task, Turn } from './turn.ts'
export { ActiveCheck, type Probe } from './upstream/active-check.ts'
export { type Balancer, balancerOver } from './upstream/balancer.ts'
export { Connection, type ConnectionState, type Lessee } from './upstream/connection.ts'
export { connectionStates, Endpoint, type EndpointParts } from './upstream/endpoint.ts'
export { EndpointHealth, type HealthObserver } from './upstream/health.ts'
export { type Connector, Pool } from './upstream/pool.ts'
export { type Lookup, NameWatch, systemLookup } from './upstream/resolver.ts'
export { Upkeep, type UpkeepParts } from './upstream/upkeep.ts'
export { type EndpointTls, Upstream, type UpstreamParts, type UpstreamPlan } from './upstream/upstream.ts'
