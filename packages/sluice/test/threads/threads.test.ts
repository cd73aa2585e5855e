import { expect } from 'chai'
import { eventually } from '../../../testkit/src/raw/index.ts'
import { type ConfigInput, createProxy, type ProxyOptions } from '../../src/index.ts'
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
})
