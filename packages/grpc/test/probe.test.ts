import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createSecureContext } from 'node:tls'
import { Server, ServerCredentials, type ServiceDefinition, status } from '@grpc/grpc-js'
import type { ActiveHealthConfig, Endpoint } from '@sluice/core'
import { expect } from 'chai'
import { RawServer } from '../../testkit/src/raw/index.ts'
import { certificate } from '../../wire/test/link/certificate.ts'
import { decodeHealthRequest, encodeHealthResponse, type ServingStatusName } from '../src/health/messages.ts'
import { grpcProbe } from '../src/probe.ts'

const options = (service: string) =>
  ({ type: 'grpc', service, intervalMs: 1, timeoutMs: 1, fall: 1, rise: 1 }) as unknown as ActiveHealthConfig

function endpointAt(port: number, tls?: unknown): Endpoint {
  const addresses = port === 0 ? [] : [{ host: '127.0.0.1', port }]
  return { addresses, preferredAddress: 0, authority: `127.0.0.1:${port}`, tls } as unknown as Endpoint
}

const probe = (port: number, service = '', tls?: unknown) =>
  new Promise<string | undefined>((resolve) => grpcProbe(endpointAt(port, tls), options(service), resolve))

const check = {
  path: '/grpc.health.v1.Health/Check',
  requestStream: false,
  responseStream: false,
  requestDeserialize: (bytes: Buffer) => ({ service: decodeHealthRequest(bytes)! }),
  responseSerialize: (name: ServingStatusName) => encodeHealthResponse(name),
  requestSerialize: (): Buffer => Buffer.alloc(0),
  responseDeserialize: (): undefined => undefined,
}

async function grpcServer(
  answer: (service: string) => ServingStatusName | { code: status; details: string },
  credentials = ServerCredentials.createInsecure(),
): Promise<{ server: Server; port: number }> {
  const server = new Server()
  server.addService({ check } as ServiceDefinition, {
    check: (call: { request: { service: string } }, callback: (error: object | null, value?: unknown) => void) => {
      const answered = answer(call.request.service)
      if (typeof answered === 'string') callback(null, answered)
      else callback(answered)
    },
  })
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  )
  return { server, port }
}

describe('grpcProbe', () => {
  const closing: (() => void | Promise<void>)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  const grpc = async (...parameters: Parameters<typeof grpcServer>): Promise<number> => {
    const { server, port } = await grpcServer(...parameters)
    closing.push(() => server.forceShutdown())
    return port
  }

  it('is well with SERVING, asked for the service that was configured', async () => {
    const asked: string[] = []
    const port = await grpc((service) => {
      asked.push(service)
      return 'SERVING'
    })
    expect(await probe(port)).to.equal(undefined)
    expect(await probe(port, 'shop.v1.Orders')).to.equal(undefined)
    expect(asked).to.deep.equal(['', 'shop.v1.Orders'])
  })

  it('says in a sentence what is wrong', async () => {
    const port = await grpc((service) => {
      if (service === 'unknown') return { code: status.NOT_FOUND, details: 'no' }
      if (service === 'denied') return { code: status.PERMISSION_DENIED, details: 'not ☺ you' }
      return service === 'odd' ? 'UNKNOWN' : 'NOT_SERVING'
    })
    expect(await probe(port, 'resting')).to.equal('it answered NOT_SERVING')
    expect(await probe(port, 'odd')).to.equal('it answered UNKNOWN')
    expect(await probe(port, 'unknown')).to.equal('it does not know the service `unknown` (NOT_FOUND)')
    expect(await probe(port, 'denied')).to.equal('it answered PERMISSION_DENIED: not ☺ you')
  })

  it('says that a server has no health service', async () => {
    const server = new Server()
    const port = await new Promise<number>((resolve) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound)),
    )
    closing.push(() => server.forceShutdown())
    expect(await probe(port)).to.equal('it has no grpc.health.v1 (UNIMPLEMENTED)')
  })

  const http2 = async (answer: (stream: ServerHttp2Stream) => void): Promise<number> => {
    const server = createServer().on('stream', answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => void server.close())
    return (server.address() as AddressInfo).port
  }

  it('judges servers that are not of gRPC by their status', async () => {
    const port = await http2((stream) => stream.respond({ ':status': 404 }, { endStream: true }))
    expect(await probe(port)).to.equal('it answered the HTTP status 404 (UNIMPLEMENTED)')
    const silent = await http2((stream) => stream.respond({ ':status': 200 }, { endStream: true }))
    expect(await probe(silent)).to.equal('it answered without a grpc-status')
  })

  it('is not well with an answer that is none', async () => {
    const empty = await http2((stream) => stream.respond({ ':status': 200, 'grpc-status': '0' }, { endStream: true }))
    expect(await probe(empty)).to.equal('its answer is no HealthCheckResponse')
    const huge = await http2((stream) => {
      stream.on('error', () => undefined)
      stream.respond({ ':status': 200 })
      stream.write(Buffer.from([0, 0xff, 0, 0, 0]))
    })
    expect(await probe(huge)).to.match(/^its answer cannot be read: a message of 4278190080 bytes is larger/)
    const reset = await http2((stream) => {
      stream.on('error', () => undefined)
      stream.close(2)
    })
    expect(await probe(reset)).to.match(/NGHTTP2_INTERNAL_ERROR|code 2/)
  })

  it('tells a refused connection, garbage and a close from each other', async () => {
    const closed = await RawServer.start()
    await closed.close()
    expect(await probe(closed.port)).to.match(/ECONNREFUSED/)
    const garbage = await RawServer.start((connection) => connection.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    closing.push(() => garbage.close())
    expect(await probe(garbage.port)).to.match(/./)
    const leaving = await RawServer.start((connection) => connection.fin())
    closing.push(() => leaving.close())
    expect(await probe(leaving.port)).to.match(/./)
    expect(await probe(0)).to.equal('its name does not resolve')
  })

  it('verifies the certificate against the server name', async () => {
    const pair = { private_key: Buffer.from(certificate.key), cert_chain: Buffer.from(certificate.cert) }
    const port = await grpc(() => 'SERVING', ServerCredentials.createSsl(null, [pair]))
    const secureContext = createSecureContext({ ca: certificate.cert })
    expect(await probe(port, '', { secureContext, serverName: 'sluice.test' })).to.equal(undefined)
    expect(await probe(port, '', { secureContext, serverName: '127.0.0.1' })).to.equal(undefined)
    expect(await probe(port, '', { secureContext, serverName: 'other.test' })).to.match(/other\.test/)
    const stranger = createSecureContext({})
    expect(await probe(port, '', { secureContext: stranger, serverName: 'sluice.test' })).to.match(/self-signed/)
  })

  it('leaves no connection open when it is done', async () => {
    const server = await RawServer.start()
    closing.push(() => server.close())
    const { server: upstream, port } = await grpcServer(() => 'SERVING')
    expect(await probe(port)).to.equal(undefined)
    // A server of gRPC shuts down by itself only when its last connection has gone.
    await new Promise<void>((resolve) => upstream.tryShutdown(() => resolve()))
  })

  it('leaves no connection open when it is given up, and says nothing then', async () => {
    const server = await RawServer.start()
    closing.push(() => server.close())
    const answers: unknown[] = []
    const giveUp = grpcProbe(endpointAt(server.port), options(''), (failure) => answers.push(failure))
    const connection = await server.accept()
    giveUp()
    await connection.ended
    const early = grpcProbe(endpointAt(server.port), options(''), (failure) => answers.push(failure))
    early()
    early()
    expect(await probe(server.port === 1 ? 2 : 1)).to.match(/ECONNREFUSED/)
    expect(answers).to.deep.equal([])
  })
})
