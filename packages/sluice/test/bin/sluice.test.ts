import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { expect } from 'chai'
import { Command, launcher, sluice } from '../support/command.ts'

/** The machine's own Node, whatever its version: not the one that the workspace pins. */
function machinesNode(): string {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((one) => !one.includes('node_modules'))
  return directories.map((one) => join(one, 'node')).find(existsSync) ?? process.execPath
}

const start = (...args: string[]) => new Command(machinesNode(), [launcher, ...args])

describe('bin/sluice.js', () => {
  it("runs Sluice on a Node that is new enough, whatever the machine's own is", async () => {
    const command = start('--version')
    expect(await command.exit, command.stderr).to.equal(0)
    expect(command.stdout).to.match(/^\d+\.\d+\.\d+\n$/)
  })

  it('passes the exit code on', async () => {
    const command = start('run', 'no/such.yaml')
    expect(await command.exit).to.equal(2)
    expect(command.stderr).to.equal('no/such.yaml does not exist.\n')
  })

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    it(`passes ${signal} on, and ends as its child does`, async () => {
      const command = start('http', '127.0.0.1:0', '127.0.0.1:9')
      await command.port('http')
      command.child.kill(signal)
      expect(await command.exit).to.equal(0)
      expect(command.lines.at(-1)).to.include({ msg: 'stopped' })
    })
  }

  it('leaves no child behind when it is killed', async () => {
    const command = start('http', '127.0.0.1:0', '127.0.0.1:9')
    await command.port('http')
    command.child.kill('SIGKILL')
    // Told by the pipes that both write to: they close when the last of the two has ended.
    expect(await command.exit).to.equal('SIGKILL')
    expect(command.lines.at(-1)).to.include({ msg: 'stopped' })
  })

  it('ends when npx is killed, which kills only the shell that it runs commands by', async () => {
    // `; true` keeps the shell: without another command after it, some shells become the command.
    const line = `"${machinesNode()}" "${launcher}" http 127.0.0.1:0 127.0.0.1:9; true`
    const command = new Command('/bin/sh', ['-c', line], { env: { ...process.env, npm_execpath: 'npx' } })
    await command.port('http')
    command.child.kill('SIGTERM')
    expect(await command.exit).to.equal('SIGTERM')
    expect(command.lines.at(-1)).to.include({ msg: 'stopped' })
  })

  it('needs no launcher', async () => {
    const command = sluice(['--version'])
    expect(await command.exit).to.equal(0)
  })
})
