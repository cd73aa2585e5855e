import { type Config, type EndpointConfig, formatDuration, type GateConfig } from '@sluice/core'

/** Limits of one gate that somebody has set while it runs; those not given stay. */
export type LimitsPatch = Partial<Pick<GateConfig, 'limit' | 'queue' | 'timeoutMs'>>

/** Every gate that a configuration has written, by id. */
export function gatesOf({ gates, listeners, upstreams }: Config): ReadonlyMap<string, GateConfig> {
  const all = [
    ...gates,
    ...listeners.flatMap(({ gate, routes }) => [gate, ...routes.map((route) => route.gate)]),
    ...upstreams.map(({ gate }) => gate),
  ]
  return new Map(all.filter((gate) => gate !== undefined).map((gate) => [gate.id, gate]))
}

/** The configuration with other limits at some of its gates, by id. */
export function withLimits(config: Config, patches: ReadonlyMap<string, LimitsPatch>): Config {
  if (patches.size === 0) return config
  const amend = <T extends { readonly gate: GateConfig | undefined }>(one: T): T =>
    one.gate === undefined || !patches.has(one.gate.id) ? one : { ...one, gate: amended(one.gate) }
  const amended = (gate: GateConfig): GateConfig => ({ ...gate, ...patches.get(gate.id) })
  return {
    ...config,
    gates: config.gates.map(amended),
    listeners: config.listeners.map((listener) => amend({ ...listener, routes: listener.routes.map(amend) })),
    upstreams: config.upstreams.map(amend),
  }
}

/** The configuration with other endpoints at one of its upstreams. */
export function withEndpoints(config: Config, upstream: string, endpoints: readonly EndpointConfig[]): Config {
  return {
    ...config,
    upstreams: config.upstreams.map((one) => (one.name === upstream ? { ...one, endpoints } : one)),
  }
}

/** What differs, in words: `limit 6 → 3, queue 12 → 100`. */
export function changedLimits(before: Required<LimitsPatch>, after: Required<LimitsPatch>): string {
  const shown = (gate: Required<LimitsPatch>): [string, string][] => [
    ['limit', String(gate.limit)],
    ['queue', String(gate.queue)],
    ['timeout', gate.timeoutMs === Infinity ? 'off' : formatDuration(gate.timeoutMs)],
  ]
  const was = new Map(shown(before))
  const changed = shown(after).filter(([key, value]) => value !== was.get(key))
  return changed.length === 0
    ? 'the same'
    : changed.map(([key, value]) => `${key} ${was.get(key)} → ${value}`).join(', ')
}

/** The keys that have changed and need a restart to hold. */
export function restartsFor(before: Config, after: Config): string[] {
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
  const keys: [string, boolean][] = [
    ['threads', same(before.threads, after.threads)],
    ['maxWaiting', before.maxWaiting === after.maxWaiting],
    ['admin.bind', same(before.admin, after.admin)],
    ['log', same(before.log, after.log)],
  ]
  return keys.filter(([, unchanged]) => !unchanged).map(([key]) => key)
}
