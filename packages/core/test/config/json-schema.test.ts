import { expect } from 'chai'
import { describe, it } from 'mocha'
import { defaults } from '../../src/config/defaults.ts'
import { jsonSchema } from '../../src/config/json-schema.ts'
import { parseConfigObject } from '../../src/config/parse.ts'
import { parseDuration, parseRate, parseRatio, parseSize } from '../../src/config/quantity.ts'

interface Schema {
  readonly description?: string
  readonly pattern?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

/** Every key with its schema, by its path; what has a name of the user's is `*`. */
function keysOf(schema: Schema, path = ''): Array<[string, Schema]> {
  const { properties = {}, additionalProperties, items, anyOf = [] } = schema
  const own = Object.entries(properties).flatMap(
    ([key, inner]): Array<[string, Schema]> => [[`${path}${key}`, inner], ...keysOf(inner, `${path}${key}.`)],
  )
  const unnamed = typeof additionalProperties === 'object' ? keysOf(additionalProperties, `${path}*.`) : []
  return [
    ...own,
    ...unnamed,
    ...(items === undefined ? [] : keysOf(items, `${path}*.`)),
    ...anyOf.flatMap((branch) => keysOf(branch, path)),
  ]
}

describe('jsonSchema', () => {
  const keys = new Map(keysOf(jsonSchema()))

  it('describes every key with a sentence', () => {
    expect(keys.size).to.be.greaterThan(80)
    for (const [key, { description }] of keys) expect(description, key).to.match(/^\S.*\.$/s)
  })

  it('refuses unknown keys in every object of known ones', () => {
    const open: string[] = []
    const walk = (schema: Schema, path: string): void => {
      if (schema.properties !== undefined && schema.additionalProperties !== false) open.push(path)
    }
    walk(jsonSchema(), '')
    for (const [key, schema] of keys) for (const part of [schema, ...(schema.anyOf ?? [])]) walk(part, key)
    expect(open).to.deep.equal([])
  })

  it('has patterns for quantities that let variables pass', () => {
    const cases = {
      drainTimeout: ['30s', 'off', '1m30s'],
      'listeners.*.limits.head': ['64KiB'],
      'upstreams.*.retries.budget': ['20%'],
    }
    for (const [key, good] of Object.entries(cases)) {
      const pattern = new RegExp(keys.get(key)!.pattern!)
      for (const text of [...good, '${A:-x}']) expect(pattern.test(text), `${key} ${text}`).to.equal(true)
      for (const text of ['30', '', 'x', '30s ']) expect(pattern.test(text), `${key} ${text}`).to.equal(false)
    }
  })

  it('tells the defaults that hold when nothing is written', () => {
    const { config } = parseConfigObject({
      listeners: { web: { bind: ':1', protocol: 'http', upstream: 'u' } },
      upstreams: { u: { endpoints: ['a:1'] } },
    })
    const listener = config!.listeners[0]!
    const upstream = config!.upstreams[0]!
    const active = defaults.upstream.activeHealth
    const held: Readonly<Record<string, unknown>> = {
      maxWaiting: config!.maxWaiting,
      drainDelay: config!.drainDelayMs,
      drainTimeout: config!.drainTimeoutMs,
      maxBuffered: config!.maxBufferedBytes,
      'log.level': config!.log.level,
      'log.access': config!.log.access,
      'log.query': config!.log.query,
      'listeners.*.reasonHeader': listener.reasonHeader,
      'listeners.*.path': listener.pathMode,
      'listeners.*.halfClose': listener.halfClose,
      'listeners.*.backlog': listener.backlog,
      'listeners.*.minRate': listener.minRate.bytesPerSecond,
      'listeners.*.timeouts.head': listener.timeouts.headMs,
      'listeners.*.timeouts.body': listener.timeouts.bodyMs,
      'listeners.*.timeouts.send': listener.timeouts.sendMs,
      'listeners.*.timeouts.keepAlive': listener.timeouts.keepAliveMs,
      'listeners.*.timeouts.idle': listener.timeouts.idleMs,
      'listeners.*.limits.head': listener.limits.maxHeadBytes,
      'listeners.*.limits.fields': listener.limits.maxFields,
      'listeners.*.limits.target': listener.limits.maxTargetBytes,
      'listeners.*.http2.maxStreams': listener.http2.maxStreams,
      'listeners.*.http2.window': listener.http2.windowBytes,
      'listeners.*.http2.maxWindow': listener.http2.maxWindowBytes,
      'listeners.*.http2.maxResets': listener.http2.maxResets,
      'listeners.*.http2.maxPings': listener.http2.maxPings,
      'listeners.*.http2.maxSettings': listener.http2.maxSettings,
      'listeners.*.http2.maxEmptyFrames': listener.http2.maxEmptyFrames,
      'listeners.*.http2.maxPriorities': listener.http2.maxPriorities,
      'listeners.*.http2.maxWindowUpdates': listener.http2.maxWindowUpdates,
      'listeners.*.http2.maxUnsentControl': listener.http2.maxUnsentControlBytes,
      'listeners.*.http2.maxContinuations': listener.http2.maxContinuations,
      'listeners.*.http2.maxAge': listener.http2.maxAgeMs,
      'listeners.*.http2.ping': listener.http2.pingMs,
      'listeners.*.other': listener.other,
      'listeners.*.health': listener.health,
      'listeners.*.routes.*.respond.status': 200,
      'listeners.*.routes.*.redirect.status': 302,
      'gates.*.timeout': 5_000,
      'gates.*.dryRun': false,
      'gates.*.abandoned': 'reset',
      'upstreams.*.protocol': upstream.protocol,
      'upstreams.*.balance': upstream.balance,
      'upstreams.*.endpoints.*.weight': upstream.endpoints[0]!.weight,
      'upstreams.*.pool.maxIdle': upstream.pool.maxIdle,
      'upstreams.*.pool.idleTimeout': upstream.pool.idleTimeoutMs,
      'upstreams.*.pool.maxConnections': upstream.pool.maxConnections,
      'upstreams.*.pool.maxStreams': upstream.pool.maxStreams,
      'upstreams.*.pool.maxAge': upstream.pool.maxAgeMs,
      'upstreams.*.pool.ping': upstream.pool.pingMs,
      'upstreams.*.timeouts.connect': upstream.timeouts.connectMs,
      'upstreams.*.timeouts.response': upstream.timeouts.responseMs,
      'upstreams.*.buffer.request': upstream.buffer.maxRequestBytes,
      'upstreams.*.dns.refresh': upstream.dns.refreshMs,
      'upstreams.*.health.active.type': active.type,
      'upstreams.*.health.active.interval': active.intervalMs,
      'upstreams.*.health.active.timeout': active.timeoutMs,
      'upstreams.*.health.active.fall': active.fall,
      'upstreams.*.health.active.rise': active.rise,
      'upstreams.*.health.passive.failures': upstream.health.passive.failures,
      'upstreams.*.health.passive.eject': upstream.health.passive.ejectMs,
      'upstreams.*.health.passive.maxEjected': upstream.health.passive.maxEjected,
      'upstreams.*.health.passive.on': upstream.health.passive.on,
      'upstreams.*.retries.max': upstream.retries.max,
      'upstreams.*.retries.on': upstream.retries.on,
      'upstreams.*.retries.budget': upstream.retries.budget,
      'upstreams.*.retries.retryNonIdempotent': upstream.retries.retryNonIdempotent,
    }
    // Sentences, not values: what holds is told in words there.
    const inWords =
      /^(?:none|empty|no limit|nobody|standard output|in the clear|those of Node|all of the files|the \w.*|2 × limit.*|300s for HTTP.*|auto for the command.*)$/
    const seen = new Set<string>()
    for (const [key, { description = '' }] of keys) {
      const [, told] = /Default: (.*)\.$/s.exec(description) ?? []
      const place = key.replace(/^listeners\.\*(?:\.routes\.\*)?\.gate|^upstreams\.\*\.gate/, 'gates.*')
      if (told === undefined || inWords.test(told)) continue
      seen.add(place)
      expect(Object.hasOwn(held, place), key).to.equal(true)
      expect(valueOf(told), key).to.deep.equal(held[place] === Infinity ? 'off' : held[place])
    }
    expect(Object.keys(held).filter((key) => !seen.has(key))).to.deep.equal([])
  })
})

function valueOf(told: string): unknown {
  if (told.startsWith('[')) return told.slice(1, -1).split(', ')
  if (told === 'true' || told === 'false') return told === 'true'
  if (/^\d+$/.test(told)) return Number(told)
  for (const parse of [parseDuration, parseSize, parseRate, parseRatio]) {
    const value = parse(told)
    if (typeof value === 'number') return value
  }
  return told
}
