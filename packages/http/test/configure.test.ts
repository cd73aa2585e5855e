import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import type { ConfigInput } from '../../sluice/src/index.ts'
import { eventually, type RawClient } from '../../testkit/src/raw/index.ts'
import { answering, ok, request, Through } from './proxied.ts'

describe('an HTTP listener that is given other options', () => {
  let through: Through
  afterEach(() => through.close())

  const reload = (listener: Record<string, unknown>): Promise<unknown> =>
    through.proxy.reload({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', ...listener } },
      upstreams: { up: { endpoints: [`127.0.0.1:${through.upstream.port}`] } },
    } as unknown as ConfigInput)

  const ask = async (client: RawClient, ...fields: string[]): Promise<string> => {
    await client.write(request('GET /', ...fields))
    const head = await client.readHead()
    const length = Number(/content-length: (\d+)/i.exec(head)![1])
    return head + (await client.readExactly(length)).toString()
  }

  it('goes by them from the next request of each connection on', async () => {
    through = await Through.start(answering(ok('from the upstream')))
    const client = await through.client()
    expect(await ask(client)).to.contain('from the upstream')
    await reload({ routes: [{ respond: { body: 'from the route' } }] })
    expect(await ask(client)).to.contain('from the route')
    await reload({ routes: [{ match: { path: '/no' }, respond: {} }], reasonHeader: false })
    expect(await ask(client))
      .to.match(/^HTTP\/1.1 404 /)
      .and.not.contain('x-sluice-reason')
  })

  it('serves what is under way by those that it began with', async () => {
    let finish = () => {}
    const finished = new Promise<void>((resolve) => (finish = resolve))
    through = await Through.start(async (one) => {
      await one.readHead()
      await one.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbeg')
      await finished
      await one.write('un')
    })
    const client = await through.client()
    await client.write(request('GET /'))
    await client.readUntil('beg')
    await reload({ routes: [{ respond: { body: 'other' } }] })
    finish()
    await client.readUntil('un')
    expect(await ask(client)).to.contain('other')
  })

  it('judges anew whether a peer is a trusted proxy', async () => {
    through = await Through.start(answering((head) => ok(/^x-real-ip: (.*)\r$/im.exec(head)![1]!)))
    const client = await through.client()
    expect(await ask(client, 'X-Forwarded-For: 192.0.2.7')).to.match(/127\.0\.0\.1$/)
    await reload({ upstream: 'up', trustedProxies: ['127.0.0.0/8'] })
    expect(await ask(client, 'X-Forwarded-For: 192.0.2.7')).to.match(/192\.0\.2\.7$/)
    await reload({ upstream: 'up' })
    expect(await ask(client, 'X-Forwarded-For: 192.0.2.7')).to.match(/127\.0\.0\.1$/)
  })

  it('keeps timeouts that are shorter than all it had before', async () => {
    through = await Through.start(answering(ok('served')))
    const client = await through.client()
    await ask(client)
    await reload({ upstream: 'up', timeouts: { head: '100ms' } })
    const started = performance.now()
    await client.write('GET / HTTP/1.1\r\n')
    expect(await client.readHead()).to.match(/^HTTP\/1.1 408 /)
    // The clock that it had before knows whole seconds only.
    expect(performance.now() - started).to.be.within(100, 900)
    await eventually(() => through.proxy.stats().exchanges === 0)
  })
})
