import type { MetricFamily } from './block.ts'

/** Seconds from a tenth of a millisecond to a minute: what a proxy's clients wait for. */
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Everything that `/metrics` may show, but for what the process itself adds. */
export const families = {
  requests: {
    name: 'sluice_requests_total',
    help: 'Units served, by how they ended: HTTP requests, TCP connections, WebSocket sessions.',
    type: 'counter',
  },
  requestSeconds: {
    name: 'sluice_request_seconds',
    help: 'Time from the head to the last byte.',
    type: 'histogram',
    buckets: seconds,
  },
  gateRunning: { name: 'sluice_gate_running', help: 'Units that hold a permit.', type: 'gauge' },
  gateWaiting: { name: 'sluice_gate_waiting', help: 'Units in the queue.', type: 'gauge' },
  gateWaitSeconds: {
    name: 'sluice_gate_wait_seconds',
    help: 'Time that units waited before they were let through.',
    type: 'histogram',
    buckets: seconds,
  },
  gateRefused: { name: 'sluice_gate_refused_total', help: 'Units turned away by a gate.', type: 'counter' },
  gateDryRefused: {
    name: 'sluice_gate_dry_refused_total',
    help: 'Units that a gate on dryRun let through and would have turned away.',
    type: 'counter',
  },
  gateOldestWait: {
    name: 'sluice_gate_oldest_wait_seconds',
    help: 'How long the oldest unit in the queue has waited; 0 when nobody waits.',
    type: 'gauge',
  },
  upstreamConnections: {
    name: 'sluice_upstream_connections',
    help: 'Connections to endpoints, by state: connecting, idle or busy.',
    type: 'gauge',
  },
  endpointHealthy: { name: 'sluice_endpoint_healthy', help: '1 when the endpoint gets work.', type: 'gauge' },
  connections: { name: 'sluice_connections', help: 'Open client connections.', type: 'gauge' },
  connectionsRefused: {
    name: 'sluice_connections_refused_total',
    help: 'Client connections refused before they were served, such as for want of descriptors.',
    type: 'counter',
  },
  bytes: {
    name: 'sluice_bytes_total',
    help: 'Bytes received from (in) and sent to (out) clients by finished units.',
    type: 'counter',
  },
  internalErrors: {
    name: 'sluice_internal_errors_total',
    help: 'Bugs of Sluice that cost a unit. Please report.',
    type: 'counter',
  },
  logDropped: { name: 'sluice_log_dropped_total', help: 'Log lines dropped.', type: 'counter' },
  bufferedBytes: {
    name: 'sluice_buffered_bytes',
    help: 'Bytes held in memory, as maxBuffered counts them.',
    type: 'gauge',
  },
  eventLoopDelay: {
    name: 'sluice_event_loop_delay_seconds',
    help: 'How late the event loop of a thread was, since the last scrape.',
    type: 'gauge',
  },
  threads: { name: 'sluice_threads', help: 'Data-plane threads that live.', type: 'gauge' },
  threadRestarts: {
    name: 'sluice_thread_restarts_total',
    help: 'Data-plane threads that died and were replaced.',
    type: 'counter',
  },
  reloads: { name: 'sluice_reloads_total', help: 'Reloads of the configuration, by result.', type: 'counter' },
} as const satisfies Record<string, MetricFamily>

const byName = new Map<string, MetricFamily>(Object.values(families).map((family) => [family.name, family]))

/** The family of this name. Threads name families to each other; one that is not in `families` is a mistake of ours. */
export function familyNamed(name: string): MetricFamily {
  const family = byName.get(name)
  if (family === undefined) throw new Error(`${name} is not in families`)
  return family
}
