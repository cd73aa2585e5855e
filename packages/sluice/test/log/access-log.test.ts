import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Backend, startHttpBackend } from '@sluice/backends'
import { RawClient } from '../../../testkit/src/raw/index.ts'
import { type ConfigInput, createProxy } from '../../src/index.ts'
import { loggedPath } from '../../src/log/logged-exchange.ts'
import { LogFile } from '../../src/log/log-file.ts'
import { jsonString, printable } from '../../src/log/printable.ts'
import { withFiles } from '../support/command.ts'

const fields = `time id listener route upstream endpoint client method path status reason side attempts bytesIn bytesOut
  waitMs connectMs firstByteMs totalMs`.split(/\s+/)

describe('the access log', () => {
  let backend: Backend
  before(async () => {
    backend = await startHttpBackend()
  })
  after(() => backend.close())

  /** What a proxy logs while `use` talks to it. */
  async function logOf(log: Omit<ConfigInput['log'] & object, 'file'>, use: (port: number) => Promise<void>) {
    return await withFiles({}, async (directory) => {
      const file = join(directory, 'access.log')
      const proxy = await createProxy({
        log: { level: 'silent', ...log, file },
        drainTimeout: '10s',
        listeners: {
          web: {
            bind: '127.0.0.1:0',
            protocol: 'http',
            routes: [{ upstream: 'http' }, { name: 'own', match: { path: '/own' }, respond: { status: 204 } }],
          },
        },
        upstreams: { http: { endpoints: [`127.0.0.1:${backend.address.port}`] } },
      })
      await proxy.listen()
      await use((proxy.addresses['web'] as { port: number }).port)
      await proxy.drain()
      return readFileSync(file, 'utf8')
    })
  }

  const lines = (text: string) => text.split('\n').slice(0, -1)
  const parse = (text: string) => lines(text).map((line) => JSON.parse(line) as Record<string, unknown>)

  async function send(port: number, head: string): Promise<string> {
    const client = await RawClient.connect(port)
    await client.write(`${head}\r\nHost: a\r\nConnection: close\r\n\r\n`)
    const answer = String(await client.readToEnd())
    await client.close()
    return answer
  }

  it("writes the contract's fields as one JSON object a line", async () => {
    const text = await logOf({ access: 'json' }, async (port) => {
      await send(port, 'GET /users/7?token=secret HTTP/1.1\r\nAuthorization: Bearer secret\r\nCookie: a=secret')
      await send(port, 'DELETE /own HTTP/1.1')
    })
    const [first, second] = parse(text)
    expect(text).not.to.include('secret')
    expect(Object.keys(first!)).to.deep.equal(fields)
    expect(first).to.include({
      listener: 'web',
      route: 'web/*',
      upstream: 'http',
      endpoint: `127.0.0.1:${backend.address.port}`,
      client: '127.0.0.1',
      method: 'GET',
      path: '/users/7',
      status: 200,
      reason: 'ok',
      side: null,
      attempts: 1,
      waitMs: 0,
      bytesIn: 114,
    })
    expect(Date.parse(String(first!['time']))).to.be.closeTo(Date.now(), 60_000)
    const { connectMs, firstByteMs, totalMs } = first as Record<string, number>
    expect(connectMs).to.be.above(0).and.to.be.below(firstByteMs!)
    expect(totalMs).to.be.at.least(firstByteMs!)
    expect(second).to.include({ route: 'web/own', upstream: null, endpoint: null, status: 204, attempts: 0 })
    expect(second!['id']).not.to.equal(first!['id'])
  })

  it('shows the query only when asked', async () => {
    const text = await logOf({ access: 'json', query: true }, async (port) => {
      await send(port, 'GET /own?x=1 HTTP/1.1')
    })
    expect(parse(text)[0]).to.include({ path: '/own?x=1' })
  })

  it('tells whose doing a failure was', async () => {
    const text = await logOf({ access: 'json' }, async (port) => {
      await send(port, 'GET /reset HTTP/1.1')
      await send(port, 'BAD')
    })
    const [reset, bad] = parse(text)
    expect(reset).to.include({ status: 502, reason: 'upstreamReset', side: 'upstream' })
    expect(bad).to.include({ status: 400, reason: 'badRequest', side: 'downstream', route: null, method: null })
  })

  it('writes one readable line an exchange, without colours into a file', async () => {
    const text = await logOf({ access: 'pretty' }, async (port) => {
      await send(port, 'GET /own HTTP/1.1')
      await send(port, 'GET /reset HTTP/1.1')
    })
    const [own, reset] = lines(text)
    expect(own).to.match(/^\d\d:\d\d:\d\d\.\d{3} web 204 +[\d.]+ms +\d+B in +\d+B out  GET \/own$/)
    expect(reset).to.match(/ web 502 .* GET \/reset → 127\.0\.0\.1:\d+ upstreamReset/)
    expect(text).not.to.include('\x1b')
  })

  it('is silent when it is off', async () => {
    expect(await logOf({ access: 'off' }, async (port) => void (await send(port, 'GET /own HTTP/1.1')))).to.equal('')
  })

  it('lets nothing that a client sends break a line or speak to a terminal', () => {
    const hostile = 'a\nb\r\x1b[31m"\\\x7f\x9b2J\u2028'
    const json = jsonString(hostile)
    expect(json).to.match(/^[\x20-\x7e]*$/)
    expect(JSON.parse(json)).to.equal(hostile)
    expect(printable(hostile)).to.match(/^[\x20-\x7e]*$/)
    expect(printable('/grüße')).to.equal('/grüße')
    expect(jsonString('x'.repeat(9_999))).to.have.length.below(2_100)
  })

  it('logs of a target the path alone', () => {
    expect(loggedPath('/a?b', false)).to.equal('/a')
    expect(loggedPath('/a?b', true)).to.equal('/a?b')
    expect(loggedPath('http://user:password@h/a?b', false)).to.equal('/a')
    expect(loggedPath('http://user:password@h', false)).to.equal('/')
    expect(loggedPath('*', false)).to.equal('*')
  })
})

describe('LogFile', () => {
  it('drops and counts what its writer cannot keep up with', async () => {
    await withFiles({}, async (directory) => {
      const file = join(directory, 'a.log')
      const log = new LogFile(file)
      let dropped = 0
      log.onDropped = (lines) => (dropped += lines)
      const batch = 'x'.repeat(1_023).concat('\n').repeat(64)
      // Within one turn nothing can be written: what is over the bound must go.
      for (let i = 0; i < 100; i++) log.write(batch)
      await log.close()
      const written = readFileSync(file, 'utf8').length / 1_024
      expect(dropped).to.be.above(0)
      expect(written + dropped).to.equal(6_400)
      expect(written).to.be.at.most(4_096 + 64)
    })
  })
})
