// Streams that Sluice rewrites on their way, to clients that do not read: what waits for them is bounded.
import { expect } from 'chai'
import { eventually, RawClient } from '../../../packages/testkit/src/raw/index.ts'
import { parseResponses } from '../../../packages/testkit/src/raw/index.ts'
import { GrpcScene, transcoding } from './support/grpc-scene.ts'
import { answersIn, echo, requestOf } from './support/messages.ts'

const mebibyte = 1_048_576
const responses = 300
const responseBytes = 100_000

describe('a client that does not read', () => {
  let scene: GrpcScene

  beforeEach(async () => {
    scene = await GrpcScene.start({ listener: { web: { origins: ['*'] }, transcode: transcoding } })
  })
  afterEach(() => scene.close())

  /** Asks, reads nothing until all stands still, then everything. */
  const slowly = async (asked: Buffer): Promise<Buffer> => {
    const client = await RawClient.connect({ port: scene.port, timeoutMs: 15_000 })
    client.pause()
    await client.write(asked)
    // It stands still when nothing is read from the upstream for as long as twenty looks.
    let still = 0
    let last = -1
    await eventually(() => {
      const { bufferedBytes } = scene.stage.stats
      expect(bufferedBytes).to.be.below(4 * mebibyte)
      still = bufferedBytes > 0 && bufferedBytes === last ? still + 1 : 0
      last = bufferedBytes
      return still > 20
    })
    expect(scene.backend.stats().running).to.equal(1)
    client.resume()
    const bytes = await client.readUntil('\r\n0\r\n\r\n')
    await client.close()
    const [response] = parseResponses(bytes)
    expect(response!.status).to.equal(200)
    return response!.body
  }

  it('of gRPC-Web in text holds back its call alone, and gets all of it in the end', async () => {
    const body = requestOf(echo, 'ServerStream', { text: 'a', behaviour: { responses, responseBytes } }).toString(
      'base64',
    )
    const head = [
      `POST /${echo}/ServerStream HTTP/1.1`,
      'host: a',
      'content-type: application/grpc-web-text',
      `content-length: ${body.length}`,
    ]
    const text = await slowly(Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`))
    const pieces = text.toString('latin1').match(/[A-Za-z0-9+/]+={0,2}/g)!
    const messages = answersIn(Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))), echo, 'ServerStream')
    expect(messages.length).to.equal(responses)
    expect(messages.map(({ index }) => index)).to.deep.equal(messages.map((_, i) => i))
  }).timeout(60_000)

  it('of JSON holds back its call alone, and gets all of it in the end', async () => {
    const target = `/test/v1/echo/a:stream?behaviour.responses=${responses}&behaviour.responseBytes=${responseBytes}`
    const text = await slowly(Buffer.from(`GET ${target} HTTP/1.1\r\nhost: a\r\n\r\n`))
    const lines = text.toString('latin1').trimEnd().split('\n')
    expect(lines.length).to.equal(responses)
    expect(lines.map((line) => Number((JSON.parse(line) as { index?: string }).index ?? 0))).to.deep.equal(
      lines.map((_, i) => i),
    )
  }).timeout(60_000)
})
