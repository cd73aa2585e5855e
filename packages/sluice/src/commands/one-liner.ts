import { type Config, type ConfigInput, formatPath, parseConfigObject } from '@sluice/core'
import { type Loaded } from './load.ts'
import { serve } from './serve.ts'
import { UsageError } from './usage-error.ts'

/** The protocols that have a one-liner. */
export type OneLiner = 'http' | 'tcp' | 'ws' | 'grpc'

/** One flag of the one-liners: where in a configuration it stands, which is where its mistakes are found. */
export interface Flag {
  readonly describe: string
  readonly path: string
  /** Whether the schema wants a number or a boolean there; otherwise it wants text. */
  readonly type?: 'number' | 'boolean'
  /** What is written there for a flag that is given without a value. Default: it needs one. */
  readonly bare?: string
  /** The one-liners that have it. Default: all. */
  readonly only?: readonly OneLiner[]
  /** The flag without which it means nothing. */
  readonly needs?: string
}

const listener = 'listeners.main'
const upstream = 'upstreams.service'

type Flags = Readonly<Record<string, Flag>>

const flags: Flags = {
  limit: { describe: 'How many may run at once', path: `${upstream}.gate.limit`, type: 'number' },
  queue: { describe: 'How many may wait', path: `${upstream}.gate.queue`, type: 'number', needs: 'limit' },
  'queue-timeout': {
    describe: 'How long one may wait, such as 500ms or 2s',
    path: `${upstream}.gate.timeout`,
    needs: 'limit',
  },
  balance: { describe: 'How an endpoint is chosen: roundRobin, weightedRoundRobin', path: `${upstream}.balance` },
  health: {
    describe: 'Path that is asked for every 10s; an endpoint that fails it gets no work',
    path: `${upstream}.health.active.path`,
    only: ['http', 'ws'],
  },
  http2: {
    describe: 'Speak HTTP/2 with the endpoints, in the clear too',
    path: `${upstream}.protocol`,
    type: 'boolean',
    bare: 'http2',
    only: ['http'],
  },
  other: {
    describe: 'Requests that are not gRPC: refuse (415) or pass. Default: refuse',
    path: `${listener}.other`,
    only: ['grpc'],
  },
  'timeout-connect': { describe: 'For a connection to an endpoint', path: `${upstream}.timeouts.connect` },
  'timeout-response': {
    describe: 'From the end of the request to the head of the response',
    path: `${upstream}.timeouts.response`,
    only: ['http', 'ws'],
  },
  'timeout-idle': { describe: 'Without a byte either way', path: `${upstream}.timeouts.idle` },
  'max-connections': {
    describe: 'Connections to one endpoint, at most',
    path: `${upstream}.pool.maxConnections`,
    type: 'number',
  },
  'tls-cert': {
    describe: 'Certificate chain (PEM): clients speak TLS',
    path: `${listener}.tls.cert`,
    needs: 'tls-key',
  },
  'tls-key': { describe: 'Private key (PEM)', path: `${listener}.tls.key`, needs: 'tls-cert' },
  threads: { describe: 'Data-plane threads: a number, or auto for one a core', path: 'threads', type: 'number' },
  'drain-delay': {
    describe: 'How long a drain goes on accepting while /readyz says 503',
    path: 'drainDelay',
  },
  'drain-timeout': { describe: 'How long a drain may take', path: 'drainTimeout' },
  admin: { describe: 'Where metrics and state are served, such as 127.0.0.1:9901', path: 'admin.bind' },
  'access-log': { describe: 'off, json or pretty. Default: pretty on a terminal, else off', path: 'log.access' },
  'log-file': { describe: 'Where to log. Default: standard output', path: 'log.file' },
  'log-query': { describe: 'Show queries in the access log', path: 'log.query', type: 'boolean' },
  'log-level': { describe: 'The least that is logged: debug, info, warn, error, silent', path: 'log.level' },
}

// The same word stands elsewhere in the configuration.
const grpcFlags: Flags = {
  health: {
    describe: 'Ask grpc.health.v1 every 10s, for the service that is named or for the server as a whole',
    path: `${upstream}.health.active.grpc`,
    bare: '',
  },
}

/** The flags of a command, in the order of `--help`. */
export function flagsOf(command: OneLiner): ReadonlyArray<readonly [name: string, flag: Flag]> {
  return Object.entries(flags).flatMap(([name, flag]): Array<[string, Flag]> => {
    if (command === 'grpc' && grpcFlags[name] !== undefined) return [[name, grpcFlags[name]]]
    return flag.only === undefined || flag.only.includes(command) ? [[name, flag]] : []
  })
}

const protocols = { http: 'http', tcp: 'tcp', ws: 'websocket', grpc: 'grpc' } as const

/** `sluice http|tcp|ws|grpc FROM TO…`: one listener before one upstream, without a file. */
export async function oneLiner(
  command: OneLiner,
  from: string,
  to: readonly string[],
  values: Readonly<Record<string, unknown>>,
): Promise<0 | 1> {
  return await serve(loadFlags(command, from, to, values))
}

/** The configuration that the words of a command line stand for. Throws a `UsageError` in terms of the flags. */
export function loadFlags(
  command: OneLiner,
  from: string,
  to: readonly string[],
  values: Readonly<Record<string, unknown>>,
): Loaded {
  const input: Tree = {
    log: { access: process.stdout.isTTY === true ? 'pretty' : 'off' },
    listeners: { main: { bind: from, protocol: protocols[command], upstream: 'service' } },
    upstreams: { service: { endpoints: [...to] } },
  }
  for (const [name, flag] of flagsOf(command)) {
    const value = valueOf(values[name], flag)
    if (value === undefined) continue
    if (flag.needs !== undefined && values[flag.needs] === undefined) {
      throw new UsageError(`--${name} means nothing without --${flag.needs}.`)
    }
    set(input, flag.path.split('.'), flag.type === 'number' && typeof value === 'string' ? numberOrText(value) : value)
  }
  // A mistake in the types is what the check is for.
  const result = parseConfigObject(input as unknown as ConfigInput, { baseDir: process.cwd() })
  if (result.errors !== undefined) {
    const lines = result.errors.map(({ path, message, hint }) => {
      return `${wordFor(command, path, to)}: ${message}${hint === undefined ? '' : ` ${hint}`}`
    })
    throw new UsageError(lines.join('\n'))
  }
  return { config: withName(result.config, command), placeOf: (path) => wordFor(command, formatPath(path), to) }
}

type Tree = { [key: string]: unknown }

function set(tree: Tree, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path
  if (rest.length === 0) tree[key] = value
  else set((tree[key] ??= {}) as Tree, rest, value)
}

const numberOrText = (text: string): number | string => (/^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text)

/** What a flag says; a bare one is a boolean for yargs, or text without a letter. */
function valueOf(value: unknown, { bare }: Flag): unknown {
  if (bare === undefined) return value
  if (value === true || value === '') return bare
  return value === false ? undefined : value
}

/** What a path of the configuration is called on the command line. */
function wordFor(command: OneLiner, path: string, to: readonly string[]): string {
  const flag = flagsOf(command).find(([, one]) => path === one.path || path.startsWith(`${one.path}[`))
  if (flag !== undefined) return `--${flag[0]}`
  if (path.startsWith(`${listener}.bind`)) return 'FROM'
  const [, index] = /^upstreams\.service\.endpoints\[(\d+)\]/.exec(path) ?? []
  if (index !== undefined) return `TO ${to[Number(index)]}`
  if (path.startsWith(`${listener}.tls`)) return '--tls-cert and --tls-key'
  if (path.startsWith(`${upstream}.gate`)) return '--limit'
  return path.startsWith(upstream) || path.startsWith(`${listener}.upstream`) ? 'TO' : path
}

/** Under the name of the command in log and metrics; the flags' paths are the same for all commands. */
function withName(config: Config, command: OneLiner): Config {
  const rename = (id: string): string => id.replace(/^main(?=$|\/)/, command)
  return {
    ...config,
    listeners: config.listeners.map((one) => ({
      ...one,
      name: rename(one.name),
      routes: one.routes.map((route) => ({ ...route, id: rename(route.id) })),
    })),
  }
}
