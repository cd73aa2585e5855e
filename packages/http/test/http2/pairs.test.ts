import { expect } from 'chai'
import type { RawFields } from '../../../testkit/src/http2/index.ts'
import { type Came, FourPairs, nameOf, pairs, type SentRequest, type SentResponse, valueOf } from './four-pairs.ts'

const large = 'x'.repeat(12_000)

/** What is sent both ways, and must come through every pair as the same. */
const cases: readonly (readonly [name: string, request: SentRequest, response?: SentResponse])[] = [
  ['a GET', {}],
  ['a query', { target: '/a/b?x=1&y=%20' }],
  ['an empty query', { target: '/a?' }],
  ['an encoded slash', { target: '/a%2Fb//c' }],
  ['octets that need no encoding', { target: "/~a;b=c/$&'()*+,@:" }],
  ['OPTIONS of everything', { method: 'OPTIONS', target: '*' }],
  ['an unknown method', { method: 'PURGE' }],
  ['a host with a port', { host: 'b.test:8080' }],
  [
    'repeated fields in their order',
    {
      fields: [
        ['X-B', '2'],
        ['X-A', '1'],
        ['X-B', '3'],
        ['Accept', 'a'],
        ['Accept', 'b'],
      ],
    },
  ],
  [
    'empty values',
    {
      fields: [
        ['X-Empty', ''],
        ['X-Full', 'x'],
      ],
    },
    { fields: [['X-Empty', '']] },
  ],
  ['octets above ASCII', { fields: [['X-Octets', 'caf\xe9 \xff\x80']] }, { fields: [['X-Octets', 'caf\xe9']] }],
  ['a large field', { fields: [['X-Large', large]] }, { fields: [['X-Large', large]] }],
  [
    'a cookie',
    { fields: [['Cookie', 'a=b; c=d']] },
    {
      fields: [
        ['Set-Cookie', 'a=b'],
        ['Set-Cookie', 'c=d'],
      ],
    },
  ],
  [
    'credentials',
    { fields: [['Authorization', 'Basic YTpi']] },
    { status: 401, fields: [['WWW-Authenticate', 'Basic realm="x"']] },
  ],
  ['an expectation that nobody waits for', { method: 'POST', body: 'hello', fields: [['Expect', '100-continue']] }],
  ['TE: trailers', { fields: [['TE', 'trailers']] }],
  ['a POST by length', { method: 'POST', body: 'hello', length: 'known' }],
  ['a POST by its end', { method: 'POST', body: 'hello', length: 'unknown' }],
  ['an empty POST by length', { method: 'POST', body: '', length: 'known' }],
  ['an empty POST by its end', { method: 'POST', length: 'unknown' }],
  ['a GET with a body', { method: 'GET', body: 'hello' }],
  ['a DELETE', { method: 'DELETE' }, { status: 204 }],
  [
    'trailers of a request',
    {
      method: 'POST',
      body: 'hello',
      fields: [['Trailer', 'X-Sum']],
      trailers: [
        ['X-Sum', '5'],
        ['X-More', ''],
      ],
    },
  ],
  ['a body that is all trailers', { method: 'POST', trailers: [['X-Sum', '0']] }],
  ['a response by length', {}, { body: 'world', length: 'known' }],
  ['a response by its end', {}, { body: 'world', length: 'unknown' }],
  ['an empty response by length', {}, { body: '', length: 'known' }],
  ['an empty response by its end', {}, { length: 'unknown' }],
  [
    'trailers of a response',
    {},
    {
      body: 'world',
      fields: [['Trailer', 'X-Sum']],
      trailers: [
        ['X-Sum', '5'],
        ['ETag', '"x"'],
      ],
    },
  ],
  ['a response that is all trailers', {}, { trailers: [['X-Sum', '0']] }],
  ['204', {}, { status: 204, fields: [['X-A', '1']] }],
  ['304', {}, { status: 304, fields: [['ETag', '"x"']] }],
  [
    'HEAD',
    { method: 'HEAD' },
    {
      fields: [
        ['Content-Length', '10'],
        ['ETag', '"x"'],
      ],
    },
  ],
  ['a date of the upstream', {}, { body: 'x', fields: [['Date', 'Thu, 01 Jan 1970 00:00:00 GMT']] }],
  ['early hints', {}, { body: 'x', interim: [{ status: 103, fields: [['Link', '</a.css>']] }, { status: 103 }] }],
  [
    'an interim response of another kind',
    {},
    { body: 'x', interim: [{ status: 102 }, { status: 199, fields: [['X-A', '1']] }] },
  ],
  ...[201, 206, 301, 400, 404, 418, 429, 500, 503, 599].map(
    (status) =>
      [`status ${status}`, {}, { status, body: 'x', fields: [['Retry-After', '1']] }] as [
        string,
        SentRequest,
        SentResponse,
      ],
  ),
]

const bodiless = new Set([204, 304])

/** Who it came from is said anew by us, in words that differ with the version. */
const own = /^(?:via|x-forwarded-|x-real-ip|date$)/

const comparable = ({ fields, length, body, trailers }: Came) => ({
  fields: fields.filter(([name]) => !own.test(name)),
  length,
  body,
  trailers,
})

describe('the four pairs of HTTP versions', () => {
  let all: FourPairs
  before(async () => {
    all = await FourPairs.start()
  })
  after(() => all.close())

  for (const [name, request, answer = {}] of cases) {
    // Without a length a response of HTTP/1.1 would end with its connection.
    const framed = answer.length ?? answer.trailers ?? (request.method === 'HEAD' || bodiless.has(answer.status ?? 200))
    const response = framed === false ? { body: 'ok', ...answer } : answer

    it(`pass ${name} alike`, async () => {
      const seen = new Map<string, unknown>()
      for (const pair of pairs) {
        const { up, down } = await all.pass(pair, request, response)
        expect(up, nameOf(pair)).not.to.equal(undefined)
        const { method, target, host } = up!
        const { status, interim } = down
        seen.set(nameOf(pair), {
          up: { method, target, host, ...comparable(up!) },
          down: { status, interim, ...comparable(down) },
        })
      }
      const [first, ...others] = seen
      for (const [pair, one] of others) expect(one, `${pair} against ${first![0]}`).to.deep.equal(first![1])
      const { up, down } = first![1] as { up: Came; down: Came & { status: number } }
      expect(up.body).to.equal(request.body ?? '')
      expect(down.body).to.equal(request.method === 'HEAD' ? '' : (response.body ?? ''))
      expect(down.status).to.equal(response.status ?? 200)
      expect(up.trailers).to.deep.equal(lower(request.trailers ?? []))
      expect(down.trailers).to.deep.equal(lower(response.trailers ?? []))
      const sent = lower(request.fields ?? []).filter(([field]) => field !== 'trailer')
      expect(up.fields).to.deep.equal(sent)
    })
  }

  for (const pair of pairs) {
    describe(nameOf(pair), () => {
      it('names lower-cased towards HTTP/2, and kept from HTTP/1.1 to HTTP/1.1', async () => {
        const { up, down } = await all.pass(
          pair,
          { fields: [['X-mIxEd', '1']] },
          { fields: [['X-mIxEd', '1']], body: 'x' },
        )
        const kept = pair.client === 1 && pair.upstream === 1 ? 'X-mIxEd' : 'x-mixed'
        for (const { raw } of [up!, down]) expect(raw.map(([name]) => name)).to.include(kept)
      })

      it('tells where a stranger comes from, and not what it says', async () => {
        const lies: RawFields = [
          ['X-Forwarded-For', '6.6.6.6'],
          ['X-Forwarded-Proto', 'https'],
          ['X-Forwarded-Host', 'evil'],
          ['X-Forwarded-Port', '1'],
          ['Forwarded', 'for=6.6.6.6'],
          ['X-Real-IP', '6.6.6.6'],
          ['X-Client-Cert', 'evil'],
          ['X_Forwarded_For', '6.6.6.6'],
          ['x_real_ip', '6.6.6.6'],
          ['X-Forwarded_For', '6.6.6.6'],
        ]
        const { up } = await all.pass(pair, { fields: lies }, { body: 'x' })
        const said = up!.fields.map(([name, value]) => `${name}: ${value.replace(/sluice-\S+/, 'us')}`)
        expect(said).to.have.members([
          'x-forwarded-for: 127.0.0.1',
          'x-real-ip: 127.0.0.1',
          'x-forwarded-proto: http',
          'x-forwarded-host: a.test',
          `via: ${pair.client === 1 ? '1.1' : '2.0'} us`,
        ])
      })

      it('adds a date where the upstream gives none', async () => {
        const { down } = await all.pass(pair, {}, { body: 'x' })
        expect(valueOf(down.fields, 'date')).to.match(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
      })

      it('drops what may not stand in trailers, both ways', async () => {
        const trailers: RawFields = [
          ['X-Sum', '1'],
          ['Content-Length', '5'],
          ['Host', 'evil'],
          ['Authorization', 'x'],
          ['X-Forwarded-For', '6.6.6.6'],
          ['Content-Type', 'x'],
        ]
        const { up, down } = await all.pass(
          pair,
          { method: 'POST', body: 'hello', trailers },
          { body: 'hello', trailers: trailers.filter(([name]) => !name.startsWith('X-F')) },
        )
        expect(up!.trailers).to.deep.equal([['x-sum', '1']])
        expect(down.trailers).to.deep.equal([['x-sum', '1']])
      })

      it('comes back to us only once: 508', async () => {
        const { up } = await all.pass(pair, {}, { body: 'x' })
        const via = valueOf(up!.fields, 'via')!
        const again = await all.pass(pair, { fields: [['Via', `1.1 other, ${via}`]] })
        expect(again.up).to.equal(undefined)
        expect([again.down.status, valueOf(again.down.fields, 'x-sluice-reason')]).to.deep.equal([508, 'loop'])
      })

      it('loses a length that a 204 has', async () => {
        const { down } = await all.pass(pair, {}, { status: 204, fields: [['Content-Length', '0']] })
        expect([down.status, down.length]).to.deep.equal([204, undefined])
      })
    })
  }

  for (const pair of pairs.filter(({ client }) => client === 1)) {
    describe(nameOf(pair), () => {
      it('loses what is hop-by-hop and what Connection names', async () => {
        const { up } = await all.pass(
          pair,
          {
            fields: [
              ['Connection', 'X-One, keep-alive'],
              ['X-One', '1'],
              ['Keep-Alive', 'timeout=5'],
              ['Proxy-Connection', 'keep-alive'],
              ['Proxy-Authorization', 'Basic YTpi'],
              ['Upgrade', 'h2c'],
              ['TE', 'gzip'],
              ['X-Two', '2'],
            ],
          },
          { body: 'x' },
        )
        expect(up!.raw.map(([name]) => name.toLowerCase()).join()).not.to.match(
          /connection|x-one|keep|authorization|upgrade|\bte\b/,
        )
        expect(valueOf(up!.fields, 'x-two')).to.equal('2')
      })

      it('keeps Cookie fields that came apart', async () => {
        const { up } = await all.pass(
          pair,
          {
            fields: [
              ['Cookie', 'a=b'],
              ['Cookie', 'c=d'],
            ],
          },
          { body: 'x' },
        )
        expect(
          up!.fields
            .filter(([name]) => name === 'cookie')
            .map(([, value]) => value)
            .join('; '),
        ).to.equal('a=b; c=d')
      })
    })
  }

  for (const pair of pairs.filter(({ upstream }) => upstream === 1)) {
    it(`${nameOf(pair)} loses what is hop-by-hop in responses, and what Connection names`, async () => {
      const { down } = await all.pass(
        pair,
        {},
        {
          body: 'x',
          fields: [
            ['Connection', 'X-One'],
            ['X-One', '1'],
            ['Keep-Alive', 'timeout=9'],
            ['Proxy-Connection', 'close'],
            ['Upgrade', 'h2c'],
            ['X-Two', '2'],
          ],
        },
      )
      expect(down.raw.map(([name]) => name.toLowerCase()).join()).not.to.match(/connection|x-one|keep-alive|upgrade/)
      expect(valueOf(down.fields, 'x-two')).to.equal('2')
    })
  }

  it('2→1 joins the crumbs of a cookie, and 2→2 keeps them', async () => {
    const crumbs: RawFields = [
      ['cookie', 'a=b'],
      ['x-a', '1'],
      ['cookie', 'c=d'],
      ['cookie', 'e=f'],
    ]
    const joined = await all.pass({ client: 2, upstream: 1 }, { fields: crumbs }, { body: 'x' })
    expect(joined.up!.raw.filter(([name]) => /^cookie$/i.test(name)).map(([, value]) => value)).to.deep.equal([
      'a=b; c=d; e=f',
    ])
    const kept = await all.pass({ client: 2, upstream: 2 }, { fields: crumbs }, { body: 'x' })
    expect(kept.up!.fields.filter(([name]) => name === 'cookie').map(([, value]) => value)).to.deep.equal([
      'a=b',
      'c=d',
      'e=f',
    ])
  })

  it('2→1 and 2→2 take Host in place of :authority', async () => {
    for (const upstream of [1, 2] as const) {
      const { up } = await all.pass(
        { client: 2, upstream },
        { host: null, fields: [['host', 'h.test']] },
        { body: 'x' },
      )
      expect(up!.host).to.equal('h.test')
      expect(up!.raw.filter(([name]) => name.toLowerCase() === 'host')).to.have.length(upstream === 1 ? 1 : 0)
      expect(valueOf(up!.fields, 'x-forwarded-host')).to.equal('h.test')
    }
  })

  it('1→2 fills in an authority for a client of HTTP/1.0 that names none', async () => {
    const client = await all.connect(2)
    await client.write('GET /old HTTP/1.0\r\n\r\n')
    expect(await client.readHead()).to.match(/^HTTP\/1\.1 200 /)
    expect(all.seen.at(-1)).to.include({ target: '/old' })
    expect(all.seen.at(-1)!.host).to.match(/^127\.0\.0\.1:\d+$/)
    expect(valueOf(all.seen.at(-1)!.fields, 'via')).to.match(/^1\.0 /)
  })
})

describe('the four pairs behind a trusted proxy', () => {
  let all: FourPairs
  before(async () => {
    all = await FourPairs.start({ listener: (up) => ({ upstream: up, trustedProxies: ['127.0.0.0/8'] }) })
  })
  after(() => all.close())

  for (const pair of pairs) {
    it(`append to what it says, and keep the rest of it: ${nameOf(pair)}`, async () => {
      const { up } = await all.pass(
        pair,
        {
          fields: [
            ['X-Forwarded-For', '6.6.6.6, 10.1.1.1'],
            ['X-Forwarded-For', '127.0.0.9'],
            ['X-Forwarded-Proto', 'https'],
            ['X-Forwarded-Host', 'shop.test'],
            ['Via', '1.1 front'],
          ],
        },
        { body: 'x' },
      )
      const said = up!.fields.map(([name, value]) => `${name}: ${value.replace(/sluice-\S+/, 'us')}`)
      expect(said).to.have.members([
        'x-forwarded-for: 6.6.6.6, 10.1.1.1, 127.0.0.9, 127.0.0.1',
        'x-forwarded-proto: https',
        'x-forwarded-host: shop.test',
        'x-real-ip: 10.1.1.1',
        'via: 1.1 front',
        `via: ${pair.client === 1 ? '1.1' : '2.0'} us`,
      ])
      expect(up!.host).to.equal('a.test')
    })

    it(`fill in what it does not say: ${nameOf(pair)}`, async () => {
      const { up } = await all.pass(pair, {}, { body: 'x' })
      expect(valueOf(up!.fields, 'x-forwarded-for')).to.equal('127.0.0.1')
      expect(valueOf(up!.fields, 'x-forwarded-proto')).to.equal('http')
      expect(valueOf(up!.fields, 'x-forwarded-host')).to.equal('a.test')
    })
  }
})

const lower = (fields: RawFields) => fields.map(([name, value]) => [name.toLowerCase(), value] as const)
