import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { type Backend, startHttp2Backend, startHttpBackend } from '../../packages/backends/src/index.ts'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { findPython, run, skipWithout } from './support/program.ts'
import { type Passage, ways } from './support/way.ts'

const python = findPython('h2', 'hyperframe')
const script = fileURLToPath(new URL('./python/h2_client.py', import.meta.url))

/** The cases of h2_client.py. */
const cases = [
  'padded_upload',
  'bytes_one_by_one',
  'continuations',
  'tiny_window',
  'window_that_opens_late',
  'window_below_zero',
  'pings',
  'trailers_both_ways',
  'cancelled_streams',
  'hundred_streams',
  'crumbs',
  'priorities_and_unknown_frames',
  'body_without_end',
]

/** What only an upstream of HTTP/2 can be asked for, or tells otherwise. */
const needsHttp2 = new Set(['window_that_opens_late'])

for (const way of ways.filter(({ protocol }) => protocol !== 'grpc')) {
  for (const speaks of way.protocol === undefined ? (['h2c'] as const) : (['h2c', 'http'] as const)) {
    describe(`A client of HTTP/2 that does what few do, ${way.name} to ${speaks === 'h2c' ? 'HTTP/2' : 'HTTP/1.1'}`, () => {
      let backend: Backend
      let passage: Passage
      const problems = new Map<string, string | null>()

      before(async function () {
        if (python === undefined) skipWithout(this, 'python3-h2')
        backend = speaks === 'h2c' ? await startHttp2Backend() : await startHttpBackend()
        passage = await way.to([backend], { speaks })
        const { stdout, stderr } = await run(python, [script, String(passage.port)])
        for (const line of stdout.trim().split('\n')) {
          const { name, problem } = JSON.parse(line) as { name: string; problem: string | null }
          problems.set(name, problem)
        }
        expect([...problems.keys()], stderr).to.deep.equal(cases)
      })

      after(async () => {
        if (backend === undefined) return
        await eventually(() => backend.stats().running === 0)
        await passage.close()
        await backend.close()
      })

      for (const name of cases) {
        if (speaks === 'http' && needsHttp2.has(name)) continue
        it(name.replaceAll('_', ' '), () => expect(problems.get(name)).to.equal(null))
      }
    })
  }
}
