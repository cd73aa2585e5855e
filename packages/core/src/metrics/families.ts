import type { MetricFamily } from './block.ts'

/** Seconds from a tenth of a millisecond to a minute: what a proxy's clients wait for. */
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Everything that `/metrics` shows, but for what the process itself adds. */
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
  logDropped: { name: 'sluice_log_dropped_total', help: 'Access log lines dropped.', type: 'counter' },
} as const satisfies Record<string, MetricFamily>
