import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { Head } from '../../src/routing/head.ts'
import { canonicalMatch, compareMatchers, compileMatch, matches, type RouteMatch } from '../../src/routing/match.ts'
import { Router } from '../../src/routing/router.ts'

interface Fields {
  readonly host?: string
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

function makeHead({ host = '', path = '/', method = 'GET', headers = {} }: Fields): Head {
  return {
    protocol: 'http',
    host,
    path,
    method,
    header: (name) => headers[name],
    clientAddress: '127.0.0.1',
    tlsName: undefined,
  }
}

const routerOf = (matches: readonly RouteMatch[]) =>
  new Router(matches.map((match) => ({ match, value: canonicalMatch(match) })))

describe('Router', () => {
  it('prefers the exact host, then the longest wildcard, then none', () => {
    const router = routerOf([{}, { host: '*.example.com' }, { host: '*.b.example.com' }, { host: 'a.b.example.com' }])
    const at = (host: string) => router.match(makeHead({ host }))
    expect(at('a.b.example.com')).to.equal('a.b.example.com')
    expect(at('A.B.example.COM:8080')).to.equal('a.b.example.com')
    expect(at('x.b.example.com')).to.equal('*.b.example.com')
    expect(at('y.x.b.example.com')).to.equal('*.b.example.com')
    expect(at('b.example.com')).to.equal('*.example.com')
    expect(at('example.com')).to.equal('*')
    expect(at('')).to.equal('*')
  })

  it('prefers the exact path, then most literal segments, then the longest prefix, then none', () => {
    const router = routerOf([
      {},
      { path: '/*' },
      { path: '/users/*' },
      { path: '/users/*/orders' },
      { path: '/users/1/orders' },
      { path: '/users/me/*' },
    ])
    const at = (path: string) => router.match(makeHead({ path }))
    expect(at('/users/1/orders')).to.equal('/users/1/orders')
    expect(at('/users/2/orders')).to.equal('/users/*/orders')
    expect(at('/users/me/orders')).to.equal('/users/me/*')
    expect(at('/users/2/x')).to.equal('/users/*')
    expect(at('/users')).to.equal('/users/*')
    expect(at('/usersx')).to.equal('/*')
    expect(at('*')).to.equal('*')
  })

  it('prefers a method of a service, then the service, then the longest package', () => {
    const router = routerOf([
      { path: '/*' },
      { service: 'shop.*' },
      { service: 'shop.v1.*' },
      { service: 'shop.v1.Orders' },
      { service: 'shop.v1.Orders', calls: ['Place', 'Cancel', 'Place'] },
    ])
    const at = (path: string) => router.match(makeHead({ path, method: 'POST' }))
    expect(at('/shop.v1.Orders/Place')).to.equal('/shop.v1.Orders/Cancel,Place')
    expect(at('/shop.v1.Orders/Cancel')).to.equal('/shop.v1.Orders/Cancel,Place')
    expect(at('/shop.v1.Orders/place')).to.equal('/shop.v1.Orders/*')
    expect(at('/shop.v1.orders/Place')).to.equal('/shop.v1.*/*')
    expect(at('/shop.v1.admin.Users/Get')).to.equal('/shop.v1.*/*')
    expect(at('/shop.v2.Orders/Place')).to.equal('/shop.*/*')
    for (const other of [
      '/shop.v1.',
      '/shop.v1./',
      '/shop/v1.Orders',
      '/shopping.Cart/Get',
      '/shop.v1',
      '/a/shop.v1.Orders/Place',
    ])
      expect(at(other), other).to.equal(other === '/shop.v1./' ? '/shop.*/*' : '/*')
  })

  it('takes the methods of a service for one route, with one runner-up behind it', () => {
    const router = routerOf([{ service: 's.S', calls: ['A', 'B'] }, { service: 's.S' }])
    expect(router.explain(makeHead({ path: '/s.S/B' }))).to.deep.equal({
      winner: '/s.S/A,B',
      runnerUp: '/s.S/*',
      reason: 'It wins over the runner-up because its path is more specific.',
    })
  })

  it('prefers a method, then more headers, then the place in the file', () => {
    const router = new Router([
      { match: { headers: { a: '1', b: '2' } }, value: 'two' },
      { match: { headers: { a: '1' } }, value: 'one' },
      { match: { methods: ['GET'] }, value: 'get' },
      { match: { headers: { c: '1' } }, value: 'late' },
    ])
    const at = (fields: Fields) => router.match(makeHead({ method: 'POST', ...fields }))
    expect(at({ method: 'GET', headers: { a: '1', b: '2' } })).to.equal('get')
    expect(at({ headers: { a: '1', b: '2', c: '1' } })).to.equal('two')
    expect(at({ headers: { a: '1', c: '1' } })).to.equal('one')
    expect(at({ headers: { c: '1' } })).to.equal('late')
    expect(at({})).to.equal(undefined)
  })

  it('falls back to a less specific host when the specific one has no route that matches', () => {
    const router = routerOf([{ host: 'a.com', path: '/x' }, { host: '*.com', path: '/y' }, { path: '/z' }])
    expect(router.match(makeHead({ host: 'a.com', path: '/x' }))).to.equal('a.com/x')
    expect(router.match(makeHead({ host: 'a.com', path: '/y' }))).to.equal('*.com/y')
    expect(router.match(makeHead({ host: 'a.com', path: '/z' }))).to.equal('/z')
    expect(router.match(makeHead({ host: 'a.com', path: '/q' }))).to.equal(undefined)
  })

  it('reads nothing of the head when one route takes everything', () => {
    const router = routerOf([{}])
    const unreadable = new Proxy({}, { get: () => expect.fail('the head was read') }) as Head
    expect(router.catchAll).to.equal('*')
    expect(router.match(unreadable)).to.equal('*')
    expect(routerOf([{}, { path: '/a' }]).catchAll).to.equal(undefined)
    expect(routerOf([{ path: '/*' }]).catchAll).to.equal(undefined)
    expect(routerOf([]).match(makeHead({}))).to.equal(undefined)
  })

  it('does not read the host when no route names one', () => {
    const router = routerOf([{ path: '/a' }, { path: '/b' }])
    const head = {
      ...makeHead({ path: '/b' }),
      get host(): string {
        return expect.fail('the host was read')
      },
    }
    expect(router.match(head)).to.equal('/b')
  })

  it('remembers a bounded number of spellings of hosts and stays right beyond it', () => {
    const router = routerOf([{ host: '*.example.com' }, { path: '/' }])
    for (let i = 0; i < 5_000; i++)
      expect(router.match(makeHead({ host: `h${i}.Example.com` }))).to.equal('*.example.com')
    expect(router.match(makeHead({ host: 'x'.repeat(1000) }))).to.equal('/')
  })

  it('throws for a pattern that is none', () => {
    expect(() => routerOf([{ path: 'x' }])).to.throw(TypeError, 'must begin with')
  })

  it('is the first of the sorted table that matches, on random tables', () => {
    const random = randomizer(20_260)
    let found = 0
    for (let table = 0; table < 300; table++) {
      const routes = Array.from({ length: 1 + random.below(25) }, (_, value) => ({ match: randomMatch(random), value }))
      const router = new Router(routes)
      const compiled = routes.flatMap(({ match, value }) => compileMatch(match).map((matcher) => ({ matcher, value })))
      const sorted = compiled.sort((a, b) => compareMatchers(a.matcher, b.matcher) || a.value - b.value)
      for (let i = 0; i < 60; i++) {
        const fields = randomFields(random)
        const head = makeHead(fields)
        const expected = sorted.find(({ matcher }) => matches(matcher, head))?.value
        if (expected !== undefined) found++
        const why = `${JSON.stringify(fields)} in ${JSON.stringify(routes)}`
        expect(router.match(head), why).to.equal(expected)
        expect(router.explain(head).winner, why).to.equal(expected)
      }
    }
    expect(found).to.be.greaterThan(5_000)
  })

  describe('explain', () => {
    const router = routerOf([
      { path: '/users/*' },
      { path: '/users/*', methods: ['GET'] },
      { host: 'a.com', path: '/users/*' },
      { path: '/users/1' },
    ])
    it('names winner, runner-up and the rule between them', () => {
      expect(router.explain(makeHead({ path: '/users/1', method: 'PUT' }))).to.deep.equal({
        winner: '/users/1',
        runnerUp: '/users/*',
        reason: 'It wins over the runner-up because its path is more specific.',
      })
      expect(router.explain(makeHead({ path: '/users/2' })).reason).to.include('names a method')
      expect(router.explain(makeHead({ host: 'a.com', path: '/users/2' })).reason).to.include('host is more specific')
      const twins = new Router([
        { match: { headers: { a: '1' } }, value: 1 },
        { match: { headers: { b: '1' } }, value: 2 },
      ])
      expect(twins.explain(makeHead({ headers: { a: '1', b: '1' } })))
        .to.include({ winner: 1, runnerUp: 2 })
        .and.property('reason')
        .includes('first in the file')
    })
    it('says when there is no runner-up and when nothing matches', () => {
      expect(router.explain(makeHead({ path: '/users', method: 'PUT' }))).to.deep.equal({
        winner: '/users/*',
        runnerUp: undefined,
        reason: 'No other route matches.',
      })
      expect(router.explain(makeHead({ path: '/x' }))).to.deep.equal({
        winner: undefined,
        runnerUp: undefined,
        reason: 'No route matches.',
      })
    })
  })
})

describe('canonicalMatch', () => {
  it('is equal for equal matches whatever their writing', () => {
    const a = canonicalMatch({ host: 'A.com', path: '/%7Ex', methods: ['HEAD', 'GET'], headers: { B: '2', a: '1' } })
    expect(a).to.equal('GET,HEAD a.com/~x a=1 b=2')
    expect(
      canonicalMatch({ headers: { a: '1', b: '2' }, methods: ['GET', 'HEAD'], path: '/~x', host: 'a.com' }),
    ).to.equal(a)
  })
  it('writes a service as the paths of its methods', () => {
    expect(canonicalMatch({ service: 's.S', calls: ['Do'] })).to.equal(canonicalMatch({ path: '/s.S/Do' }))
    expect(canonicalMatch({ service: 's.S' })).to.equal(canonicalMatch({ path: '/s.S/*' }))
    const two = { host: 'a.com', service: 's.S', methods: ['POST'] }
    expect(canonicalMatch({ ...two, calls: ['B', 'A', 'B'] })).to.equal('POST a.com/s.S/A,B')
    expect(canonicalMatch({ service: 's.v1.*' })).to.equal('/s.v1.*/*')
  })
  it('tells apart what differs', () => {
    const all: RouteMatch[] = [
      {},
      { path: '/*' },
      { path: '/' },
      { host: 'a.com' },
      { host: '*.com' },
      { methods: ['GET'] },
      { headers: { a: 'b c' } },
      { headers: { a: 'b', c: '' } },
      { service: 'a' },
      { service: 'a', calls: ['B'] },
      { service: 'a', calls: ['B', 'C'] },
      { service: 'a.*' },
    ]
    expect(new Set(all.map(canonicalMatch)).size).to.equal(all.length)
  })
})

interface Randomizer {
  below(bound: number): number
  pick<T>(list: readonly T[]): T
}

function randomizer(seed: number): Randomizer {
  let state = seed
  const below = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
  return { below, pick: (list) => list[below(list.length)]! }
}

const segments = ['a', 'b', 'users', '1']
const services = ['a.S', 'a.b.S', 'a.*', 'a.b.*', 'b.*']
const calls = ['/a.S/Get', '/a.S/Put', '/a.S/Other', '/a.b.S/Get', '/a.b.c/Get', '/b.S/Get', '/a.', '/b.S', '/a.b./x']
const hosts = ['a.com', 'b.a.com', 'c.b.a.com', 'com', 'x.org']

function randomMatch({ below, pick }: Randomizer): RouteMatch {
  const match: { -readonly [K in keyof RouteMatch]: RouteMatch[K] } = {}
  if (below(3) === 0) match.host = below(2) === 0 ? pick(hosts) : `*.${pick(hosts)}`
  const kind = below(6)
  if (kind === 0) {
    match.service = pick(services)
    if (!match.service.endsWith('*') && below(2) === 0) match.calls = pick([['Get'], ['Get', 'Put']])
  } else if (kind !== 1)
    match.path = `/${Array.from({ length: 1 + below(4) }, () => (below(3) === 0 ? '*' : pick(segments))).join('/')}${below(8) === 0 ? '/' : ''}`
  if (below(4) === 0) match.methods = pick([['GET'], ['POST'], ['GET', 'HEAD']])
  if (below(4) === 0) match.headers = pick([{ x: '1' }, { y: '1' }, { x: '1', y: '1' }])
  return match
}

function randomFields({ below, pick }: Randomizer): Fields {
  const host = pick([...hosts, 'q.x.org', 'unknown'])
  return {
    host: below(3) === 0 ? `${host.toUpperCase()}:8080` : host,
    path:
      below(4) === 0
        ? pick(calls)
        : `/${Array.from({ length: below(5) }, () => pick([...segments, 'other', ''])).join('/')}`,
    method: pick(['GET', 'POST', 'HEAD']),
    headers: pick<Readonly<Record<string, string>>>([{}, { x: '1' }, { x: '1', y: '1' }, { x: '2' }]),
  }
}
