import { expect } from 'chai'
import { eventually, parseResponses } from '../../testkit/src/raw/index.ts'
import { answering, ok, request, Through } from './proxied.ts'

describe('an HTTP/1.1 session', () => {
  let through: Through
  afterEach(() => through.close())

  it('keeps the head of each request whose body comes in a later turn', async () => {
    through = await Through.start(async (connection) => {
      const head = await connection.readHead()
      const body = await connection.readExactly(5)
      await connection.write(ok(`${head}${body.toString()}`))
    })
    const one = await through.client()
    const other = await through.client()
    await one.write(request('POST /one', 'Content-Length: 5', 'X-One: 1'))
    await eventually(() => through.proxy.stats().exchanges === 1)
    await other.write(request('POST /other', 'Content-Length: 5', 'X-Other: 2'))
    await eventually(() => through.proxy.stats().exchanges === 2)
    await one.write('AAAAA')
    await other.write('BBBBB')
    expect((await one.readUntil('AAAAA')).toString())
      .to.contain('POST /one HTTP/1.1\r\n')
      .and.to.contain('X-One: 1')
    expect((await other.readUntil('BBBBB')).toString())
      .to.contain('POST /other HTTP/1.1\r\n')
      .and.to.contain('X-Other: 2')
  })

  it('keeps the head of a request that waits at a gate', async () => {
    through = await Through.start(
      async (connection) => {
        for (;;) {
          const head = await connection.readHead()
          if (head.startsWith('GET /first')) {
            await eventually(() => through.proxy.stats().gates.some(({ waiting }) => waiting === 2))
          }
          await connection.write(ok(head))
        }
      },
      { upstream: { gate: { limit: 1 } } },
    )
    const [first, second, third] = [await through.client(), await through.client(), await through.client()]
    await first.write(request('GET /first'))
    await eventually(() => through.upstream.open === 1)
    await second.write(request('GET /second', 'X-Second: 2'))
    await eventually(() => through.proxy.stats().gates.some(({ waiting }) => waiting === 1))
    await third.write(request('GET /third', 'X-Third: 3'))
    expect((await second.readUntil('X-Forwarded-Host')).toString())
      .to.contain('GET /second')
      .and.to.contain('X-Second: 2')
    expect((await third.readUntil('X-Forwarded-Host')).toString())
      .to.contain('GET /third')
      .and.to.contain('X-Third: 3')
  })

  it('keeps the answer of a redirect that waits at a gate', async () => {
    through = await Through.start(
      async (connection) => {
        await connection.readHead()
        await eventually(() => through.proxy.stats().gates.some(({ waiting }) => waiting === 2))
        await connection.write(ok('first'))
      },
      {
        listener: {
          upstream: undefined,
          gate: { limit: 1 },
          routes: [{ match: { path: '/old/*' }, redirect: { to: 'https://{host}{path}{query}' } }, { upstream: 'up' }],
        },
      },
    )
    const [first, second, third] = [await through.client(), await through.client(), await through.client()]
    await first.write(request('GET /first'))
    await eventually(() => through.upstream.open === 1)
    await second.write(request('GET /old/a?b=c'))
    await eventually(() => through.proxy.stats().gates.some(({ waiting }) => waiting === 1))
    await third.write(request('GET /old/d'))
    expect(await second.readHead()).to.contain('\r\nLocation: https://a.test/old/a?b=c\r\n')
    expect(await third.readHead()).to.contain('\r\nLocation: https://a.test/old/d\r\n')
  })

  it('answers a hundred pipelined requests in their order', async () => {
    through = await Through.start(answering((head) => ok(/ (\S+) /.exec(head)![1]!)))
    const client = await through.client()
    await client.write(Array.from({ length: 100 }, (_, i) => request(`GET /${i}`)).join(''))
    await eventually(() => parseResponses(client.buffered, { ended: false }).length === 100)
    expect(parseResponses(client.buffered, { ended: false }).map(({ body }) => body.toString())).to.deep.equal(
      Array.from({ length: 100 }, (_, i) => `/${i}`),
    )
  })

  it('holds no more than a bounded pipeline, however many requests are answered', async () => {
    through = await Through.start(answering(ok('ok')))
    const client = await through.client()
    const batch = Buffer.from(request('GET /').repeat(1_000))
    // The client writes without reading; what is taken from it ends where its answers stop being taken.
    client.pause()
    let written = 0
    let taken = 0
    const more = (): void => {
      if (written > 400 || client.socket.destroyed) return
      written++
      client.socket.write(batch, () => {
        taken++
        more()
      })
    }
    const before = process.memoryUsage().rss
    for (let i = 0; i < 8; i++) more()
    let last = -1
    await eventually(async () => {
      const same = last === taken
      last = taken
      await new Promise((resolve) => setTimeout(resolve, 200))
      return same
    })
    expect(taken).to.be.below(400)
    expect(process.memoryUsage().rss - before).to.be.below(64 * 1_048_576)
  })

  it('serves a client that pipelines without reading no more than it takes', async () => {
    const body = 'x'.repeat(1_000_000)
    through = await Through.start(undefined, {
      listener: { upstream: undefined, routes: [{ respond: { status: 200, body } }] },
    })
    const client = await through.client()
    client.pause()
    const before = process.memoryUsage().rss
    await client.write(request('GET /').repeat(1_000))
    const other = await through.client()
    await other.write(request('GET /'))
    await other.readUntil(body)
    expect(process.memoryUsage().rss - before).to.be.below(128 * 1_048_576)
    client.resume()
    await client.readExactly(20 * 1_000_000)
  })

  it('stops reading an upstream whose answer is asked for behind one that the client does not take', async () => {
    const size = 64 * 1_048_576
    let written = 0
    through = await Through.start(async (connection) => {
      for (;;) {
        const head = await connection.readHead()
        await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
        const block = Buffer.alloc(1_048_576)
        const second = head.startsWith('GET /second')
        for (let i = 0; i < size; i += block.length) {
          await connection.write(block)
          if (second) written += block.length
        }
      }
    })
    const client = await through.client()
    await client.write(request('GET /first') + request('GET /second'))
    let received = 0
    const enough = Promise.withResolvers<void>()
    client.pause()
    client.socket.removeAllListeners('data')
    client.socket.on('data', (chunk) => {
      received += chunk.length
      // Just before the end of the first answer the client stops: the second one must not come into memory.
      if (received > size) {
        client.socket.pause()
        enough.resolve()
      }
    })
    client.resume()
    await enough.promise
    let last = -1
    await eventually(async () => {
      const same = last === written
      last = written
      await new Promise((resolve) => setTimeout(resolve, 100))
      return same
    })
    expect(written).to.be.below(size)
  })

  it('answers the request that was on its way as a drain began, and says that it is the last one', async () => {
    through = await Through.start(answering(ok('served')))
    const client = await through.client()
    await client.write(request('GET /first'))
    expect(await client.readUntil('served')).not.to.match(/connection/i)
    const fresh = await through.client()
    await eventually(() => through.proxy.stats().listeners[0]!.connections === 2)
    const drained = through.proxy.drain()
    // Both could not know of it.
    await client.write(request('GET /second'))
    await fresh.write(request('GET /only'))
    for (const one of [client, fresh]) {
      expect((await one.readUntil('served')).toString()).to.match(/\r\nConnection: close\r\n/)
      expect(await one.ended).to.equal('fin')
      await one.close()
    }
    await drained
  })

  it('serves one request more to whom the head of an answer had not said that it is the last one', async () => {
    let finish = () => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    through = await Through.start(async (one) => {
      for (;;) {
        await one.readHead()
        await one.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbeg')
        await finished
        await one.write('un')
      }
    })
    const client = await through.client()
    await client.write(request('GET /'))
    const idle = await through.client()
    await eventually(() => through.proxy.stats().listeners[0]!.connections === 2)
    expect((await client.readUntil('beg')).toString()).not.to.match(/connection/i)
    const drained = through.proxy.drain()
    // An idle connection beside it shows that listeners drain: its request is answered as the last one.
    await idle.write(request('GET /'))
    await idle.readUntil('Connection: close')
    finish()
    await client.readUntil('un')
    await client.write(request('GET /'))
    expect((await client.readUntil('begun')).toString()).to.match(/\r\nConnection: close\r\n/)
    expect(await client.ended).to.equal('fin')
    await client.close()
    await drained
  })
})
