// Retries between endpoints of one `auto` upstream that speak different versions of HTTP.
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { expect } from 'chai'
import { goawayFrame, RawHttp2, type RawFields } from '../../../../packages/testkit/src/http2/index.ts'
import { deferred, eventually, type RawScript, RawServer } from '../../../../packages/testkit/src/raw/index.ts'
import { ask, get } from '../../support/ask.ts'
import { Authority } from '../../support/certificates.ts'
import { Stage } from '../../support/stage.ts'
import { Http2Upstream, sessionOf, get as get2, UpstreamSession } from '../upstream.ts'

const seenOf = (fields: RawFields): string =>
  [':scheme', ':path', 'cookie'].map((wanted) => fields.find(([name]) => name === wanted)?.[1] ?? '').join(' ')

describe('a retry between an http:// and an https:// endpoint of one upstream', () => {
  let authority: Authority
  let stage: Stage

  // Endpoints in the clear allow no `tls` beside them: the authority is one that the process trusts.
  const trusted = getCACertificates('default')
  before(() => {
    authority = new Authority()
    setDefaultCACertificates([...trusted, authority.ca])
  })
  after(() => {
    setDefaultCACertificates(trusted)
    authority.remove()
  })
  afterEach(() => stage.close())

  const open = async (endpoints: readonly string[], more: object = {}): Promise<void> => {
    stage = await Stage.start({
      threads: 0,
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: { up: { endpoints, ...more } },
    })
  }

  /** A server of TLS; on HTTP/2 it answers each request with what it has seen of it. */
  const secure = async (seen: string[], script?: RawScript): Promise<RawServer> => {
    const { cert, key } = authority.issue('listener')
    const byDefault: RawScript = async (connection) => {
      const session = new UpstreamSession(await RawHttp2.accept(connection))
      await session.read((one, id, fields) => {
        seen.push(seenOf(fields))
        return one.answer(id, seenOf(fields))
      })
    }
    const run: RawScript = (connection, index) => {
      void connection.ended.then(() => connection.close())
      return (script ?? byDefault)(connection, index)
    }
    return RawServer.start(run, { tls: { cert, key, ALPNProtocols: ['h2'] }, timeoutMs: 30_000 })
  }

  it('sends up the request of its own client, from HTTP/1.1 to HTTP/2', async () => {
    const broken = deferred()
    const second = deferred()
    const plain = await RawServer.start(async (connection) => {
      await connection.readHead()
      await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      await connection.readHead()
      second.resolve()
      await broken.promise
      await connection.close()
    })
    const seen: string[] = []
    const tls = await secure(seen)
    await open([`http://127.0.0.1:${plain.port}`, `https://127.0.0.1:${tls.port}`])
    stage.closesWith(plain).closesWith(tls)
    const warm = await stage.client('web')
    for (const path of ['/warm-1', '/warm-2']) expect((await ask(warm, get(path))).status).to.equal(200)

    const [alice, bob] = [await stage.client('web'), await stage.client('web')]
    await alice.write(get('/alice', 'Cookie: sid=ALICE'))
    await second.promise
    // What is lent for the time of a call is another client's by now.
    const bobs = await ask(bob, get('/bob', 'Cookie: sid=BOB'))
    expect(bobs.body.toString()).to.equal('https /bob sid=BOB')
    broken.resolve()
    const head = await alice.readHead()
    expect(head).to.match(/^HTTP\/1\.1 200 /)
    expect((await alice.readUntil('sid=ALICE')).toString('latin1'))
      .to.include('/alice')
      .and.not.include('BOB')
    expect(seen).to.deep.equal(['https /warm-2 ', 'https /bob sid=BOB', 'https /alice sid=ALICE'])
    await eventually(() => stage.accounts.length === 4)
    expect(stage.lastAccount).to.include({ reason: 'ok', attempts: 2 })
  })

  it('sends up the request of its own client, from HTTP/2 to HTTP/1.1', async () => {
    const answered = deferred()
    const lines: string[] = []
    const plain = await RawServer.start(async (connection) => {
      for (;;) {
        const head = await connection.readHead()
        lines.push(`${head.split(' ')[1]!} ${/^cookie: (.*)$/im.exec(head)?.[1] ?? ''}`)
        await connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
      }
    })
    const came = deferred()
    const tls = await secure([], async (connection) => {
      const session = new UpstreamSession(await RawHttp2.accept(connection))
      await session.read(async (one) => {
        came.resolve()
        await answered.promise
        await one.peer.send(goawayFrame(0, 0))
      })
    })
    await open([`https://127.0.0.1:${tls.port}`, `http://127.0.0.1:${plain.port}`])
    stage.closesWith(plain).closesWith(tls)
    const [alice, bob] = [await stage.client('web'), await stage.client('web')]
    await alice.write(get('/alice', 'Cookie: sid=ALICE'))
    await came.promise
    expect((await ask(bob, get('/bob', 'Cookie: sid=BOB'))).status).to.equal(200)
    answered.resolve()
    expect(await alice.readHead()).to.match(/^HTTP\/1\.1 200 /)
    expect(lines).to.deep.equal(['/bob sid=BOB', '/alice sid=ALICE'])
  })

  it('names the scheme of the endpoint to which it goes', async () => {
    const plain = await Http2Upstream.start((session) => session.peer.send(goawayFrame(0, 0)))
    const seen: string[] = []
    const tls = await secure(seen)
    await open([`http://${plain.address}`, `https://127.0.0.1:${tls.port}`], { protocol: 'http2' })
    stage.closesWith(plain).closesWith(tls)
    const client = await sessionOf(stage)
    await client.send(get2(1, '/moved'))
    expect((await client.message(1)).content.toString()).to.equal('https /moved ')
    expect(seen).to.have.length(1)
  })
})
