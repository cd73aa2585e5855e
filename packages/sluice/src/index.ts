export type { Config, ConfigInput } from '@sluice/core'
export type { ExchangeRecord } from './engine/exchange-record.ts'
export { createProxy, defineConfig, Proxy, type ProxyLogs, type ProxyOptions } from './proxy.ts'
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
