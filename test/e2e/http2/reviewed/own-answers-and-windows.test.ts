// Answers of ours to clients that take nothing: what they hold comes back after `timeouts.send`.
import { expect } from 'chai'
import { h2, headersFrame, requestFields } from '../../../../packages/testkit/src/http2/index.ts'
import { startGrpcBackend } from '../../../../packages/backends/src/index.ts'
import { RawServer } from '../../../../packages/testkit/src/raw/index.ts'
import { transcoding } from '../../grpc/support/grpc-scene.ts'
import { Stage } from '../../support/stage.ts'
import { sessionWith, windowless } from './session-with.ts'

describe('an answer of ours to a client whose window is 0', () => {
  let stage: Stage
  afterEach(() => stage.close())

  const open = async (route: object, upstreams: object, listener: object = {}): Promise<void> => {
    stage = await Stage.start({
      listeners: {
        web: {
          bind: '127.0.0.1:0',
          protocol: 'http',
          timeouts: { send: '150ms' },
          routes: [{ name: 'one', gate: { limit: 1, queue: 1, timeout: '10s' }, ...route }],
          ...listener,
        },
      },
      upstreams,
    })
  }

  /** The first client never takes its answer; the next one waits for its permit. */
  const expectFreed = async (path: string, status: number): Promise<void> => {
    const stalled = await windowless(stage)
    const honest = await sessionWith(stage)
    await stalled.send(headersFrame(1, requestFields(path)))
    await stalled.next({ type: h2.headers, id: 1 })
    expect(stage.gate('route:web/one').running).to.equal(1)
    await honest.send(headersFrame(1, requestFields(path)))
    expect((await honest.message(1)).status).to.equal(status)
    expect((await stalled.next({ type: h2.rstStream, id: 1 })).payload.readUInt32BE()).to.equal(8)
    await stage.atGate('route:web/one', { running: 0, waiting: 0 })
  }

  it('gives its permit back after `timeouts.send`: of a route that responds', async () => {
    await open({ respond: { status: 200, body: 'ok' } }, {})
    await expectFreed('/', 200)
  })

  it('gives its permit back after `timeouts.send`: a 502', async () => {
    const broken = await RawServer.start((connection) => connection.rst())
    await open({ upstream: 'up' }, { up: { endpoints: [`127.0.0.1:${broken.port}`], retries: { max: 0 } } })
    stage.closesWith(broken)
    await expectFreed('/', 502)
  })

  it('gives its permit back after `timeouts.send`: JSON of a transcoded call', async () => {
    const backend = await startGrpcBackend()
    await open(
      { upstream: 'up' },
      { up: { endpoints: [`grpc://127.0.0.1:${backend.address.port}`] } },
      { transcode: transcoding },
    )
    stage.closesWith(backend)
    await expectFreed('/shop/v1/orders/7', 200)
  })
})
