import * as z from 'zod'
import { parseHostPattern } from '../routing/host.ts'
import { parseEndpointAddress } from './address.ts'
import { defaults } from './defaults.ts'
import { checkedText, count, duration, notText, ratio, section, size, text } from './fields.ts'
import { checkHealthService } from './grpc-text.ts'
import { checkProbePath } from './http-text.ts'
import { gate, maxPermits } from './schema-gate.ts'
import { bytes, file, ms, percent, plain } from './schema-words.ts'

const maxConnections = 1_000_000
const maxBuffer = 64 * 1024 ** 2

const upstreamDefaults = defaults.upstream

const endpoint = z.union(
  [
    text(parseEndpointAddress, notText),
    section({
      address: text(parseEndpointAddress, notText).describe('host:port, a URL without path, or unix:/path.'),
      weight: count(1, 1000)
        .optional()
        .describe(`Its share under \`weightedRoundRobin\`. ${plain(defaults.endpoint.weight)}`),
      limit: count(1, maxPermits).optional().describe('How many units may run on it at once. Default: no limit.'),
    }),
  ],
  { error: 'An endpoint is an address, or an object with `address`, `weight` and `limit`.' },
)

const health = section({
  active: section({
    type: z
      .enum(['http', 'tcp', 'grpc'])
      .optional()
      .describe(`What a probe is. ${plain(upstreamDefaults.activeHealth.type)}`),
    path: checkedText(checkProbePath).optional().describe('What an HTTP probe asks for; it must be given.'),
    grpc: checkedText(checkHealthService)
      .optional()
      .describe(
        'The service that a probe of grpc.health.v1 asks for; `""` is the server as a whole. It makes `type: grpc`.',
      ),
    interval: duration({ min: 100, off: false })
      .optional()
      .describe(`Between two probes. ${ms(upstreamDefaults.activeHealth.intervalMs)}`),
    timeout: duration({ off: false })
      .optional()
      .describe(`For the answer. ${ms(upstreamDefaults.activeHealth.timeoutMs)}`),
    fall: count(1, 1000)
      .optional()
      .describe(`Failures in a row that take an endpoint out. ${plain(upstreamDefaults.activeHealth.fall)}`),
    rise: count(1, 1000)
      .optional()
      .describe(`Successes in a row that bring it back. ${plain(upstreamDefaults.activeHealth.rise)}`),
  })
    .optional()
    .describe('Probes. Default: none.'),
  passive: section({
    failures: count(1, 100_000)
      .optional()
      .describe(`Failures in a row that eject an endpoint. ${plain(upstreamDefaults.passiveHealth.failures)}`),
    eject: duration({ off: false })
      .optional()
      .describe(`How long it stays out. ${ms(upstreamDefaults.passiveHealth.ejectMs)}`),
    maxEjected: ratio()
      .optional()
      .describe(
        `The part of the endpoints that may be out at once, rounded down. ${percent(upstreamDefaults.passiveHealth.maxEjected)}`,
      ),
    on: z
      .array(z.enum(['connectFailure', '5xx']))
      .optional()
      .describe(`What counts as a failure. ${plain(upstreamDefaults.passiveHealth.on)}`),
  })
    .optional()
    .describe('Ejection by what requests met.'),
})

/** An upstream. */
export const upstream = section({
  endpoints: z.array(endpoint).min(1).describe('The addresses that serve the same.'),
  protocol: z
    .enum(['auto', 'http1', 'http2'])
    .optional()
    .describe(
      `What is spoken with it. \`auto\`: what ALPN says under TLS; in the clear HTTP/2 for gRPC and HTTP/1.1 for the rest. ${plain(upstreamDefaults.protocol)}`,
    ),
  balance: z
    .enum(['roundRobin', 'weightedRoundRobin'])
    .optional()
    .describe(`How one is chosen. ${plain(upstreamDefaults.balance)}`),
  gate: gate.optional().describe('How many units may run at once across all endpoints.'),
  pool: section({
    maxIdle: count(0, maxConnections)
      .optional()
      .describe(`Idle connections kept to an endpoint. ${plain(upstreamDefaults.pool.maxIdle)}`),
    idleTimeout: duration()
      .optional()
      .describe(`How long an idle one is kept. ${ms(upstreamDefaults.pool.idleTimeoutMs)}`),
    maxConnections: count(1, maxConnections)
      .optional()
      .describe(`Connections to an endpoint. ${plain(upstreamDefaults.pool.maxConnections)}`),
    maxStreams: count(1, maxConnections)
      .optional()
      .describe(
        `Requests that one connection of HTTP/2 carries at once, if the endpoint lets it. ${plain(upstreamDefaults.pool.maxStreams)}`,
      ),
    maxAge: duration({ min: 1000 })
      .optional()
      .describe(
        `The age from which a connection of HTTP/2 takes no new request. ${ms(upstreamDefaults.pool.maxAgeMs)}`,
      ),
    ping: duration({ min: 1000 })
      .optional()
      .describe(
        `A PING after so long without a frame while requests run on a connection of HTTP/2; one that does not answer it is broken. Servers of gRPC allow no more than one in five minutes unless they are told to. ${ms(upstreamDefaults.pool.pingMs)}`,
      ),
  })
    .optional()
    .describe('The connections kept to each endpoint.'),
  timeouts: section({
    connect: duration()
      .optional()
      .describe(`For a connection, TLS included. ${ms(upstreamDefaults.timeouts.connectMs)}`),
    response: duration()
      .optional()
      .describe(
        `From the last byte of the request to the head of the response. ${ms(upstreamDefaults.timeouts.responseMs)}`,
      ),
    idle: duration()
      .optional()
      .describe('Without a byte either way. Default: 300s for HTTP, 1h for WebSocket and TCP.'),
  })
    .optional()
    .describe('How long the upstream may take.'),
  buffer: section({
    request: size({ min: 0, max: maxBuffer })
      .optional()
      .describe(
        `How much of a request is read before it takes a permit. ${bytes(upstreamDefaults.buffer.maxRequestBytes)}`,
      ),
  })
    .optional()
    .describe('What is held in memory.'),
  dns: section({
    refresh: duration({ min: 1000 })
      .optional()
      .describe(`Between two look-ups of a name. ${ms(upstreamDefaults.dns.refreshMs)}`),
  })
    .optional()
    .describe('How names of endpoints are resolved, always in the background.'),
  health: health.optional().describe('How it is found out which endpoints can take work.'),
  retries: section({
    max: count(0, 10)
      .optional()
      .describe(`Attempts after the first. ${plain(upstreamDefaults.retries.max)}`),
    on: z
      .array(z.enum(['connectFailure', 'refused', 'stale', 'resetBeforeResponse']))
      .optional()
      .describe(`After what. ${plain(upstreamDefaults.retries.on)}`),
    budget: ratio()
      .optional()
      .describe(`The part of what runs that may be retries, 3 at least. ${percent(upstreamDefaults.retries.budget)}`),
    retryNonIdempotent: z
      .boolean()
      .optional()
      .describe(`Also what RFC 9110 §9.2.2 forbids to repeat. ${plain(upstreamDefaults.retries.retryNonIdempotent)}`),
  })
    .optional()
    .describe('When a failed attempt is followed by another.'),
  tls: section({
    ca: file('The authorities to trust, a PEM file. Default: those of Node.').optional(),
    serverName: checkedText((name) => {
      const pattern = parseHostPattern(name)
      return typeof pattern === 'string' || pattern.wildcard ? `\`${name}\` is not a host name.` : undefined
    })
      .optional()
      .describe('The name in SNI and the certificate. Default: the host of the endpoint.'),
  })
    .optional()
    .describe('Turns TLS on. The peer is always verified.'),
})
