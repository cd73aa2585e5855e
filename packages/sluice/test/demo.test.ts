import { expect } from 'chai'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { GrpcClient } from '@sluice/backends'
import { eventually, RawClient } from '../../testkit/src/raw/index.ts'
import { Command } from './support/command.ts'

const script = fileURLToPath(new URL('../../../scripts/start.mjs', import.meta.url))
const backendPorts = Array.from({ length: 12 }, (_, i) => 3001 + i)
const ports = [8080, 8081, 8082, 9901, 50050, ...backendPorts]

/** Whether nobody listens there. */
async function free(port: number): Promise<boolean> {
  const server = createServer()
  const bound = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => resolve(true))
  })
  if (bound) await new Promise((resolve) => server.close(resolve))
  return bound
}

async function takenPorts(): Promise<number[]> {
  const answers = await Promise.all(ports.map(free))
  return ports.filter((_, i) => !answers[i])
}

describe('npm start', () => {
  const started: Command[] = []

  /** As npm starts it; without npm's own variables, so that it does not follow the npm that runs the tests. */
  function start(): Command {
    const env = { ...process.env, NO_COLOR: '1', npm_execpath: undefined }
    const command = new Command(process.execPath, [script], { env })
    started.push(command)
    return command
  }

  before(async function () {
    const taken = await takenPorts()
    if (taken.length === 0) return
    console.log(`    npm start is not tested: taken already are the ports ${taken.join(', ')}`)
    this.skip()
  })

  afterEach(async () => {
    // The demo itself is a child of the script: it ends when the script is gone, which its pipes tell.
    for (const { child, exit } of started.splice(0)) {
      child.kill('SIGKILL')
      await exit
    }
  })

  it('serves what its table says, tells a second one that a port is in use, and ends by Ctrl-C', async () => {
    const first = start()
    await eventually(
      () => {
        if (first.child.exitCode !== null) throw new Error(`it exited with ${first.child.exitCode}: ${first.stderr}`)
        return first.stdout.includes('Ctrl-C stops.')
      },
      { what: 'the table', timeoutMs: 15_000 },
    )
    for (const port of ports) expect(first.stdout).to.include(`127.0.0.1:${port} `)

    const client = await RawClient.connect(8080)
    await client.write('GET /hello HTTP/1.1\r\nHost: demo.example\r\nConnection: close\r\n\r\n')
    expect((await client.readToEnd()).toString('latin1')).to.match(/^HTTP\/1\.1 200 OK\r\n/)
    await client.close()
    await eventually(() => /GET \/hello/.test(first.stdout), { what: 'the line of the exchange' })
    const grpc = new GrpcClient('127.0.0.1:50050')
    const { code, messages } = await grpc.run('sluice.test.v1.Echo', 'Unary', [{ text: 'hello' }])
    expect([code, messages[0]?.text]).to.deep.equal([0, 'hello'])
    grpc.close()

    const second = start()
    expect(await second.exit).to.equal(1)
    expect(second.stdout).to.equal('')
    expect(second.stderr).to.match(/^npm start: .*\bin use\b.*\n$/)

    first.child.kill('SIGINT')
    expect(await first.exit, first.stderr).to.equal(0)
    expect(first.stderr).to.equal('')
    expect(await takenPorts()).to.deep.equal([])
  })

  it('leaves nothing behind when it is killed', async () => {
    const command = start()
    await eventually(() => command.stdout.includes('Ctrl-C stops.'), { what: 'the table', timeoutMs: 15_000 })
    command.child.kill('SIGKILL')
    const [, signal] = (await once(command.child, 'close')) as [number | null, string | null]
    expect(signal).to.equal('SIGKILL')
    await eventually(async () => (await takenPorts()).length === 0, { what: 'all ports free' })
  })
})
