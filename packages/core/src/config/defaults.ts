/**
 * What holds where nothing is written, in the units of the normalised configuration. The schema's descriptions read
 * these numbers; nothing else repeats them.
 */
export const defaults = {
  maxWaiting: 65_536,
  drainDelayMs: 0,
  drainTimeoutMs: 30_000,
  maxBufferedBytes: 256 * 1024 ** 2,
  log: { level: 'info', access: 'off', query: false },
  listener: {
    reasonHeader: true,
    pathMode: 'normalize',
    halfClose: false,
    backlog: 4_096,
    minRate: { bytesPerSecond: 1_024, windowMs: 30_000 },
    timeouts: { headMs: 30_000, bodyMs: 30_000, sendMs: 60_000, keepAliveMs: 75_000, idleMs: 3_600_000 },
    limits: { maxHeadBytes: 16 * 1024, maxFields: 100, maxTargetBytes: 8 * 1024 },
    http2: {
      maxStreams: 100,
      windowBytes: 64 * 1024,
      maxWindowBytes: 1024 ** 2,
      maxResets: 500,
      maxPings: 100,
      maxSettings: 100,
      maxEmptyFrames: 100,
      maxPriorities: 500,
      maxWindowUpdates: 1_000,
      maxUnsentControlBytes: 512 * 1024,
      maxContinuations: 32,
      maxAgeMs: Infinity,
      pingMs: 60_000,
    },
    other: 'refuse',
    health: false,
  },
  respond: { status: 200 },
  redirect: { status: 302 },
  /** `queue` is `queuePerLimit` × limit, `minQueue` at least. */
  gate: { queuePerLimit: 2, minQueue: 16, timeoutMs: 5_000, dryRun: false, abandoned: 'reset' },
  endpoint: { weight: 1 },
  upstream: {
    protocol: 'auto',
    balance: 'roundRobin',
    pool: {
      maxIdle: 64,
      idleTimeoutMs: 4_000,
      maxConnections: 1024,
      maxStreams: 100,
      maxAgeMs: Infinity,
      pingMs: 360_000,
    },
    // `idle` is absent: it depends on the protocol (HTTP 300 s, WebSocket and TCP 1 h), which core does not know.
    timeouts: { connectMs: 5_000, responseMs: 60_000 },
    buffer: { maxRequestBytes: 64 * 1024 },
    dns: { refreshMs: 30_000 },
    activeHealth: { type: 'http', intervalMs: 10_000, timeoutMs: 2_000, fall: 3, rise: 2 },
    passiveHealth: { failures: 5, ejectMs: 30_000, maxEjected: 0.5, on: ['connectFailure'] },
    retries: { max: 1, on: ['connectFailure', 'refused', 'stale'], budget: 0.2, retryNonIdempotent: false },
  },
} as const
