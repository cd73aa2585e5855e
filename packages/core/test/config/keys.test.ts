import { expect } from 'chai'
import { describe, it } from 'mocha'
import { stringify } from 'yaml'
import { jsonSchema } from '../../src/config/json-schema.ts'
import { parseConfig } from '../../src/config/parse.ts'

// Every key of the configuration: what it becomes, and what it refuses. The last test makes sure that none is missing.

interface Key {
  readonly key: string
  readonly good: unknown
  /** Where the value is in the normalised configuration, and what it is there. */
  readonly at: string
  readonly becomes: unknown
  readonly bad: unknown
  readonly says: string
  /** Keys that must be absent or different for this one to be allowed. */
  readonly set?: Readonly<Record<string, unknown>>
}

const web = 'listeners.web'
const route = `${web}.routes.0`
const users = 'upstreams.users'
const duration = { good: '1m30s', becomes: 90_000, bad: 90, says: 'The duration 90 has no unit.' } as const
const off = { good: 'off', becomes: Infinity, bad: '90', says: 'The duration 90 has no unit.' } as const
const count = { good: 7, becomes: 7, bad: 7.5, says: '`7.5` is not a whole number.' } as const
const flag = { bad: 'yes', says: '`yes` is not true or false.' } as const
const text = { bad: 5, says: '5 is not text.' } as const
const object = { bad: 'x', says: 'is not an object of keys and values.' } as const
const tcp = { [web]: { bind: ':1', protocol: 'tcp', upstream: 'users' } }

const noMatch = {
  host: undefined,
  path: undefined,
  service: undefined,
  calls: undefined,
  methods: undefined,
  headers: undefined,
}

const http2Defaults = {
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
}

const plainGate = { dryRun: false, abandoned: 'reset' }

/** The keys that every gate has and that no other key looks like. */
function gateKeys(key: string, at: string): Key[] {
  const set = { [`${key}.limit`]: 1 }
  return [
    { key: `${key}.dryRun`, set, at: `${at}.dryRun`, good: true, becomes: true, bad: 'yes', says: 'true or false' },
    {
      key: `${key}.abandoned`,
      set,
      at: `${at}.abandoned`,
      good: 'wait',
      becomes: 'wait',
      bad: 'hold',
      says: 'is not one of the values',
    },
  ]
}

const keys: readonly Key[] = [
  { key: '$schema', good: './schema.json', at: 'drainTimeoutMs', becomes: 30_000, bad: 5, says: '`5` is not text.' },
  { key: 'threads', at: 'threads', good: 2, becomes: 2, bad: 65, says: 'must be 64 or less' },
  {
    key: 'threads',
    at: 'threads',
    good: 'auto',
    becomes: 'auto',
    bad: 'all',
    says: 'is not one of the values allowed here',
  },
  { key: 'maxWaiting', at: 'maxWaiting', good: 100, becomes: 100, bad: 5, says: '64' },
  { key: 'drainDelay', at: 'drainDelayMs', good: '5s', becomes: 5_000, bad: 'off', says: 'cannot be `off`' },
  { key: 'drainTimeout', at: 'drainTimeoutMs', ...duration },
  { key: 'drainTimeout', at: 'drainTimeoutMs', ...off },
  { key: 'drainTimeout', at: 'drainTimeoutMs', good: '0s', becomes: 0, bad: '-1s', says: '`-1s` is not a duration.' },
  {
    key: 'maxBuffered',
    good: '1MiB',
    at: 'maxBufferedBytes',
    becomes: 1_048_576,
    bad: '1KiB',
    says: 'from 65536 to 1099511627776 bytes',
  },
  { key: 'admin', good: { bind: 'unix:/a' }, at: 'admin.bind', becomes: [{ path: '/a' }], ...object },
  {
    key: 'admin.bind',
    good: '127.0.0.1:9901',
    at: 'admin.bind',
    becomes: [{ host: '127.0.0.1', port: 9901 }],
    bad: 'x',
    says: 'The bind `x` has no port.',
  },
  {
    key: 'log',
    good: {},
    at: 'log',
    becomes: { level: 'info', access: 'off', file: undefined, query: false },
    ...object,
  },
  { key: 'log.level', good: 'warn', at: 'log.level', becomes: 'warn', bad: 'warning', says: '`warning` is not one of' },
  { key: 'log.access', good: 'json', at: 'log.access', becomes: 'json', bad: true, says: '`true` is not one of' },
  { key: 'log.file', good: 'a/b.log', at: 'log.file', becomes: '/etc/sluice/a/b.log', ...text },
  { key: 'log.query', good: true, at: 'log.query', becomes: true, ...flag },
  {
    key: 'listeners',
    good: { a: { bind: ':1', protocol: 'tcp', upstream: 'users' } },
    at: 'listeners.0.name',
    becomes: 'a',
    ...object,
  },
  {
    key: web,
    good: { bind: ':1', protocol: 'tcp', upstream: 'users' },
    at: 'listeners.0.protocol',
    becomes: 'tcp',
    ...object,
  },
  {
    key: `${web}.bind`,
    good: [':80', '[::1]:81', 'h:0'],
    at: 'listeners.0.bind',
    becomes: [
      { host: '', port: 80 },
      { host: '::1', port: 81 },
      { host: 'h', port: 0 },
    ],
    bad: 8080,
    says: 'The bind 8080 has no host and no colon.',
  },
  {
    key: `${web}.protocol`,
    good: 'websocket',
    at: 'listeners.0.protocol',
    becomes: 'websocket',
    bad: 'https',
    says: '`https` is not one of',
  },
  {
    key: `${web}.tls`,
    good: { cert: 'c', key: 'k' },
    at: 'listeners.0.tls',
    becomes: { certFile: '/etc/sluice/c', keyFile: '/etc/sluice/k' },
    ...object,
  },
  {
    key: `${web}.tls.cert`,
    set: { [`${web}.tls.key`]: '/k' },
    good: '/c',
    at: 'listeners.0.tls.certFile',
    becomes: '/c',
    ...text,
  },
  {
    key: `${web}.tls.key`,
    set: { [`${web}.tls.cert`]: '/c' },
    good: '/k',
    at: 'listeners.0.tls.keyFile',
    becomes: '/k',
    bad: '',
    says: 'must not be empty',
  },
  {
    key: `${web}.trustedProxies`,
    good: ['10.0.0.0/8'],
    at: 'listeners.0.trustedProxies',
    becomes: ['10.0.0.0/8'],
    bad: '10.0.0.0/8',
    says: '`10.0.0.0/8` is not a list.',
  },
  {
    key: `${web}.trustedProxies.0`,
    good: '::1',
    at: 'listeners.0.trustedProxies',
    becomes: ['::1'],
    bad: '10.0.0.0/40',
    says: 'from 0 to 32',
  },
  {
    key: `${web}.routes`,
    good: [{ upstream: 'users' }],
    at: 'listeners.0.routes.0.id',
    becomes: 'web/*',
    bad: 'x',
    says: '`x` is not a list.',
  },
  {
    key: `${web}.upstream`,
    set: { [`${web}.routes`]: undefined },
    good: 'users',
    at: 'listeners.0.routes',
    becomes: [
      {
        id: 'web/*',
        name: undefined,
        match: noMatch,
        gate: undefined,
        action: { kind: 'forward', upstream: 'users', stripPrefix: undefined },
      },
    ],
    bad: 'userz',
    says: 'No upstream is named `userz`.',
  },
  {
    key: `${web}.gate`,
    good: { limit: 3 },
    at: 'listeners.0.gate',
    becomes: { id: 'listener:web', limit: 3, queue: 16, timeoutMs: 5_000, ...plainGate },
    bad: 3,
    says: 'A gate is the name of one',
  },
  {
    key: `${web}.gate`,
    good: 'shared',
    at: 'listeners.0.gate.id',
    becomes: 'shared',
    bad: 'sharde',
    says: 'No gate is named `sharde`.',
  },
  { key: `${web}.gate.limit`, at: 'listeners.0.gate.limit', ...count },
  { key: `${web}.gate.queue`, set: { [`${web}.gate.limit`]: 1 }, at: 'listeners.0.gate.queue', ...count },
  { key: `${web}.gate.timeout`, set: { [`${web}.gate.limit`]: 1 }, at: 'listeners.0.gate.timeoutMs', ...duration },
  { key: `${web}.reasonHeader`, good: false, at: 'listeners.0.reasonHeader', becomes: false, ...flag },
  {
    key: `${web}.path`,
    good: 'strict',
    at: 'listeners.0.pathMode',
    becomes: 'strict',
    bad: 'normalise',
    says: '`normalise` is not one of',
  },
  { key: `${web}.halfClose`, good: true, at: 'listeners.0.halfClose', becomes: true, ...flag },
  { key: `${web}.maxConnections`, at: 'listeners.0.maxConnections', ...count },
  { key: `${web}.perClient`, at: 'listeners.0.perClient', ...count },
  { key: `${web}.backlog`, at: 'listeners.0.backlog', ...count },
  {
    key: `${web}.minRate`,
    good: '2KiB/s',
    at: 'listeners.0.minRate',
    becomes: { bytesPerSecond: 2_048, windowMs: 30_000 },
    bad: '2KiB',
    says: '`2KiB` is not a rate.',
  },
  {
    key: `${web}.minRate`,
    good: 'off',
    at: 'listeners.0.minRate.bytesPerSecond',
    becomes: 0,
    bad: 1024,
    says: 'The rate 1024 has no unit.',
  },
  {
    key: `${web}.timeouts`,
    good: {},
    at: 'listeners.0.timeouts',
    becomes: { headMs: 30_000, bodyMs: 30_000, sendMs: 60_000, keepAliveMs: 75_000, idleMs: 3_600_000 },
    ...object,
  },
  { key: `${web}.timeouts.head`, at: 'listeners.0.timeouts.headMs', ...duration },
  { key: `${web}.timeouts.body`, at: 'listeners.0.timeouts.bodyMs', ...duration },
  { key: `${web}.timeouts.send`, at: 'listeners.0.timeouts.sendMs', ...off },
  { key: `${web}.timeouts.keepAlive`, at: 'listeners.0.timeouts.keepAliveMs', ...duration },
  { key: `${web}.timeouts.idle`, at: 'listeners.0.timeouts.idleMs', ...off },
  {
    key: `${web}.limits`,
    good: {},
    at: 'listeners.0.limits',
    becomes: { maxHeadBytes: 16_384, maxFields: 100, maxTargetBytes: 8_192 },
    ...object,
  },
  {
    key: `${web}.limits.head`,
    good: '64KiB',
    at: 'listeners.0.limits.maxHeadBytes',
    becomes: 65_536,
    bad: '64KB',
    says: '`64KB` is not a size.',
  },
  { key: `${web}.limits.fields`, at: 'listeners.0.limits.maxFields', ...count },
  {
    key: `${web}.limits.target`,
    good: '1MiB',
    at: 'listeners.0.limits.maxTargetBytes',
    becomes: 1_048_576,
    bad: '1B',
    says: 'from 256 to 1048576 bytes',
  },
  {
    key: `${web}.http2`,
    good: {},
    at: 'listeners.0.http2',
    becomes: http2Defaults,
    ...object,
  },
  { key: `${web}.http2.maxStreams`, at: 'listeners.0.http2.maxStreams', ...count },
  { key: `${web}.http2.maxResets`, at: 'listeners.0.http2.maxResets', ...count },
  { key: `${web}.http2.maxPings`, at: 'listeners.0.http2.maxPings', ...count },
  { key: `${web}.http2.maxSettings`, at: 'listeners.0.http2.maxSettings', ...count },
  { key: `${web}.http2.maxEmptyFrames`, at: 'listeners.0.http2.maxEmptyFrames', ...count },
  { key: `${web}.http2.maxPriorities`, at: 'listeners.0.http2.maxPriorities', ...count },
  { key: `${web}.http2.maxWindowUpdates`, at: 'listeners.0.http2.maxWindowUpdates', ...count },
  {
    key: `${web}.http2.maxUnsentControl`,
    good: '1MiB',
    at: 'listeners.0.http2.maxUnsentControlBytes',
    becomes: 1_048_576,
    bad: '1KiB',
    says: 'from 16384 to 1073741824 bytes',
  },
  { key: `${web}.http2.maxContinuations`, at: 'listeners.0.http2.maxContinuations', ...count },
  {
    key: `${web}.http2.window`,
    good: '2MiB',
    at: 'listeners.0.http2',
    becomes: {
      ...http2Defaults,
      windowBytes: 2_097_152,
      maxWindowBytes: 2_097_152,
    },
    bad: 65536,
    says: 'The size 65536 has no unit.',
  },
  {
    key: `${web}.http2.maxWindow`,
    good: '64KiB',
    at: 'listeners.0.http2.maxWindowBytes',
    becomes: 65_536,
    bad: '32KiB',
    says: '`maxWindow` 32KiB must not be less than `window` 64KiB.',
  },
  { key: `${web}.http2.maxAge`, at: 'listeners.0.http2.maxAgeMs', ...duration },
  { key: `${web}.http2.ping`, at: 'listeners.0.http2.pingMs', ...off },
  {
    key: `${web}.other`,
    set: { [`${web}.protocol`]: 'grpc' },
    good: 'pass',
    at: 'listeners.0.other',
    becomes: 'pass',
    bad: 'drop',
    says: '`drop` is not one of',
  },
  {
    key: `${web}.web`,
    good: { origins: ['*'] },
    at: 'listeners.0.web',
    becomes: { origins: ['*'] },
    ...object,
  },
  {
    key: `${web}.web.origins`,
    good: ['https://App.example.com:443', 'http://localhost:8080', 'https://[::1]:1'],
    at: 'listeners.0.web.origins',
    becomes: ['https://app.example.com', 'http://localhost:8080', 'https://[::1]:1'],
    bad: 'https://a',
    says: '`https://a` is not a list.',
  },
  {
    key: `${web}.web.origins.0`,
    good: 'https://a',
    at: 'listeners.0.web.origins',
    becomes: ['https://a'],
    bad: 'https://a/b',
    says: 'must end after the host and port',
  },
  { key: `${web}.health`, good: true, at: 'listeners.0.health', becomes: true, ...flag },
  {
    key: `${web}.transcode`,
    good: { protos: ['a.proto'] },
    at: 'listeners.0.transcode',
    becomes: { protos: ['/etc/sluice/a.proto'], services: undefined, includes: [] },
    ...object,
  },
  {
    key: `${web}.transcode.protos`,
    good: ['/a.proto', 'b.pb'],
    at: 'listeners.0.transcode.protos',
    becomes: ['/a.proto', '/etc/sluice/b.pb'],
    bad: 'a.proto',
    says: '`a.proto` is not a list.',
  },
  {
    key: `${web}.transcode.services`,
    set: { [`${web}.transcode.protos`]: ['a.proto'] },
    good: ['shop.v1.Orders'],
    at: 'listeners.0.transcode.services',
    becomes: ['shop.v1.Orders'],
    bad: 'shop',
    says: '`shop` is not a list.',
  },
  {
    key: `${web}.transcode.services.0`,
    set: { [`${web}.transcode.protos`]: ['a.proto'] },
    good: 'Orders',
    at: 'listeners.0.transcode.services',
    becomes: ['Orders'],
    bad: 'shop.v1.*',
    says: 'is not the full name of a service',
  },
  {
    key: `${web}.transcode.includes`,
    set: { [`${web}.transcode.protos`]: ['a.proto'] },
    good: ['protos'],
    at: 'listeners.0.transcode.includes',
    becomes: ['/etc/sluice/protos'],
    bad: 'protos',
    says: '`protos` is not a list.',
  },
  { key: route, good: { upstream: 'users' }, at: 'listeners.0.routes.0.action.kind', becomes: 'forward', ...object },
  {
    key: `${route}.name`,
    good: 'home',
    at: 'listeners.0.routes.0.id',
    becomes: 'web/home',
    bad: 'a/b',
    says: '`a/b` is not a name',
  },
  { key: `${route}.match`, good: {}, at: 'listeners.0.routes.0.id', becomes: 'web/*', ...object },
  {
    key: `${route}.match.host`,
    good: '*.Example.com',
    at: 'listeners.0.routes.0.match.host',
    becomes: '*.example.com',
    bad: 'a*.com',
    says: 'is not a host pattern',
  },
  {
    key: `${route}.match.path`,
    good: '/%7Ea/*',
    at: 'listeners.0.routes.0.match.path',
    becomes: '/~a/*',
    bad: 'users',
    says: 'must begin with `/`',
  },
  {
    key: `${route}.match.method`,
    good: ['GET', 'HEAD'],
    at: 'listeners.0.routes.0.match.methods',
    becomes: ['GET', 'HEAD'],
    bad: 'get',
    says: 'must be upper case',
  },
  {
    key: `${route}.match.service`,
    good: 'shop.v1.Orders',
    at: 'listeners.0.routes.0.match',
    becomes: { ...noMatch, service: 'shop.v1.Orders', methods: ['POST'] },
    bad: 'shop.*.Orders',
    says: '`*` may only stand after a package',
  },
  {
    key: `${route}.match.service`,
    set: { [`${web}.protocol`]: 'grpc' },
    good: 'shop.v1.*',
    at: 'listeners.0.routes.0.match',
    becomes: { ...noMatch, service: 'shop.v1.*' },
    bad: '/shop.v1.Orders/Place',
    says: 'is not the full name of a service',
  },
  {
    key: `${route}.match.method`,
    set: { [`${route}.match.service`]: 'shop.v1.Orders', [`${web}.protocol`]: 'grpc' },
    good: ['Place', 'Cancel'],
    at: 'listeners.0.routes.0.match',
    becomes: { ...noMatch, service: 'shop.v1.Orders', calls: ['Place', 'Cancel'] },
    bad: 'place-order',
    says: 'is not the name of a gRPC method',
  },
  {
    key: `${route}.match.headers`,
    good: { 'X-A': '1' },
    at: 'listeners.0.routes.0.match.headers',
    becomes: { 'x-a': '1' },
    ...object,
  },
  {
    key: `${route}.match.headers.x-a`,
    good: '1',
    at: 'listeners.0.routes.0.match.headers',
    becomes: { 'x-a': '1' },
    bad: 1,
    says: '1 is not text.',
  },
  {
    key: `${route}.stripPrefix`,
    set: { [`${route}.match.path`]: '/a/b/*' },
    good: '/a/',
    at: 'listeners.0.routes.0.action.stripPrefix',
    becomes: '/a',
    bad: '/b',
    says: 'does not begin with `/b`',
  },
  {
    key: `${route}.upstream`,
    good: 'http://127.0.0.1:4000',
    at: 'listeners.0.routes.0.action.upstream',
    becomes: 'http://127.0.0.1:4000',
    bad: '127.0.0.1:4000',
    says: 'has no scheme',
  },
  {
    key: `${route}.gate`,
    good: { limit: 20 },
    at: 'listeners.0.routes.0.gate',
    becomes: { id: 'route:web/*', limit: 20, queue: 40, timeoutMs: 5_000, ...plainGate },
    bad: [],
    says: 'A gate is the name of one',
  },
  {
    key: `${route}.gate.limit`,
    at: 'listeners.0.routes.0.gate.limit',
    good: 1,
    becomes: 1,
    bad: 0,
    says: 'The number `0` must be 1 or more.',
  },
  {
    key: `${route}.gate.queue`,
    set: { [`${route}.gate.limit`]: 1 },
    at: 'listeners.0.routes.0.gate.queue',
    good: 0,
    becomes: 0,
    bad: -1,
    says: 'must be 0 or more',
  },
  {
    key: `${route}.gate.timeout`,
    set: { [`${route}.gate.limit`]: 1 },
    at: 'listeners.0.routes.0.gate.timeoutMs',
    ...off,
  },
  {
    key: `${route}.respond`,
    set: { [`${route}.upstream`]: undefined },
    good: {},
    at: 'listeners.0.routes.0.action',
    becomes: { kind: 'respond', status: 200, body: '', headers: [] },
    ...object,
  },
  {
    key: `${route}.respond.status`,
    set: { [`${route}.upstream`]: undefined },
    good: 404,
    at: 'listeners.0.routes.0.action.status',
    becomes: 404,
    bad: 100,
    says: 'must be 200 or more',
  },
  {
    key: `${route}.respond.body`,
    set: { [`${route}.upstream`]: undefined },
    good: 'ok',
    at: 'listeners.0.routes.0.action.body',
    becomes: 'ok',
    bad: 5,
    says: '`5` is not text.',
  },
  {
    key: `${route}.respond.headers`,
    set: { [`${route}.upstream`]: undefined },
    good: { 'X-A': 'b' },
    at: 'listeners.0.routes.0.action.headers',
    becomes: [['X-A', 'b']],
    ...object,
  },
  {
    key: `${route}.respond.headers.x-a`,
    set: { [`${route}.upstream`]: undefined },
    good: 'b',
    at: 'listeners.0.routes.0.action.headers',
    becomes: [['x-a', 'b']],
    bad: '→',
    says: 'above U+00FF',
  },
  {
    key: `${route}.redirect`,
    set: { [`${route}.upstream`]: undefined },
    good: { to: '/a' },
    at: 'listeners.0.routes.0.action',
    becomes: { kind: 'redirect', to: '/a', status: 302 },
    ...object,
  },
  {
    key: `${route}.redirect.to`,
    set: { [`${route}.upstream`]: undefined },
    good: 'https://{host}{path}{query}',
    at: 'listeners.0.routes.0.action.to',
    becomes: 'https://{host}{path}{query}',
    bad: 'https://x{paht}',
    says: 'no placeholder `{paht}`',
  },
  {
    key: `${route}.redirect.status`,
    set: { [`${route}.upstream`]: undefined, [`${route}.redirect.to`]: '/' },
    good: 308,
    at: 'listeners.0.routes.0.action.status',
    becomes: 308,
    bad: 304,
    says: '`304` is not one of',
  },
  {
    key: 'gates',
    good: { g: { limit: 1 } },
    at: 'gates',
    becomes: [{ id: 'g', limit: 1, queue: 16, timeoutMs: 5_000, ...plainGate }],
    ...object,
  },
  {
    key: 'gates.g',
    good: { limit: 9, queue: 0, timeout: '1s' },
    at: 'gates.1',
    becomes: { id: 'g', limit: 9, queue: 0, timeoutMs: 1_000, ...plainGate },
    ...object,
  },
  ...gateKeys(`${web}.gate`, 'listeners.0.gate'),
  ...gateKeys(`${route}.gate`, 'listeners.0.routes.0.gate'),
  ...gateKeys('gates.g', 'gates.1'),
  ...gateKeys(`${users}.gate`, 'upstreams.0.gate'),
  { key: 'gates.g.limit', at: 'gates.1.limit', ...count },
  { key: 'gates.g.queue', set: { 'gates.g.limit': 1 }, at: 'gates.1.queue', ...count },
  { key: 'gates.g.timeout', set: { 'gates.g.limit': 1 }, at: 'gates.1.timeoutMs', ...duration },
  { key: 'upstreams', good: { users: { endpoints: ['a:1'] } }, at: 'upstreams.0.name', becomes: 'users', ...object },
  {
    key: users,
    good: { endpoints: ['a:1'] },
    at: 'upstreams.0.endpoints.0.id',
    becomes: 'endpoint:users/a:1',
    ...object,
  },
  {
    key: `${users}.endpoints`,
    good: ['A:1', 'https://b', 'unix:s'],
    at: 'upstreams.0.endpoints',
    becomes: [
      { id: 'endpoint:users/a:1', address: { host: 'a', port: 1 }, secure: false, weight: 1, limit: Infinity },
      { id: 'endpoint:users/b:443', address: { host: 'b', port: 443 }, secure: true, weight: 1, limit: Infinity },
      {
        id: 'endpoint:users/unix:/etc/sluice/s',
        address: { path: '/etc/sluice/s' },
        secure: false,
        weight: 1,
        limit: Infinity,
      },
    ],
    bad: 'a:1',
    says: '`a:1` is not a list.',
  },
  {
    key: `${users}.endpoints.0`,
    good: { address: 'a:1', weight: 3, limit: 50 },
    at: 'upstreams.0.endpoints.0',
    becomes: { id: 'endpoint:users/a:1', address: { host: 'a', port: 1 }, secure: false, weight: 3, limit: 50 },
    bad: 'a',
    says: 'The address `a` has no port.',
  },
  {
    key: `${users}.endpoints.0.address`,
    set: { [`${users}.endpoints.0`]: undefined },
    good: '[::1]:1',
    at: 'upstreams.0.endpoints.0.id',
    becomes: 'endpoint:users/[::1]:1',
    bad: 'http://a/b',
    says: 'must end after the port',
  },
  {
    key: `${users}.endpoints.0.weight`,
    set: { [`${users}.endpoints.0`]: undefined, [`${users}.endpoints.0.address`]: 'a:1' },
    good: 1000,
    at: 'upstreams.0.endpoints.0.weight',
    becomes: 1000,
    bad: 1001,
    says: 'The number `1001` must be 1000 or less.',
  },
  {
    key: `${users}.endpoints.0.limit`,
    set: { [`${users}.endpoints.0`]: undefined, [`${users}.endpoints.0.address`]: 'a:1' },
    at: 'upstreams.0.endpoints.0.limit',
    ...count,
  },
  {
    key: `${users}.protocol`,
    good: 'http2',
    at: 'upstreams.0.protocol',
    becomes: 'http2',
    bad: 'h2',
    says: '`h2` is not one of',
  },
  {
    key: `${users}.balance`,
    good: 'weightedRoundRobin',
    at: 'upstreams.0.balance',
    becomes: 'weightedRoundRobin',
    bad: 'roundrobbin',
    says: '`roundrobbin` is not one of',
  },
  {
    key: `${users}.gate`,
    good: { limit: 2 },
    at: 'upstreams.0.gate',
    becomes: { id: 'upstream:users', limit: 2, queue: 16, timeoutMs: 5_000, ...plainGate },
    bad: 'shared',
    says: 'is not an object',
  },
  { key: `${users}.gate.limit`, at: 'upstreams.0.gate.limit', ...count },
  { key: `${users}.gate.queue`, set: { [`${users}.gate.limit`]: 1 }, at: 'upstreams.0.gate.queue', ...count },
  { key: `${users}.gate.timeout`, set: { [`${users}.gate.limit`]: 1 }, at: 'upstreams.0.gate.timeoutMs', ...duration },
  {
    key: `${users}.pool`,
    good: {},
    at: 'upstreams.0.pool',
    becomes: {
      maxIdle: 64,
      idleTimeoutMs: 4_000,
      maxConnections: 1024,
      maxStreams: 100,
      maxAgeMs: Infinity,
      pingMs: 360_000,
    },
    ...object,
  },
  { key: `${users}.pool.maxIdle`, at: 'upstreams.0.pool.maxIdle', ...count },
  { key: `${users}.pool.idleTimeout`, at: 'upstreams.0.pool.idleTimeoutMs', ...duration },
  { key: `${users}.pool.maxConnections`, at: 'upstreams.0.pool.maxConnections', ...count },
  { key: `${users}.pool.maxStreams`, at: 'upstreams.0.pool.maxStreams', ...count },
  { key: `${users}.pool.maxAge`, at: 'upstreams.0.pool.maxAgeMs', ...duration },
  { key: `${users}.pool.ping`, at: 'upstreams.0.pool.pingMs', ...off },
  {
    key: `${users}.timeouts`,
    good: {},
    at: 'upstreams.0.timeouts',
    becomes: { connectMs: 5_000, responseMs: 60_000, idleMs: undefined },
    ...object,
  },
  { key: `${users}.timeouts.connect`, at: 'upstreams.0.timeouts.connectMs', ...duration },
  { key: `${users}.timeouts.response`, at: 'upstreams.0.timeouts.responseMs', ...off },
  { key: `${users}.timeouts.idle`, at: 'upstreams.0.timeouts.idleMs', ...off },
  { key: `${users}.buffer`, good: {}, at: 'upstreams.0.buffer', becomes: { maxRequestBytes: 65_536 }, ...object },
  {
    key: `${users}.buffer.request`,
    good: '0B',
    at: 'upstreams.0.buffer.maxRequestBytes',
    becomes: 0,
    bad: 65536,
    says: 'The size 65536 has no unit.',
  },
  { key: `${users}.dns`, good: {}, at: 'upstreams.0.dns', becomes: { refreshMs: 30_000 }, ...object },
  {
    key: `${users}.dns.refresh`,
    good: 'off',
    at: 'upstreams.0.dns.refreshMs',
    becomes: Infinity,
    bad: '10ms',
    says: '`10ms` must be 1s or more',
  },
  {
    key: `${users}.health`,
    good: {},
    at: 'upstreams.0.health',
    becomes: { active: undefined, passive: { failures: 5, ejectMs: 30_000, maxEjected: 0.5, on: ['connectFailure'] } },
    ...object,
  },
  {
    key: `${users}.health.active`,
    good: { path: '/h' },
    at: 'upstreams.0.health.active',
    becomes: { type: 'http', path: '/h', intervalMs: 10_000, timeoutMs: 2_000, fall: 3, rise: 2 },
    ...object,
  },
  {
    key: `${users}.health.active.type`,
    good: 'tcp',
    at: 'upstreams.0.health.active',
    becomes: { type: 'tcp', intervalMs: 10_000, timeoutMs: 2_000, fall: 3, rise: 2 },
    bad: 'udp',
    says: '`udp` is not one of',
  },
  {
    key: `${users}.health.active.type`,
    good: 'grpc',
    at: 'upstreams.0.health.active',
    becomes: { type: 'grpc', service: '', intervalMs: 10_000, timeoutMs: 2_000, fall: 3, rise: 2 },
    bad: 'grcp',
    says: '`grcp` is not one of',
  },
  {
    key: `${users}.health.active.grpc`,
    good: 'shop.v1.Orders',
    at: 'upstreams.0.health.active',
    becomes: { type: 'grpc', service: 'shop.v1.Orders', intervalMs: 10_000, timeoutMs: 2_000, fall: 3, rise: 2 },
    bad: 'a b',
    says: 'must have no space',
  },
  {
    key: `${users}.health.active.path`,
    good: '/h?x=1',
    at: 'upstreams.0.health.active.path',
    becomes: '/h?x=1',
    bad: '/a b',
    says: 'no space',
  },
  {
    key: `${users}.health.active.interval`,
    set: { [`${users}.health.active.path`]: '/' },
    at: 'upstreams.0.health.active.intervalMs',
    good: '1s',
    becomes: 1_000,
    bad: 'off',
    says: 'cannot be `off`',
  },
  {
    key: `${users}.health.active.timeout`,
    set: { [`${users}.health.active.path`]: '/' },
    at: 'upstreams.0.health.active.timeoutMs',
    ...duration,
  },
  {
    key: `${users}.health.active.fall`,
    set: { [`${users}.health.active.path`]: '/' },
    at: 'upstreams.0.health.active.fall',
    ...count,
  },
  {
    key: `${users}.health.active.rise`,
    set: { [`${users}.health.active.path`]: '/' },
    at: 'upstreams.0.health.active.rise',
    ...count,
  },
  { key: `${users}.health.passive`, good: {}, at: 'upstreams.0.health.passive.failures', becomes: 5, ...object },
  { key: `${users}.health.passive.failures`, at: 'upstreams.0.health.passive.failures', ...count },
  { key: `${users}.health.passive.eject`, at: 'upstreams.0.health.passive.ejectMs', ...duration },
  {
    key: `${users}.health.passive.maxEjected`,
    good: '12.5%',
    at: 'upstreams.0.health.passive.maxEjected',
    becomes: 0.125,
    bad: 0.5,
    says: 'The ratio 0.5 has no percent sign.',
  },
  {
    key: `${users}.health.passive.on`,
    good: ['5xx'],
    at: 'upstreams.0.health.passive.on',
    becomes: ['5xx'],
    bad: '5xx',
    says: '`5xx` is not a list.',
  },
  {
    key: `${users}.health.passive.on.0`,
    good: '5xx',
    at: 'upstreams.0.health.passive.on',
    becomes: ['5xx'],
    bad: '5x',
    says: '`5x` is not one of',
  },
  {
    key: `${users}.retries`,
    good: {},
    at: 'upstreams.0.retries',
    becomes: { max: 1, on: ['connectFailure', 'refused', 'stale'], budget: 0.2, retryNonIdempotent: false },
    ...object,
  },
  { key: `${users}.retries.max`, at: 'upstreams.0.retries.max', ...count },
  {
    key: `${users}.retries.on`,
    good: [],
    at: 'upstreams.0.retries.on',
    becomes: [],
    bad: 'stale',
    says: '`stale` is not a list.',
  },
  {
    key: `${users}.retries.on.0`,
    good: 'resetBeforeResponse',
    at: 'upstreams.0.retries.on',
    becomes: ['resetBeforeResponse'],
    bad: 'refusal',
    says: '`refusal` is not one of',
  },
  {
    key: `${users}.retries.budget`,
    good: '100%',
    at: 'upstreams.0.retries.budget',
    becomes: 1,
    bad: '101%',
    says: '`101%` is more than 100%.',
  },
  {
    key: `${users}.retries.retryNonIdempotent`,
    good: true,
    at: 'upstreams.0.retries.retryNonIdempotent',
    becomes: true,
    ...flag,
  },
  { key: `${users}.tls`, good: {}, at: 'upstreams.0.endpoints.0.secure', becomes: true, ...object },
  {
    key: `${users}.tls.ca`,
    good: 'ca.pem',
    at: 'upstreams.0.tls',
    becomes: { caFile: '/etc/sluice/ca.pem', serverName: undefined },
    ...text,
  },
  {
    key: `${users}.tls.serverName`,
    good: 'Users.internal',
    at: 'upstreams.0.tls.serverName',
    becomes: 'users.internal',
    bad: '*.a',
    says: 'is not a host name',
  },
]

const base = () => ({
  listeners: { web: { bind: ':8080', protocol: 'http', routes: [{ upstream: 'users' }] } },
  gates: { shared: { limit: 1 } },
  upstreams: { users: { endpoints: ['10.0.0.1:3000'] } },
})

type Tree = Record<string, unknown>

function put(tree: Tree, path: string, value: unknown): void {
  const parts = path.split('.')
  const last = parts.pop()!
  let at = tree
  for (const [index, part] of parts.entries()) {
    const next = parts[index + 1] ?? last
    if (typeof at[part] !== 'object') at[part] = /^\d+$/.test(next) ? [] : {}
    at = at[part] as Tree
  }
  if (value === undefined) delete at[last]
  else at[last] = value
}

const get = (tree: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((at, part) => (at as Tree)[part], tree)

function parsedWith({ key, set = {} }: Key, value: unknown) {
  const tree: Tree = base()
  for (const [path, other] of Object.entries(set)) put(tree, path, other)
  put(tree, key, value)
  return parseConfig(stringify(tree), { file: '/etc/sluice/sluice.yaml' })
}

describe('configuration keys', () => {
  for (const entry of keys) {
    it(`${entry.key}: ${JSON.stringify(entry.good)} becomes ${entry.at}`, () => {
      const { config, errors } = parsedWith(entry, entry.good)
      expect(errors).to.equal(undefined)
      expect(get(config, entry.at)).to.deep.equal(entry.becomes)
    })
    it(`${entry.key}: ${JSON.stringify(entry.bad)} is refused where it stands`, () => {
      const { errors = [] } = parsedWith(entry, entry.bad)
      const error = errors.find(({ path }) => path === entry.key.replace(/\.(\d+)/g, '[$1]'))
      expect(error, JSON.stringify(errors, undefined, 1)).to.include({ file: '/etc/sluice/sluice.yaml' })
      expect(error!.message).to.include(entry.says)
      const written = error!.sourceLine!.slice(error!.column! - 1).replace(/^["']/, '')
      expect(written.startsWith(String(entry.bad)) || written.startsWith('['), written).to.equal(true)
    })
  }

  it('are all in this table', () => {
    const known = new Set(keys.map(({ key }) => generic(key)))
    expect(allKeys(jsonSchema()).filter((key) => !known.has(generic(key)))).to.deep.equal([])
  })

  it('are refused on listeners of a protocol that they mean nothing for', () => {
    const foreign = {
      http: ['other'],
      websocket: ['http2', 'other', 'web', 'health', 'transcode'],
      tcp: ['http2', 'other', 'web', 'health', 'transcode'],
    }
    for (const [protocol, names] of Object.entries(foreign)) {
      for (const key of names) {
        const tree: Tree = { ...base(), listeners: { web: { bind: ':1', protocol, upstream: 'users' } } }
        put(tree, `${web}.${key}`, {})
        const { errors = [] } = parseConfig(stringify(tree))
        const message = `\`${key}\` is not known on a ${protocol} listener.`
        expect(errors.map((error) => error.message)).to.include(message)
      }
    }
  })

  it('are refused on a tcp listener when they belong to HTTP', () => {
    for (const key of [
      'trustedProxies',
      'reasonHeader',
      'path',
      'halfClose',
      'limits',
      'timeouts.head',
      'timeouts.body',
      'timeouts.keepAlive',
    ]) {
      const tree: Tree = { ...base(), listeners: { web: { ...tcp[web]! } } }
      put(tree, `${web}.${key}`, key === 'limits' ? {} : key.startsWith('timeouts') ? '1s' : true)
      const { errors = [] } = parseConfig(stringify(tree))
      expect(errors.map(({ message }) => message).join()).to.include('is not known on a tcp listener')
    }
  })
})

/** A key with names of listeners and the like replaced: what the schema knows. */
function generic(key: string): string {
  return key
    .replace(/^(listeners|upstreams|gates)\.\w+/, '$1.*')
    .replace(/\.\d+/g, '.*')
    .replace(/headers\..*/, 'headers.*')
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

function allKeys(schema: Schema, path: readonly string[] = []): string[] {
  const here = path.length === 0 ? [] : [path.join('.')]
  const branches = (schema.anyOf ?? []).flatMap((branch) => allKeys(branch, path))
  const named = Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => allKeys(inner, [...path, key]))
  const { additionalProperties: any, items } = schema
  const unnamed = typeof any === 'object' ? allKeys(any, [...path, '*']) : []
  // A list of scalars has no keys of its own; its items are told by the key of the list.
  const inList = items === undefined || items.properties === undefined ? [] : allKeys(items, [...path, '*'])
  return [...here, ...branches, ...named, ...unnamed, ...inList]
}
