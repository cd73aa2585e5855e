// Calls through TLS on both sides: by ALPN, whichever version of HTTP the client speaks.
import { request } from 'node:https'
import { connect } from 'node:http2'
import { buffer, text } from 'node:stream/consumers'
import { credentials } from '@grpc/grpc-js'
import { expect } from 'chai'
import { type GrpcBackend, GrpcClient, startGrpcBackend } from '../../../packages/backends/src/index.ts'
import { Authority } from '../support/certificates.ts'
import { Stage } from '../support/stage.ts'
import { transcoding } from './support/grpc-scene.ts'
import { answersIn, echo, requestOf } from './support/messages.ts'

describe('calls through TLS', () => {
  let authority: Authority
  let backend: GrpcBackend
  let stage: Stage

  before(async () => {
    authority = new Authority()
    const { cert, key } = authority.issue('right')
    backend = await startGrpcBackend({ tls: { cert, key } })
    const { certFile, keyFile } = authority.issue('listener')
    stage = await Stage.start({
      listeners: {
        rpc: {
          bind: '127.0.0.1:0',
          protocol: 'grpc',
          tls: { cert: certFile, key: keyFile },
          web: { origins: ['*'] },
          transcode: transcoding,
          upstream: 'shop',
        },
      },
      upstreams: {
        shop: {
          endpoints: [`grpcs://127.0.0.1:${backend.address.port}`],
          tls: { ca: authority.caFile, serverName: 'right.example' },
        },
      },
    })
  })

  after(async () => {
    await stage.close()
    await backend.close()
    authority.remove()
  })

  it('are made by @grpc/grpc-js', async () => {
    const trust = credentials.createSsl(Buffer.from(authority.ca))
    const client = new GrpcClient(`localhost:${stage.port('rpc')}`, {}, trust)
    const outcome = await client.run(echo, 'ServerStream', [{ behaviour: { responses: 3 } }])
    expect([outcome.code, outcome.messages.length]).to.deep.equal([0, 3])
    client.close()
  })

  it('are made by gRPC-Web over HTTP/1.1', async () => {
    const body = await new Promise<Buffer>((resolve, reject) => {
      const asked = request({
        host: '127.0.0.1',
        servername: 'localhost',
        port: stage.port('rpc'),
        ca: authority.ca,
        agent: false,
        method: 'POST',
        path: `/${echo}/Unary`,
        headers: { 'content-type': 'application/grpc-web' },
      })
      asked.once('error', reject).once('response', (response) => resolve(buffer(response)))
      asked.end(requestOf(echo, 'Unary', { text: 'hello' }))
    })
    expect(answersIn(body)[0]).to.include({ text: 'hello' })
  })

  it('are made with JSON over HTTP/2', async () => {
    const session = connect(`https://localhost:${stage.port('rpc')}`, { ca: authority.ca })
    const stream = session.request({ ':path': '/shop/v1/orders/7' })
    expect(JSON.parse(await text(stream))).to.include({ id: '7' })
    session.close()
  })
})
