// A transcoded call that fails in the middle of a frame has no part in the answer of the next one on its connection.
import { expect } from 'chai'
import { dataFrame, h2, headersFrame, RawHttp2 } from '../../../../packages/testkit/src/http2/index.ts'
import { transcoding } from '../../grpc/support/grpc-scene.ts'
import { framed } from '../../grpc/support/messages.ts'
import { get } from '../../support/ask.ts'
import { Stage } from '../../support/stage.ts'
import { takenServer } from './session-with.ts'

/** A shop.v1.Order, by hand: its id and its customer. */
const order = (customer: string): Buffer =>
  framed(Buffer.concat([Buffer.from([0x08, 7, 0x12, customer.length]), Buffer.from(customer)]))
/** No message of protobuf. */
const broken = framed(Buffer.from([0xff, 0xff]))

const answered = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
] as const

describe('pipelined requests that are transcoded', () => {
  it('never hear messages of a call that failed before them', async () => {
    const server = await takenServer()
    const stage = await Stage.start({
      listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', transcode: transcoding, upstream: 'up' } },
      upstreams: { up: { endpoints: [`grpc://127.0.0.1:${server.port}`] } },
    })
    stage.closesWith(server)
    const client = await stage.client('web')
    await client.write(get('/shop/v1/orders/1') + get('/shop/v1/orders/2:watch') + get('/shop/v1/orders/3'))
    const upstream = await RawHttp2.accept(await server.accept())

    const first = await upstream.next({ type: h2.headers })
    // The message that cannot be read, and one after it in the same frame.
    await upstream.send(
      headersFrame(first.id, answered, h2.endHeaders),
      dataFrame(first.id, Buffer.concat([broken, order('OF-THE-FIRST')])),
    )

    const second = await upstream.next({ type: h2.headers })
    await upstream.send(
      headersFrame(second.id, answered, h2.endHeaders),
      dataFrame(second.id, order('second')),
      headersFrame(second.id, [['grpc-status', '0']]),
    )
    const third = await upstream.next({ type: h2.headers })
    await upstream.send(
      headersFrame(third.id, answered, h2.endHeaders),
      dataFrame(third.id, order('third')),
      headersFrame(third.id, [['grpc-status', '0']]),
    )
    const heard = (await client.readUntil(/"third"[^}]*}/)).toString('latin1')
    expect(heard).to.match(/^HTTP\/1\.1 502 [^]*HTTP\/1\.1 200 [^]*"second"[^]*HTTP\/1\.1 200 /)
    expect(heard).to.not.include('OF-THE-FIRST')
    await stage.close()
  })
})
