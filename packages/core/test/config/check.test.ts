import { expect } from 'chai'
import { describe, it } from 'mocha'
import { parseConfig } from '../../src/config/parse.ts'

const found = (text: string) =>
  (parseConfig(text).errors ?? []).map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`)

const listener = (routes: string, rest = '', more = '') =>
  `{ listeners: {\n  web: { bind: ":1", protocol: http${rest}, routes: [\n${routes}\n] } },\nupstreams: { u: { endpoints: ["a:1"] } }${more} }`
const grpc = (routes: string, rest = '') => listener(routes, rest).replace('protocol: http', 'protocol: grpc')
const endpoints = (list: string, rest = '') =>
  `upstreams: { u: { endpoints: [${list}]${rest} } }\nlisteners: { web: { bind: ":1", protocol: http, upstream: u } }`

describe('checkReferences', () => {
  const cases: ReadonlyArray<[string, string, string]> = [
    [
      'an unknown upstream',
      listener('{ upstream: x }'),
      '3:13 listeners.web.routes[0].upstream: No upstream is named `x`.',
    ],
    [
      'the name of what every object inherits',
      listener('{ upstream: toString }'),
      '3:13 listeners.web.routes[0].upstream: No upstream is named `toString`.',
    ],
    [
      'an unknown gate',
      listener('{ upstream: u, gate: x }'),
      '3:22 listeners.web.routes[0].gate: No gate is named `x`.',
    ],
    [
      'an unknown scheme',
      listener('{ upstream: "ftp://x:1" }'),
      '3:13 listeners.web.routes[0].upstream: The scheme `ftp` is not known.',
    ],
    [
      'a scheme that the listener does not speak',
      listener('{ upstream: "tcp://x:1" }'),
      '3:13 listeners.web.routes[0].upstream: The address `tcp://x:1` has the scheme `tcp`, which a http listener does not speak.',
    ],
    [
      'an endpoint that the listener does not speak',
      endpoints('"tcp://x:1"'),
      '2:59 listeners.web.upstream: The endpoint `tcp://x:1` of `u` has the scheme `tcp`, which a http listener does not speak.',
    ],
    [
      'a route without any end',
      listener('{ match: { path: /a } }'),
      '3:1 listeners.web.routes[0]: The route leads nowhere.',
    ],
    [
      'a route with two ends',
      listener('{ upstream: u, respond: {} }'),
      '3:16 listeners.web.routes[0].respond: The route has `upstream` and `respond`.',
    ],
    [
      'two routes with equal matches',
      listener('{ match: { path: /%7Ea }, upstream: u }, { match: { path: /~a }, upstream: u }'),
      '3:51 listeners.web.routes[1].match: This route matches `/~a`, exactly as the route 1 of the listener, which wins always.',
    ],
    [
      'two routes without a match, one of them named',
      listener('{ upstream: u },\n{ name: b, upstream: u }'),
      '4:1 listeners.web.routes[1].match: This route matches `*`, exactly as the route 1 of the listener, which wins always.',
    ],
    [
      'two routes of one name',
      listener('{ name: a, match: { path: /a }, upstream: u },\n{ name: a, upstream: u }'),
      '4:9 listeners.web.routes[1].name: The identity `web/a` belongs to the route 1 already.',
    ],
    [
      'the same gate on listener and route',
      listener('{ upstream: u, gate: g }', ', gate: g', ', gates: { g: { limit: 1 } }'),
      '3:22 listeners.web.routes[0].gate: The gate `g` stands on the listener already, and no unit may pass a gate twice.',
    ],
    [
      'stripPrefix without a path',
      listener('{ stripPrefix: /a, upstream: u }'),
      '3:16 listeners.web.routes[0].stripPrefix: The route has no `match.path`, so `/a` may not be there to strip.',
    ],
    [
      'stripPrefix that is not the prefix',
      listener('{ match: { path: /ab/* }, stripPrefix: /a, upstream: u }'),
      '3:40 listeners.web.routes[0].stripPrefix: The path `/ab/*` of the route does not begin with `/a`, so it may not be there to strip.',
    ],
    [
      'stripPrefix beyond the literal part',
      listener('{ match: { path: /a/*/b }, stripPrefix: /a/x, upstream: u }'),
      '3:41 listeners.web.routes[0].stripPrefix: The path `/a/*/b` of the route does not begin with `/a/x`, so it may not be there to strip.',
    ],
    [
      'stripPrefix without an upstream',
      listener('{ match: { path: /a }, stripPrefix: /a, respond: {} }'),
      '3:24 listeners.web.routes[0].stripPrefix: A prefix is stripped only on the way to an upstream.',
    ],
    [
      'a field that frames the message',
      listener('{ respond: { headers: { Content-Length: "1" } } }'),
      '3:25 listeners.web.routes[0].respond.headers.Content-Length: The field `Content-Length` is set by Sluice itself.',
    ],
    [
      'a field name that is none',
      listener('{ match: { headers: { "a b": "1" } }, upstream: u }'),
      '3:23 listeners.web.routes[0].match.headers.a b: `a b` is not the name of a header field.',
    ],
    [
      'a field in two letter cases',
      listener('{ match: { headers: { x-a: "1", X-A: "2" } }, upstream: u }'),
      '3:33 listeners.web.routes[0].match.headers.X-A: The header field `X-A` stands here twice.',
    ],
    [
      'a body where there is none',
      listener('{ respond: { status: 204, body: x } }'),
      '3:33 listeners.web.routes[0].respond.body: An answer with status 204 has no body (RFC 9110 §6.4.1).',
    ],
    [
      'routes and upstream',
      listener('{ upstream: u }', ', upstream: u'),
      '2:38 listeners.web.upstream: The listener `web` has both `routes` and `upstream`.',
    ],
    [
      'neither routes nor upstream',
      'listeners:\n  web: { bind: ":1", protocol: http }',
      '2:3 listeners.web: The listener `web` has no `routes` or `upstream`.',
    ],
    [
      'tcp without upstream',
      'listeners:\n  web: { bind: ":1", protocol: tcp }',
      '2:3 listeners.web: The listener `web` has no `upstream`.',
    ],
    [
      'tcp with routes',
      'listeners:\n  web: { bind: ":1", protocol: tcp, routes: [{ upstream: "tcp://a:1" }] }',
      '2:37 listeners.web.routes: `routes` is not known on a tcp listener.',
    ],
    ['no listener', 'listeners: {}', '1:12 listeners: There is no listener.'],
    [
      'two listeners on one bind',
      'listeners:\n  a: { bind: ":1", protocol: tcp, upstream: "tcp://a:1" }\n  b: { bind: [":2", "0.0.0.0:1"], protocol: tcp, upstream: "tcp://a:1" }',
      '3:14 listeners.b.bind: The bind `0.0.0.0:1` belongs to `a` already.',
    ],
    [
      'a listener on the bind of admin',
      'admin: { bind: "localhost:1" }\nlisteners:\n  a: { bind: "LOCALHOST:1", protocol: tcp, upstream: "tcp://a:1" }',
      '3:14 listeners.a.bind: The bind `LOCALHOST:1` belongs to `admin` already.',
    ],
    [
      'an admin bind that other machines reach',
      'admin: { bind: ":1" }\nlisteners:\n  a: { bind: ":2", protocol: tcp, upstream: "tcp://a:1" }',
      '1:16 admin.bind: The admin bind `:1` must be an address of this machine alone.',
    ],
    [
      'a name that is none',
      'gates: { "a:b": { limit: 1 } }\nlisteners: { web: { bind: ":1", protocol: tcp, upstream: "tcp://a:1" } }',
      '1:10 gates.a:b: `a:b` is not a name: names are letters, digits, `_`, `.` and `-`, and begin with a letter or digit.',
    ],
    ['no endpoints', endpoints(''), '1:30 upstreams.u.endpoints: The list must not be empty.'],
    ['an endpoint without port', endpoints('a'), '1:31 upstreams.u.endpoints[0]: The address `a` has no port.'],
    [
      'an endpoint twice',
      endpoints('"a:1", { address: "http://A:1" }'),
      '1:38 upstreams.u.endpoints[1]: The endpoint `a:1` stands in `u` twice.',
    ],
    [
      'an endpoint in the clear under tls',
      endpoints('"http://a:1"', ', tls: {}'),
      '1:31 upstreams.u.endpoints[0]: The endpoint `http://a:1` is in the clear, but `u` has `tls`.',
    ],
    [
      'an HTTP probe without path',
      endpoints('"a:1"', ', health: { active: {} }'),
      '1:49 upstreams.u.health.active: An HTTP probe needs a `path`.',
    ],
    [
      'a tcp probe with a path',
      endpoints('"a:1"', ', health: { active: { type: tcp, path: / } }'),
      '1:70 upstreams.u.health.active.path: A tcp probe asks for no path.',
    ],
  ]
  for (const [what, text, expected] of cases) {
    it(`finds ${what}`, () => {
      expect(found(text)).to.deep.equal([expected])
    })
  }

  const ofHttp2: ReadonlyArray<[string, string, string]> = [
    [
      'an answer of HTTP on a grpc listener',
      grpc('{ respond: {} }'),
      '3:3 listeners.web.routes[0].respond: `respond` is an answer of HTTP, and a grpc listener takes gRPC alone.',
    ],
    [
      'a redirect on a grpc listener',
      grpc('{ redirect: { to: / } }'),
      '3:3 listeners.web.routes[0].redirect: `redirect` is an answer of HTTP, and a grpc listener takes gRPC alone.',
    ],
    [
      'a method without a service on a grpc listener',
      grpc('{ match: { method: POST }, upstream: u }'),
      '3:12 listeners.web.routes[0].match.method: On a grpc listener a `method` belongs to a `service`.',
    ],
    [
      'a service beside a path',
      grpc('{ match: { service: s.S, path: /s.S/* }, upstream: u }'),
      '3:26 listeners.web.routes[0].match.path: A `service` stands for a path: there can be no other beside it.',
    ],
    [
      'a method beside a package',
      grpc('{ match: { service: s.*, method: Do }, upstream: u }'),
      '3:26 listeners.web.routes[0].match.method: A `method` belongs to one service, and `s.*` is a package.',
    ],
    [
      'a method of gRPC that is none, where it stands in the list',
      grpc('{ match: { service: s.S, method: [Do, a-b] }, upstream: u }'),
      '3:39 listeners.web.routes[0].match.method[1]: `a-b` is not the name of a gRPC method, such as `Place`.',
    ],
    [
      'a service on a websocket listener',
      listener('{ match: { service: s.S }, upstream: u }').replace('protocol: http', 'protocol: websocket'),
      '3:12 listeners.web.routes[0].match.service: `service` is not known on a websocket listener.',
    ],
    [
      'a path that is the method of a service matched before',
      grpc('{ match: { service: s.S, method: Do }, upstream: u },\n{ match: { path: /s.S/Do }, upstream: u }'),
      '4:10 listeners.web.routes[1].match: This route matches `/s.S/Do`, exactly as the route 1 of the listener, which wins always.',
    ],
    [
      'a POST to the path of a service matched before on an http listener',
      listener('{ match: { service: s.S }, upstream: u },\n{ match: { method: POST, path: /s.S/* }, upstream: u }'),
      '4:10 listeners.web.routes[1].match: This route matches `POST /s.S/*`, exactly as the route 1 of the listener, which wins always.',
    ],
    [
      'the same methods of a service in another order',
      grpc(
        '{ match: { service: s.S, method: [A, B] }, upstream: u },\n{ match: { service: s.S, method: [B, A] }, upstream: u }',
      ),
      '4:10 listeners.web.routes[1].match: This route matches `/s.S/A,B`, exactly as the route 1 of the listener, which wins always.',
    ],
    [
      'stripPrefix beside a service',
      grpc('{ match: { service: s.S }, stripPrefix: /a, upstream: u }'),
      '3:41 listeners.web.routes[0].stripPrefix: The route has no `match.path`, so `/a` may not be there to strip.',
    ],
    [
      'a window that may not grow to where it begins',
      grpc('{ upstream: u }', ', http2: { window: 2MiB, maxWindow: 1MiB }'),
      '2:72 listeners.web.http2.maxWindow: `maxWindow` 1MiB must not be less than `window` 2MiB.',
    ],
    [
      'an address that a grpc listener does not speak',
      grpc('{ upstream: "ws://x:1" }'),
      '3:13 listeners.web.routes[0].upstream: The address `ws://x:1` has the scheme `ws`, which a grpc listener does not speak.',
    ],
    [
      'an address of gRPC on a websocket listener',
      listener('{ upstream: "grpc://x:1" }').replace('protocol: http', 'protocol: websocket'),
      '3:13 listeners.web.routes[0].upstream: The address `grpc://x:1` has the scheme `grpc`, which a websocket listener does not speak.',
    ],
    [
      'gRPC to an upstream of HTTP/1.1',
      endpoints('"a:1"', ', protocol: http1').replace('protocol: http,', 'protocol: grpc,'),
      '2:59 listeners.web.upstream: gRPC needs HTTP/2, and the upstream `u` has `protocol: http1`.',
    ],
    [
      'a service of an http listener that goes to an upstream of HTTP/1.1',
      listener('{ match: { service: s.S }, upstream: u }').replace('["a:1"]', '["a:1"], protocol: http1'),
      '3:38 listeners.web.routes[0].upstream: gRPC needs HTTP/2, and the upstream `u` has `protocol: http1`.',
    ],
    [
      'WebSockets to an upstream of HTTP/2',
      endpoints('"a:1"', ', protocol: http2').replace('protocol: http,', 'protocol: websocket,'),
      '2:64 listeners.web.upstream: A WebSocket needs HTTP/1.1, and the upstream `u` has `protocol: http2`.',
    ],
    [
      'an endpoint of HTTP/2 in an upstream of HTTP/1.1',
      endpoints('"h2c://a:1"', ', protocol: http1'),
      '1:31 upstreams.u.endpoints[0]: The endpoint `h2c://a:1` speaks HTTP/2, but `u` has `protocol: http1`.',
    ],
    [
      'a WebSocket in an upstream of HTTP/2',
      endpoints('"ws://a:1"', ', protocol: http2'),
      '1:31 upstreams.u.endpoints[0]: The WebSocket `ws://a:1` needs HTTP/1.1, but `u` has `protocol: http2`.',
    ],
    [
      'a TCP endpoint in an upstream of HTTP/2',
      endpoints('"tcp://a:1"', ', protocol: http2').replace('protocol: http,', 'protocol: tcp,'),
      '1:31 upstreams.u.endpoints[0]: The endpoint `tcp://a:1` speaks no HTTP, but `u` has `protocol: http2`.',
    ],
    [
      'endpoints of which one alone says HTTP/2',
      endpoints('"http://a:1", "b:2", "grpc://c:3"'),
      '1:31 upstreams.u.endpoints[0]: The endpoint `http://a:1` does not say that it speaks HTTP/2 as `grpc://c:3` does.',
    ],
    [
      'an endpoint of gRPC in the clear under tls',
      endpoints('"grpc://a:1"', ', tls: {}'),
      '1:31 upstreams.u.endpoints[0]: The endpoint `grpc://a:1` is in the clear, but `u` has `tls`.',
    ],
    [
      'a grpc probe with a path',
      endpoints('"a:1"', ', health: { active: { grpc: "", path: / } }'),
      '1:69 upstreams.u.health.active.path: A grpc probe asks for no path.',
    ],
    [
      'a tcp probe with a service',
      endpoints('"a:1"', ', health: { active: { grpc: "", type: tcp } }'),
      '1:59 upstreams.u.health.active.grpc: A tcp probe asks for no service.',
    ],
    [
      'a grpc probe of an upstream of HTTP/1.1',
      endpoints('"a:1"', ', protocol: http1, health: { active: { type: grpc } }'),
      '1:66 upstreams.u.health.active: A grpc probe needs HTTP/2, but `u` has `protocol: http1`.',
    ],
  ]
  for (const [what, text, expected] of ofHttp2) {
    it(`finds ${what}`, () => {
      expect(found(text)).to.deep.equal([expected])
    })
  }

  const fine: ReadonlyArray<[string, string]> = [
    ['answers of HTTP on a grpc listener that passes other content types', grpc('{ respond: {} }', ', other: pass')],
    ['HTTP and gRPC in an upstream of HTTP/2', endpoints('"http://a:1", "grpc://b:2"', ', protocol: http2')],
    ['a bare address and a socket beside gRPC', endpoints('"a:1", "unix:/s", "grpc://b:2"')],
    ['gRPC and HTTP/2 in the clear beside each other', endpoints('"h2c://a:1", "grpc://b:2"')],
    [
      'a service and some of its methods beside each other',
      grpc('{ match: { service: s.S }, upstream: u }, { match: { service: s.S, method: Do }, upstream: u }'),
    ],
    [
      'methods of gRPC in any letter case on an http listener',
      listener('{ match: { service: s.S, method: do_it }, upstream: u }'),
    ],
  ]
  for (const [what, text] of fine) {
    it(`lets ${what} pass`, () => {
      expect(found(text)).to.deep.equal([])
    })
  }

  it('lets the same port 0, and the same port of other hosts, stand twice', () => {
    expect(
      found(
        'listeners:\n  a: { bind: [":0", "127.0.0.1:1"], protocol: tcp, upstream: "tcp://a:1" }\n  b: { bind: [":0", "127.0.0.2:1"], protocol: tcp, upstream: "tcp://a:1" }',
      ),
    ).to.deep.equal([])
  })

  it('finds mistakes between keys although single values are wrong', () => {
    const text =
      'drainTimeout: 5\nlisteners: { web: { bind: 5, protocol: htp, routes: [5, { upstream: x, gate: y }, { match: { path: 5 } }] } }\nupstreams: 7\ngates: []'
    const paths = (parseConfig(text).errors ?? []).map(({ path }) => path)
    expect(paths).to.have.members([
      'drainTimeout',
      'listeners.web.bind',
      'listeners.web.protocol',
      'listeners.web.routes[0]',
      'listeners.web.routes[1].upstream',
      'listeners.web.routes[1].gate',
      'listeners.web.routes[2].match.path',
      'listeners.web.routes[2]',
      'upstreams',
      'gates',
    ])
  })
})
