import { ProxyError } from '@sluice/core'
import {
  type Answer,
  type BodyReceiver,
  type Client,
  errorAnswer,
  type ExchangeHandler,
  type HttpRoute,
  type IncomingRequest,
  type IncomingResponse,
  type Trailers,
} from '@sluice/http'
import { FieldBlock, framingKind, type HeaderField, headerField, Http2Head, pseudoId } from '@sluice/wire'
import { GrpcExchange } from './exchange.ts'
import { goOn } from './go-on.ts'
import { decodeMessage } from './message.ts'
import { frameMessage, MessageReader } from './messages.ts'
import { httpOfStatus, statusCode } from './status.ts'
import { type Binding, maxMessageBytes } from './transcode/binding.ts'
import { TranscodeError } from './transcode/transcode-error.ts'
import type { Transcoder } from './transcode/transcoder.ts'
import type { Origins } from './web/cors.ts'

/** Fields of a request that say what its JSON is. */
const ofJson = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'grpc-encoding',
  'grpc-accept-encoding',
  'accept',
  'accept-encoding',
  'expect',
  'te',
])

/** Fields of an answer that say what the messages are. */
const ofMessages = new Set([
  'date',
  'content-type',
  'content-length',
  'content-encoding',
  'grpc-encoding',
  'grpc-accept-encoding',
  'grpc-status',
  'grpc-message',
  'grpc-status-details-bin',
  'trailer',
])

/**
 * Takes requests of HTTP that a `google.api.http` annotation binds to a method of gRPC. `all`: nothing else could be
 * meant, so those with a path that is bound for other methods of HTTP are refused here; otherwise they are somebody
 * else's. `origins`: whose pages may read the answers.
 */
export function transcodedCalls(transcoder: Transcoder, all: boolean, origins: Origins | undefined): ExchangeHandler {
  return {
    when: ({ method, path }) => {
      return transcoder.match(method, path) !== undefined || (all && transcoder.methods(path).length > 0)
    },
    start: (client) => new TranscodeExchange(client, transcoder, origins),
  }
}

/** One request of HTTP with JSON: a call of gRPC for its upstream. */
class TranscodeExchange extends GrpcExchange {
  readonly #transcoder: Transcoder
  readonly #origins: Origins | undefined
  #origin: string | undefined
  #binding!: Binding
  /** Of a request whose path is bound for other methods of HTTP: which. */
  #allowed: readonly string[] = []
  #target = ''
  #contentType: string | undefined
  #reader!: MessageReader
  /** The one answer of a method that does not stream. */
  #json: Buffer | undefined
  #message = ''
  #details: string | undefined
  /** What of the head of the answer is for the client. */
  #fields: Fields = []
  readonly #messages: BodyReceiver = {
    takesChunks: false,
    body: (buf, start, end) => this.#read(buf, start, end),
    chunks: () => {},
    bodyEnd: () => {},
  }

  constructor(client: Client, transcoder: Transcoder, origins: Origins | undefined) {
    super(client)
    this.#transcoder = transcoder
    this.#origins = origins
  }

  override get protocol(): string {
    return 'grpc-json'
  }

  override get status(): string {
    return this.reason === 'clientGone' ? '499' : String(this.statusCode)
  }

  /** Routes are matched on the method of gRPC. */
  override get path(): string {
    return this.#binding.grpcPath
  }

  override get method(): string {
    return 'POST'
  }

  protected override check(head: IncomingRequest): HttpRoute | ProxyError {
    this.#origin = head.header('origin')
    return super.check(head)
  }

  protected override findRoute(head: IncomingRequest): HttpRoute | ProxyError {
    this.#target = head.path + head.query
    const binding = this.#transcoder.match(head.method, head.path)
    if (binding === undefined) {
      this.#allowed = this.#transcoder.methods(head.path)
      return new ProxyError('methodNotAllowed', 'the path is bound for other methods')
    }
    const coding = head.header('content-encoding') ?? 'identity'
    if (coding.toLowerCase() !== 'identity') return new ProxyError('unsupported', `the body is encoded: ${coding}`)
    this.#binding = binding
    this.#contentType = head.header('content-type')
    this.#json = undefined
    this.#message = ''
    this.#details = undefined
    this.#fields = []
    const { epoch } = this
    this.#reader = new MessageReader(maxMessageBytes, (message) => {
      // The call may have failed at the message before, and the object serve the next one already.
      if (this.epoch === epoch) this.#take(message)
    })
    return this.client.settings.router.match(this) ?? new ProxyError('noRoute', 'no route matches')
  }

  /** The whole of it becomes one message. */
  protected override readsFirst(): boolean {
    if (this.head.expectContinue) this.client.inform(goOn)
    return true
  }

  /** Nothing else is waited for while it is read. */
  override get paced(): boolean {
    return true
  }

  protected override get maxStoredBytes(): number {
    return maxMessageBytes
  }

  protected override begin(route: HttpRoute, now?: number): void {
    const { upload } = this
    if (!this.requestDone || upload.storedBytes > maxMessageBytes) {
      this.matched(route)
      this.fail(new ProxyError('bodyTooLarge', `the body is larger than ${maxMessageBytes} bytes`))
      return
    }
    const message = this.#binding.request(this.#target, upload.take(), this.#contentType)
    if (message instanceof TranscodeError) {
      this.matched(route)
      const code = message.code === statusCode.RESOURCE_EXHAUSTED ? 'bodyTooLarge' : 'badRequest'
      this.fail(new ProxyError(code, message.message, { cause: message }))
      return
    }
    upload.replace(frameMessage(message))
    super.begin(route, now)
  }

  override http2Request(scheme: 'http' | 'https'): readonly HeaderField[] {
    const fields = super.http2Request(scheme).filter(({ name }) => !ofJson.has(name))
    const path = headerField(':path', this.#binding.grpcPath)
    return [
      ...fields.map((field) => {
        return field.pseudo === pseudoId.method ? post : field.pseudo === pseudoId.path ? path : field
      }),
      contentType,
      teTrailers,
    ]
  }

  // The answer.

  override get download(): BodyReceiver {
    return this.abandoned ? super.download : this.#messages
  }

  protected override respond(head: IncomingResponse): void {
    // The client hears nothing before it is known how to say it.
    this.responseBegun = false
    const fields = (head as Http2Head).fields.filter(({ pseudo, name }) => {
      if (pseudo !== pseudoId.none || ofMessages.has(name)) return false
      // Twice, browsers would take it for none.
      return this.#origins === undefined || !name.startsWith('access-control-')
    })
    this.#fields = fields.map(({ name, value }) => [name, value])
    this.#note((head as Http2Head).fields)
  }

  #note(fields: readonly HeaderField[]): void {
    for (const { name, value } of fields) {
      if (name === 'grpc-message') this.#message = decodeMessage(value)
      else if (name === 'grpc-status-details-bin') this.#details = value
    }
  }

  #read(buf: Buffer, start: number, end: number): void {
    const { epoch } = this
    const fault = this.#reader.read(buf, start, end)
    if (fault !== undefined && this.epoch === epoch) this.#failed(new TranscodeError(fault.code, fault.message))
  }

  #take(message: Buffer): void {
    // What follows a message that could not be read.
    if (this.reason !== 'ok') return
    const json = this.#binding.response(message)
    if (json instanceof TranscodeError) this.#failed(json)
    else if (this.#binding.serverStreaming) this.#stream(json)
    else if (this.#json === undefined) this.#json = json
    else this.#failed(new TranscodeError(statusCode.INTERNAL, 'The upstream answered with more than one message.'))
  }

  #failed(error: TranscodeError): void {
    this.fail(new ProxyError('upstreamInvalid', error.message, { progress: 'responseBegun', cause: error }))
  }

  #stream(json: Buffer): void {
    if (!this.responseBegun) {
      this.responseBegun = true
      const fields = this.#withOrigin([['content-type', 'application/x-ndjson'], ...this.#fields])
      const head = Http2Head.response(
        200,
        fields.map(([name, value]) => headerField(name, value)),
      )
      this.client.respond(head, framingKind.chunked, 0)
    }
    this.client.download.body(json, 0, json.length, json.length, true)
  }

  protected override endResponse(trailers: Trailers | null): void {
    if (trailers !== null && !(trailers instanceof FieldBlock)) this.#note(trailers)
  }

  protected override completeResponse(): void {
    const code = this.code < 0 ? statusCode.UNKNOWN : this.code
    if (code !== statusCode.OK) {
      const error = this.#transcoder.errorBody(code, this.#message, this.#details)
      if (this.responseBegun) this.#endStream(error)
      else this.#answer(httpOfStatus(code), error)
    } else if (!this.#reader.atBoundary) {
      // It is none, whatever its status says.
      this.#failed(new TranscodeError(statusCode.INTERNAL, 'The answer ends in the midst of a message.'))
    } else if (this.#binding.serverStreaming) {
      if (!this.responseBegun) this.#stream(nothing)
      this.#endStream(undefined)
    } else if (this.#json !== undefined) this.#answer(200, this.#json)
    else this.#failed(new TranscodeError(statusCode.INTERNAL, 'The upstream answered without a message.'))
  }

  /** Whoever reads a stream line by line hears of its failure in the last one. */
  #endStream(error: Buffer | undefined): void {
    if (error !== undefined) this.#stream(Buffer.concat([Buffer.from('{"error":'), error, Buffer.from('}\n')]))
    this.client.download.bodyEnd(null)
    this.client.responseComplete()
  }

  #answer(status: number, body: Buffer): void {
    this.statusCode = status
    this.responseBegun = true
    const headers = this.#withOrigin([['Content-Type', 'application/json'], ...this.#fields])
    this.client.sendAnswer({ status, headers, body })
  }

  protected override refuse(error: ProxyError): void {
    const own = error.cause instanceof TranscodeError ? error.cause : undefined
    this.code = own?.code ?? this.codeOf(error)
    const body = this.#transcoder.errorBody(this.code, own?.message ?? `sluice: ${error.code}`)
    if (this.responseBegun) return this.#endStream(body)
    const { reasonHeader } = this.client.settings.options.config
    const plain = errorAnswer(error, { reasonHeader, retryAfterMs: this.retryAfterMs })
    const headers = plain.headers.filter(([name]) => name.toLowerCase() !== 'content-type')
    // RFC 9110 §15.5.6.
    if (error.code === 'methodNotAllowed') headers.push(['Allow', this.#allowed.join(', ')])
    // What is wrong with an answer is the upstream's doing, whatever it is called in gRPC.
    const byOurs = own === undefined || error.code === 'upstreamInvalid' || error.code === 'bodyTooLarge'
    const status = byOurs ? plain.status : httpOfStatus(own.code)
    this.statusCode = status
    this.responseBegun = true
    const all = this.#withOrigin([['Content-Type', 'application/json'], ...headers])
    this.client.sendAnswer({ status, headers: all, body })
  }

  /** What lets the page that asks read an answer with these fields, and the fields. */
  #withOrigin(fields: Fields): Fields {
    if (this.#origins === undefined) return fields
    const names = fields.map(([name]) => name)
    return [...this.#origins.response(this.#origin, names), ...fields]
  }

  protected override settled(): void {
    this.#json = undefined
    this.#fields = []
    this.#origin = undefined
    super.settled()
  }
}

type Fields = Answer['headers']

const nothing = Buffer.alloc(0)
const post = headerField(':method', 'POST')
const contentType = headerField('content-type', 'application/grpc')
const teTrailers = headerField('te', 'trailers')
