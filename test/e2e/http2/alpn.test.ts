import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { expect } from 'chai'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { Authority } from '../support/certificates.ts'
import { Stage } from '../support/stage.ts'
import { get, sessionOf } from './upstream.ts'

type Kind = 'h2' | 'http/1.1' | 'both'

describe('the version that an upstream under TLS speaks', () => {
  let authority: Authority
  let stage: Stage
  let servers: Server[] = []

  before(() => {
    authority = new Authority()
  })
  after(() => authority.remove())

  async function start(protocol: string, ...kinds: Kind[]): Promise<void> {
    const { cert, key } = authority.issue('listener')
    const answer = (request: { httpVersion: string }, response: { end(text: string): unknown }) =>
      void response.end(request.httpVersion)
    servers = kinds.map((kind) =>
      kind === 'http/1.1'
        ? createServer({ cert, key, ALPNProtocols: ['http/1.1'] }, answer)
        : createSecureServer({ cert, key, allowHTTP1: kind === 'both' }, answer),
    )
    for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening')
    stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'up' } },
      upstreams: {
        up: {
          endpoints: servers.map((server) => `https://127.0.0.1:${(server.address() as AddressInfo).port}`),
          protocol,
          tls: { ca: authority.caFile },
        },
      },
    })
  }

  afterEach(async () => {
    await stage.close()
    for (const server of servers) server.close()
  })

  /** Sends requests of both versions, and tells the versions in which they arrived. */
  async function asked(count: number): Promise<string[]> {
    const came: string[] = []
    const two = await sessionOf(stage)
    const one = await stage.client('web')
    for (let i = 0; i < count; i++) {
      await two.send(get(1 + 2 * i))
      const { status, content } = await two.message(1 + 2 * i)
      came.push(status === 200 ? content.toString() : String(status))
      await one.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
      const head = await one.readHead()
      const length = /^content-length: (\d+)/im.exec(head)?.[1]
      const body = length === undefined ? await one.readUntil('\r\n0\r\n\r\n') : await one.readExactly(Number(length))
      came.push(head.startsWith('HTTP/1.1 200 ') ? (/\d\.\d/.exec(body.toString())?.[0] ?? '') : head.slice(9, 12))
    }
    return came
  }

  const connections = () =>
    stage.stats.upstreams[0]!.endpoints.reduce((sum, { connections: { idle, busy } }) => sum + idle + busy, 0)

  it('is HTTP/2 where it chooses h2, for clients of either version, on one session', async () => {
    await start('auto', 'h2')
    expect(await asked(3)).to.deep.equal(Array.from({ length: 6 }, () => '2.0'))
    expect(connections()).to.equal(1)
  })

  it('is HTTP/2 where it takes both', async () => {
    await start('auto', 'both')
    expect(new Set(await asked(2))).to.deep.equal(new Set(['2.0']))
  })

  it('is HTTP/1.1 where it chooses that', async () => {
    await start('auto', 'http/1.1')
    expect(new Set(await asked(2))).to.deep.equal(new Set(['1.1']))
  })

  it('is that of each endpoint where they differ', async () => {
    await start('auto', 'h2', 'http/1.1')
    const came = await asked(4)
    expect(came.filter((version) => version === '2.0')).to.have.length(4)
    expect(came.filter((version) => version === '1.1')).to.have.length(4)
  })

  it('is HTTP/1.1 with `protocol: http1`, whatever it could', async () => {
    await start('http1', 'both')
    expect(new Set(await asked(1))).to.deep.equal(new Set(['1.1']))
  })

  it('must be HTTP/2 with `protocol: http2`: else 502', async () => {
    await start('http2', 'http/1.1')
    expect(await asked(1)).to.deep.equal(['502', '502'])
    await eventually(() => stage.accounts.length === 2)
    expect(stage.accounts.map(({ reason }) => reason)).to.deep.equal(['connectFailed', 'connectFailed'])
  })
})
