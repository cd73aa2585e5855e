import { expect } from 'chai'
import { describe, it } from 'mocha'
import { formatConfigErrors } from '../../src/config/config-error.ts'
import { parseConfig, parseConfigObject, type ParseOptions } from '../../src/config/parse.ts'
import type { ConfigInput } from '../../src/config/schema.ts'

const errorsOf = (text: string, options: ParseOptions = {}) =>
  parseConfig(text, { file: 'sluice.yaml', ...options }).errors ?? []

function configOf(text: string, options: ParseOptions = {}) {
  const { config, errors } = parseConfig(text, options)
  if (config === undefined) throw new Error(formatConfigErrors(errors))
  return config
}

/** The errors as `line:column path`, for comparing many at once. */
const places = (text: string, options?: ParseOptions) =>
  errorsOf(text, options).map(({ line, column, path }) => `${line}:${column} ${path}`)

describe('parseConfig', () => {
  it('reports five different mistakes at once, with line, column and a suggestion', () => {
    const text = `listeners:
  web:
    bind: :8080
    protocol: http
    timeouts: { head: 30 }
    limits: { fields: many }
    routes:
      - upstream: userz
upstreams:
  users:
    endpoints: [10.0.0.1:3000]
    balance: roundrobbin
    pool: { maxIdel: 3 }
`
    expect(
      errorsOf(text).map(({ line, column, path, message, hint }) => [line, column, path, message, hint]),
    ).to.deep.equal([
      [5, 23, 'listeners.web.timeouts.head', 'The duration 30 has no unit.', 'Write 30ms or 30s.'],
      [6, 23, 'listeners.web.limits.fields', '`many` is not a number.', undefined],
      [
        8,
        19,
        'listeners.web.routes[0].upstream',
        'No upstream is named `userz`.',
        'Did you mean `users`? Upstreams are users.',
      ],
      [
        12,
        14,
        'upstreams.users.balance',
        '`roundrobbin` is not one of the values allowed here.',
        'Did you mean `roundRobin`? Allowed are roundRobin, weightedRoundRobin.',
      ],
      [
        13,
        13,
        'upstreams.users.pool.maxIdel',
        'The key `maxIdel` is not known in `upstreams.users.pool`.',
        'Did you mean `maxIdle`? Known keys are maxIdle, idleTimeout, maxConnections, maxStreams, maxAge, ping.',
      ],
    ])
  })

  it('takes the example of the contract, as far as it is built', () => {
    const config = configOf(
      `drainTimeout: 30s
admin: { bind: 127.0.0.1:9901 }
log: { level: info, access: off }
listeners:
  web:
    bind: 0.0.0.0:8080
    protocol: http
    tls: { cert: ./cert.pem, key: ./key.pem }
    trustedProxies: [10.0.0.0/8]
    routes:
      - name: users
        match: { host: api.example.com, path: /users/* }
        stripPrefix: /users
        upstream: users
        gate: { limit: 6, queue: 100, timeout: 2s }
      - match: { path: /orders/*, method: [GET, HEAD], headers: { x-canary: "1" } }
        upstream: http://127.0.0.1:4000
      - match: { path: /health }
        respond: { status: 200, body: ok }
      - redirect: { to: "https://example.com{path}", status: 308 }
  pg: { bind: "127.0.0.1:15432", protocol: tcp, upstream: postgres, gate: { limit: 20, queue: 50, timeout: 5s } }
  live: { bind: ":8081", protocol: websocket, upstream: ws://chat:80 }
  rpc:
    bind: :50050
    protocol: grpc
    web: { origins: ["https://app.example.com"] }
    routes:
      - match: { service: shop.v1.Orders, method: Place }
        upstream: orders
        gate: { limit: 1 }
      - upstream: orders
gates:
  shared: { limit: 50, queue: 500, timeout: 5s }
upstreams:
  postgres: { endpoints: ["10.0.0.9:5432"] }
  orders: { endpoints: ["10.0.0.8:50051"] }
  users:
    endpoints: ["10.0.0.1:3000", { address: "users.internal:3000", weight: 3, limit: 50 }]
    protocol: auto
    pool: { maxIdle: 64, idleTimeout: 4s, maxConnections: 1024, maxStreams: 100 }
    retries: { max: 1, on: [connectFailure, refused, stale], budget: 20% }
    tls: { ca: ./ca.pem, serverName: users.internal }
`,
      { baseDir: '/etc/sluice' },
    )
    expect(config.listeners.map(({ name, gate }) => [name, gate?.id])).to.deep.equal([
      ['web', undefined],
      ['pg', 'listener:pg'],
      ['live', undefined],
      ['rpc', undefined],
    ])
    expect(
      config.listeners.flatMap(({ routes }) => routes.map(({ id, gate, action }) => [id, gate?.id, action.kind])),
    ).to.deep.equal([
      ['web/users', 'route:web/users', 'forward'],
      ['web/GET,HEAD /orders/* x-canary=1', undefined, 'forward'],
      ['web//health', undefined, 'respond'],
      ['web/*', undefined, 'redirect'],
      ['pg/*', undefined, 'forward'],
      ['live/*', undefined, 'forward'],
      ['rpc//shop.v1.Orders/Place', 'route:rpc//shop.v1.Orders/Place', 'forward'],
      ['rpc/*', undefined, 'forward'],
    ])
    expect(config.upstreams.map(({ name }) => name)).to.deep.equal([
      'postgres',
      'orders',
      'users',
      'http://127.0.0.1:4000',
      'ws://chat:80',
    ])
    expect(config.listeners[0]!.tls).to.deep.equal({ certFile: '/etc/sluice/cert.pem', keyFile: '/etc/sluice/key.pem' })
    expect(structuredClone(config)).to.deep.equal(config)
  })

  it('makes one upstream of an address that is written twice', () => {
    const text =
      'listeners:\n  a: { bind: ":1", protocol: http, upstream: http://LOCALHOST }\n  b: { bind: ":2", protocol: http, upstream: "http://localhost:80/" }'
    expect(configOf(text).upstreams.map(({ name }) => name)).to.deep.equal(['http://localhost:80'])
  })

  it('takes what an upstream speaks from the schemes of its addresses', () => {
    const { config, errors } = parseConfig(`
listeners:
  web:
    bind: ":1"
    protocol: http
    routes:
      - { match: { path: /a }, upstream: "h2c://a" }
      - { match: { path: /b }, upstream: "grpc://a:1" }
      - { match: { path: /c }, upstream: "grpcs://a" }
      - { match: { path: /d }, upstream: "https://a" }
      - { match: { path: /e }, upstream: bare }
upstreams:
  bare: { endpoints: ["a:1"] }
  one: { endpoints: ["a:1", "grpc://b:1"] }
  objects: { protocol: auto, endpoints: [{ address: "h2c://a:1" }] }
  written: { protocol: http1, endpoints: ["http://a:1"] }
`)
    expect(errors).to.equal(undefined)
    const spoken = config!.upstreams.map(({ name, protocol, endpoints }) => [name, protocol, endpoints[0]!.secure])
    expect(spoken).to.deep.equal([
      ['bare', 'auto', false],
      ['one', 'http2', false],
      ['objects', 'http2', false],
      ['written', 'http1', false],
      ['h2c://a:80', 'http2', false],
      ['grpc://a:1', 'http2', false],
      ['grpcs://a:443', 'http2', true],
      ['https://a:443', 'auto', true],
    ])
  })

  it('keeps relative paths as they are when nothing says what they are relative to', () => {
    expect(
      configOf('listeners: { a: { bind: ":1", protocol: tcp, upstream: "unix:s.sock" } }\nlog: { file: x.log }').log
        .file,
    ).to.equal('x.log')
  })

  describe('variables', () => {
    const web = (bind: string) => `listeners: { web: { bind: ${bind}, protocol: http, upstream: "http://a:1" } }`

    it('are replaced, and their defaults stand in for missing and empty ones', () => {
      const env = { PORT: '81', EMPTY: '' }
      const bind = (text: string) => configOf(web(text), { env }).listeners[0]!.bind[0]
      expect(bind('":${PORT}"')).to.deep.equal({ host: '', port: 81 })
      expect(bind('"${HOST:-::1}:${PORT}"'.replace('::1', '127.0.0.1'))).to.deep.equal({ host: '127.0.0.1', port: 81 })
      expect(bind('":${EMPTY:-82}"')).to.deep.equal({ host: '', port: 82 })
    })

    it('become numbers and booleans where those are wanted', () => {
      const text = `${web('":1"')}\ngates: { g: { limit: "\${LIMIT}", queue: "\${QUEUE:-7}" } }\nlog: { query: "\${QUERY}" }`
      const config = configOf(text, { env: { LIMIT: '6', QUERY: 'true' } })
      expect(config.gates[0]).to.include({ limit: 6, queue: 7 })
      expect(config.log.query).to.equal(true)
      const [error] = errorsOf(text, { env: { LIMIT: 'six', QUERY: 'true' } })
      expect(error).to.include({ line: 2, column: 22, message: '`six` is not a number.' })
    })

    it('stay text where text is wanted', () => {
      const text =
        'listeners: { web: { bind: ":1", protocol: http, routes: [{ match: { headers: { x-a: "${A}" } }, respond: {} }] } }'
      expect(configOf(text, { env: { A: '1' } }).listeners[0]!.routes[0]!.match.headers).to.deep.equal({ 'x-a': '1' })
    })

    it('are not taken from plain text in quotes that looks like a number', () => {
      expect(places(`${web('":1"')}\ngates: { g: { limit: "6" } }`)).to.deep.equal(['2:22 gates.g.limit'])
    })

    it('without value and default are errors where they stand', () => {
      expect(errorsOf(web('":${PORT}"'))[0])
        .to.include({ line: 1, column: 27 })
        .and.property('message')
        .includes('PORT is not set')
      expect(errorsOf(web('":1${"'))[0]!.message).to.include('is not a reference')
    })

    it('are escaped by a second dollar', () => {
      const text = 'listeners: { web: { bind: ":1", protocol: http, routes: [{ respond: { body: "$${A} $A $$" } }] } }'
      expect(configOf(text).listeners[0]!.routes[0]!.action).to.include({ body: '${A} $A $$' })
    })

    it('do not find what an object inherits', () => {
      expect(errorsOf(web('"${toString}:1"'))[0]!.message).to.include('toString is not set')
    })
  })

  describe('the text', () => {
    it('reports duplicate keys and goes on', () => {
      expect(places('listeners:\n  a: { bind: ":1", protocol: http, upstream: x, bind: ":2" }')).to.deep.equal([
        '2:46 listeners.a.upstream',
        '2:49 ',
      ])
    })
    it('places mistakes at the last of duplicate keys, whose value counts', () => {
      const text =
        'drainTimeout: 6s\ndrainTimeout: 5\nlisteners: { a: { bind: ":1", protocol: tcp, upstream: "tcp://a:1" } }'
      expect(places(text)).to.deep.equal(['2:1 ', '2:15 drainTimeout'])
    })
    it('reports the first mistake in the syntax only', () => {
      expect(places('listeners: [1\nb: 2\nc: [')).to.deep.equal(['2:1 '])
    })
    it('reports an empty file, a list, a second document, a tag, and an alias without anchor', () => {
      for (const [text, words] of [
        ['', 'is empty'],
        ['# nothing', 'is empty'],
        ['- 1', 'A list is not an object'],
        ['a: 1\n---\nb: 1', 'second document'],
        ['a: !x 1', 'Unresolved tag'],
        ['a: *x', 'No anchor is named `x`'],
        ['{ a: 1 }: 1', 'A key must be text.'],
      ] as const) {
        const messages = errorsOf(text)
          .map(({ message }) => message)
          .join()
        expect(messages, text).to.include(words)
      }
    })
    it('takes anchors, aliases and merge keys, and finds mistakes in them where they stand, once', () => {
      const text = `gates:
  a: &a { limit: 3, queue: 5 }
  b: { <<: *a, limit: 4 }
  c: *a
listeners: { web: { bind: ":1", protocol: tcp, upstream: "tcp://a:1" } }
`
      expect(configOf(text).gates).to.deep.equal(
        ['a', 'b', 'c'].map((id) => ({
          id,
          limit: id === 'b' ? 4 : 3,
          queue: 5,
          timeoutMs: 5_000,
          dryRun: false,
          abandoned: 'reset',
        })),
      )
      expect(places(text.replace('queue: 5', 'queue: five'))).to.deep.equal(['2:28 gates.a.queue'])
    })
    it('bounds what aliases multiply to, and nesting', () => {
      const bomb = [
        'a: &a [1,1,1,1,1,1,1,1,1,1]',
        ...'bcdefgh'
          .split('')
          .map((name, i) => `${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[i]}`).join(', ')}]`),
      ].join('\n')
      expect(errorsOf(bomb).map(({ message }) => message)).to.deep.equal([
        'Aliases of aliases make more than 200 copies of one anchor.',
      ])
      // mocha records whole stacks, and every error of the parser here has a deep one.
      const { stackTraceLimit } = Error
      Error.stackTraceLimit = 10
      try {
        for (const deep of ['['.repeat(2_000), `a: ${'{a: '.repeat(2_000)}`]) {
          expect(errorsOf(deep)[0]!.message).to.include('nested too deeply')
        }
      } finally {
        Error.stackTraceLimit = stackTraceLimit
      }
      expect(errorsOf('listeners: &l { web: *l }').length).to.be.greaterThan(0)
    })
    it('keeps to JSON in a file called .json', () => {
      const options = { file: 'sluice.json' }
      const good = '{\n\t"listeners": { "a": { "bind": ":1", "protocol": "tcp", "upstream": "tcp:\\/\\/a:1" } }\n}'
      expect(configOf(good, options).upstreams[0]!.name).to.equal('tcp://a:1')
      expect(places(good.replace(':1" } }', ':1", } }'), options)).to.deep.equal(['2:84 '])
      expect(places('{\n  "a": hello }', options)).to.deep.equal(['2:8 '])
      expect(places('# a\n{}', options)).to.deep.equal(['1:1 '])
      expect(places('{ "a": 1', options)).to.deep.equal(['1:9 '])
      expect(places(good.replace('tcp"', 'tpc"'), options)).to.deep.equal(['2:50 listeners.a.protocol'])
    })
    it('never throws, whatever is cut out of it or put into it', () => {
      const text =
        'listeners:\n  web: &w { bind: [":1"], protocol: http, routes: [{ match: { path: /a/* }, upstream: u, gate: { limit: "${A:-1}" } }] }\nupstreams:\n  u: { endpoints: [{ address: "a:1" }], health: { active: { path: / } }, retries: { on: [stale] } }\n'
      const junk = [
        '',
        ' ',
        '\n',
        ':',
        '{',
        '}',
        '[',
        ']',
        '"',
        '*w',
        '&',
        '!',
        '1',
        '- ',
        '${',
        'null',
        '%',
        '\0',
        '<<: ',
        '|\n',
      ]
      for (let i = 0; i < 500; i++) {
        const at = (i * 7919) % text.length
        const changed = text.slice(0, at) + junk[i % junk.length] + text.slice(at + ((i * 31) % 6))
        const { config, errors } = parseConfig(changed, { file: 'x.yaml' })
        expect(config === undefined).to.equal(errors !== undefined && errors.length > 0, changed)
        for (const { line, column } of errors ?? []) expect(line! > 0 && column! > 0, changed).to.equal(true)
      }
    })
  })
})

describe('parseConfigObject', () => {
  const input: ConfigInput = {
    listeners: { web: { bind: ':1', protocol: 'http', upstream: 'users' } },
    upstreams: { users: { endpoints: ['a:1'] } },
  }

  it('is the same configuration as from a file', () => {
    expect(parseConfigObject(input).config).to.deep.equal(configOf(JSON.stringify(input)))
  })
  it('reports errors with a path and without a position', () => {
    const { errors } = parseConfigObject({ ...input, drainTimeout: 5 } as never)
    expect(errors).to.deep.equal([
      {
        file: undefined,
        line: undefined,
        column: undefined,
        sourceLine: undefined,
        path: 'drainTimeout',
        message: 'The duration 5 has no unit.',
        hint: 'Write 5ms or 5s.',
      },
    ])
    expect(formatConfigErrors(errors!)).to.equal('drainTimeout: The duration 5 has no unit.\n  Write 5ms or 5s.')
  })
  it('takes nothing from variables and changes nothing in its input', () => {
    const frozen = Object.freeze({ ...input, log: Object.freeze({ file: '${A}' }) })
    expect(parseConfigObject(frozen).config!.log.file).to.equal('${A}')
  })
  it('refuses what is no object at all', () => {
    for (const value of [undefined, null, 'x', [], () => 0])
      expect(parseConfigObject(value as never).errors, String(value)).to.not.equal(undefined)
  })
})
