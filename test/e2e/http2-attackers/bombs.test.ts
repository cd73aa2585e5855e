import { expect } from 'chai'
import { type Backend, startHttp2Backend } from '../../../packages/backends/src/index.ts'
import {
  frame,
  h2,
  headerBlock,
  headersFrame,
  RawHttp2,
  requestFields,
} from '../../../packages/testkit/src/http2/index.ts'
import { Stage } from '../support/stage.ts'

// An entry of 4,033 octets enters the table (RFC 7541 §6.2.1); then each octet means it once more (§6.1).
const entry = Buffer.concat([Buffer.from('\x40\x01x\x7f\xa1\x1e', 'latin1'), Buffer.alloc(4_000, 'x')])
const references = (count: number) => Buffer.alloc(count, 0x80 | 62)

const callFields = requestFields('/sluice.test.v1.Echo/Unary', 'POST', [
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
])

describe('a head that means more than it is (HPACK bomb)', () => {
  let backend: Backend
  let stage: Stage
  let peer: RawHttp2

  beforeEach(async () => {
    backend = await startHttp2Backend()
    const upstream = `h2c://127.0.0.1:${backend.address.port}`
    const bind = '127.0.0.1:0'
    stage = await Stage.start({
      listeners: { web: { bind, protocol: 'http', upstream }, rpc: { bind, protocol: 'grpc', upstream } },
    })
  })
  afterEach(async () => {
    await peer.close()
    await stage.close()
    await backend.close()
  })

  const bomb = (fields: typeof callFields, count: number) =>
    frame(h2.headers, {
      id: 1,
      flags: h2.endHeaders | h2.endStream,
      payload: Buffer.concat([headerBlock(fields), entry, references(count)]),
    })

  it('is answered with 431, never forwarded, and the next request is served', async () => {
    peer = await RawHttp2.connect(stage.port('web'))
    await peer.send(bomb(requestFields('/status/200'), 10_000), headersFrame(3, requestFields('/status/200')))
    const { status, fields } = await peer.message(1)
    expect(status).to.equal(431)
    expect(fields).to.deep.include(['x-sluice-reason', 'headTooLarge'])
    expect((await peer.message(3)).status).to.equal(200)
    expect(backend.stats().total).to.equal(1)
  })

  it('is RESOURCE_EXHAUSTED to a call', async () => {
    peer = await RawHttp2.connect(stage.port('rpc'))
    await peer.send(bomb(callFields, 10_000))
    const { status, fields } = await peer.message(1)
    expect(status).to.equal(200)
    expect(fields).to.deep.include.members([
      ['grpc-status', '8'],
      ['x-sluice-reason', 'headTooLarge'],
    ])
    expect(backend.stats().total).to.equal(0)
  })

  it('passes as long as it is within the limits', async () => {
    peer = await RawHttp2.connect(stage.port('web'))
    await peer.send(bomb(requestFields('/status/200'), 2))
    expect((await peer.message(1)).status).to.equal(200)
  })
})
