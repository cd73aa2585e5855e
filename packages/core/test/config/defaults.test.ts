import { expect } from 'chai'
import { describe, it } from 'mocha'
import { parseConfigObject } from '../../src/config/parse.ts'

// The numbers of the contract, written out once more on purpose: changing a default must be a decision.
describe('defaults', () => {
  it('are those of the contract', () => {
    const { config } = parseConfigObject({
      listeners: { web: { bind: ':1', protocol: 'http', upstream: 'u', gate: { limit: 50 } } },
      gates: { small: { limit: 1 } },
      upstreams: { u: { endpoints: ['a:1'], health: { active: { path: '/' } } } },
    })
    const none = {
      host: undefined,
      path: undefined,
      service: undefined,
      calls: undefined,
      methods: undefined,
      headers: undefined,
    }
    expect(config).to.deep.equal({
      threads: undefined,
      maxWaiting: 65_536,
      drainDelayMs: 0,
      drainTimeoutMs: 30_000,
      maxBufferedBytes: 268_435_456,
      admin: undefined,
      log: { level: 'info', access: 'off', file: undefined, query: false },
      listeners: [
        {
          name: 'web',
          protocol: 'http',
          bind: [{ host: '', port: 1 }],
          tls: undefined,
          trustedProxies: [],
          reasonHeader: true,
          pathMode: 'normalize',
          halfClose: false,
          backlog: 4_096,
          maxConnections: Infinity,
          perClient: Infinity,
          minRate: { bytesPerSecond: 1_024, windowMs: 30_000 },
          timeouts: { headMs: 30_000, bodyMs: 30_000, sendMs: 60_000, keepAliveMs: 75_000, idleMs: 3_600_000 },
          limits: { maxHeadBytes: 16_384, maxFields: 100, maxTargetBytes: 8_192 },
          http2: {
            maxStreams: 100,
            windowBytes: 65_536,
            maxWindowBytes: 1_048_576,
            maxResets: 500,
            maxPings: 100,
            maxSettings: 100,
            maxEmptyFrames: 100,
            maxPriorities: 500,
            maxWindowUpdates: 1_000,
            maxUnsentControlBytes: 524_288,
            maxContinuations: 32,
            maxAgeMs: Infinity,
            pingMs: 60_000,
          },
          other: 'refuse',
          web: undefined,
          health: false,
          transcode: undefined,
          gate: { id: 'listener:web', limit: 50, queue: 100, timeoutMs: 5_000, dryRun: false, abandoned: 'reset' },
          routes: [
            {
              id: 'web/*',
              name: undefined,
              match: none,
              gate: undefined,
              action: { kind: 'forward', upstream: 'u', stripPrefix: undefined },
            },
          ],
        },
      ],
      gates: [{ id: 'small', limit: 1, queue: 16, timeoutMs: 5_000, dryRun: false, abandoned: 'reset' }],
      upstreams: [
        {
          name: 'u',
          endpoints: [
            { id: 'endpoint:u/a:1', address: { host: 'a', port: 1 }, secure: false, weight: 1, limit: Infinity },
          ],
          protocol: 'auto',
          balance: 'roundRobin',
          gate: undefined,
          pool: {
            maxIdle: 64,
            idleTimeoutMs: 4_000,
            maxConnections: 1024,
            maxStreams: 100,
            maxAgeMs: Infinity,
            pingMs: 360_000,
          },
          timeouts: { connectMs: 5_000, responseMs: 60_000, idleMs: undefined },
          buffer: { maxRequestBytes: 65_536 },
          dns: { refreshMs: 30_000 },
          health: {
            active: { type: 'http', path: '/', intervalMs: 10_000, timeoutMs: 2_000, fall: 3, rise: 2 },
            passive: { failures: 5, ejectMs: 30_000, maxEjected: 0.5, on: ['connectFailure'] },
          },
          retries: { max: 1, on: ['connectFailure', 'refused', 'stale'], budget: 0.2, retryNonIdempotent: false },
          tls: undefined,
        },
      ],
    })
  })
})
