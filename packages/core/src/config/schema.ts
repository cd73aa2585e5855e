import * as z from 'zod'
import { parseHostPattern } from '../routing/host.ts'
import { parseNetwork } from '../routing/ip-address.ts'
import { parsePathPattern } from '../routing/path-pattern.ts'
import { parseBind, parseEndpointAddress } from './address.ts'
import { defaults } from './defaults.ts'
import {
  checkedText,
  count,
  duration,
  minRate,
  named,
  notText,
  oneOrMore,
  ratio,
  section,
  size,
  text,
} from './fields.ts'
import { namePattern } from './identity.ts'
import { formatDuration, formatRate, formatRatio, formatSize } from './quantity.ts'
import { checkFieldValue, checkMethod, checkPrefix, checkProbePath, checkRedirect } from './http-text.ts'

// Every key has a description, which the JSON Schema shows in editors. Defaults are read from `defaults`, and filled
// in by `normalise.ts`. What concerns more than one key is checked in `check.ts`.

const ms = (value: number): string => `Default: ${formatDuration(value)}.`
const bytes = (value: number): string => `Default: ${formatSize(value)}.`
const percent = (value: number): string => `Default: ${formatRatio(value)}.`
const plain = (value: string | number | boolean | readonly string[]): string =>
  `Default: ${Array.isArray(value) ? `[${value.join(', ')}]` : String(value)}.`

// Limits of what the shared table of waiters and the packed counters of a gate can hold.
const maxPermits = 1_000_000
const maxConnections = 1_000_000
const maxThreads = 64
const maxHead = 1024 ** 2
const maxHeld = 1024 ** 4
const maxBuffer = 64 * 1024 ** 2

const file = (what: string) =>
  checkedText((path) => (path === '' ? 'A path must not be empty.' : undefined)).describe(what)

const gate = section({
  limit: count(1, maxPermits).describe('How many units may run at once.'),
  queue: count(0, maxPermits)
    .optional()
    .describe(
      `How many may wait. Default: ${defaults.gate.queuePerLimit} × limit, ${defaults.gate.minQueue} at least.`,
    ),
  timeout: duration()
    .optional()
    .describe(`How long one may wait. ${ms(defaults.gate.timeoutMs)}`),
  dryRun: z
    .boolean()
    .optional()
    .describe(`Lets everything through and only counts what it would refuse. ${plain(defaults.gate.dryRun)}`),
  abandoned: z
    .enum(['reset', 'wait'])
    .optional()
    .describe(
      'When the permit of a unit that was cut comes back: `reset`, once the upstream half has been reset; `wait`, only ' +
        'when the upstream has answered or closed, `timeouts.response` long at most, for services that cannot cancel. ' +
        plain(defaults.gate.abandoned),
    ),
})

const gateOrName = z.union([z.string(), gate], {
  error: ({ input }) => {
    const sentence = 'A gate is the name of one under `gates`, or an object with `limit`, `queue` and `timeout`.'
    return typeof input === 'number' ? `${sentence}\nDid you mean \`{ limit: ${input} }\`?` : sentence
  },
})

const match = section({
  host: checkedText((host) => sentence(parseHostPattern(host)))
    .optional()
    .describe('A host name, or `*.example.com` for every name below it. Letter case and port do not matter.'),
  path: checkedText((path) => sentence(parsePathPattern(path)))
    .optional()
    .describe('A path: `/health`, `/users/*` (and `/users`), `/users/*/orders` (one segment).'),
  method: oneOrMore(checkedText(checkMethod))
    .optional()
    .describe('A method, or a list of methods of which it must be one.'),
  headers: z
    .record(z.string(), checkedText(checkFieldValue))
    .optional()
    .describe('Header fields and the value that each must have.'),
})

const route = section({
  name: checkedText(() => undefined)
    .optional()
    .describe('The identity of the route and its gate. Default: the canonical match.'),
  match: match
    .optional()
    .describe('What a request must be. Without it the route takes everything that no other takes.'),
  stripPrefix: checkedText(checkPrefix)
    .optional()
    .describe('What is cut off the path before it goes to the upstream. It must be a prefix of `match.path`.'),
  upstream: z
    .string()
    .optional()
    .describe(
      'The name of an upstream, or an address such as `http://127.0.0.1:4000` (http, https, tcp, ws, wss, unix).',
    ),
  gate: gateOrName.optional().describe('How many requests of this route may run at once: a gate, or the name of one.'),
  respond: section({
    status: count(200, 599)
      .optional()
      .describe(`The status. ${plain(defaults.respond.status)}`),
    body: z.string().optional().describe('The body. Default: empty.'),
    headers: z
      .record(z.string(), checkedText(checkFieldValue))
      .optional()
      .describe('Header fields of the answer; those that frame the message are set by Sluice.'),
  })
    .optional()
    .describe('Answers without an upstream.'),
  redirect: section({
    to: checkedText(checkRedirect).describe(
      'Where to: a URL or a path, with `{path}`, `{query}` (with its `?`) and `{host}` replaced.',
    ),
    status: z
      .literal([301, 302, 303, 307, 308])
      .optional()
      .describe(`The status. ${plain(defaults.redirect.status)}`),
  })
    .optional()
    .describe('Sends the client elsewhere.'),
})

const listenerDefaults = defaults.listener

const listener = section({
  bind: oneOrMore(
    text(parseBind, (input) =>
      typeof input === 'number'
        ? { problem: `The bind ${input} has no host and no colon.`, hint: `Write ":${input}".` }
        : notText(input),
    ),
  ).describe('Where to listen: host:port, [::]:port, :port (both families) or unix:/path; a list binds several.'),
  protocol: z.enum(['http', 'websocket', 'tcp']).describe('What the listener speaks. `websocket` takes upgrades only.'),
  tls: section({
    cert: file('The certificate chain, a PEM file.'),
    key: file('The private key, a PEM file.'),
  })
    .optional()
    .describe('The certificate of the listener. Default: in the clear.'),
  trustedProxies: z
    .array(checkedText((network) => sentence(parseNetwork(network))))
    .optional()
    .describe('Networks (CIDR) whose X-Forwarded-* fields are believed. Default: nobody.'),
  routes: z.array(route).min(1).optional().describe('The routes; the most specific match wins.'),
  upstream: z
    .string()
    .optional()
    .describe('The upstream of everything that comes: short for one route without a match.'),
  gate: gateOrName.optional().describe('How many units of this listener may run at once: a gate, or the name of one.'),
  reasonHeader: z
    .boolean()
    .optional()
    .describe(`Whether answers of Sluice itself carry \`x-sluice-reason\`. ${plain(listenerDefaults.reasonHeader)}`),
  path: z
    .enum(['strict', 'normalize', 'raw'])
    .optional()
    .describe(
      `Paths that are not in normal form are refused, normalised or left alone. ${plain(listenerDefaults.pathMode)}`,
    ),
  halfClose: z
    .boolean()
    .optional()
    .describe(`Whether a client that ends its half after a request still waits. ${plain(listenerDefaults.halfClose)}`),
  maxConnections: count(1, maxConnections)
    .optional()
    .describe(
      'Client connections at once; one more is closed as it comes. All listeners together take 80 % of the descriptors that the process may have, where the system tells how many. Default: no limit.',
    ),
  perClient: count(1, maxConnections)
    .optional()
    .describe(
      'Connections of one client address (IPv6: of one /64) at once. Trusted proxies may have more. Default: no limit.',
    ),
  backlog: count(1, 65_535)
    .optional()
    .describe(`Connections that the system keeps until they are accepted. ${plain(listenerDefaults.backlog)}`),
  minRate: minRate()
    .optional()
    .describe(
      `The least rate, averaged over ${formatDuration(listenerDefaults.minRate.windowMs)}, of a client that sends a body or takes an answer while a permit is held for it; in a tunnel of one that does not take what waits for it. Default: ${formatRate(listenerDefaults.minRate.bytesPerSecond)}.`,
    ),
  timeouts: section({
    head: duration()
      .optional()
      .describe(`For a request's head to be complete. ${ms(listenerDefaults.timeouts.headMs)}`),
    body: duration()
      .optional()
      .describe(`Without a byte of a body that is due. ${ms(listenerDefaults.timeouts.bodyMs)}`),
    send: duration()
      .optional()
      .describe(`Without progress in sending to the client. ${ms(listenerDefaults.timeouts.sendMs)}`),
    keepAlive: duration()
      .optional()
      .describe(`Between two requests. ${ms(listenerDefaults.timeouts.keepAliveMs)}`),
    idle: duration()
      .optional()
      .describe(
        `Without a byte either way in a tunnel (TCP, WebSocket), unless its upstream says otherwise. ${ms(listenerDefaults.timeouts.idleMs)}`,
      ),
  })
    .optional()
    .describe('How long a client may take.'),
  limits: section({
    head: size({ min: 1024, max: maxHead })
      .optional()
      .describe(`The largest head. ${bytes(listenerDefaults.limits.maxHeadBytes)}`),
    fields: count(1, 10_000)
      .optional()
      .describe(`The most header fields. ${plain(listenerDefaults.limits.maxFields)}`),
    target: size({ min: 256, max: maxHead })
      .optional()
      .describe(`The longest request target. ${bytes(listenerDefaults.limits.maxTargetBytes)}`),
  })
    .optional()
    .describe('How large a request may be.'),
})

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
      .enum(['http', 'tcp'])
      .optional()
      .describe(`What a probe is. ${plain(upstreamDefaults.activeHealth.type)}`),
    path: checkedText(checkProbePath).optional().describe('What an HTTP probe asks for; it must be given.'),
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

const upstream = section({
  endpoints: z.array(endpoint).min(1).describe('The addresses that serve the same.'),
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
      .array(z.enum(['connectFailure', 'stale', 'resetBeforeResponse']))
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

/** The schema of the file: what people write, checked key by key and turned into numbers and addresses. */
export const schema = section({
  $schema: z.string().optional().describe('The JSON Schema, for editors.'),
  threads: z
    .union([count(0, maxThreads), z.literal('auto')])
    .optional()
    .describe(
      'Data-plane threads: a number, `auto` for one a core, or 0 for the thread that runs the proxy. ' +
        'Default: auto for the command, 0 for `createProxy`.',
    ),
  maxWaiting: count(64, maxPermits)
    .optional()
    .describe(
      `How many units may wait at once at all gates together, where there are threads; one more is refused as \`queueFull\`. ${plain(defaults.maxWaiting)}`,
    ),
  drainDelay: duration({ min: 0, off: false })
    .optional()
    .describe(
      `How long a drain goes on accepting while \`/readyz\` says 503, so that a load balancer can look. ${ms(defaults.drainDelayMs)}`,
    ),
  drainTimeout: duration({ min: 0 })
    .optional()
    .describe(`How long a drain may take, from the end of \`drainDelay\` on. ${ms(defaults.drainTimeoutMs)}`),
  maxBuffered: size({ min: 65_536, max: maxHeld })
    .optional()
    .describe(
      `How much may be held in memory for peers that wait or are slow, over all threads; beyond it new units are refused as \`overloaded\`. ${bytes(defaults.maxBufferedBytes)}`,
    ),
  admin: section({
    bind: oneOrMore(text(parseBind, notText)).describe('Where metrics and state are served.'),
  })
    .optional()
    .describe('Metrics, state and control. Default: none.'),
  log: section({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .optional()
      .describe(`The least that is logged. ${plain(defaults.log.level)}`),
    access: z
      .enum(['off', 'json', 'pretty'])
      .optional()
      .describe(`One line for every exchange. ${plain(defaults.log.access)}`),
    file: file('Where to. Default: standard output.').optional(),
    query: z
      .boolean()
      .optional()
      .describe(`Whether the access log shows queries. ${plain(defaults.log.query)}`),
  })
    .optional()
    .describe('What is logged.'),
  listeners: named(namePattern, listener).describe('What listens, by name.'),
  gates: named(namePattern, gate).optional().describe('Gates that several routes name.'),
  upstreams: named(namePattern, upstream).optional().describe('What requests go to, by name.'),
})

/** What people write, in YAML, JSON or TypeScript. */
export type ConfigInput = z.input<typeof schema>

/** What the schema makes of it, before defaults and references. */
export type CheckedInput = z.output<typeof schema>

/** The part of a checked input that is one listener. */
export type CheckedListener = CheckedInput['listeners'][string]
/** The part of a checked input that is one route. */
export type CheckedRoute = NonNullable<CheckedListener['routes']>[number]
/** The part of a checked input that is one upstream. */
export type CheckedUpstream = NonNullable<CheckedInput['upstreams']>[string]
/** The part of a checked input that is one gate. */
export type CheckedGate = z.output<typeof gate>

/** A parser's answer as a check's: its sentence, if it is one. */
function sentence(parsed: unknown): string | undefined {
  return typeof parsed === 'string' ? parsed : undefined
}
