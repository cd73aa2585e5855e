import {
  type Connection,
  type Connector,
  Exchange,
  type Head,
  normalizePath,
  ProxyError,
  refusals,
  stripPrefix,
} from '@sluice/core'
import {
  ByteStore,
  type FramingKind,
  fieldId,
  framingKind,
  IDEMPOTENT_METHODS,
  methodId,
  type RequestHead,
  type ResponseHead,
} from '@sluice/wire'
import { type Answer, errorAnswer } from './answer.ts'
import { BodyWriter } from './body-writer.ts'
import { http1Connector, type Http1Connection } from './connection.ts'
import { type BodyReceiver, dropper } from './half.ts'
import type { HttpRoute } from './options.ts'
import { ownAnswer } from './own-answer.ts'
import { composeRequest } from './request-out.ts'
import type { Http1Session } from './session.ts'

/** A stored body up to this length leaves in one buffer with the head. */
const joinBytes = 16_384

/** One HTTP request and its response: the downstream half, whose bytes come from and go to a session. */
export class HttpExchange extends Exchange implements Head {
  protected readonly session: Http1Session
  /** Takes the request body: into memory first, over the connection once there is one. */
  readonly upload: BodyWriter
  readonly #stored: ByteStore
  /** Head of the request as it came; valid in the turn in which it came. */
  protected head!: RequestHead
  methodId: number = methodId.other
  /** Status of the response, also of one of ours; 0 before. */
  statusCode = 0
  /** Whether the request is complete. */
  requestDone = false
  /** Whether the head of the final response has been sent to the client. */
  responseBegun = false
  /** When the response's head came, in the clock's milliseconds; 0 before. */
  firstByteAt = 0
  /** For the access log, when there is one. */
  method = ''
  target = ''
  #path: string | undefined
  #sentPath: string | undefined
  /** The whole request as it goes up, as far as it is stored: what a repetition sends. */
  #outgoing: Buffer[] | undefined
  /** The answer of a route without an upstream, when it has to wait. */
  #ownAnswer: Answer | undefined
  /** Request bytes have gone up without being stored. */
  #streamed = false

  constructor(session: Http1Session) {
    super(session.listener.runtime)
    this.session = session
    this.#stored = new ByteStore(session.listener.held)
    this.upload = new BodyWriter(this.#stored)
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

  protected get connector(): Connector {
    return http1Connector
  }

  protected get idempotent(): boolean {
    return (IDEMPOTENT_METHODS & (1 << this.methodId)) !== 0
  }

  protected get replayable(): boolean {
    return !this.#streamed && this.#outgoing !== undefined
  }

  // Head: what routes are matched on. Strings are made only when a route asks.

  get host(): string {
    return this.head.host
  }

  get path(): string {
    return (this.#path ??= this.head.path)
  }

  get clientAddress(): string {
    const { session } = this
    return session.trusted
      ? session.settings.trustedProxies.clientAddress(session.peer, this.head.header('x-forwarded-for'))
      : session.peer
  }

  get tlsName(): string | undefined {
    return this.session.link.tlsName
  }

  header(name: string): string | undefined {
    return this.head.header(name)
  }

  /** The address of the client for the log, in words that outlive the head. */
  loggedClient = ''

  /** What came is no request that could be served; nothing of it is routed. */
  reject(error: ProxyError): void {
    this.open()
    this.#begin()
    this.fail(error)
  }

  #begin(): void {
    this.route = this.session.settings.unrouted
    this.methodId = methodId.other
    this.method = ''
    this.target = ''
    this.loggedClient = this.session.peer
    this.statusCode = 0
    this.requestDone = true
    this.responseBegun = false
    this.firstByteAt = 0
    this.#path = undefined
    this.#sentPath = undefined
    this.#outgoing = undefined
    this.#ownAnswer = undefined
    this.#streamed = false
    this.#stored.clear()
    this.upload.sink = this.#stored
  }

  /**
   * A request's head has come. `kind` and `contentLength` say what body follows; the session reads it into `upload`
   * and calls `requestEnd`.
   */
  request(head: RequestHead, kind: FramingKind, contentLength: number): void {
    this.open()
    this.#begin()
    this.head = head
    this.methodId = head.methodId
    this.requestDone = kind === framingKind.none || (kind === framingKind.length && contentLength === 0)
    this.upload.kind = kind
    if (this.session.settings.options.logged) {
      this.method = head.method
      this.target = head.target
      this.loggedClient = this.clientAddress
    }
    const route = this.#check(head)
    if (route instanceof ProxyError) {
      this.fail(route)
      return
    }
    this.matched(route)
    if (route.upstream !== undefined && this.session.listener.held?.exceeded === true) {
      this.fail(refusals.overloaded)
      return
    }
    // A body that fits the buffer is read before it takes a permit. Whoever waits for a 100 sends nothing before.
    const reading =
      !this.requestDone && !head.expectContinue && contentLength <= this.#maxStoredBytes && route.upstream !== undefined
    if (!reading) this.begin(route, this.startedAt)
  }

  /** Finds the route, or what is wrong with the request. */
  #check(head: RequestHead): HttpRoute | ProxyError {
    const { options, router } = this.session.settings
    if (options.upgradesOnly && this.upgrade === undefined) {
      return new ProxyError('upgradeRequired', 'only WebSockets are served here')
    }
    if (head.methodId === methodId.connect) return new ProxyError('methodNotAllowed', 'CONNECT is for forward proxies')
    if (head.expectsOther) return new ProxyError('expectationFailed', 'the expectation is not known')
    if ((head.seen & (1 << fieldId.via)) !== 0 && head.header('via')?.includes(options.pseudonym) === true) {
      return new ProxyError('loop', 'the request has passed through here before')
    }
    if (!head.plainPath) {
      const normal = normalizePath(head.path, options.config.pathMode)
      if (normal === undefined) return new ProxyError('badRequest', 'the path is not one that all would read alike')
      this.#path = normal.path
      if (normal.hadDots) this.#sentPath = normal.path
    }
    const route = router.match(this)
    if (route === undefined) return refusals.noRoute
    if (route.stripPrefix !== undefined) {
      const came = this.#sentPath ?? head.path
      this.#sentPath = stripPrefix(came, route.stripPrefix) ?? stripPrefix(this.path, route.stripPrefix) ?? came
    }
    return route
  }

  get #maxStoredBytes(): number {
    return this.route?.upstream?.config.buffer.maxRequestBytes ?? 0
  }

  /** Whether the session must stop reading the body, because the buffer is full and nothing goes up yet. */
  get uploadFull(): boolean {
    return this.connection === undefined && this.#stored.length >= this.#maxStoredBytes
  }

  /** Body bytes have come. */
  requestProgress(): void {
    if (this.connection !== undefined) {
      this.#streamed = true
      this.http1.requestProgress()
    } else if (this.state === 'matching' && this.uploadFull) {
      this.begin(this.route!)
    }
  }

  /** The request is complete. */
  requestEnd(): void {
    this.requestDone = true
    if (this.connection !== undefined) {
      // Its last run went up without being stored, like those before it.
      this.#streamed = true
      this.http1.requestEnd()
    } else if (this.state === 'matching') this.begin(this.route!)
  }

  protected get http1(): Http1Connection {
    return this.connection as Http1Connection
  }

  protected retain(): void {
    if (this.route!.upstream === undefined) this.#ownAnswer ??= ownAnswer(this.route as HttpRoute, this.head, this.path)
    else this.#outgoing ??= [this.#composeHead(0)]
  }

  /** The turn ends before the body does: a request that is not on its way yet needs its head later. */
  bodyAwaited(): void {
    if (this.state === 'matching') this.retain()
  }

  #composeHead(more: number): Buffer {
    const { session, head } = this
    const { out, length } = composeRequest(head, session.origin, {
      path: this.#sentPath,
      defaultHost: this.route!.upstream!.endpoints[0]!.authority,
      upgrade: this.upgrade,
      clientAddress: session.trusted ? this.clientAddress : '',
    })
    const bytes = Buffer.allocUnsafe(length + more)
    out.copy(bytes, 0, 0, length)
    return bytes
  }

  /** Sends what is there of the request, and what will come, over the connection. */
  protected forward(connection: Connection): void {
    const http1 = connection as Http1Connection
    const stored = this.#stored.length
    if (this.#outgoing === undefined && stored <= joinBytes) {
      const bytes = this.#composeHead(stored)
      if (stored > 0) this.#stored.take().copy(bytes, bytes.length - stored)
      this.#outgoing = [bytes]
    } else {
      this.#outgoing ??= [this.#composeHead(0)]
      if (stored > 0) this.#outgoing.push(this.#stored.take())
    }
    http1.link.account = this.session.listener.held
    this.upload.sink = http1.link
    http1.carry(this, this.#outgoing)
    this.session.forwarding()
  }

  protected abort(connection: Connection): void {
    ;(connection as Http1Connection).abandon(this)
  }

  protected override abandon(connection: Connection): void {
    const http1 = connection as Http1Connection
    http1.readOn()
    // A request that will never be complete says so.
    if (!this.requestDone) http1.link.end()
  }

  // The response, as the connection brings it.

  /** Takes the response's body. */
  get download(): BodyReceiver {
    return this.abandoned ? dropper : this.session.download
  }

  /** Whether the response has no body, whatever its head says (RFC 9110 §9.3.2). */
  get headOnly(): boolean {
    return this.methodId === methodId.head
  }

  /** The upstream takes no more of the body at the moment, or takes it again. */
  uploadCongested(congested: boolean): void {
    if (!this.abandoned) this.session.uploadCongested(congested)
  }

  /** The client takes no more of the response at the moment, or takes it again. */
  downloadCongested(congested: boolean): void {
    if (this.connection === undefined) return
    if (congested) this.http1.link.pause()
    else this.http1.link.resume()
  }

  /** A 1xx other than 101: passed on to clients that know them (RFC 9110 §15.2). */
  informational(head: ResponseHead): void {
    if (!this.abandoned) this.session.sendInformational(head)
  }

  /** The head of the final response; `available` bytes of the body came with it. */
  responseHead(head: ResponseHead, kind: FramingKind, available: number): void {
    if (this.abandoned) return
    this.firstByteAt = this.runtime.clock()
    this.statusCode = head.status
    this.responseBegun = true
    this.#outgoing = undefined
    this.endpoint!.health.answered(head.status)
    this.session.sendHead(head, kind, available)
  }

  /** Whether the request asks for a stream of events, whose head may be as long in coming as the first event. */
  get wantsEvents(): boolean {
    const head = this.#outgoing?.[0]?.toString('latin1') ?? ''
    return /^accept:[^\r]*text\/event-stream/im.test(head.slice(0, head.indexOf('\r\n\r\n')))
  }

  /** The response is complete. `reusable`: the connection can carry another exchange. */
  responseEnd(reusable: boolean): void {
    const abandoned = this.abandoned
    this.upstreamEnded(reusable)
    if (!abandoned) this.session.responseComplete()
  }

  override upstreamFailed(error: ProxyError): void {
    this.upload.sink = this.#stored
    // What the connection could not take is no concern of the next one.
    this.session.uploadCongested(false)
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
    const own = this.#ownAnswer ?? ownAnswer(this.route as HttpRoute, this.head, this.path)
    this.statusCode = own.status
    this.responseBegun = true
    this.session.sendAnswer(own)
  }

  protected refuse(error: ProxyError): void {
    if (this.responseBegun) {
      this.session.cut()
      return
    }
    this.statusCode = error.answer.http
    this.responseBegun = true
    // What was malformed may have been understood otherwise: nothing after it can be trusted to begin where it seems to.
    if (error.code === 'badRequest') this.session.closeAfterwards()
    const { reasonHeader } = this.session.settings.options.config
    this.session.sendAnswer(errorAnswer(error, { reasonHeader, retryAfterMs: this.retryAfterMs }))
  }

  override downstreamEnded(): void {
    this.session.countBytes(this)
    super.downstreamEnded()
  }

  override cancel(error: ProxyError): void {
    if (this.state !== 'done') this.session.countBytes(this)
    super.cancel(error)
  }

  protected settled(): void {
    this.#stored.clear()
    this.#outgoing = undefined
    this.session.exchangeSettled()
  }
}
