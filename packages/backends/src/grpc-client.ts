import {
  type CallOptions,
  Client,
  type ClientOptions,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  type ChannelCredentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js'
import { methodDefinition, type ServiceName } from './grpc-protos.ts'

/** How a call of the test client is made. */
export interface GrpcCallOptions {
  readonly metadata?: Metadata | Readonly<Record<string, string | Buffer>>
  /** From now. Default: 15_000, so that no test waits for ever; 0 is none. */
  readonly deadlineMs?: number
}

/** What came of a call. */
export interface GrpcOutcome<Response = Record<string, unknown>> {
  readonly code: number
  readonly details: string
  readonly messages: readonly Response[]
  /** Empty when there were none, as in a trailers-only answer. */
  readonly headers: Metadata
  readonly trailers: Metadata
}

/** A call in progress. */
export interface GrpcCall<Response = Record<string, unknown>> {
  /** Never rejects: a status that is not OK is an outcome too. */
  readonly outcome: Promise<GrpcOutcome<Response>>
  /** How many messages have come. */
  readonly received: number
  /** Resolves with the message of that number, from 0; rejects when the call has ended before. */
  message(index: number): Promise<Response>
  /** Sends a message of a streaming request; resolves when the transport has taken it. */
  send(request: object): Promise<void>
  halfClose(): void
  cancel(): void
  /** Stops reading, and reads on. Calls with one response ignore it. */
  pause(): void
  resume(): void
}

type AnyCall = ClientReadableStream<object> & ClientWritableStream<object>

const defaultDeadlineMs = 15_000

/** A client of the gRPC test services on @grpc/grpc-js, over one channel of its own. */
export class GrpcClient {
  readonly #client: Client

  /** `target`: as `127.0.0.1:50050`. */
  constructor(target: string, options: ClientOptions = {}, trust: ChannelCredentials = credentials.createInsecure()) {
    this.#client = new Client(target, trust, {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      // Channels of the same target would share a connection.
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    })
  }

  close(): void {
    this.#client.close()
  }

  /** Sends all `requests` and awaits the end. */
  run<Response = Record<string, unknown>>(
    service: ServiceName,
    method: string,
    requests: readonly object[] = [{}],
    options: GrpcCallOptions = {},
  ): Promise<GrpcOutcome<Response>> {
    const call = this.start<Response>(service, method, requests[0] ?? {}, options)
    if (methodDefinition(service, method).requestStream) {
      for (const request of requests) void call.send(request)
      call.halfClose()
    }
    return call.outcome
  }

  /** Begins a call; `request` is what it asks where the request is no stream. */
  start<Response = Record<string, unknown>>(
    service: ServiceName,
    method: string,
    request: object = {},
    { metadata, deadlineMs = defaultDeadlineMs }: GrpcCallOptions = {},
  ): GrpcCall<Response> {
    const { path, requestStream, responseStream, requestSerialize, responseDeserialize } = methodDefinition(
      service,
      method,
    )
    const shape = [path, requestSerialize, responseDeserialize] as const
    const sent = metadataFrom(metadata)
    const options: CallOptions = deadlineMs === 0 ? {} : { deadline: Date.now() + deadlineMs }
    const done: { one?: (error: ServiceError | null, response?: object) => void } = {}
    const callback = (error: ServiceError | null, response?: object) => done.one?.(error, response)
    let call: unknown
    if (requestStream && responseStream) call = this.#client.makeBidiStreamRequest(...shape, sent, options)
    else if (requestStream) call = this.#client.makeClientStreamRequest(...shape, sent, options, callback)
    else if (responseStream) call = this.#client.makeServerStreamRequest(...shape, request, sent, options)
    else call = this.#client.makeUnaryRequest(...shape, request, sent, options, callback)
    const running = new RunningCall<Response>(call as AnyCall, responseStream)
    done.one = (_, response) => response !== undefined && running.take(response as Response)
    return running
  }
}

class RunningCall<Response> implements GrpcCall<Response> {
  readonly outcome: Promise<GrpcOutcome<Response>>
  readonly #call: AnyCall
  readonly #streams: boolean
  readonly #messages: Response[] = []
  readonly #waiting = new Map<number, { resolve(message: Response): void; reject(error: Error): void }>()
  #end: StatusObject | undefined

  constructor(call: AnyCall, streams: boolean) {
    this.#call = call
    this.#streams = streams
    let headers = new Metadata()
    call.on('metadata', (metadata) => (headers = metadata))
    if (streams) {
      call.on('data', (message: Response) => this.take(message))
      call.on('error', () => undefined) // 'status' tells it
    }
    this.outcome = new Promise((resolve) => {
      call.on('status', (status) => {
        this.#end = status
        for (const { reject } of this.#waiting.values()) reject(this.#ended())
        const { code, details, metadata: trailers } = status
        // The callback of a call with one response comes after its status, in the same turn.
        setImmediate(() => resolve({ code, details, messages: this.#messages, headers, trailers }))
      })
    })
  }

  get received(): number {
    return this.#messages.length
  }

  take(message: Response): void {
    const index = this.#messages.push(message) - 1
    this.#waiting.get(index)?.resolve(message)
    this.#waiting.delete(index)
  }

  message(index: number): Promise<Response> {
    const here = this.#messages[index]
    if (here !== undefined) return Promise.resolve(here)
    if (this.#end !== undefined) return Promise.reject(this.#ended())
    return new Promise((resolve, reject) => this.#waiting.set(index, { resolve, reject }))
  }

  send(request: object): Promise<void> {
    // The callback gets no error: a call that ends drops what was not sent.
    return new Promise((resolve) => this.#call.write(request, () => resolve()))
  }

  halfClose(): void {
    this.#call.end()
  }

  cancel(): void {
    this.#call.cancel()
  }

  pause(): void {
    if (this.#streams) this.#call.pause()
  }

  resume(): void {
    if (this.#streams) this.#call.resume()
  }

  #ended(): Error {
    return new Error(`the call has ended: ${this.#end?.code} ${this.#end?.details}`)
  }
}

function metadataFrom(given: GrpcCallOptions['metadata']): Metadata {
  if (given instanceof Metadata) return given
  const metadata = new Metadata()
  for (const [key, value] of Object.entries(given ?? {})) metadata.add(key, value)
  return metadata
}
