import { expect } from 'chai'
import { GrpcClient, startGrpcBackend } from '../../../packages/backends/src/index.ts'
import { sluice } from '../../../packages/sluice/test/support/command.ts'
import { eventually } from '../../../packages/testkit/src/raw/index.ts'
import { echo } from './support/messages.ts'

describe('sluice grpc', () => {
  it('stands before a server, lets as many calls through as its limit says, and drains', async () => {
    const backend = await startGrpcBackend()
    const to = `127.0.0.1:${backend.address.port}`
    const command = sluice(['grpc', '127.0.0.1:0', to, '--limit', '3', '--threads', '1'])
    const client = new GrpcClient(`127.0.0.1:${await command.port('grpc')}`)
    const calls = Array.from({ length: 12 }, () => client.run(echo, 'Unary', [{ behaviour: { delayMs: 20 } }]))
    expect((await Promise.all(calls)).map(({ code }) => code)).to.deep.equal(calls.map(() => 0))
    expect(backend.stats()).to.include({ max: 3, total: 12 })
    const last = client.start(echo, 'ServerStream', { behaviour: { responses: 3, delayMs: 100 } })
    await last.message(0)
    command.child.kill('SIGTERM')
    const { code, messages } = await last.outcome
    expect([code, messages.length]).to.deep.equal([0, 3])
    client.close()
    expect(await command.exit, command.stderr).to.equal(0)
    await eventually(() => backend.stats().running === 0)
    await backend.close()
  })
})
