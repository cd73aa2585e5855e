import { type GrpcBackend, GrpcClient, startGrpcBackend } from '../../packages/backends/src/index.ts'
import { interopCases } from './interop.ts'
import { allWays, type Passage } from './support/way.ts'

for (const way of allWays) {
  describe(`gRPC's interop cases, ${way.name}`, () => {
    let backend: GrpcBackend
    let passage: Passage
    let client: GrpcClient

    before(async () => {
      backend = await startGrpcBackend()
      passage = await way.to([backend])
    })

    beforeEach(() => {
      client = new GrpcClient(`127.0.0.1:${passage.port}`)
    })

    afterEach(async () => {
      client.close()
      await passage.stage?.settled()
    })

    after(async () => {
      await passage.close()
      await backend.close()
    })

    for (const [name, run] of Object.entries(interopCases)) it(name, () => run(client))
  })
}
