// The suites that move bytes, once more with lent bytes overwritten after every callback, and over plain links.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'chai'
import { type LinkMode, linkModes } from './proxy-process.ts'

const root = join(import.meta.dirname, '../..')
const suites = [
  'packages/http/test/**/*.test.ts',
  'packages/tcp/test/**/*.test.ts',
  'packages/websocket/test/**/*.test.ts',
  'packages/wire/test/link/**/*.test.ts',
  'test/conformance/http1-requests.test.ts',
  'test/conformance/http1-responses.test.ts',
]

function mocha(mode: LinkMode): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        '--throw-deprecation',
        '--expose-gc',
        '--conditions=@sluice/source',
        join(root, 'node_modules/mocha/bin/mocha.js'),
        ...suites,
      ],
      { cwd: root, env: { ...process.env, ...mode.env }, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}

describe('the suites of links and messages', function () {
  this.timeout(120_000)
  const modes = linkModes.slice(1)
  let runs: ReturnType<typeof mocha>[]
  // Side by side: they mostly wait.
  before(() => {
    runs = modes.map(mocha)
  })

  for (const [i, { name }] of modes.entries()) {
    it(`pass with ${name}`, async () => {
      const { code, output } = await runs[i]!
      expect(code, output).to.equal(0)
      console.log(`      ${name}: ${/\d+ passing.*/.exec(output)?.[0]}`)
    })
  }
})
