import {
  Metadata,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { notCancelledFor } from './grpc-wait.ts'

interface Payload {
  readonly payload: { readonly body: Buffer } | null
}

interface Status {
  readonly responseStatus: { readonly code: number; readonly message: string } | null
}

interface SimpleRequest extends Payload, Status {
  readonly responseSize: number
}

interface OutputRequest extends Payload, Status {
  readonly responseParameters: readonly { readonly size: number; readonly intervalUs: number }[]
}

type OutputCall = ServerWritableStream<OutputRequest, object> | ServerDuplexStream<OutputRequest, object>

const initialKey = 'x-grpc-test-echo-initial'
const trailingKey = 'x-grpc-test-echo-trailing-bin'

const zeros = (size: number): object => ({ payload: { body: Buffer.alloc(size) } })

/** "Echo Metadata" of gRPC's interop-test-descriptions.md: one key comes back at the start, one at the end. */
function echoMetadata(call: { metadata: Metadata; sendMetadata(metadata: Metadata): void }): Metadata {
  const [initial] = call.metadata.get(initialKey)
  const [trailing] = call.metadata.get(trailingKey)
  if (initial !== undefined) {
    const metadata = new Metadata()
    metadata.set(initialKey, initial)
    call.sendMetadata(metadata)
  }
  const trailers = new Metadata()
  if (trailing !== undefined) trailers.set(trailingKey, trailing)
  return trailers
}

/** "Echo Status": what the request asks to end with. */
function failure({ responseStatus }: Status, metadata: Metadata): Partial<StatusObject> | undefined {
  if (responseStatus === null || responseStatus.code === 0) return undefined
  return { code: responseStatus.code, details: responseStatus.message, metadata }
}

function unaryCall(call: ServerUnaryCall<SimpleRequest, object>, callback: sendUnaryData<object>): void {
  const trailers = echoMetadata(call)
  const error = failure(call.request, trailers)
  if (error === undefined) callback(null, zeros(call.request.responseSize), trailers)
  else callback(error)
}

function streamingInputCall(call: ServerReadableStream<Payload, object>, callback: sendUnaryData<object>): void {
  const trailers = echoMetadata(call)
  let aggregatedPayloadSize = 0
  call.on('data', ({ payload }: Payload) => (aggregatedPayloadSize += payload?.body.length ?? 0))
  call.on('end', () => callback(null, { aggregatedPayloadSize }, trailers))
  call.on('error', () => undefined) // cancelled
}

/** Gives what one request asks for; false when the call has ended by that. */
async function output(call: OutputCall, request: OutputRequest, trailers: Metadata): Promise<boolean> {
  const error = failure(request, trailers)
  if (error !== undefined) {
    // Not in the midst of a loop over its messages, which would destroy the call before it has sent the status.
    setImmediate(() => call.emit('error', error))
    return false
  }
  for (const { size, intervalUs } of request.responseParameters) {
    if (!(await notCancelledFor(call, intervalUs / 1_000))) return false
    call.write(zeros(size))
  }
  return true
}

async function streamingOutputCall(call: ServerWritableStream<OutputRequest, object>): Promise<void> {
  const trailers = echoMetadata(call)
  if (await output(call, call.request, trailers)) call.end(trailers)
}

async function fullDuplexCall(call: ServerDuplexStream<OutputRequest, object>): Promise<void> {
  const trailers = echoMetadata(call)
  try {
    // A call that is destroyed would send no status.
    for await (const request of call.iterator({ destroyOnReturn: false }) as AsyncIterable<OutputRequest>) {
      if (!(await output(call, request, trailers))) return
    }
    call.end(trailers)
  } catch {
    // cancelled
  }
}

async function halfDuplexCall(call: ServerDuplexStream<OutputRequest, object>): Promise<void> {
  const trailers = echoMetadata(call)
  const requests: OutputRequest[] = []
  try {
    for await (const request of call as AsyncIterable<OutputRequest>) requests.push(request)
    for (const request of requests) if (!(await output(call, request, trailers))) return
    call.end(trailers)
  } catch {
    // cancelled
  }
}

/** `grpc.testing.TestService`, the server of gRPC's interoperability tests. `UnimplementedCall` is left out on purpose. */
export function interopService(): UntypedServiceImplementation {
  return {
    EmptyCall: (_: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => callback(null, {}),
    UnaryCall: unaryCall,
    CacheableUnaryCall: (call: ServerUnaryCall<SimpleRequest, object>, callback: sendUnaryData<object>) => {
      const metadata = new Metadata()
      metadata.set('cache-control', 'max-age=60, public')
      call.sendMetadata(metadata)
      unaryCall(call, callback)
    },
    StreamingOutputCall: (call: ServerWritableStream<OutputRequest, object>) => void streamingOutputCall(call),
    StreamingInputCall: streamingInputCall,
    FullDuplexCall: (call: ServerDuplexStream<OutputRequest, object>) => void fullDuplexCall(call),
    HalfDuplexCall: (call: ServerDuplexStream<OutputRequest, object>) => void halfDuplexCall(call),
  }
}
