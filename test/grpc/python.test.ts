import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import { GrpcClient, type GrpcBackend, randomBytesOf, startGrpcBackend } from '../../packages/backends/src/index.ts'
import { eventually } from '../../packages/testkit/src/raw/index.ts'
import { findPython, run, skipWithout } from './support/program.ts'
import { type Passage, ways } from './support/way.ts'

const python = findPython('grpc')
const script = (name: string): string => fileURLToPath(new URL(`./python/${name}`, import.meta.url))

/** The cases of client.py. */
const cases = [
  'unary',
  'client_stream',
  'server_stream',
  'bidi',
  'large',
  'compressed',
  'metadata',
  'status',
  'deadline',
  'cancel',
  'slow_reader',
  'concurrent',
]

for (const way of ways) {
  describe(`A client of Python's grpcio, ${way.name}`, () => {
    let backend: GrpcBackend
    let passage: Passage
    const problems = new Map<string, string | null>()

    before(async function () {
      if (python === undefined) skipWithout(this, 'python3-grpcio')
      backend = await startGrpcBackend()
      passage = await way.to([backend])
      const { stdout, stderr } = await run(python, [script('client.py'), `127.0.0.1:${passage.port}`])
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

    for (const name of cases) it(name, () => expect(problems.get(name)).to.equal(null))
  })
}

for (const way of ways) {
  describe(`A server of Python's grpcio, ${way.name}`, () => {
    const echo = 'sluice.test.v1.Echo'
    let server: ChildProcess
    let passage: Passage
    let client: GrpcClient

    before(async function () {
      if (python === undefined) skipWithout(this, 'python3-grpcio')
      server = spawn(python, [script('server.py')], { stdio: ['pipe', 'pipe', 'inherit'] })
      const [port] = (await once(server.stdout!, 'data')) as [Buffer]
      passage = await way.to([{ address: { host: '127.0.0.1', port: Number(port) } }])
      client = new GrpcClient(`127.0.0.1:${passage.port}`)
    })

    after(async () => {
      if (server === undefined) return
      client.close()
      await passage.close()
      server.stdin!.end()
      await once(server, 'close')
    })

    it('answers calls of all four kinds', async () => {
      const payload = randomBytesOf(200_000, 1)
      const unary = await client.run(echo, 'Unary', [{ text: 'a', payload }], { metadata: { 'x-sent': 'b' } })
      expect([unary.code, unary.messages[0]?.text], unary.details).to.deep.equal([0, 'a'])
      expect(payload.equals(unary.messages[0]!.payload as Buffer)).to.equal(true)
      expect(unary.headers.get('x-first')).to.deep.equal(['b'])
      expect(unary.trailers.get('x-last-bin')).to.deep.equal([Buffer.from([0, 255])])
      const up = await client.run(echo, 'ClientStream', [{ payload }, { payload }, { text: 'c' }])
      expect([up.code, up.messages[0]?.messages]).to.deep.equal([0, 3])
      const down = await client.run(echo, 'ServerStream', [{ text: 'd', payload }])
      expect([down.code, down.messages.length]).to.deep.equal([0, 50])
      const both = await client.run(echo, 'Bidi', [{ text: 'e' }, { text: 'f' }])
      expect(both.messages.map(({ text }) => text)).to.deep.equal(['e', 'f'])
    })

    it('ends calls with its own status', async () => {
      const { code, details } = await client.run(echo, 'Unary', [{}], { metadata: { 'x-status': 'yes' } })
      expect([code, details]).to.deep.equal([status.ABORTED, '100 % — ünï'])
      expect((await client.run('shop.v1.Orders', 'Get')).code).to.equal(status.UNIMPLEMENTED)
    })

    it('is left when the deadline has passed', async () => {
      const options = { metadata: { 'x-sleep': '0.3' }, deadlineMs: 100 }
      expect((await client.run(echo, 'Unary', [{}], options)).code).to.equal(status.DEADLINE_EXCEEDED)
      expect((await client.run(echo, 'Unary', [{ text: 'a' }])).code).to.equal(status.OK)
    })
  })
}
