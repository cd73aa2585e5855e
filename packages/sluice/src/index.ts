export type { Config, ConfigInput } from '@sluice/core'
export type { ExchangeRecord } from './engine/exchange-record.ts'
export { createProxy, defineConfig, Proxy } from './proxy.ts'
export type { ProxyLogs, ProxyOptions, Reloaded } from './proxy-options.ts'
export { StartError } from './start-error.ts'
export type {
  EndpointStats,
  GateStats,
  ListenerStats,
  ProxyState,
  ProxyStats,
  RouteStats,
  ThreadStats,
  UpstreamStats,
} from './stats.ts'
