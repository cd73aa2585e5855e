// The access log's line of a call.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { createProxy } from 'sluice'
import { GrpcClient, startGrpcBackend } from '../../../packages/backends/src/index.ts'
import { withFiles } from '../../../packages/sluice/test/support/command.ts'
import { echo } from './support/messages.ts'

describe('calls of gRPC', () => {
  it('are a line in the access log', async () => {
    const backend = await startGrpcBackend()
    await withFiles({}, async (directory) => {
      const file = join(directory, 'access.log')
      const proxy = await createProxy({
        log: { level: 'silent', access: 'json', file },
        listeners: { rpc: { bind: '127.0.0.1:0', protocol: 'grpc', upstream: 'shop' } },
        upstreams: { shop: { endpoints: [`grpc://127.0.0.1:${backend.address.port}`] } },
      })
      await proxy.listen()
      const client = new GrpcClient(`127.0.0.1:${(proxy.addresses['rpc'] as { port: number }).port}`)
      await client.run(echo, 'Unary', [{ behaviour: { status: 7 } }])
      client.close()
      await proxy.drain()
      const line = JSON.parse(readFileSync(file, 'utf8').split('\n')[0]!) as Record<string, unknown>
      expect(line).to.include({
        listener: 'rpc',
        upstream: 'shop',
        client: '127.0.0.1',
        method: 'POST',
        path: `/${echo}/Unary`,
        status: 'grpc-7',
        reason: 'ok',
        attempts: 1,
      })
      expect(line['firstByteMs']).to.be.a('number')
    })
    await backend.close()
  })
})
