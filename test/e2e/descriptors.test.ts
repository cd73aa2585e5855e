import { fileURLToPath } from 'node:url'
import { type Backend, startHttpBackend } from '../../packages/backends/src/index.ts'
import { expect } from 'chai'
import type { ProxyStats } from 'sluice'
import { Command, withFiles } from '../../packages/sluice/test/support/command.ts'
import { ConnectionEnded, eventually, RawClient } from '../../packages/testkit/src/raw/index.ts'
import { ask, get, response } from './support/ask.ts'

const main = fileURLToPath(new URL('../../packages/sluice/src/main.ts', import.meta.url))
const descriptors = 120
/** Units that are never answered. */
const holding = 10
const refusals = 5

for (const threads of [0, 2]) {
  describe(`a process without descriptors left, threads ${threads}`, function () {
    this.timeout(60_000)
    // Elsewhere it is not known how many there are.
    if (process.platform !== 'linux') return
    let backend: Backend

    before(async () => {
      backend = await startHttpBackend()
    })
    after(async () => {
      await backend.close()
    })

    it('refuses and counts, answers overloaded, and serves everybody again by itself', async () => {
      const upstream = { endpoints: [`127.0.0.1:${backend.address.port}`] }
      // What Sluice answers itself needs no descriptor but the client's.
      const routes = [{ match: { path: '/in' }, respond: { status: 200, body: 'in' } }, { upstream: 'up' }]
      const config = {
        threads,
        admin: { bind: '127.0.0.1:0' },
        listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', routes } },
        upstreams: { up: upstream },
      }
      await withFiles({ 'sluice.yaml': JSON.stringify(config) }, async (cwd) => {
        const words = [process.execPath, '--conditions=@sluice/source', main, 'run']
        const limited = ['-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, ...words]
        const proxy = new Command('sh', limited, { cwd, env: { ...process.env, NO_COLOR: '1' } })
        try {
          const [port, admin] = [await proxy.port('web'), await proxy.port('admin')]
          const connected = () => RawClient.connect({ port, timeoutMs: 30_000 })
          const holders = await Promise.all(Array.from({ length: holding }, connected))
          for (const holder of holders) await holder.write(get('/hang'))
          await eventually(() => backend.stats().running === holding)

          const idle: RawClient[] = []
          let refused = 0
          while (refused < refusals) {
            expect(idle.length).to.be.below(descriptors)
            try {
              const client = await connected()
              expect((await ask(client, get('/in'))).body.toString()).to.equal('in')
              idle.push(client)
            } catch (error) {
              const reset = (error as NodeJS.ErrnoException).code === 'ECONNRESET'
              if (!reset && !(error instanceof ConnectionEnded)) throw error
              refused++
            }
          }
          // What is kept back serves some of those who are in; then there is no connection to the upstream any more.
          let overloaded = 0
          for (const [i, client] of idle.entries()) {
            await client.write(get('/hang'))
            await eventually(() => client.buffered.length > 0 || backend.stats().running > holding + i - overloaded)
            if (client.buffered.length === 0) continue
            const { status, header } = await response(client)
            expect([status, header('x-sluice-reason')]).to.deep.equal([503, 'overloaded'])
            if (++overloaded === holding) break
          }
          const counts = `${holding} held, ${idle.length} idle, ${refused} refused, ${overloaded} overloaded`
          console.log(`    descriptors, threads ${threads}: ${counts}`)
          expect(overloaded).to.equal(holding)
          for (const client of [...holders, ...idle]) client.rst()

          // By itself: nothing but that the clients have left.
          const connections = async () => {
            const state = (await (await fetch(`http://127.0.0.1:${admin}/state`)).json()) as ProxyStats
            return state.listeners[0]!.connections
          }
          await eventually(async () => (await connections()) === 0)
          const again = await Promise.all(Array.from({ length: 20 }, connected))
          for (const client of again) expect((await ask(client, get('/again'))).status).to.equal(200)
          await Promise.all(again.map((client) => client.close()))

          const figures = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text()
          const sum = (name: RegExp) =>
            [...figures.matchAll(name)].reduce((total, [, value]) => total + Number(value), 0)
          expect(sum(/^sluice_connections_refused_total\{.*\} (\d+)$/gm)).to.be.at.least(refused)
          expect(sum(/^sluice_requests_total\{.*reason="overloaded".*\} (\d+)$/gm)).to.equal(overloaded)
          expect(sum(/^sluice_internal_errors_total (\d+)$/gm)).to.equal(0)
          proxy.child.kill('SIGTERM')
          expect(await proxy.exit).to.equal(0)
        } finally {
          proxy.child.kill('SIGKILL')
          await proxy.exit
        }
      })
    })
  })
}
