import { type Connection, type Connector, Exchange, type Head, ProxyError, refusals } from '@sluice/core'
import {
  type FramingKind,
  fieldId,
  framingKind,
  type HeaderField,
  type Http2Head,
  IDEMPOTENT_METHODS,
  methodId,
  type ResponseHead,
} from '@sluice/wire'
import { errorAnswer } from './answer.ts'
import { connectorFor, type HttpConnection } from './connection.ts'
import {
  type BodyReceiver,
  type Carrier,
  type Client,
  dropper,
  type IncomingRequest,
  type IncomingResponse,
  type Trailers,
} from './half.ts'
import { defaultIdleMs } from './idle.ts'
import type { HttpRoute } from './options.ts'
import { OutgoingRequest } from './outgoing-request.ts'
import { ownAnswer } from './own-answer.ts'
import type { RequestRewrite } from './request-rewrite.ts'
import { allowedTrailers } from './trailers.ts'
import { Upload } from './upload.ts'

/**
 * One HTTP request and its response, between a client and the carrier of its upstream half.
 *
 * Neither half knows which version of HTTP the other one speaks: this is the narrow place between them.
 */
export class HttpExchange extends Exchange implements Head, RequestRewrite {
  readonly client: Client
  /** Takes the request body: into memory first, over the connection once there is one. */
  readonly upload: Upload
  /** The upstream half, while there is one. */
  protected carrier: Carrier | undefined
  protected readonly outgoing = new OutgoingRequest()
  methodId: number = methodId.other
  /** Status of the response, also of one of ours; 0 before. */
  statusCode = 0
  /** Whether the request is complete. */
  requestDone = false
  /** Whether the head of the final response has been sent to the client. */
  responseBegun = false
  /** When the response's head came, in the clock's milliseconds; 0 before, and where nobody logs. */
  firstByteAt = 0
  /** For the access log, when there is one: in words that outlive the head. */
  loggedMethod = ''
  loggedTarget = ''
  loggedClient = ''

  constructor(client: Client) {
    super(client.listener.runtime)
    this.client = client
    this.upload = new Upload(client.listener.held)
  }

  get protocol(): string {
    return 'http'
  }

  get status(): string {
    return this.reason === 'clientGone' ? '499' : String(this.statusCode)
  }

  /** Protocol that the request asks to change to, and that this exchange can serve. */
  get upgrade(): string | undefined {
    return undefined
  }

  /** Whether it is a request of HTTP and nothing more. */
  protected get ordinary(): boolean {
    return true
  }

  /** From the end of the request to the head of its response, at most, in milliseconds. */
  get responseMs(): number {
    return this.route!.upstream!.config.timeouts.responseMs
  }

  /** Without a byte either way, at most, in milliseconds. */
  get idleMs(): number {
    return this.route!.upstream!.config.timeouts.idleMs ?? defaultIdleMs
  }

  /** Whether the client has to send the body of its request without long pauses. */
  get paced(): boolean {
    return true
  }

  protected get connector(): Connector {
    return connectorFor(this.endpoint!)
  }

  protected get idempotent(): boolean {
    return (IDEMPOTENT_METHODS & (1 << this.methodId)) !== 0
  }

  protected get replayable(): boolean {
    return !this.upload.streamed && this.outgoing.repeatable
  }

  /** Where the client's bytes of the body go: `upload`, unless they have to be read differently first. */
  get intake(): BodyReceiver {
    return this.upload
  }

  // Head: what routes are matched on. Strings are made only when a route asks.

  /** As it came; valid in the turn in which it came, and as long as the request waits. */
  protected get head(): IncomingRequest {
    return this.outgoing.head
  }

  get host(): string {
    return this.head.host
  }

  get method(): string {
    return this.head.method
  }

  get path(): string {
    return this.outgoing.path
  }

  get clientAddress(): string {
    const { client } = this
    return client.trusted
      ? client.settings.trustedProxies.clientAddress(client.peer, this.head.header('x-forwarded-for'))
      : client.peer
  }

  get tlsName(): string | undefined {
    return this.client.tlsName
  }

  header(name: string): string | undefined {
    return this.head.header(name)
  }

  /** What came is no request that could be served; nothing of it is routed. */
  reject(error: ProxyError): void {
    this.open()
    this.#begin()
    this.fail(error)
  }

  #begin(): void {
    this.route = this.client.settings.unrouted
    this.methodId = methodId.other
    this.loggedMethod = ''
    this.loggedTarget = ''
    this.loggedClient = this.client.peer
    this.statusCode = 0
    this.requestDone = true
    this.responseBegun = false
    this.firstByteAt = 0
    this.outgoing.begin()
    this.upload.begin(framingKind.none)
  }

  /**
   * A request's head has come. `kind` and `contentLength` say what body follows; the client reads it into `upload` and
   * calls `requestEnd`.
   */
  request(head: IncomingRequest, kind: FramingKind, contentLength: number): void {
    this.open()
    this.#begin()
    this.outgoing.head = head
    this.methodId = head.methodId
    this.requestDone = kind === framingKind.none || (kind === framingKind.length && contentLength === 0)
    this.upload.kind = kind
    if (this.client.settings.options.logged) {
      this.loggedMethod = head.method
      this.loggedTarget = head.target
      this.loggedClient = this.clientAddress
    }
    const route = this.check(head)
    if (route instanceof ProxyError) {
      this.fail(route)
      return
    }
    this.matched(route)
    if (route.upstream !== undefined && this.client.listener.held?.exceeded === true) {
      this.fail(refusals.overloaded)
      return
    }
    if (this.requestDone || !this.readsFirst(contentLength)) this.begin(route, this.startedAt)
  }

  /**
   * Whether the body is read before the request takes a permit: one that fits the buffer is. Whoever waits for a 100
   * sends nothing before.
   */
  protected readsFirst(contentLength: number): boolean {
    return !this.head.expectContinue && contentLength <= this.maxStoredBytes && this.route!.upstream !== undefined
  }

  /** Finds the route, or what is wrong with the request. */
  protected check(head: IncomingRequest): HttpRoute | ProxyError {
    const { options } = this.client.settings
    if (options.ordinary !== 'served' && this.ordinary) {
      return new ProxyError(options.ordinary, 'what is served here is something else')
    }
    if (head.methodId === methodId.connect) return new ProxyError('methodNotAllowed', 'CONNECT is for forward proxies')
    if (head.expectsOther) return new ProxyError('expectationFailed', 'the expectation is not known')
    if ((head.seen & (1 << fieldId.via)) !== 0 && head.header('via')?.includes(options.pseudonym) === true) {
      return new ProxyError('loop', 'the request has passed through here before')
    }
    return this.findRoute(head)
  }

  /** The most specific route, once the path is known to be one that all read alike. */
  protected findRoute(_head: IncomingRequest): HttpRoute | ProxyError {
    const { options, router } = this.client.settings
    if (!this.outgoing.normalize(options.config.pathMode)) {
      return new ProxyError('badRequest', 'the path is not one that all would read alike')
    }
    const route = router.match(this)
    if (route === undefined) return refusals.noRoute
    if (route.stripPrefix !== undefined) this.outgoing.strip(route.stripPrefix)
    return route
  }

  /** How much of the body is kept before the request goes on its way. */
  protected get maxStoredBytes(): number {
    return this.route?.upstream?.config.buffer.maxRequestBytes ?? 0
  }

  /** Whether the body is being read before the request goes on its way. */
  get reading(): boolean {
    return this.state === 'matching'
  }

  /** Whether the client must stop reading the body, because the buffer is full and nothing goes up yet. */
  get uploadFull(): boolean {
    return this.carrier === undefined && this.upload.storedBytes >= this.maxStoredBytes
  }

  /** Body bytes have come. */
  requestProgress(): void {
    if (this.carrier !== undefined) {
      this.carrier.requestProgress()
      return
    }
    this.upload.rechunked = true
    if (this.reading && this.uploadFull) this.begin(this.route!)
  }

  /** The request is complete. */
  requestEnd(): void {
    this.requestDone = true
    if (this.carrier !== undefined) this.carrier.requestEnd()
    else if (this.reading) this.begin(this.route!)
  }

  protected retain(): void {
    this.outgoing.retain()
  }

  /** The turn ends before the body does: a request that is not on its way yet needs its head later. */
  bodyAwaited(): void {
    if (this.reading) this.retain()
  }

  get sentPath(): string | undefined {
    return this.outgoing.sentPath
  }

  get defaultHost(): string {
    return this.route!.upstream!.endpoints[0]!.authority
  }

  get toldAddress(): string {
    return this.client.trusted ? this.clientAddress : ''
  }

  /** The head of the request as it goes up on HTTP/1.1. */
  http1Request(): Buffer {
    return this.outgoing.http1(this.client.origin, this, this.upload.kind === framingKind.chunked)
  }

  /** The head of the request as it goes up on HTTP/2; `scheme`: that of the connection. */
  http2Request(scheme: 'http' | 'https'): readonly HeaderField[] {
    return this.outgoing.http2(this.client.origin, this, scheme)
  }

  protected forward(connection: Connection): void {
    // Another endpoint may speak the other version, for which what was composed for this one is of no use.
    if (this.endpoint!.upstream.config.protocol === 'auto' && this.endpoint!.upstream.mayNegotiate) this.retain()
    this.carrier = (connection as HttpConnection).carry(this)
    this.client.forwarding()
  }

  protected abort(connection: Connection): void {
    const carrier = this.carrier ?? (connection as HttpConnection)
    this.#parted(dropper)
    carrier.abort(this)
  }

  protected override abandon(_connection: Connection): void {
    this.carrier!.readOn(this.requestDone)
  }

  // The response, as the carrier brings it.

  /** Takes the response's body. */
  get download(): BodyReceiver {
    return this.abandoned ? dropper : this.client.download
  }

  /** Whether the response has no body, whatever its head says (RFC 9110 §9.3.2). */
  get headOnly(): boolean {
    return this.methodId === methodId.head
  }

  /** So many bytes of the request's body wait in memory for the upstream (see `Client.uploadHeld`). */
  uploadHeld(bytes: number): void {
    if (!this.abandoned) this.client.uploadHeld(bytes)
  }

  /** So many bytes of the response's body wait in memory for the client. */
  downloadHeld(bytes: number): void {
    this.carrier?.downloadHeld(bytes)
  }

  /** A 1xx other than 101: passed on to clients that know them (RFC 9110 §15.2). */
  informational(head: IncomingResponse): void {
    if (!this.abandoned) this.client.inform(head)
  }

  /** The head of the final response; `available` bytes of the body came with it. */
  responseHead(head: IncomingResponse, kind: FramingKind, available: number): void {
    if (this.abandoned) return
    if (this.client.settings.options.logged) this.firstByteAt = this.runtime.clock()
    this.statusCode = head.status
    this.responseBegun = true
    this.outgoing.forget()
    this.upload.forget()
    this.endpoint!.health.answered(head.status)
    this.respond(head, kind, available)
  }

  /** Gives the client the head of the response. */
  protected respond(head: IncomingResponse, kind: FramingKind, available: number): void {
    this.client.respond(head, kind, available)
  }

  /** Whether the request asks for a stream of events, whose head may be as long in coming as the first event. */
  get wantsEvents(): boolean {
    return this.outgoing.wantsEvents
  }

  /** What of a trailer section goes on to the client. */
  passedTrailers(trailers: Http2Head): Trailers | null {
    return allowedTrailers(trailers)
  }

  /** The response's body is complete. */
  responseTrailers(trailers: Trailers | null): void {
    this.download.bodyEnd(trailers)
  }

  /** The response is complete. `reusable`: the connection can carry another exchange. */
  responseEnd(reusable: boolean): void {
    const { abandoned } = this
    this.#parted(dropper)
    this.upstreamEnded(reusable)
    if (!abandoned) this.completeResponse()
  }

  /** Nothing more of the response will come. */
  protected completeResponse(): void {
    this.client.responseComplete()
  }

  /** The upstream half is over; what still comes of the request's body goes elsewhere. */
  #parted(to: BodyReceiver | undefined): void {
    this.carrier = undefined
    this.upload.redirect(to)
  }

  override upstreamFailed(error: ProxyError): void {
    this.#parted(this.reason === 'ok' ? undefined : dropper)
    // What the connection could not take is no concern of the next one.
    this.client.uploadHeld(0)
    super.upstreamFailed(error)
  }

  /** A 101 has come that nobody asked for: what follows would be taken for HTTP by one side only. */
  switchProtocols(_head: ResponseHead, _rest: { buf: Buffer; start: number; end: number }): ProxyError | undefined {
    return new ProxyError('upstreamInvalid', 'the upstream changes protocol without being asked', {
      progress: 'requestSent',
    })
  }

  // Answers of our own.

  protected answer(): void {
    const own = ownAnswer(this.route as HttpRoute, this.head, this.path)
    this.statusCode = own.status
    this.responseBegun = true
    this.client.sendAnswer(own)
  }

  protected refuse(error: ProxyError): void {
    if (this.responseBegun) {
      this.client.cut()
      return
    }
    this.statusCode = error.answer.http
    this.responseBegun = true
    // What was malformed may have been understood otherwise: nothing after it can be trusted to begin where it seems to.
    if (error.code === 'badRequest') this.client.closeAfterwards()
    const { reasonHeader } = this.client.settings.options.config
    this.client.sendAnswer(errorAnswer(error, { reasonHeader, retryAfterMs: this.retryAfterMs }))
  }

  /** What still comes of the request is of no use: whoever is refused may go on sending for long. */
  override fail(error: ProxyError): void {
    if (this.state !== 'done') this.upload.redirect(dropper)
    super.fail(error)
  }

  override downstreamEnded(): void {
    this.client.countBytes(this)
    super.downstreamEnded()
  }

  override cancel(error: ProxyError): void {
    if (this.state !== 'done') this.client.countBytes(this)
    super.cancel(error)
  }

  protected settled(): void {
    this.carrier = undefined
    this.upload.forget()
    this.outgoing.forget()
    this.client.exchangeSettled()
  }
}
