import { type Connector, type Expirable, ProxyError, Timer } from '@sluice/core'
import {
  type Answer,
  type Client,
  http2Connector,
  Http2Request,
  HttpExchange,
  type HttpRoute,
  type IncomingRequest,
  type IncomingResponse,
  type Trailers,
} from '@sluice/http'
import {
  FieldBlock,
  type FramingKind,
  type HeaderField,
  headerField,
  Http2Head,
  indexing,
  type StreamReset,
} from '@sluice/wire'
import { encodeMessage } from './message.ts'
import { parseStatus, statusCode, statusOfHttp, statusOfReset } from './status.ts'
import { formatTimeout, parseTimeout } from './timeout.ts'

/** What a refused caller is told to wait when nothing better is known, in milliseconds. */
const defaultPushbackMs = 1_000

/** A wait below this leaves a deadline as its caller wrote it, in milliseconds. */
const unnoticedMs = 1

/** The names of statuses as metrics call them. */
const statusLabels = Array.from({ length: 17 }, (_, code) => `grpc-${code}`)

/** No answer has come that says how the call ended. */
const unknown = -1

/** One call of gRPC, whose messages pass unread (PROTOCOL-HTTP2.md). */
export class GrpcExchange extends HttpExchange implements Expirable {
  /** How the call ended, as far as that is known. */
  protected code = unknown
  #deadlineMs = Infinity
  #deadline: Timer | undefined

  constructor(client: Client) {
    super(client)
  }

  override get protocol(): string {
    return 'grpc'
  }

  override get status(): string {
    if (this.reason === 'clientGone') return statusLabels[statusCode.CANCELLED]!
    return statusLabels[this.code === unknown ? statusCode.UNKNOWN : this.code]!
  }

  protected override get ordinary(): boolean {
    return false
  }

  protected override get connector(): Connector {
    return http2Connector
  }

  // A call may be a conversation that rests for hours: only its own deadline and `idle`, where it is written, end it.

  override get responseMs(): number {
    return Infinity
  }

  override get idleMs(): number {
    return this.route!.upstream!.config.timeouts.idleMs ?? Infinity
  }

  override get paced(): boolean {
    return false
  }

  /** The upstream may have to say something before the caller goes on. */
  protected override readsFirst(): boolean {
    const { upstream } = this.route!
    // Until there is an answer, what went up is kept: a call that was refused unprocessed is made again.
    if (upstream !== undefined && upstream.config.retries.max > 0) this.upload.keptBytes = this.maxStoredBytes
    return false
  }

  protected override check(head: IncomingRequest): HttpRoute | ProxyError {
    this.code = unknown
    const timeout = head instanceof Http2Request ? head.head.first('grpc-timeout') : head.header('grpc-timeout')
    if (timeout !== undefined) {
      const ms = parseTimeout(timeout)
      if (ms === undefined) return new ProxyError('badRequest', `\`${timeout}\` is no grpc-timeout`)
      if (ms === 0) return deadlineExceeded
      this.#deadlineMs = ms
      this.#deadline ??= new Timer(this, this.runtime.fine)
      this.#deadline.arm(ms, this.startedAt)
    } else this.#deadlineMs = Infinity
    return super.check(head)
  }

  override expired(timer: Timer): void {
    if (timer === this.#deadline) this.fail(deadlineExceeded)
    else super.expired(timer)
  }

  /** A deadline goes up as what is left of it. */
  override http2Request(scheme: 'http' | 'https'): readonly HeaderField[] {
    const fields = super.http2Request(scheme)
    if (this.#deadlineMs === Infinity) return fields
    const spentMs = this.runtime.clock() - this.startedAt
    if (spentMs < unnoticedMs) return fields
    const left = headerField('grpc-timeout', formatTimeout(this.#deadlineMs - spentMs), indexing.without)
    return fields.map((field) => (field.name === 'grpc-timeout' ? left : field))
  }

  // The answer.

  override responseHead(head: IncomingResponse, kind: FramingKind, available: number): void {
    if (this.abandoned) return
    const status = head instanceof Http2Head ? head.first('grpc-status') : undefined
    if (status !== undefined) this.code = parseStatus(status)
    else if (head.status !== 200) {
      const { status: http } = head
      this.endpoint!.health.answered(http)
      this.fail(
        new ProxyError('upstreamInvalid', `the upstream answered ${http} instead of a call's status`, {
          progress: 'responseBegun',
          cause: new HttpAnswer(http),
        }),
      )
      return
    }
    super.responseHead(head, kind, available)
  }

  /** Metadata of a call is its caller's own: no field of it means anything to whoever passes it on. */
  override passedTrailers({ fields }: Http2Head): Trailers | null {
    return fields.length === 0 ? null : fields
  }

  override responseTrailers(trailers: Trailers | null): void {
    if (this.abandoned) return
    if (trailers !== null && !(trailers instanceof FieldBlock)) {
      for (let i = 0; i < trailers.length; i++) {
        if (trailers[i]!.name === 'grpc-status') this.code = parseStatus(trailers[i]!.value)
      }
    }
    this.endResponse(trailers)
  }

  /** Gives the client the end of the answer. */
  protected endResponse(trailers: Trailers | null): void {
    this.download.bodyEnd(trailers)
  }

  /** Gives the client a status after a part of the answer. */
  protected endEarly(fields: Answer['headers']): void {
    this.client.download.bodyEnd(fields.map(([name, value]) => headerField(name, value, indexing.without)))
  }

  protected override refuse(error: ProxyError): void {
    this.code = this.codeOf(error)
    const fields = this.statusFields(error)
    if (this.responseBegun) {
      this.endEarly(fields)
      this.client.responseComplete()
      return
    }
    this.statusCode = 200
    this.responseBegun = true
    this.client.sendAnswer(this.trailersOnly(fields))
  }

  /** The status of a failed call: by gRPC's own maps where the upstream said why, else by the table. */
  protected codeOf(error: ProxyError): number {
    const { cause } = error
    if (cause instanceof HttpAnswer) return statusOfHttp(cause.status)
    if (error.code === 'upstreamReset' && isReset(cause) && cause.by === 'peer') return statusOfReset(cause.code)
    return error.answer.grpc
  }

  /** An answer that is a status and nothing else (PROTOCOL-HTTP2.md, "Trailers-Only"). */
  protected trailersOnly(fields: Answer['headers']): Answer {
    return { status: 200, headers: [['content-type', 'application/grpc'], ...fields], body: nothing, headOnly: true }
  }

  protected statusFields(error: ProxyError): Array<readonly [name: string, value: string]> {
    const fields: Array<readonly [string, string]> = [
      ['grpc-status', String(this.code)],
      ['grpc-message', encodeMessage(`sluice: ${error.code}`)],
    ]
    if (error.answer.retryAfter) {
      const ms = this.retryAfterMs > 0 ? Math.ceil(this.retryAfterMs) : defaultPushbackMs
      fields.push(['grpc-retry-pushback-ms', String(ms)])
    }
    if (this.client.settings.options.config.reasonHeader) fields.push(['x-sluice-reason', error.code])
    return fields
  }

  protected override settled(): void {
    this.#deadline?.disarm()
    super.settled()
  }
}

const nothing = Buffer.alloc(0)
const deadlineExceeded = new ProxyError('deadlineExceeded', "the call's deadline has passed")

/** What an upstream answered in place of a status of gRPC. */
class HttpAnswer {
  readonly status: number

  constructor(status: number) {
    this.status = status
  }
}

function isReset(cause: unknown): cause is StreamReset {
  return typeof cause === 'object' && cause !== null && 'by' in cause
}
