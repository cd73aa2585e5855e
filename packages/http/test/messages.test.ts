import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { deferred, eventually, parseResponses, type RawConnection } from '../../testkit/src/raw/index.ts'
import { answering, ok, onlyResponse, type Proxied, request, Through } from './proxied.ts'

describe('messages', () => {
  let through: Through
  afterEach(() => through.close())

  const start = async (answer: string | ((head: string) => string), options: Proxied = {}): Promise<void> => {
    through = await Through.start(answering(answer), options)
  }
  const chunkedOk = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

  describe('without a body', () => {
    it('answer HEAD with the length and no body, and go on', async () => {
      await start('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n')
      const client = await through.client()
      await client.write(request('HEAD /') + request('HEAD /'))
      await eventually(() => parseResponses(client.buffered, { methods: ['HEAD', 'HEAD'] }).length === 2)
      expect(client.buffered.toString()).to.contain('Content-Length: 10\r\n')
      expect(through.upstream.accepted).to.equal(1)
    })

    it('answer HEAD without a body when the answer is ours', async () => {
      await start('', { listener: { upstream: undefined, routes: [{ respond: { status: 200, body: 'hello' } }] } })
      const client = await through.client()
      await client.write(request('HEAD /') + request('GET /'))
      await client.readUntil('\r\n\r\nhello')
      expect(through.upstream.accepted).to.equal(0)
    })

    for (const status of [204, 304]) {
      it(`go on after ${status}`, async () => {
        await start(`HTTP/1.1 ${status} Nothing\r\n\r\n`)
        const client = await through.client()
        await client.write(request('GET /') + request('GET /'))
        await eventually(() => parseResponses(client.buffered).length === 2)
        const [first] = parseResponses(client.buffered)
        expect(first).to.include({ status, reason: 'Nothing', framing: 'none' })
        expect(first!.header('content-length')).to.equal(undefined)
      })
    }
  })

  describe('with a body', () => {
    it('keep chunks and trailers on the way down', async () => {
      await start(
        `${chunkedOk.replace('\r\n\r\n', '\r\nTrailer: X-Sum\r\n\r\n')}2;ext=1\r\nhi\r\n3\r\nyou\r\n0\r\nX-Sum: 5\r\nx-More: 1\r\n\r\n`,
      )
      const client = await through.client()
      await client.write(request('GET /', 'Connection: close'))
      const response = onlyResponse(await client.readToEnd())
      expect(response).to.deep.include({ framing: 'chunked', chunks: [2, 3], complete: true })
      expect(response.body.toString()).to.equal('hiyou')
      expect(response.header('trailer')).to.equal('X-Sum')
      expect(response.trailers).to.deep.equal([
        ['X-Sum', '5'],
        ['x-More', '1'],
      ])
    })

    it('keep trailers on the way up', async () => {
      let up = ''
      through = await Through.start(async (connection) => {
        up = (await connection.readUntil('X-Sum: 5\r\n\r\n')).toString()
        await connection.write(ok('ok'))
      })
      const client = await through.client()
      await client.write(
        `${request('POST /', 'Transfer-Encoding: chunked', 'Trailer: X-Sum')}5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n`,
      )
      await client.readUntil('\r\n\r\nok')
      expect(up)
        .to.contain('Trailer: X-Sum\r\n')
        .and.to.match(/\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n$/)
    })

    it('reach a client of HTTP/1.0 without chunks, to the end of the connection', async () => {
      await start(`${chunkedOk}2\r\nhi\r\n3\r\nyou\r\n0\r\nX-Sum: 5\r\n\r\n`)
      const text = await through.whole('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
      expect(text).not.to.match(/transfer-encoding|x-sum/i)
      expect(text).to.match(/\r\nConnection: close\r\n\r\nhiyou$/)
    })

    it('are cut with a reset for a client of HTTP/1.0 when their end is missing', async () => {
      through = await Through.start(async (connection) => {
        await connection.readHead()
        await connection.write(`${chunkedOk}2\r\nhi\r\n`)
        await eventually(() => through.proxy.stats().exchanges === 1)
        await connection.fin()
      })
      const client = await through.client()
      await client.write('GET / HTTP/1.0\r\n\r\n')
      expect(await client.ended).to.equal('rst')
    })

    it('that end with the connection are framed anew, so that the client goes on', async () => {
      through = await Through.start(async (connection) => {
        await connection.readHead()
        await connection.write('HTTP/1.1 200 OK\r\n\r\nhello')
        await connection.fin()
      })
      const client = await through.client()
      await client.write(request('GET /'))
      await client.readUntil('0\r\n\r\n')
      await client.write(request('GET /', 'Connection: close'))
      expect(onlyResponse(await client.readToEnd())).to.deep.include({ framing: 'chunked', body: Buffer.from('hello') })
    })

    for (const size of [100 * 1_024, 1_048_576]) {
      it(`arrive whole with ${size} bytes, by length and chunked`, async () => {
        through = await Through.start(async (connection) => {
          for (;;) {
            const head = await connection.readHead()
            const hash = createHash('sha256')
            if (/chunked/.test(head)) {
              for (;;) {
                const length = Number.parseInt((await connection.readUntil('\r\n')).toString(), 16)
                hash.update((await connection.readExactly(length + 2)).subarray(0, length))
                if (length === 0) break
              }
            } else hash.update(await connection.readExactly(size))
            await connection.write(ok(hash.digest('hex')))
          }
        })
        const body = Buffer.alloc(size, 'abcdefghi')
        const wanted = createHash('sha256').update(body).digest('hex')
        const client = await through.client()
        await client.write(request('POST /', `Content-Length: ${size}`))
        await client.write(body)
        await client.readUntil(wanted)
        await client.write(request('POST /', 'Transfer-Encoding: chunked'))
        for (let at = 0; at < size; at += 50_000) {
          const run = body.subarray(at, at + 50_000)
          await client.write(`${run.length.toString(16)}\r\n`)
          await client.write(run)
          await client.write('\r\n')
        }
        await client.write('0\r\n\r\n')
        await client.readUntil(wanted)
      })
    }

    it('arrive piece by piece: each before the next one is made', async () => {
      through = await Through.start(async (connection) => {
        await connection.readHead()
        await connection.write(
          'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n',
        )
        for (let i = 0; i < 5; i++) {
          await connection.write(`9\r\ndata: ${i}\n\n\r\n`)
          await taken[i]!.promise
        }
        await connection.write('0\r\n\r\n')
      })
      const taken = Array.from({ length: 5 }, () => deferred())
      const client = await through.client()
      await client.write(request('GET /'))
      for (let i = 0; i < 5; i++) {
        await client.readUntil(`data: ${i}\n\n\r\n`)
        taken[i]!.resolve()
      }
      await client.readUntil('0\r\n\r\n')
    })

    it('go up piece by piece once they exceed the request buffer', async () => {
      const seen = deferred<RawConnection>()
      through = await Through.start((connection) => seen.resolve(connection))
      const client = await through.client()
      await client.write(request('POST /', 'Content-Length: 200000'))
      await client.write(Buffer.alloc(70_000, 'a'))
      const connection = await seen.promise
      await connection.readHead()
      await connection.readExactly(70_000)
      await client.write(Buffer.alloc(130_000, 'b'))
      await connection.readExactly(130_000)
      await connection.write(ok('ok'))
      await client.readUntil('\r\n\r\nok')
    })
  })

  describe('interim', () => {
    it('responses pass, and 100 lets the body come', async () => {
      through = await Through.start(async (connection) => {
        await connection.readHead()
        await connection.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n')
        await connection.write('HTTP/1.1 100 Continue\r\n\r\n')
        await connection.readExactly(5)
        await connection.write(ok('ok'))
      })
      const client = await through.client()
      await client.write(request('POST /', 'Expect: 100-continue', 'Content-Length: 5', 'Connection: close'))
      expect(await client.readHead()).to.equal('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n')
      expect(await client.readHead()).to.equal('HTTP/1.1 100 Continue\r\n\r\n')
      await client.write('hello')
      expect(onlyResponse(await client.readToEnd()).status).to.equal(200)
    })

    it('responses do not reach a client of HTTP/1.0', async () => {
      await start(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${ok('ok')}`)
      expect(await through.whole('GET / HTTP/1.0\r\n\r\n')).to.match(/^HTTP\/1\.1 200 OK\r\n/)
    })

    it('a final answer in place of 100 ends the connection: what comes next cannot be told apart', async () => {
      await start('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')
      const response = onlyResponse(
        Buffer.from(await through.whole(request('POST /', 'Expect: 100-continue', 'Content-Length: 5')), 'latin1'),
      )
      expect(response.status).to.equal(413)
      expect(response.header('connection')).to.equal('close')
    })
  })

  describe('early answers', () => {
    it('leave the connection in use when little of the request is missing', async () => {
      await start(
        (head) => (head.startsWith('GET') ? ok('next') : 'HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'),
        {
          upstream: { buffer: { request: '1KiB' } },
        },
      )
      const client = await through.client()
      await client.write(request('POST /', 'Content-Length: 50000') + 'a'.repeat(20_000))
      expect(await client.readHead()).to.match(/^HTTP\/1\.1 413 /)
      await client.write('a'.repeat(30_000) + request('GET /'))
      await client.readUntil('\r\n\r\nnext')
    })

    it('are read by a client that goes on sending, and end the connection, when much is missing', async () => {
      await start('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')
      const client = await through.client()
      await client.write(request('POST /', 'Content-Length: 10000000'))
      await client.write(Buffer.alloc(500_000))
      const head = await client.readHead()
      expect(head)
        .to.match(/^HTTP\/1\.1 413 /)
        .and.to.contain('\r\nConnection: close\r\n')
      await client.write(Buffer.alloc(300_000))
      expect((await client.readToEnd()).length).to.equal(0)
    })
  })

  describe('connections of clients', () => {
    it('persist in HTTP/1.1, and end with Connection: close', async () => {
      await start(ok('ok'))
      const client = await through.client()
      await client.write(request('GET /'))
      expect(await client.readHead()).not.to.match(/connection:/i)
      await client.write(request('GET /', 'Connection: close'))
      const rest = (await client.readToEnd()).toString()
      expect(rest).to.contain('\r\nConnection: close\r\n')
    })

    it('end in HTTP/1.0, and persist with Connection: keep-alive', async () => {
      await start(ok('ok'))
      const client = await through.client()
      await client.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
      expect(await client.readHead()).to.contain('\r\nConnection: keep-alive\r\n')
      await client.write('GET / HTTP/1.0\r\n\r\n')
      expect((await client.readToEnd()).toString()).to.contain('\r\nConnection: close\r\n')
    })

    it('share connections to the upstream one after the other', async () => {
      await start(ok('ok'))
      for (let i = 0; i < 5; i++) {
        const client = await through.client()
        await client.write(request('GET /'))
        await client.readUntil('\r\n\r\nok')
        await client.close()
      }
      expect(through.upstream.accepted).to.equal(1)
    })
  })

  describe('targets', () => {
    const target = async (path: string, listener: Record<string, unknown>): Promise<string> => {
      await start((head) => ok(head.split(' ', 2)[1]!), { listener })
      const client = await through.client()
      await client.write(request(`GET ${path}`, 'Connection: close'))
      const response = onlyResponse(await client.readToEnd())
      return response.status === 200 ? response.body.toString() : String(response.status)
    }
    const stripped = {
      upstream: undefined,
      routes: [{ match: { path: '/users/*' }, stripPrefix: '/users', upstream: 'up' }],
    }

    const cases: readonly (readonly [string, string, Record<string, unknown>, string])[] = [
      ['go up as they came', '/a%20b//c;d?e=%zz&f', {}, '/a%20b//c;d?e=%zz&f'],
      ['go up in normal form when they have dot segments', '/a/./b/../c?x', {}, '/a/c?x'],
      ['keep %2F as data', '/a%2Fb', {}, '/a%2Fb'],
      ['with dot segments are refused when the path is strict', '/a/./b', { path: 'strict' }, '400'],
      ['go up as they came when the path is raw', '/a/../b', { path: 'raw' }, '/a/../b'],
      ['lose a prefix', '/users/7?q=1', stripped, '/7?q=1'],
      ['lose a prefix and become /', '/users', stripped, '/'],
      ['lose a prefix that dot segments hide', '/x/../users/7', stripped, '/7'],
      ['outside every route are 404', '/other', stripped, '404'],
      ['with a parameter that parsers split differently go up as they came', '/?a=1&a=2;b=3', {}, '/?a=1&a=2;b=3'],
    ]
    for (const [title, path, listener, wanted] of cases) {
      it(title, async () => {
        expect(await target(path, listener)).to.equal(wanted)
      })
    }

    it('reach an address that a route names', async () => {
      through = await Through.start(answering(ok('there')))
      const other = await Through.start(undefined, {
        listener: { upstream: undefined, routes: [{ upstream: `http://127.0.0.1:${through.upstream.port}` }] },
      })
      const client = await other.client()
      await client.write(request('GET /'))
      await client.readUntil('\r\n\r\nthere')
      await other.close()
    })
  })

  describe('answers of ours', () => {
    it('respond with status, body and headers', async () => {
      await start('', {
        listener: {
          upstream: undefined,
          routes: [{ respond: { status: 418, body: 'tea', headers: { 'X-Pot': 'short' } } }],
        },
      })
      const text = await through.whole(request('GET /', 'Connection: close'))
      const response = onlyResponse(Buffer.from(text, 'latin1'))
      expect(response.status).to.equal(418)
      expect(response.body.toString()).to.equal('tea')
      expect(response.header('x-pot')).to.equal('short')
    })

    it('redirect with host, path and query filled in', async () => {
      await start('', {
        listener: {
          upstream: undefined,
          routes: [{ redirect: { to: 'https://{host}/new{path}{query}', status: 308 } }],
        },
      })
      const text = await through.whole(request('GET /a?b=c', 'Connection: close'))
      expect(text)
        .to.match(/^HTTP\/1\.1 308 /)
        .and.to.contain('\r\nLocation: https://a.test/new/a?b=c\r\n')
    })

    for (const to of ['{path}/', '/{path}']) {
      it(`redirect by ${to} to this host, whatever slashes the path begins with`, async () => {
        await start('', { listener: { upstream: undefined, routes: [{ redirect: { to } }] } })
        const text = await through.whole(request('GET //evil.test/a', 'Connection: close'))
        expect(text).to.match(/\r\nLocation: \/evil\.test\/a\/?\r\n/)
      })
    }

    it('say 502 and why when the upstream hangs up before its answer', async () => {
      through = await Through.start(async (connection) => {
        await connection.readHead()
        await connection.fin()
      })
      const text = await through.whole(request('POST /', 'Connection: close', 'Content-Length: 0'))
      expect(text)
        .to.match(/^HTTP\/1\.1 502 /)
        .and.to.contain('\r\nx-sluice-reason: upstreamReset\r\n')
    })
  })

  it('that their client gives up are given up at the upstream', async () => {
    through = await Through.start(async (connection) => {
      await connection.readHead()
    })
    const client = await through.client()
    await client.write(request('GET /'))
    await eventually(() => through.upstream.open === 1)
    client.rst()
    expect(await through.upstream.connections[0]!.ended).to.equal('rst')
  })
})
