import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const root = fileURLToPath(new URL('../..', import.meta.url))
const suites = ['tcp', 'http', 'websocket'].map((name) => `packages/${name}/test/listener.test.ts`)

/** How a link reads is chosen once a thread, so the other way needs a process of its own. */
describe('links that read by plain data events', () => {
  it('keep the contract of a listener on every protocol', async () => {
    const mocha = spawn(process.execPath, [...process.execArgv, 'node_modules/mocha/bin/mocha.js', ...suites], {
      cwd: root,
      env: { ...process.env, SLUICE_LINK: 'plain' },
    })
    let said = ''
    mocha.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    mocha.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const [code] = (await once(mocha, 'close')) as [number | null]
    expect(code, said).to.equal(0)
    expect(said).to.match(/\d+ passing/)
  }).timeout(60_000)
})
