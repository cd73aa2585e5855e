export type { Config, ConfigInput, Exchange } from '@sluice/core'
export { createProxy, defineConfig, Proxy, type ProxyOptions } from './proxy.ts'
export { StartError } from './start-error.ts'
export type {
  EndpointStats,
  GateStats,
  ListenerStats,
  ProxyState,
  ProxyStats,
  RouteStats,
  UpstreamStats,
} from './stats.ts'
