import { rmSync } from 'node:fs'
import { expect } from 'chai'
import { startTcpBackend } from '@sluice/backends'
import { Authority } from '../../../../test/e2e/support/certificates.ts'
import { eventually, RawClient } from '../../../testkit/src/raw/index.ts'
import { type ConfigInput, createProxy, type ProxyOptions, StartError } from '../../src/index.ts'
import { isFree } from '../support/ports.ts'
import { Workers } from '../support/workers.ts'

const config: ConfigInput = {
  threads: 2,
  listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', routes: [{ name: 'all', respond: { body: 'here' } }] } },
}

const quickly: ProxyOptions = { deaths: { firstMs: 1, maxMs: 1, maxDeaths: 50 } }

describe('threads', () => {
  // What a replacement has come to when the proxy is closed: each of these is a moment of its own.
  for (const [moment, messages] of [
    ['is made', 0],
    ['has begun', 1],
    ['has prepared what holds', 3],
    ['goes by what holds', 5],
  ] as const) {
    it(`end with their proxy when one of them ${moment} in the place of a dead one`, async () => {
      const faults: unknown[] = []
      const proxy = await createProxy(config, { ...quickly, onFault: (fault) => faults.push(fault) })
      await proxy.listen()
      const { port } = proxy.addresses['web'] as { port: number }
      using workers = new Workers()
      await proxy.killThread(1)
      await eventually(() => workers.made.length > 0)
      await eventually(() => workers.messages >= messages)
      await proxy.close()
      expect(workers.running).to.deep.equal([])
      expect(await isFree(port)).to.equal(true)
      expect(faults).to.deep.equal([])
    })
  }

  it('that die during a drain cut nobody but their own, and have no successors', async () => {
    const backend = await startTcpBackend()
    const proxy = await createProxy(
      {
        threads: 2,
        drainTimeout: '60s',
        listeners: {
          tcp: { bind: '127.0.0.1:0', protocol: 'tcp', upstream: `tcp://127.0.0.1:${backend.address.port}` },
        },
      },
      { ...quickly, deaths: { firstMs: 1, maxMs: 1, maxDeaths: 3 } },
    )
    await proxy.listen()
    const { port } = proxy.addresses['tcp'] as { port: number }
    const clients: RawClient[] = []
    let gone = 0
    const on = (thread: number) => proxy.stats().threads.find((one) => one.thread === thread)?.connections ?? 0
    await eventually(async () => {
      const client = await RawClient.connect(port)
      void client.ended.then(() => gone++)
      clients.push(client)
      return on(0) > 0 && on(1) > 0
    })
    await eventually(() => on(0) + on(1) === clients.length)
    const lost = on(1)
    using workers = new Workers()
    const drained = proxy.drain()
    await proxy.killThread(1)
    await eventually(() => gone === lost)
    expect(proxy.state).to.equal('draining')
    await Promise.all(clients.map((client) => client.close()))
    await drained
    expect(workers.made).to.have.length(0)
    expect(proxy.failure).to.equal(undefined)
    await backend.close()
  })

  it('whose replacement cannot be brought up do not end those that serve', async () => {
    const authority = new Authority()
    const { certFile: cert, keyFile: key } = authority.issue('listener')
    const faults: unknown[] = []
    const tls = { ...config.listeners['web']!, tls: { cert, key } }
    const proxy = await createProxy(
      { threads: 2, listeners: { ...config.listeners, tls } },
      { deaths: { firstMs: 1, maxMs: 1, maxDeaths: 3 }, onFault: (fault) => faults.push(fault) },
    )
    await proxy.listen()
    rmSync(cert)
    using workers = new Workers()
    await proxy.killThread(1)
    await eventually(() => workers.made.length > 4)
    expect(proxy.state).to.equal('listening')
    authority.issue('listener')
    await eventually(() => proxy.stats().threads.length === 2)
    await proxy.close()
    authority.remove()
    expect(String(faults[0])).to.match(/listeners\.tls\.tls/)
  })

  it('that do not live take no configuration, and the reload says so', async () => {
    const proxy = await createProxy(
      { ...config, threads: 1 },
      { deaths: { firstMs: 1_000, maxMs: 1_000, maxDeaths: 5 } },
    )
    await proxy.listen()
    await proxy.killThread(0)
    await eventually(() => proxy.stats().threads.length === 0)
    const error = await proxy.reload(config).then(
      () => undefined,
      (refusal: unknown) => refusal,
    )
    expect(error)
      .to.be.instanceOf(StartError)
      .with.property('message')
      .that.matches(/No data-plane thread lives/)
    expect(proxy.generation).to.equal(1)
    await eventually(() => proxy.stats().threads.length === 1)
    await proxy.reload(config)
    expect(proxy.generation).to.equal(2)
    await proxy.close()
  })
})
