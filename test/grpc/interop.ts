import { status } from '@grpc/grpc-js'
import { expect } from 'chai'
import type { GrpcClient, GrpcOutcome } from '../../packages/backends/src/index.ts'

// gRPC's own interoperability cases, after
// https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md: those that need no cloud credentials.

const service = 'grpc.testing.TestService'
const zeros = (size: number) => ({ body: Buffer.alloc(size) })

const largeRequest = 271_828
const largeResponse = 314_159
/** Bytes of the payloads that are sent and asked for by the streaming cases, in their order. */
const requestSizes = [27_182, 8, 1_828, 45_904]
const responseSizes = [31_415, 9, 2_653, 58_979]

interface WithPayload {
  readonly payload: { readonly body: Buffer } | null
}

const sizeOf = (message: unknown): number => (message as WithPayload).payload?.body.length ?? -1
const succeeded = ({ code, details }: GrpcOutcome) => expect(code, details).to.equal(status.OK)
const wants = (size: number, sent: number) => ({ responseParameters: [{ size }], payload: zeros(sent) })

/** Runs one case against the server that `client` has; rejects when it fails. */
export type InteropCase = (client: GrpcClient) => Promise<void>

async function pingPong(client: GrpcClient): Promise<void> {
  const call = client.start(service, 'FullDuplexCall')
  for (const [i, size] of responseSizes.entries()) {
    await call.send(wants(size, requestSizes[i]!))
    expect(sizeOf(await call.message(i))).to.equal(size)
  }
  call.halfClose()
  const outcome = await call.outcome
  succeeded(outcome)
  expect(outcome.messages.length).to.equal(4)
}

const customInitial = 'test_initial_metadata_value'
const customTrailing = Buffer.from([0xab, 0xab, 0xab])
const customMetadata = {
  'x-grpc-test-echo-initial': customInitial,
  'x-grpc-test-echo-trailing-bin': customTrailing,
}

function hasCustomMetadata(outcome: GrpcOutcome): void {
  succeeded(outcome)
  expect(outcome.messages.map(sizeOf)).to.deep.equal([largeResponse])
  expect(outcome.headers.get('x-grpc-test-echo-initial')).to.deep.equal([customInitial])
  expect(outcome.trailers.get('x-grpc-test-echo-trailing-bin')).to.deep.equal([customTrailing])
}

async function endsWith(client: GrpcClient, method: string, message: string): Promise<void> {
  const outcome = await client.run(service, method, [{ responseStatus: { code: 2, message } }])
  expect([outcome.code, outcome.details]).to.deep.equal([status.UNKNOWN, message])
}

/** The cases by gRPC's names. */
export const interopCases: Readonly<Record<string, InteropCase>> = {
  async empty_unary(client) {
    const outcome = await client.run(service, 'EmptyCall')
    succeeded(outcome)
    expect(outcome.messages).to.deep.equal([{}])
  },

  async large_unary(client) {
    const request = { responseSize: largeResponse, payload: zeros(largeRequest) }
    const outcome = await client.run(service, 'UnaryCall', [request])
    succeeded(outcome)
    expect(outcome.messages.map(sizeOf)).to.deep.equal([largeResponse])
  },

  async client_streaming(client) {
    const requests = requestSizes.map((size) => ({ payload: zeros(size) }))
    const outcome = await client.run(service, 'StreamingInputCall', requests)
    succeeded(outcome)
    expect(outcome.messages).to.deep.equal([{ aggregatedPayloadSize: 74_922 }])
  },

  async server_streaming(client) {
    const responseParameters = responseSizes.map((size) => ({ size }))
    const outcome = await client.run(service, 'StreamingOutputCall', [{ responseParameters }])
    succeeded(outcome)
    expect(outcome.messages.map(sizeOf)).to.deep.equal(responseSizes)
  },

  ping_pong: pingPong,

  async empty_stream(client) {
    const outcome = await client.run(service, 'FullDuplexCall', [])
    succeeded(outcome)
    expect(outcome.messages).to.deep.equal([])
  },

  async custom_metadata(client) {
    const options = { metadata: customMetadata }
    const unary = { responseSize: largeResponse, payload: zeros(largeRequest) }
    hasCustomMetadata(await client.run(service, 'UnaryCall', [unary], options))
    const duplex = [wants(largeResponse, largeRequest)]
    hasCustomMetadata(await client.run(service, 'FullDuplexCall', duplex, options))
  },

  async status_code_and_message(client) {
    await endsWith(client, 'UnaryCall', 'test status message')
    await endsWith(client, 'FullDuplexCall', 'test status message')
  },

  async special_status_message(client) {
    await endsWith(client, 'UnaryCall', '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n')
  },

  async unimplemented_method(client) {
    expect((await client.run(service, 'UnimplementedCall')).code).to.equal(status.UNIMPLEMENTED)
  },

  async unimplemented_service(client) {
    const outcome = await client.run('grpc.testing.UnimplementedService', 'UnimplementedCall')
    expect(outcome.code).to.equal(status.UNIMPLEMENTED)
  },

  async cancel_after_begin(client) {
    await client.run(service, 'EmptyCall')
    const call = client.start(service, 'StreamingInputCall')
    // On a connection that stands, and when the metadata has left: grpc-js sends neither when it is cancelled in the
    // turn of its start, or metadata without a reset.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    call.cancel()
    expect((await call.outcome).code).to.equal(status.CANCELLED)
  },

  async cancel_after_first_response(client) {
    const call = client.start(service, 'FullDuplexCall')
    await call.send(wants(31_415, 27_182))
    await call.message(0)
    call.cancel()
    expect((await call.outcome).code).to.equal(status.CANCELLED)
  },

  async timeout_on_sleeping_server(client) {
    const call = client.start(service, 'FullDuplexCall', {}, { deadlineMs: 1 })
    void call.send({ payload: zeros(27_182) })
    expect((await call.outcome).code).to.equal(status.DEADLINE_EXCEEDED)
  },
}
