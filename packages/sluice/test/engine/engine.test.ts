import { parseConfigObject } from '@sluice/core'
import { expect } from 'chai'
import { eventually, RawClient, RawServer } from '../../../testkit/src/raw/index.ts'
import { createProxy } from '../../src/index.ts'

describe('an engine', () => {
  const input = { listeners: { tcp: { bind: '127.0.0.1:0', protocol: 'tcp' as const, upstream: 'tcp://localhost:1' } } }

  it('goes by the newest of two preparations, and discards the older whichever is done first', async () => {
    const proxy = await createProxy(input)
    await proxy.listen()
    const engine = proxy.engine!
    const config = parseConfigObject(input).config!
    const next = (number: number) => ({ number, config, binds: new Map(), late: new Set<string>() })
    const older = engine.prepare(next(2)).then(
      () => 'done',
      () => 'failed',
    )
    await engine.prepare(next(3))
    expect(await older).to.equal('failed')
    await engine.adopt()
    expect(engine.facts.generations).to.deep.equal([3])
    await proxy.close()
  })

  it('has prepared nothing when it was told to discard it meanwhile', async () => {
    const proxy = await createProxy(input)
    await proxy.listen()
    const engine = proxy.engine!
    const config = parseConfigObject(input).config!
    const prepared = engine.prepare({ number: 2, config, binds: new Map(), late: new Set() }).then(
      () => 'done',
      () => 'failed',
    )
    await engine.discard()
    expect(await prepared).to.equal('failed')
    await engine.adopt()
    expect(engine.facts.generations).to.deep.equal([1])
    await proxy.close()
  })

  it('gives a TCP connection what has been published, though nobody has told it yet', async () => {
    const [before, after] = [await RawServer.start(), await RawServer.start()]
    const leadingTo = ({ port }: RawServer) => ({
      listeners: { tcp: { ...input.listeners.tcp, upstream: `tcp://127.0.0.1:${port}` } },
    })
    const proxy = await createProxy(leadingTo(before))
    await proxy.listen()
    const { port } = proxy.addresses['tcp'] as { port: number }
    const config = parseConfigObject(leadingTo(after)).config!
    proxy.control.prepare(config)
    await proxy.engine!.prepare({ number: 2, config, binds: new Map(), late: new Set() })
    proxy.control.publish(config, 2)
    const client = await RawClient.connect(port)
    await client.write('?')
    await eventually(() => before.accepted + after.accepted > 0)
    expect([before.accepted, after.accepted]).to.deep.equal([0, 1])
    await client.close()
    await proxy.close()
    await Promise.all([before.close(), after.close()])
  })
})
