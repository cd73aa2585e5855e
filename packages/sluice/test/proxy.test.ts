import { expect } from 'chai'
import { eventually } from '../../testkit/src/raw/index.ts'
import { type ConfigInput, createProxy, type Proxy, StartError } from '../src/index.ts'
import { freePort, isFree } from './support/ports.ts'
import { Workers } from './support/workers.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Listeners on these ports, each of which answers by itself. */
function config(threads: number, ...ports: number[]): ConfigInput {
  const routes = [{ name: 'all', respond: { body: 'here' } }]
  const listeners = ports.map((port) => [`on${port}`, { bind: `127.0.0.1:${port}`, protocol: 'http' as const, routes }])
  return { threads, listeners: Object.fromEntries(listeners) as ConfigInput['listeners'] }
}

/** How far it has come, in turns of the loop for a proxy of this thread, and in messages for one of several. */
const moments = { 0: [0, 1, 2, 3, 4, 6, 10, 20], 2: [0, 1, 2, 3, 4, 5, 6] } as const

for (const threads of [0, 2] as const) {
  describe(`a proxy with threads ${threads}`, () => {
    async function reach(moment: number, workers: Workers): Promise<void> {
      const before = workers.messages
      if (threads === 0) for (let i = 0; i < moment; i++) await turn()
      else if (moment > 0) await eventually(() => workers.messages >= before + moment)
    }

    /** How it went is one thing or the other; what must not be is that anything stays. */
    async function ends(how: 'close' | 'drain', proxy: Proxy, change: Promise<unknown>, ports: number[]) {
      const outcome = change.then(
        () => undefined,
        (error: unknown) => error,
      )
      await proxy[how]()
      const error = await outcome
      if (error !== undefined) expect(error).to.be.instanceOf(StartError)
      for (const port of ports) expect(await isFree(port), String(port)).to.equal(true)
      expect(proxy.state).to.equal('closed')
    }

    for (const moment of moments[threads]) {
      for (const how of ['close', 'drain'] as const) {
        it(`leaves nothing when it ${how}s at moment ${moment} of its start`, async () => {
          const port = await freePort()
          using workers = new Workers()
          const proxy = await createProxy(config(threads, port))
          const listening = proxy.listen()
          await reach(moment, workers)
          await ends(how, proxy, listening, [port])
          expect(workers.running).to.deep.equal([])
        })
      }

      it(`leaves nothing when it closes at moment ${moment} of a reload`, async () => {
        const [stays, comes] = [await freePort(), await freePort()]
        using workers = new Workers()
        const proxy = await createProxy(config(threads, stays))
        await proxy.listen()
        const reloading = proxy.reload(config(threads, stays, comes))
        await reach(moment, workers)
        await ends('close', proxy, reloading, [stays, comes])
        expect(workers.running).to.deep.equal([])
      })
    }
  })
}
