import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { eventually } from '../../testkit/src/raw/index.ts'
import { startBackends } from '../src/index.ts'

const script = fileURLToPath(new URL('../src/main.ts', import.meta.url))

interface Run {
  readonly child: ChildProcess
  readonly exit: Promise<number | null>
  stdout: string
  stderr: string
}

function run(...args: string[]): Run {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exit = once(child, 'close').then(([code]) => code as number | null)
  const result: Run = { child, exit, stdout: '', stderr: '' }
  child.stdout.on('data', (text) => (result.stdout += String(text)))
  child.stderr.on('data', (text) => (result.stderr += String(text)))
  return result
}

describe('main', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`prints what stands where, and stops on ${signal}`, async () => {
      const one = run('--ports', 'http-1=0,tcp-echo=0')
      await eventually(() => one.stdout.includes('tcp-echo'))
      const address = /127\.0\.0\.1:\d+/.exec(one.stdout)![0]
      expect((await fetch(`http://${address}/healthz`)).status).to.equal(200)
      one.child.kill(signal)
      expect(await one.exit).to.equal(0)
      expect(one.stderr).to.equal('')
    })
  }

  it('says in one line that a port is in use, and exits with 1', async () => {
    const taken = await startBackends({ ports: { 'tcp-echo': 0 } })
    const { port } = taken.get('tcp-echo').address
    const one = run('--ports', `tcp-echo=${port}`)
    expect(await one.exit).to.equal(1)
    expect(one.stderr).to.equal(`backend tcp-echo cannot listen on 127.0.0.1:${port}: the port is in use\n`)
    await taken.close()
  })

  it('exits with 2 and the usage when a name or a port is wrong', async () => {
    const runs = [run('--ports', 'http-9=1'), run('--ports', 'http-1=70000'), run('--prots', '0')]
    for (const one of runs) {
      expect(await one.exit).to.equal(2)
      expect(one.stderr).to.include('usage: main.ts')
    }
  })
})
