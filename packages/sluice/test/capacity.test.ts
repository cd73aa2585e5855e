import { expect } from 'chai'
import type { ConfigInput } from '@sluice/core'
import { createProxy } from '../src/index.ts'

/** A configuration with so many named gates, which all have an identity of their own. */
const withGates = (count: number): ConfigInput => ({
  threads: 1,
  listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', routes: [{ respond: { body: 'x' } }] } },
  gates: Object.fromEntries(Array.from({ length: count }, (_, i) => [`gate-${count}-${i}`, { limit: 1 }])),
})

async function refusal(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('a configuration that is too large for the memory that threads share', () => {
  const refused = { name: 'StartError', message: 'The configuration has more than 4096 gates.', exitCode: 2 }

  it('is refused in a sentence at the start', async () => {
    const proxy = await createProxy(withGates(5_000))
    expect(await refusal(proxy.listen())).to.include(refused)
  })

  it('is refused at a reload, which changes nothing and does not stand in the way of the next one', async () => {
    const proxy = await createProxy(withGates(2_000))
    await proxy.listen()
    try {
      expect(await refusal(proxy.reload(withGates(5_000)))).to.include(refused)
      expect(proxy.generation).to.equal(1)
      expect(proxy.stats().gates).to.have.length(2_000)
      await proxy.reload(withGates(1_000))
      expect(proxy.stats().gates).to.have.length(1_000)
      // The present one and the next one are there at once.
      await proxy.reload(withGates(3_000))
      expect(proxy.generation).to.equal(3)
    } finally {
      await proxy.close()
    }
  })
})
