import { createHash } from 'node:crypto'
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
import { notCancelledFor, taken } from './grpc-wait.ts'

interface Field {
  readonly key: string
  readonly values: readonly Buffer[]
}

interface Behaviour {
  readonly delayMs: number
  readonly responses: number
  readonly status: number
  readonly statusMessage: string
  readonly failAfter: number
  readonly responseBytes: number
  readonly headers: readonly Field[]
  readonly trailers: readonly Field[]
  readonly tellMetadata: boolean
}

interface EchoRequest {
  readonly text: string
  readonly payload: Buffer
  readonly behaviour: Behaviour | null
}

interface EchoResponse {
  readonly text: string
  readonly payload: Buffer
  readonly backend: string
  readonly index: number
  readonly metadata: readonly Field[]
}

interface EchoSummary {
  readonly messages: number
  readonly payloadBytes: number
  readonly payloadSha256: Buffer
  readonly text: string
  readonly backend: string
}

const plain: Behaviour = {
  delayMs: 0,
  responses: 0,
  status: 0,
  statusMessage: '',
  failAfter: 0,
  responseBytes: 0,
  headers: [],
  trailers: [],
  tellMetadata: false,
}

/** `sluice.test.v1.Echo`, as its `.proto` file describes it. */
export function echoService(backend: string): UntypedServiceImplementation {
  return {
    Unary: (call: ServerUnaryCall<EchoRequest, EchoResponse>, callback: sendUnaryData<EchoResponse>) =>
      void unary(call, callback, backend),
    ClientStream: (call: ServerReadableStream<EchoRequest, EchoSummary>, callback: sendUnaryData<EchoSummary>) =>
      void clientStream(call, callback, backend),
    ServerStream: (call: ServerWritableStream<EchoRequest, EchoResponse>) => void serverStream(call, backend),
    Bidi: (call: ServerDuplexStream<EchoRequest, EchoResponse>) => void bidi(call, backend),
  }
}

async function unary(
  call: ServerUnaryCall<EchoRequest, EchoResponse>,
  callback: sendUnaryData<EchoResponse>,
  backend: string,
): Promise<void> {
  const behaviour = call.request.behaviour ?? plain
  if (behaviour.headers.length > 0) call.sendMetadata(metadataOf(behaviour.headers))
  if (!(await notCancelledFor(call, behaviour.delayMs))) return
  if (behaviour.status !== 0) callback(failure(behaviour))
  else callback(null, answer(call.request, behaviour, call.metadata, 0, backend), metadataOf(behaviour.trailers))
}

async function clientStream(
  call: ServerReadableStream<EchoRequest, EchoSummary>,
  callback: sendUnaryData<EchoSummary>,
  backend: string,
): Promise<void> {
  const hash = createHash('sha256')
  const texts: string[] = []
  let first: Behaviour | undefined
  let messages = 0
  let payloadBytes = 0
  try {
    for await (const request of call as AsyncIterable<EchoRequest>) {
      first ??= request.behaviour ?? plain
      if (messages === 0 && first.headers.length > 0) call.sendMetadata(metadataOf(first.headers))
      messages++
      payloadBytes += request.payload.length
      hash.update(request.payload)
      if (request.text !== '') texts.push(request.text)
      // In the midst of what the client sends, as the early status of a server that has had enough.
      if (first.status !== 0 && messages > first.failAfter) return callback(failure(first))
    }
  } catch {
    return // cancelled
  }
  const behaviour = first ?? plain
  if (!(await notCancelledFor(call, behaviour.delayMs))) return
  const summary = { messages, payloadBytes, payloadSha256: hash.digest(), text: texts.join(' '), backend }
  callback(null, summary, metadataOf(behaviour.trailers))
}

async function serverStream(call: ServerWritableStream<EchoRequest, EchoResponse>, backend: string): Promise<void> {
  const behaviour = call.request.behaviour ?? plain
  if (behaviour.headers.length > 0) call.sendMetadata(metadataOf(behaviour.headers))
  const sent = await answerOne(call, call.request, behaviour, 0, backend)
  if (sent !== undefined) call.end(metadataOf(behaviour.trailers))
}

async function bidi(call: ServerDuplexStream<EchoRequest, EchoResponse>, backend: string): Promise<void> {
  let first: Behaviour | undefined
  let sent = 0
  try {
    // A call that is destroyed would send no status.
    for await (const request of call.iterator({ destroyOnReturn: false }) as AsyncIterable<EchoRequest>) {
      const own = request.behaviour ?? plain
      if (first === undefined && own.headers.length > 0) call.sendMetadata(metadataOf(own.headers))
      first ??= own
      const now = await answerOne(call, request, { ...first, responses: own.responses }, sent, backend)
      if (now === undefined) return
      sent = now
    }
  } catch {
    return // cancelled
  }
  call.end(metadataOf((first ?? plain).trailers))
}

/** Gives all answers to one message; how many the stream has had then, or `undefined` when it has ended. */
async function answerOne(
  call: ServerWritableStream<EchoRequest, EchoResponse> | ServerDuplexStream<EchoRequest, EchoResponse>,
  request: EchoRequest,
  behaviour: Behaviour,
  sentBefore: number,
  backend: string,
): Promise<number | undefined> {
  const end = sentBefore + Math.max(1, behaviour.responses)
  for (let index = sentBefore; index < end; index++) {
    if (!(await notCancelledFor(call, behaviour.delayMs))) return undefined
    if (behaviour.status !== 0 && index >= behaviour.failAfter) return fail(call, behaviour)
    if (!call.write(answer(request, behaviour, call.metadata, index, backend))) {
      await taken(call)
    }
    if (call.cancelled) return undefined
  }
  if (behaviour.status !== 0 && end === behaviour.failAfter) return fail(call, behaviour)
  return end
}

function fail(
  call: ServerWritableStream<EchoRequest, EchoResponse> | ServerDuplexStream<EchoRequest, EchoResponse>,
  behaviour: Behaviour,
): undefined {
  // Not in the midst of a loop over its messages, which would destroy the call before it has sent the status.
  setImmediate(() => call.emit('error', failure(behaviour)))
}

function answer(
  request: EchoRequest,
  behaviour: Behaviour,
  metadata: Metadata,
  index: number,
  backend: string,
): EchoResponse {
  const payload = behaviour.responseBytes > 0 ? Buffer.alloc(behaviour.responseBytes) : request.payload
  return { text: request.text, payload, backend, index, metadata: behaviour.tellMetadata ? fieldsOf(metadata) : [] }
}

function failure(behaviour: Behaviour): Partial<StatusObject> {
  const { status: code, statusMessage: details, trailers } = behaviour
  return { code, details, metadata: metadataOf(trailers) }
}

function metadataOf(fields: readonly Field[]): Metadata {
  const metadata = new Metadata()
  for (const { key, values } of fields) {
    for (const value of values) metadata.add(key, key.endsWith('-bin') ? value : value.toString('latin1'))
  }
  return metadata
}

function fieldsOf(metadata: Metadata): Field[] {
  return Object.keys(metadata.getMap()).map((key) => ({
    key,
    values: metadata.get(key).map((value) => (typeof value === 'string' ? Buffer.from(value, 'latin1') : value)),
  }))
}
