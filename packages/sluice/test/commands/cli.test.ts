import { expect } from 'chai'
import { sluice } from '../support/command.ts'

async function fails(args: readonly string[]): Promise<string> {
  const command = sluice(args)
  expect(await command.exit, command.stderr).to.equal(2)
  expect(command.stdout).to.equal('')
  expect(command.stderr).not.to.match(/^\s+at /m)
  return command.stderr
}

describe('the command line', () => {
  it('exits with 2 and the nearest command for an unknown one', async () => {
    expect(await fails(['rnu'])).to.include('There is no command `rnu`. Did you mean run?')
  })

  it('knows no command that is not built yet', async () => {
    for (const command of ['top', 'forward']) expect(await fails([command])).to.include('There is no command')
  })

  it('lists the commands when none is named', async () => {
    expect(await fails([])).to.include('Which command? run, check, explain, http, tcp, ws, grpc, backends, schema')
  })

  it('exits with 2 and the nearest flag for an unknown one', async () => {
    expect(await fails(['http', ':0', 'localhost:1', '--limt', '3'])).to.include('Did you mean --limit?')
    expect(await fails(['run', '--wathc'])).to.include('Did you mean --watch?')
  })

  it('refuses threads that are none in terms of the flag', async () => {
    expect(await fails(['run', '--threads', '65'])).to.include('--threads: The number `65` must be 64 or less.')
    expect(await fails(['run', '--threads', 'many'])).to.match(/^--threads: .*`many`/)
    expect(await fails(['http', ':0', 'localhost:1', '--threads', '65'])).to.include('--threads: The number `65`')
    expect(await fails(['tcp', ':0', 'localhost:1', '--drain-delay', '5'])).to.include('--drain-delay: The duration 5')
  })

  it('refuses a word too many, a flag without its value and a missing address', async () => {
    expect(await fails(['run', 'a.yaml', 'b.yaml'])).to.include('takes no word `b.yaml`')
    expect(await fails(['http', ':0', 'localhost:1', '--limit'])).to.include('Not enough arguments following: limit.')
    expect(await fails(['http', ':0'])).to.include('Not enough non-option arguments')
  })

  it('has flags of gRPC where they mean something, and takes --health with and without a service', async () => {
    const to = ['grpc', ':0', 'localhost:1']
    expect(await fails([...to, '--timeout-response', '1s'])).to.include('There is no flag --timeout-response')
    expect(await fails(['http', ':0', 'localhost:1', '--other', 'pass'])).to.include('There is no flag --other')
    expect(await fails([...to, '--health', '--limit', '0'])).to.match(/^--limit: [^\n]*\n`sluice grpc --help`/)
    expect(await fails([...to, '--health', 'a b'])).to.match(/^--health: The service `a b`/)
  })

  it('says in one line that the file does not exist', async () => {
    expect(await fails(['run', 'no/such.yaml'])).to.equal('no/such.yaml does not exist.\n')
    const stderr = await fails(['check', '/'])
    expect(stderr).to.match(/^\/ cannot be read: .*\n$/)
  })

  it('shows help with examples, and the version', async () => {
    const help = sluice(['http', '--help'])
    expect(await help.exit).to.equal(0)
    expect(help.stdout).to.include('Examples:').and.to.include('sluice http :8080 localhost:3000')
    const version = sluice(['--version'])
    expect(await version.exit).to.equal(0)
    expect(version.stdout).to.match(/^\d+\.\d+\.\d+\n$/)
  })

  it('prints the JSON Schema', async () => {
    const schema = sluice(['schema'])
    expect(await schema.exit).to.equal(0)
    expect(JSON.parse(schema.stdout)).to.have.property('title', 'Sluice configuration')
  })

  it('runs the test backends until it is told to stop', async () => {
    const backends = sluice(['backends', '--ports', 'http-1=0'])
    const [address] = await new Promise<RegExpExecArray>((resolve) => {
      backends.child.stdout!.on('data', () => {
        const found = /127\.0\.0\.1:\d+/.exec(backends.stdout)
        if (found !== null) resolve(found)
      })
    })
    expect((await fetch(`http://${address}/healthz`)).status).to.equal(200)
    backends.child.kill('SIGINT')
    expect(await backends.exit).to.equal(0)
    expect(await fails(['backends', '--ports', 'http-9=1'])).to.include("--ports: there is no backend 'http-9'")
  })
})
