import * as z from 'zod'
import { parseHostPattern } from '../routing/host.ts'
import { parseNetwork } from '../routing/ip-address.ts'
import { parsePathPattern } from '../routing/path-pattern.ts'
import { parseBind } from './address.ts'
import { defaults } from './defaults.ts'
import { checkedText, count, duration, minRate, named, notText, oneOrMore, section, size, text } from './fields.ts'
import { namePattern } from './identity.ts'
import { formatDuration, formatRate } from './quantity.ts'
import { gate, maxPermits } from './schema-gate.ts'
import { upstream } from './schema-upstream.ts'
import { bytes, file, ms, plain, sentence } from './schema-words.ts'
import { checkServicePattern } from './grpc-text.ts'
import { checkFieldValue, checkPrefix, checkRedirect, checkToken } from './http-text.ts'
import { transcode, web } from './schema-grpc.ts'
import { http2 } from './schema-http2.ts'

// Every key has a description, which the JSON Schema shows in editors. Defaults are read from `defaults`, and filled
// in by `normalise.ts`. What concerns more than one key is checked in `check.ts`.

const maxConnections = 1_000_000
const maxThreads = 64
const maxHead = 1024 ** 2
const maxHeld = 1024 ** 4

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
  service: checkedText(checkServicePattern)
    .optional()
    .describe(
      'A gRPC service by its full name: `shop.v1.Orders`, or `shop.v1.*` for every service below a package. In place of `path`.',
    ),
  method: oneOrMore(checkedText(checkToken))
    .optional()
    .describe(
      'A method, or a list of methods of which it must be one: of HTTP, such as `GET`, or beside `service` of gRPC, such as `Place`.',
    ),
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
      'The name of an upstream, or an address such as `http://127.0.0.1:4000` (http, https, h2c, grpc, grpcs, tcp, ws, wss, unix).',
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
  protocol: z
    .enum(['http', 'websocket', 'grpc', 'tcp'])
    .describe(
      'What the listener speaks. `http` takes HTTP/1.1, HTTP/2, WebSocket and gRPC; `websocket` upgrades only; `grpc` gRPC only.',
    ),
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
  http2: http2.optional().describe('How clients of http and grpc listeners speak HTTP/2, and what they may do.'),
  other: z
    .enum(['refuse', 'pass'])
    .optional()
    .describe(
      `What a grpc listener does with requests of other content types: 415, or it passes them on as an http listener would. ${plain(listenerDefaults.other)}`,
    ),
  web: web.optional().describe('gRPC-Web, also over HTTP/1.1, on grpc and http listeners. Default: none.'),
  health: z
    .boolean()
    .optional()
    .describe(`Whether a grpc or http listener answers grpc.health.v1 by itself. ${plain(listenerDefaults.health)}`),
  transcode: transcode
    .optional()
    .describe('JSON for gRPC services by their HTTP annotations, on grpc and http listeners. Default: none.'),
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
