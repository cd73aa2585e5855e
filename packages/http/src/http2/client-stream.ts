import { type Expirable, ProxyError, refusals, Timer } from '@sluice/core'
import { type FramingKind, framingKind, type Http2Head, http2Error, Http2Stream, type StreamReset } from '@sluice/wire'
import type { Answer } from '../answer.ts'
import { ClientPace, type PacedClient } from '../client-pace.ts'
import type { HttpExchange } from '../exchange.ts'
import { Exchanges } from '../exchange-handler.ts'
import type { BodyReceiver, Client, IncomingResponse, Trailers } from '../half.ts'
import type { HttpListener } from '../listener.ts'
import type { Origin } from '../origin.ts'
import type { HttpSettings } from '../settings.ts'
import { allowedTrailers, trailerFields } from '../trailers.ts'
import type { ClientSession } from './client-session.ts'
import { Credit } from './credit.ts'
import { Http2Request } from './request.ts'
import { answerFields, responseFields } from './response-out.ts'

/** One request on a client connection of HTTP/2. The object serves one after another. */
export class ClientStream extends Http2Stream implements Client, BodyReceiver, Expirable, PacedClient {
  readonly #connection: ClientSession
  readonly #request: Http2Request
  readonly #exchanges: Exchanges
  readonly #credit = new Credit(this)
  readonly #timer: Timer
  readonly #pace: ClientPace
  #exchange!: HttpExchange
  settings: HttpSettings
  trusted = false
  origin!: Origin
  /** Nothing of the body is passed on yet. */
  #waiting = false
  /** The client sends nothing before it has heard a 100. */
  #awaits100 = false
  /** The stream has ended, and its exchange has settled. */
  #ended = true
  #settled = true
  /** It has been given back. */
  #spare = false
  /** The response is complete, and has not left yet. */
  #flushing = false
  /** Bytes wait for the client. */
  #sending = false
  #takenWhenArmed = 0

  constructor(connection: ClientSession) {
    super()
    this.#connection = connection
    this.settings = connection.settings
    this.#request = new Http2Request(this.head)
    this.#exchanges = new Exchanges(this)
    this.#timer = new Timer(this, this.settings.wheel)
    this.#pace = new ClientPace(connection.listener.runtime, this)
  }

  get listener(): HttpListener {
    return this.#connection.listener
  }

  get peer(): string {
    return this.#connection.peer
  }

  get tlsName(): string | undefined {
    return this.#connection.link.tlsName
  }

  // What the client sends.

  protected onHead(head: Http2Head, ended: boolean): void {
    this.#begin()
    const sound = this.#request.read()
    this.#exchange = this.#exchanges.pick(this.settings.options.handlers, this.#request)
    if (!sound) {
      this.#exchange.reject(malformed)
      return
    }
    if (this.#request.target.length > this.settings.options.config.limits.maxTargetBytes) {
      this.#exchange.reject(targetTooLong)
      return
    }
    this.#awaits100 = !ended && this.#request.expectContinue
    const { contentLength } = head
    const kind = ended ? framingKind.none : contentLength >= 0 ? framingKind.length : framingKind.chunked
    if (!ended) this.#awaitBody()
    this.#exchange.request(this.#request, kind, contentLength)
  }

  protected override onHeadTooLarge(): void {
    this.#begin()
    // What did not fit may be what it takes to tell what the request is.
    const { method, path } = this.head
    const whole = method !== undefined && path !== undefined && this.#request.read()
    this.#exchange = whole ? this.#exchanges.pick(this.settings.options.handlers, this.#request) : this.#exchanges.own
    this.#exchange.reject(tooLarge)
  }

  #begin(): void {
    const connection = this.#connection
    connection.renewSettings()
    const { settings } = connection
    if (settings !== this.settings) {
      this.settings = settings
      this.#timer.moveTo(settings.wheel)
    }
    this.trusted = connection.trusted
    this.origin = connection.origin
    this.#ended = false
    this.#settled = false
    this.#spare = false
    this.#flushing = false
    this.#sending = false
    this.#waiting = true
    this.#awaits100 = false
    this.#credit.begin()
  }

  protected onData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    const exchange = this.#exchange
    if (this.#awaits100) {
      // It does not wait any more.
      this.#awaits100 = false
      this.#watchUpload()
    }
    if (end > start) {
      this.#credit.received(end - start)
      exchange.intake.body(bytes, start, end, end - start, true)
      if (!ended) exchange.requestProgress()
      this.#giveCredit()
    }
    // It may have been answered meanwhile, and the stream be over.
    if (this.#over) return
    if (ended) {
      exchange.intake.bodyEnd(null)
      if (!this.#over) this.#requestEnd()
    } else this.#awaitBody()
  }

  /** Whether nothing is left to do for it; the object is about to serve, or serves, another one. */
  get #over(): boolean {
    return this.#settled || this.closed
  }

  protected onTrailers(trailers: Http2Head): void {
    this.#exchange.intake.bodyEnd(allowedTrailers(trailers))
    this.#requestEnd()
  }

  #requestEnd(): void {
    this.#pace.uploadStopped()
    if (this.queuedBytes === 0) this.#timer.disarm()
    this.#exchange.requestEnd()
  }

  /** The next bytes of the body are the client's to send. */
  #awaitBody(): void {
    const exchange = this.#exchange
    if (!exchange.paced || this.queuedBytes > 0) return
    this.#timer.arm(this.settings.timeouts.bodyMs)
  }

  #giveCredit(): void {
    // A waiting request is read on into its buffer, and one whose connection has broken; credit beyond that comes with
    // its permits, and with the next connection.
    const exchange = this.#exchange
    if (this.#waiting ? exchange.reading : !exchange.uploadFull) this.#credit.give()
  }

  forwarding(): void {
    this.#waiting = false
    this.#credit.give()
    this.#watchUpload()
  }

  /** While a request is on its way up and not complete, it is for its client to send. */
  #watchUpload(): void {
    if (this.remoteEnded || this.#waiting || this.#awaits100 || this.#credit.holding || !this.#exchange.paced) return
    this.#pace.uploading(this.settings.options.config.minRate)
  }

  uploadHeld(bytes: number): void {
    this.#credit.hold(bytes)
    if (bytes > 0) this.#pace.uploadStopped()
    else this.#watchUpload()
  }

  get receivedBytes(): number {
    return this.bytesIn
  }

  get takenBytes(): number {
    // What is queued is not counted yet.
    return this.bytesOut
  }

  // What the client gets.

  readonly download: BodyReceiver = this
  readonly takesChunks = false

  inform(head: IncomingResponse): void {
    if (head.status === 101) return
    this.sendHead(responseFields(head), false)
    if (head.status !== 100) return
    this.#awaits100 = false
    this.#watchUpload()
  }

  respond(head: IncomingResponse, kind: FramingKind): void {
    const bodiless = kind === framingKind.none || (kind === framingKind.length && head.contentLength === 0)
    this.sendHead(responseFields(head), bodiless)
  }

  sendAnswer(answer: Answer): void {
    const { status, body } = answer
    const bodiless = body.length === 0 || this.#exchange.headOnly || status === 204 || status === 304
    this.sendHead(answerFields(answer), bodiless)
    if (!bodiless) this.sendData(body, 0, body.length, true)
    if (this.queuedBytes > 0) this.#stalled()
    this.responseComplete()
  }

  body(buf: Buffer, start: number, end: number): void {
    this.sendData(buf, start, end, false)
    if (this.queuedBytes > 0) this.#stalled()
  }

  chunks(): void {
    throw new Error('HTTP/2 has no chunks')
  }

  bodyEnd(trailers: Trailers | null): void {
    if (this.localEnded) return
    if (trailers === null) this.sendData(nothing, 0, 0, true)
    else this.sendTrailers(trailerFields(trailers))
  }

  /** The client is behind: it is given its time, and whoever sends to it is held back. */
  #stalled(): void {
    if (!this.#sending) {
      this.#sending = true
      this.#takenWhenArmed = this.takenBytes
      this.#timer.arm(this.settings.timeouts.sendMs)
      this.#pace.downloading(this.settings.options.config.minRate)
    }
    this.#exchange.downloadHeld(this.queuedBytes)
  }

  protected onSent(): void {
    const queued = this.queuedBytes
    this.#exchange.downloadHeld(queued)
    if (queued > 0) return
    this.#sending = false
    this.#timer.disarm()
    this.#pace.downloadStopped()
    if (this.#flushing) this.#responseGone()
    else if (!this.remoteEnded) this.#awaitBody()
  }

  /** Only this stream has to go: others know nothing of it. */
  closeAfterwards(): void {}

  responseComplete(): void {
    if (this.queuedBytes > 0) this.#flushing = true
    else this.#responseGone()
  }

  #responseGone(): void {
    this.#flushing = false
    // The rest of the request is not wanted (RFC 9113 §8.1).
    if (!this.remoteEnded) this.reset(http2Error.noError)
    this.#exchange.downstreamEnded()
  }

  cut(): void {
    this.reset(http2Error.internalError)
    this.#exchange.downstreamEnded()
  }

  countBytes(exchange: HttpExchange): void {
    exchange.bytesIn = this.bytesIn
    exchange.bytesOut = this.bytesOut
  }

  // How it ends.

  protected onReset({ by }: StreamReset): void {
    this.#exchange.cancel(by === 'us' ? malformed : refusals.clientGone)
  }

  protected override onClosed(): void {
    this.#ended = true
    this.#overIfSettled()
  }

  exchangeSettled(): void {
    this.#settled = true
    this.#timer.disarm()
    this.#pace.end()
    this.#overIfSettled()
  }

  #overIfSettled(): void {
    if (!this.#ended || !this.#settled || this.#spare) return
    this.#spare = true
    this.#timer.disarm()
    this.#connection.over(this)
  }

  /** Ends the request with an answer of ours. */
  refuse(error: ProxyError): void {
    this.#exchange.fail(error)
  }

  sendsTooSlowly(): void {
    this.#exchange.fail(tooSlow)
  }

  takesTooSlowly(): void {
    this.reset(http2Error.cancel)
    this.#exchange.cancel(tooSlow)
  }

  expired(): void {
    if (this.#over) return
    if (this.#sending) {
      const taken = this.takenBytes
      if (taken === this.#takenWhenArmed) return this.takesTooSlowly()
      this.#takenWhenArmed = taken
      this.#timer.arm(this.settings.timeouts.sendMs)
    } else if (!this.remoteEnded && !this.#waiting && !this.#credit.holding) this.sendsTooSlowly()
    else if (!this.remoteEnded && this.#exchange.reading) this.sendsTooSlowly()
    else if (!this.remoteEnded) this.#awaitBody()
  }

  fault(fault: unknown): void {
    this.#exchange.fault(fault)
  }
}

const nothing = Buffer.alloc(0)
const malformed = new ProxyError('badRequest', 'the request is malformed')
const targetTooLong = new ProxyError('uriTooLong', 'the target of the request is longer than it may be')
const tooLarge = new ProxyError('headTooLarge', 'the head of the request is larger than it may be')
const tooSlow = new ProxyError('requestTimeout', 'the client was too slow')
