import { expect } from 'chai'
import { answering, fieldsOf, ok, onlyResponse, request, Through } from './proxied.ts'
import { parseResponses } from '../../testkit/src/raw/index.ts'

describe('headers', () => {
  let through: Through
  let heads: string[] = []

  async function start(answer: string = ok('ok'), listener: Record<string, unknown> = {}): Promise<void> {
    heads = []
    through = await Through.start(
      answering((head) => {
        heads.push(head)
        return answer
      }),
      { listener },
    )
  }

  /** What the upstream gets for one request, and what the client gets for it. */
  async function pass(bytes: string): Promise<{ up: string[]; down: string }> {
    const client = await through.client()
    await client.write(bytes)
    const down = await client.readHead()
    return { up: heads.length === 0 ? [] : fieldsOf(heads.at(-1)!), down }
  }

  afterEach(() => through.close())

  describe('to the upstream', () => {
    const origin = (fields: readonly string[]): string[] =>
      fields.filter((field) => /^(x-forwarded-|x-real-ip|via|forwarded)/i.test(field))

    it('pass unchanged, in order, in their letter case, repeated if repeated', async () => {
      await start()
      const fields = ['X-b: 2', 'x-A:1', 'COOKIE: a=b', 'Cookie: c=d', 'X-b:  3', 'X-Empty:', 'aCCEPT: */*']
      const { up } = await pass(request('GET /', ...fields))
      expect(up.filter((field) => fields.includes(field))).to.deep.equal(fields)
      expect(up[0]).to.equal('Host: a.test')
    })

    it('lose what is hop-by-hop and what Connection names', async () => {
      await start()
      const { up } = await pass(
        request(
          'GET /',
          'Connection: X-One, keep-alive , x-two',
          'X-One: 1',
          'X-TWO: 2',
          'Keep-Alive: timeout=5',
          'Proxy-Connection: keep-alive',
          'Proxy-Authorization: Basic YTpi',
          'Upgrade: h2c',
          'TE: gzip',
          'X-Three: 3',
        ),
      )
      expect(up.join('\n')).not.to.match(/connection|x-one|x-two|keep-alive|authorization|upgrade|^te:/im)
      expect(up).to.include('X-Three: 3')
    })

    it('lose an empty Connection', async () => {
      await start()
      const { up } = await pass(request('GET /', 'Connection:', 'Connection: ,', 'X-A: 1'))
      expect(up.join('\n')).not.to.match(/^connection/im)
    })

    it('keep TE: trailers, named by Connection, and Trailer', async () => {
      await start()
      const { up } = await pass(request('GET /', 'TE: gzip, trailers', 'Connection: TE', 'Trailer: X-Sum'))
      expect(up).to.include.members(['TE: trailers', 'Connection: TE', 'Trailer: X-Sum'])
    })

    it('tell where a stranger comes from, and not what it says', async () => {
      await start()
      const lies = [
        'X-Forwarded-For: 6.6.6.6',
        'x-forwarded-proto: https',
        'X-Forwarded-Host: evil',
        'X-Forwarded-Port: 1',
        'X-Forwarded: a',
        'Forwarded: for=6.6.6.6',
        'X-Real-IP: 6.6.6.6',
        'X-Client-Cert: evil',
        'X-Client-Cert-Subject: evil',
        'X_Forwarded_For: 6.6.6.6',
        'X-Forwarded_For: 6.6.6.6',
        'x_real_ip: 6.6.6.6',
        'X_Client_Cert: evil',
      ]
      const { up } = await pass(request('GET /', ...lies))
      expect(up.join('\n')).not.to.match(/6\.6\.6\.6|evil|https/)
      expect(origin(up).map((field) => field.replace(/sluice-\S+/, 'us'))).to.have.members([
        'X-Forwarded-For: 127.0.0.1',
        'X-Real-IP: 127.0.0.1',
        'X-Forwarded-Proto: http',
        'X-Forwarded-Host: a.test',
        'Via: 1.1 us',
      ])
    })

    it('lose the origin of a stranger also where its own Connection names it', async () => {
      await start()
      const { up } = await pass(request('GET /', 'Connection: x-forwarded-for', 'X-Forwarded-For: 6.6.6.6'))
      expect(up).to.include('X-Forwarded-For: 127.0.0.1').and.not.to.include('X-Forwarded-For: 6.6.6.6')
    })

    it('append to what a trusted proxy says, and keep the rest of it', async () => {
      await start(ok('ok'), { trustedProxies: ['127.0.0.0/8'] })
      const { up } = await pass(
        request(
          'GET /',
          'X-Forwarded-For: 6.6.6.6, 10.1.1.1',
          'X-Forwarded-For: 127.0.0.9',
          'X-Forwarded-Proto: https',
          'X-Forwarded-Host: shop.test',
          'Via: 1.1 front',
        ),
      )
      expect(up).to.include.members([
        'X-Forwarded-For: 6.6.6.6, 10.1.1.1, 127.0.0.9, 127.0.0.1',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: shop.test',
        'X-Real-IP: 10.1.1.1',
        'Via: 1.1 front',
      ])
      expect(up.filter((field) => field.startsWith('Via:'))).to.have.length(2)
    })

    it('name no User-Agent that the client did not', async () => {
      await start()
      expect((await pass(request('GET /'))).up.join('\n')).not.to.match(/user-agent/i)
    })

    it('carry the authority of an absolute target as Host, whatever Host says', async () => {
      await start()
      const { up } = await pass(request('GET http://b.test:81/x?y=z'))
      expect(heads[0]).to.match(/^GET \/x\?y=z HTTP\/1\.1\r\n/)
      expect(up).to.include.members(['Host: b.test:81', 'X-Forwarded-Host: b.test:81'])
      expect(up).not.to.include('Host: a.test')
    })

    it('carry a Host and HTTP/1.1 for a client of HTTP/1.0 that sends none', async () => {
      await start()
      const { up } = await pass('GET / HTTP/1.0\r\n\r\n')
      expect(heads[0]).to.match(/^GET \/ HTTP\/1\.1\r\n/)
      expect(up).to.include(`Host: 127.0.0.1:${through.upstream.port}`)
      expect(up.some((field) => field.startsWith('Via: 1.0 '))).to.equal(true)
    })

    it('come back to us only once: 508', async () => {
      await start()
      const { up } = await pass(request('GET /'))
      const via = up.find((field) => field.startsWith('Via:'))!
      const { down } = await pass(request('GET /again', via.replace(': ', ': 1.1 other, ')))
      expect(down)
        .to.match(/^HTTP\/1\.1 508 /)
        .and.to.contain('\r\nx-sluice-reason: loop\r\n')
      expect(heads).to.have.length(1)
    })
  })

  describe('to the client', () => {
    it('pass unchanged, in order, in their letter case, repeated if repeated', async () => {
      const fields = ['X-b: 2', 'set-COOKIE: a=b', 'Set-Cookie: c=d', 'Date: Thu, 01 Jan 1970 00:00:00 GMT', 'eTag:"x"']
      await start(ok('ok', ...fields))
      const { down } = await pass(request('GET /'))
      expect(fieldsOf(down)).to.deep.equal(['Content-Length: 2', ...fields])
    })

    it('lose what is hop-by-hop and what Connection names', async () => {
      await start(
        ok('ok', 'Connection: X-One', 'X-One: 1', 'Keep-Alive: timeout=9', 'Proxy-Connection: close', 'X-Two: 2'),
      )
      const { down } = await pass(request('GET /'))
      expect(down).not.to.match(/connection|x-one|keep-alive/i)
      expect(down).to.contain('\r\nX-Two: 2\r\n')
    })

    it('get a Date when the upstream gives none', async () => {
      await start()
      const { down } = await pass(request('GET /'))
      expect(down).to.match(/\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/)
    })

    it('keep Upgrade with a 426, named by Connection', async () => {
      await start('HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n')
      expect((await pass(request('GET /'))).down)
        .to.contain('Upgrade: websocket\r\n')
        .and.to.contain('Connection: Upgrade\r\n')
      expect((await pass(request('GET /', 'Connection: close'))).down).to.contain('Connection: Upgrade, close\r\n')
    })

    it('lose Upgrade with any other status', async () => {
      await start(ok('ok', 'Upgrade: h2', 'Connection: Upgrade'))
      expect((await pass(request('GET /'))).down).not.to.match(/upgrade/i)
    })

    it('answer what is no upgrade with 426 on a WebSocket listener', async () => {
      await start(ok('ok'), { protocol: 'websocket' })
      const { down } = await pass(request('GET /'))
      expect(down)
        .to.match(/^HTTP\/1\.1 426 /)
        .and.to.contain('\r\nUpgrade: websocket\r\n')
        .and.to.match(/\r\nConnection: Upgrade/)
    })
  })

  describe('limits', () => {
    it('answer too large a head with 431 and too long a target with 414', async () => {
      await start()
      expect(
        onlyResponse(Buffer.from(await through.whole(request('GET /', `X-A: ${'a'.repeat(20_000)}`)), 'latin1')).status,
      ).to.equal(431)
      expect(
        onlyResponse(Buffer.from(await through.whole(request(`GET /${'a'.repeat(9_000)}`)), 'latin1')).status,
      ).to.equal(414)
    })

    it('answer a head that comes byte by byte all the same', async () => {
      await start()
      const client = await through.client()
      for (const byte of request('GET /slow', 'X-A: 1')) await client.write(byte)
      expect((await client.readHead()).slice(0, 15)).to.equal('HTTP/1.1 200 OK')
      expect(heads[0]).to.contain('GET /slow HTTP/1.1')
    })

    it('let a large head of the upstream pass', async () => {
      const field = `X-Large: ${'a'.repeat(60_000)}`
      await start(ok('ok', field))
      const client = await through.client()
      await client.write(request('GET /'))
      await client.readUntil('\r\n\r\nok')
      expect(parseResponses(client.buffered)).to.have.length(0)
    })
  })
})
