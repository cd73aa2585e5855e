import { expect } from 'chai'
import { deferred, eventually } from '../../../testkit/src/index.ts'
import { NameWatch, systemLookup } from '../../src/upstream/resolver.ts'
import { FakeEngine } from '../fake-protocol.ts'

describe('NameWatch', () => {
  let engine: FakeEngine
  let watch: NameWatch | undefined
  let changes = 0
  let lookUps = 0

  const open = (lookup: () => Promise<readonly string[]>, refreshMs = Infinity): NameWatch => {
    engine = new FakeEngine()
    changes = 0
    lookUps = 0
    const endpoint = engine.upstream.endpoints[0]!
    endpoint.addresses = []
    watch = new NameWatch(
      endpoint,
      { host: 'users.internal', port: 3001 },
      {
        refreshMs,
        lookup: (host) => {
          expect(host).to.equal('users.internal')
          lookUps++
          return lookup()
        },
        changed: () => void changes++,
      },
    )
    return watch
  }

  const hosts = () => engine.upstream.endpoints[0]!.addresses.map((address) => 'host' in address && address.host)

  afterEach(() => {
    watch?.close()
    engine.stop()
  })

  it('gives the endpoint what its name resolves to, with its port', async () => {
    await open(() => Promise.resolve(['10.0.0.1', '10.0.0.2'])).start()
    expect(engine.upstream.endpoints[0]!.addresses).to.deep.equal([
      { host: '10.0.0.1', port: 3001 },
      { host: '10.0.0.2', port: 3001 },
    ])
    expect([changes, engine.upstream.endpoints[0]!.health.lastFailure]).to.deep.equal([1, undefined])
  })

  it('starts up although its name does not resolve, and says why', async () => {
    await open(() => Promise.reject(new Error('ENOTFOUND'))).start()
    expect([hosts(), changes]).to.deep.equal([[], 0])
    expect(engine.upstream.endpoints[0]!.health.lastFailure).to.equal('its name does not resolve: ENOTFOUND')
  })

  it('looks up again in the background, and tells only of a change', async () => {
    const found = [['10.0.0.1'], ['10.0.0.1'], ['10.0.0.2']]
    await open(() => Promise.resolve(found[Math.min(lookUps, 3) - 1]!), 5).start()
    await eventually(() => lookUps >= 5)
    expect([hosts(), changes]).to.deep.equal([['10.0.0.2'], 2])
  })

  it('begins with the first address again when they have changed', async () => {
    const found = [['10.0.0.1', '10.0.0.2'], ['10.0.0.3']]
    await open(() => Promise.resolve(found[Math.min(lookUps, 2) - 1]!), 5).start()
    engine.upstream.endpoints[0]!.preferredAddress = 1
    await eventually(() => changes === 2)
    expect(engine.upstream.endpoints[0]!.preferredAddress).to.equal(0)
  })

  for (const [title, bad] of [
    ['fails', () => Promise.reject(new Error('SERVFAIL'))],
    ['finds nothing', () => Promise.resolve([])],
  ] as const) {
    it(`keeps the last good addresses when a look-up ${title}`, async () => {
      await open(() => (lookUps === 1 ? Promise.resolve(['10.0.0.1']) : bad()), 5).start()
      await eventually(() => lookUps >= 3)
      expect([hosts(), changes]).to.deep.equal([['10.0.0.1'], 1])
    })
  }

  it('never lets two look-ups run at once, however long one takes', async () => {
    const answer = deferred<readonly string[]>()
    const started = open(() => answer.promise, 1).start()
    await new Promise((resolve) => setImmediate(resolve))
    expect(lookUps).to.equal(1)
    answer.resolve(['10.0.0.1'])
    await started
    await eventually(() => lookUps >= 2)
  })

  it('takes no notice of what is found after it was closed', async () => {
    const answer = deferred<readonly string[]>()
    const started = open(() => answer.promise, 1).start()
    watch!.close()
    answer.resolve(['10.0.0.1'])
    await started
    expect([hosts(), changes, lookUps]).to.deep.equal([[], 0, 1])
  })
})

describe('systemLookup', () => {
  it('knows what the machine knows', async () => {
    expect(await systemLookup('localhost')).to.satisfy((found: string[]) =>
      found.some((address) => address === '127.0.0.1' || address === '::1'),
    )
  })
})
