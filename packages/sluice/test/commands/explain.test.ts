import { expect } from 'chai'
import { fileURLToPath } from 'node:url'
import { type Config, parseConfig } from '@sluice/core'
import { Transcoder } from '@sluice/grpc'
import { explanation } from '../../src/commands/explain.ts'
import type { Question } from '../../src/commands/explain-question.ts'
import { sluice, withFiles } from '../support/command.ts'

const text = `listeners:
  web:
    bind: 127.0.0.1:8080
    protocol: http
    routes:
      - name: users
        match: { host: api.example.com, path: /users/* }
        stripPrefix: /users
        upstream: users
        gate: { limit: 6, queue: 100, timeout: 2s }
      - match: { method: POST }
        upstream: users
      - match: { headers: { x-canary: "1" } }
        respond: { status: 204 }
      - respond: { status: 404 }
  live: { bind: ":8081", protocol: websocket, upstream: users }
  raw: { bind: ":8082", protocol: tcp, upstream: "tcp://127.0.0.1:9" }
upstreams:
  users:
    endpoints: [{ address: "10.0.0.1:3000", limit: 50, weight: 3 }, "10.0.0.2:3000"]
    gate: { limit: 200, queue: 1000, timeout: 5s }
    retries: { max: 0 }
`

const calls = `listeners:
  rpc:
    bind: ":50050"
    protocol: grpc
    health: true
    web: { origins: ["https://app.example.com"] }
    gate: { limit: 9, queue: 9 }
    routes:
      - match: { service: shop.v1.Orders, method: [Place, Cancel] }
        upstream: orders
        gate: { limit: 1 }
      - match: { service: shop.v1.* }
        upstream: orders
      - match: { path: /secure.v1.Vault/Open }
        upstream: "grpcs://vault"
  web:
    bind: ":8080"
    protocol: http
    routes:
      - match: { service: shop.v1.Orders }
        upstream: orders
      - upstream: pages
upstreams:
  orders:
    endpoints: ["10.0.0.1:50051", "10.0.0.2:50051"]
    health: { active: { grpc: shop.v1.Orders } }
  pages:
    endpoints: ["https://10.0.0.3"]
    health: { active: { type: grpc } }
`

function explain(url: string, rest: Partial<Question> = {}, written = text): string[] {
  const result = parseConfig(written, { file: 'a.yaml' })
  if (result.errors !== undefined) throw new Error(result.errors[0]!.message)
  const placeOf = (path: readonly (string | number)[]) => {
    const position = result.locate(path)
    return position === undefined ? undefined : `a.yaml:${position.line}:${position.column}`
  }
  return explanation({ config: result.config, placeOf }, { url, method: 'GET', headers: [], ...rest }).split('\n')
}

describe('sluice explain', () => {
  it('tells listener, route, runner-up, gates, policies, upstream and endpoints', () => {
    const lines = explain('http://api.example.com:8080/users/7', { method: 'POST' })
    expect(lines).to.deep.equal([
      'listener   web (http on 127.0.0.1:8080)',
      '           a.yaml:3:5',
      'route      web/users, matches api.example.com/users/*: to users',
      '           a.yaml:6:9',
      'runner-up  web/POST *: to users',
      '           a.yaml:11:9',
      'why        It wins over the runner-up because its host is more specific.',
      'gate       route:web/users: 6 at once, 100 wait, 2s at most',
      'gate       upstream:users: 200 at once, 1000 wait, 5s at most',
      'path       sent as /7',
      'upstream   users (roundRobin, HTTP/1.1)',
      'endpoint   10.0.0.1:3000 (weight 3, 50 at once)',
      'endpoint   10.0.0.2:3000',
      'timeouts   connect 5s, response 1m',
      'retries    none',
      'health     no checks; ejected for 30s after 5 failures in a row',
    ])
  })

  it('asks with the header fields that are given', () => {
    expect(explain('http://h:8080/', { headers: ['X-Canary: 1'] })[2]).to.equal(
      'route      web/* x-canary=1: answers 204',
    )
    expect(explain('http://h:8080/')[2]).to.equal('route      web/*: answers 404')
    const lines = explain('http://h:8080/users', { headers: ['Host: API.example.com:80'] })
    expect(lines[2]).to.include('web/users')
  })

  it('tells what a bad path and a request that is no upgrade get', () => {
    expect(explain('http://h:8080/a/../../b').at(-1)).to.include('400 badRequest')
    expect(explain('http://h:8081/').at(-1)).to.include('426 upgradeRequired')
  })

  it('matches on the normal form of the path', () => {
    expect(explain('http://api.example.com:8080/x/../%75sers/7')).to.include('path       matched as /users/7')
  })

  it('explains a TCP connection', () => {
    expect(explain('tcp://127.0.0.1:8082')).to.include('endpoint   127.0.0.1:9')
  })

  it('takes the only listener for a protocol when none is bound to the port, and says so', () => {
    expect(explain('http://api.example.com/users/7')[0]).to.include('no listener is bound to port 80')
    expect(() => explain('ws://h/')).to.throw('No listener is bound to port 80. Listeners are web on 127.0.0.1:8080;')
  })

  it('refuses what is no URL and a header field that is none', () => {
    expect(() => explain('users/7')).to.throw('`users/7` is not a URL')
    expect(() => explain('http://h:8080/', { headers: ['x'] })).to.throw('must be written as `Name: value`')
  })
})

describe('sluice explain of gRPC', () => {
  const call = (url: string, rest: Partial<Question> = {}) => explain(url, rest, calls)
  const grpc = { method: 'POST', headers: ['Content-Type: application/grpc+proto'] }

  it('tells route, runner-up, gates, upstream, deadline and health check of a call', () => {
    const lines = call('grpc://h:50050/shop.v1.Orders/Place', { headers: ['grpc-timeout: 250m'] })
    expect(lines).to.deep.equal([
      'listener   rpc (grpc on :50050)',
      '           a.yaml:3:5',
      'route      rpc//shop.v1.Orders/Cancel,Place: to orders',
      '           a.yaml:9:9',
      'runner-up  rpc//shop.v1.*/*: to orders',
      '           a.yaml:12:9',
      'why        It wins over the runner-up because its path is more specific.',
      'gate       listener:rpc: 9 at once, 9 wait, 5s at most',
      'gate       route:rpc//shop.v1.Orders/Cancel,Place: 1 at once, 16 wait, 5s at most',
      'upstream   orders (roundRobin, HTTP/2)',
      'endpoint   10.0.0.1:50051',
      'endpoint   10.0.0.2:50051',
      'deadline   250ms, waiting included, then 4 DEADLINE_EXCEEDED',
      'timeouts   connect 5s, PING after 6m',
      'retries    1, after connectFailure, refused, stale',
      'health     asks grpc.health.v1 for shop.v1.Orders every 10s; ejected for 30s after 5 failures in a row',
    ])
  })

  it('takes a POST with the content type for a call, and everything else for HTTP', () => {
    const url = 'http://h:8080/shop.v1.Orders/Place'
    expect(call(url, grpc)).to.include('route      web/POST /shop.v1.Orders/*: to orders')
    expect(call(url, grpc)).to.include('upstream   orders (roundRobin, HTTP/2)')
    expect(call(url, { method: 'POST' })).to.include('upstream   orders (roundRobin, HTTP/1.1)')
    const lines = call(url, { headers: grpc.headers })
    expect(lines).to.include('upstream   pages (roundRobin, HTTP/2 or HTTP/1.1 by ALPN)')
    expect(lines.at(-1)).to.include('asks grpc.health.v1 for the server as a whole every 10s')
  })

  it('tells TLS, and a caller without a deadline or with one that is none', () => {
    const lines = call('grpcs://h:50050/secure.v1.Vault/Open')
    expect(lines).to.include.members([
      'upstream   grpcs://vault:443 (roundRobin, HTTP/2)',
      'endpoint   vault:443 (TLS)',
      'deadline   none: the caller sends no grpc-timeout',
    ])
    const bad = call('grpc://h:50050/secure.v1.Vault/Open', { headers: ['grpc-timeout: 5s'] })
    expect(bad).to.include('deadline   none: `5s` is not a grpc-timeout, such as 5S or 250m')
  })

  it('tells what the listener answers itself', () => {
    expect(call('grpc://h:50050/grpc.health.v1.Health/Check').at(-1)).to.equal(
      'answer     by the listener itself (health: true)',
    )
    const web = { method: 'POST', headers: ['content-type: application/grpc-web'] }
    expect(call('http://h:50050/grpc.health.v1.Health/Watch', web).at(-1)).to.equal(
      'answer     by the listener itself (health: true)',
    )
    // Its other methods are the upstream's.
    expect(call('grpc://h:50050/grpc.health.v1.Health/List').at(-1)).to.equal(
      'answer     status 12 UNIMPLEMENTED, noRoute',
    )
    expect(call('grpc://h:50050/a.B/C').slice(-2)).to.deep.equal([
      'route      none',
      'answer     status 12 UNIMPLEMENTED, noRoute',
    ])
    expect(call('http://h:50050/shop.v1.Orders/Place').at(-1)).to.equal(
      'answer     415 unsupported: this listener takes gRPC only',
    )
  })

  it('tells which call a request with JSON is, by the annotations', async () => {
    const result = parseConfig(calls, { file: 'a.yaml' })
    const { config } = result as { config: Config }
    const folder = fileURLToPath(new URL('../../../../protos', import.meta.url))
    const files = { protos: [`${folder}/shop/v1/orders.proto`], includes: [folder], services: [] }
    const transcoder = await Transcoder.load(files)
    const transcoders = new Map(config.listeners.map((listener) => [listener, transcoder]))
    const json = (url: string, method = 'GET') =>
      explanation({ config, placeOf: () => '' }, { url, method, headers: [] }, transcoders).split('\n')
    for (const port of [50050, 8080]) {
      const lines = json(`http://h:${port}/shop/v1/orders`, 'POST')
      expect(lines).to.include('call       /shop.v1.Orders/Place, by its annotation (transcode)')
      expect(lines).to.include('upstream   orders (roundRobin, HTTP/2)')
    }
    expect(json('http://h:50050/shop/v1/orders', 'POST').join()).to.include('1 at once')
    expect(json('http://h:50050/shop/v1/orders', 'PUT').at(-1)).to.match(
      /^answer {5}405 methodNotAllowed: .* POST, not for PUT$/,
    )
    expect(json('http://h:8080/shop/v1/orders', 'PUT')).to.include('route      web/*: to pages')
  })

  it('reads the annotations that a file names, and says where one cannot be read', async () => {
    const folder = fileURLToPath(new URL('../../../../protos', import.meta.url))
    const withProto = (proto: string) =>
      calls.replace('protocol: http', `$&\n    transcode: { protos: ["${folder}/${proto}"], includes: ["${folder}"] }`)
    const files = { 'good.yaml': withProto('shop/v1/orders.proto'), 'bad.yaml': withProto('nothing.proto') }
    await withFiles(files, async (cwd) => {
      const good = sluice(['explain', 'good.yaml', 'http://h:8080/shop/v1/orders/7'], { cwd })
      expect(await good.exit, good.stderr).to.equal(0)
      expect(good.stdout).to.include('call       /shop.v1.Orders/Get, by its annotation (transcode)')
      const bad = sluice(['explain', 'bad.yaml', 'http://h:8080/'], { cwd })
      expect(await bad.exit).to.equal(1)
      expect(bad.stderr).to.include('listeners.web.transcode: ').and.to.include('nothing.proto')
    })
  })

  it('takes gRPC-Web for a call where the listener speaks it', () => {
    const web = { method: 'POST', headers: ['content-type: application/grpc-web-text'] }
    expect(call('http://h:50050/shop.v1.Orders/Place', web)).to.include('upstream   orders (roundRobin, HTTP/2)')
    expect(call('http://h:8080/x', web)).to.include('route      web/*: to pages')
  })

  it('finds the listener without a port, and refuses a URL without a method', () => {
    const alone = calls.replace(/ {2}web:\n {4}bind[^]*(?=upstreams:)/, '')
    expect(explain('grpc://h/shop.v1.Orders/Place', {}, alone)[0]).to.equal(
      'listener   rpc (grpc on :50050); the URL has no port, and this is the only one for it',
    )
    expect(() => call('grpc://h/shop.v1.Orders/Place')).to.throw('The URL has no port. Listeners are rpc on :50050;')
    expect(() => call('grpc://h:50050/shop.v1.Orders')).to.throw(
      'names no method. Write it as grpc://h:50050/shop.v1.Orders/Place.',
    )
  })
})
