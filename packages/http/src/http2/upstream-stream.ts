import { type ErrorCode, type Expirable, ProxyError, Timer } from '@sluice/core'
import {
  type FramingKind,
  framingKind,
  Http2Head,
  http2Error,
  http2ErrorName,
  Http2Stream,
  methodId,
  type StreamReset,
} from '@sluice/wire'
import type { HttpExchange } from '../exchange.ts'
import type { BodyReceiver, Carrier, Trailers } from '../half.ts'
import { trailerFields } from '../trailers.ts'
import type { Http2Connection } from './connection.ts'
import { Credit } from './credit.ts'

/** Interim responses before the final one, at most. */
const maxInterim = 100

/** How often it is looked within `idle` whether anything passes: silence ends an exchange a slice late at most. */
const idleSlices = 4

/** The upstream half of an exchange on one stream of HTTP/2. The object serves one exchange after another. */
export class UpstreamStream extends Http2Stream implements Carrier, BodyReceiver, Expirable {
  readonly #connection: Http2Connection
  readonly #credit = new Credit(this)
  readonly #timer: Timer
  #exchange: HttpExchange | undefined
  #epoch = 0
  #headDone = false
  #interim = 0
  #wasIdle = false
  #responseMs = Infinity
  #idleMs = Infinity
  /** The timer runs until the head of the response must have come, and not from slice to slice of silence. */
  #awaitingHead = false
  /** Something has passed in this slice; and slices in a row in which nothing has. */
  #touched = false
  #quietSlices = 0

  constructor(connection: Http2Connection) {
    super()
    this.#connection = connection
    this.#timer = new Timer(this, connection.wheel)
  }

  /**
   * Begins to serve an exchange: sends what is there of its request. The session has given the stream its id.
   * `wasIdle`: the connection had served others, and carried nobody.
   */
  carry(exchange: HttpExchange, wasIdle: boolean): void {
    this.#wasIdle = wasIdle
    this.#exchange = exchange
    this.#epoch = exchange.epoch
    this.#headDone = false
    this.#interim = 0
    this.#awaitingHead = false
    this.#quietSlices = 0
    this.#responseMs = exchange.responseMs
    this.#idleMs = exchange.idleMs
    this.#credit.begin()
    const { upload, requestDone } = exchange
    const bodiless = requestDone && upload.kind === framingKind.none
    this.sendHead(exchange.http2Request(this.#connection.scheme), bodiless)
    if (!bodiless) upload.connect(this)
    if (exchange.requestDone) this.requestEnd()
    else this.requestProgress()
  }

  // The request.

  readonly upload: BodyReceiver = this
  readonly takesChunks = false

  body(buf: Buffer, start: number, end: number): void {
    this.sendData(buf, start, end, false)
    if (this.queuedBytes > 0) this.#exchange?.uploadHeld(this.queuedBytes)
  }

  chunks(): void {
    throw new Error('HTTP/2 has no chunks')
  }

  bodyEnd(trailers: Trailers | null): void {
    if (trailers === null) this.sendData(nothing, 0, 0, true)
    else this.sendTrailers(trailerFields(trailers))
  }

  protected onSent(): void {
    const exchange = this.#served
    if (exchange === undefined) return
    exchange.uploadHeld(this.queuedBytes)
    if (this.queuedBytes === 0 && exchange.requestDone) this.requestEnd()
    else this.#touch()
  }

  requestProgress(): void {
    this.#touch()
  }

  requestEnd(): void {
    // The answer is waited for from the last byte that has left.
    if (this.#headDone || this.queuedBytes > 0 || this.#responseMs === Infinity) return this.#touch()
    this.#awaitingHead = true
    this.#timer.arm(this.#responseMs)
  }

  /**
   * Something has passed. The timer is not pushed back each time: it looks a few times in the course of `idle`, and runs
   * on over the ends of exchanges, so that a call costs it nothing.
   */
  #touch(): void {
    this.#touched = true
    this.#quietSlices = 0
    if (this.#idleMs !== Infinity && !this.#timer.armed) this.#timer.arm(this.#idleMs / idleSlices)
  }

  #headCame(): void {
    this.#headDone = true
    if (this.#awaitingHead) this.#timer.disarm()
    this.#awaitingHead = false
    this.#touch()
  }

  // The response.

  downloadHeld(bytes: number): void {
    this.#credit.hold(bytes)
  }

  /** The exchange that it serves, unless that one has come to its end by another way. */
  get #served(): HttpExchange | undefined {
    const exchange = this.#exchange
    return exchange !== undefined && exchange.epoch === this.#epoch ? exchange : undefined
  }

  protected onHead(head: Http2Head, ended: boolean): void {
    const exchange = this.#served
    if (exchange === undefined) return
    if (head.status < 200) {
      if (head.status === 101 || ++this.#interim > maxInterim)
        this.#invalid('interim responses that have no place here')
      else exchange.informational(head)
      return
    }
    this.#headCame()
    exchange.responseHead(head, kindOf(head, ended, exchange), 0)
    // It may have been cut for what its head says.
    if (!ended || this.#exchange !== exchange) return
    exchange.responseTrailers(null)
    if (this.#exchange === exchange) this.#responseEnd()
  }

  protected onData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    const exchange = this.#served
    if (exchange === undefined) return
    this.#touch()
    if (end > start) {
      this.#credit.received(end - start)
      exchange.download.body(bytes, start, end, end - start, true)
      this.#credit.give()
    }
    if (ended && this.#exchange === exchange) {
      exchange.responseTrailers(null)
      this.#responseEnd()
    }
  }

  protected onTrailers(trailers: Http2Head): void {
    this.#exchange!.responseTrailers(this.#exchange!.passedTrailers(trailers))
    if (this.#exchange !== undefined) this.#responseEnd()
  }

  #responseEnd(): void {
    const exchange = this.#exchange!
    this.#letGo()
    // Nothing more of the request is wanted (RFC 9113 §8.1).
    if (!this.localEnded) this.reset(http2Error.noError)
    const { epoch } = exchange
    try {
      exchange.responseEnd(true)
    } catch (fault) {
      // The stream has let go of the exchange, so its own fault path would not find it.
      if (exchange.epoch === epoch) exchange.fault(fault)
      else throw fault
    }
  }

  #letGo(): void {
    this.#exchange = undefined
    if (this.#awaitingHead) this.#timer.disarm()
    this.#awaitingHead = false
  }

  // How it ends early.

  abort(exchange: HttpExchange): void {
    this.#letGo()
    this.#connection.cut()
    this.reset(http2Error.cancel)
    exchange.upstreamEnded(true)
  }

  readOn(): void {
    // Nothing says that a request will never be complete but a reset, which is what this service cannot understand.
    this.#credit.hold(0)
  }

  /** What it was to carry has failed before it was carried. */
  drop(): void {
    this.#letGo()
    this.reset(http2Error.internalError)
  }

  protected onReset(reset: StreamReset): void {
    const { code, by, processed, error } = reset
    const broken = by === 'connection' && code !== http2Error.cancel && code !== http2Error.noError
    if (by === 'us' || broken) {
      const what = broken ? 'the upstream broke the rules of HTTP/2' : 'the response is malformed'
      this.#fail(
        new ProxyError('upstreamInvalid', `${what}: ${http2ErrorName(code)}`, {
          progress: 'responseBegun',
        }),
      )
      return
    }
    const what =
      by === 'peer' ? `the upstream reset the stream: ${http2ErrorName(code)}` : 'the upstream closed the connection'
    this.#fail(
      new ProxyError('upstreamReset', error?.message ?? what, {
        progress: this.#headDone ? 'responseBegun' : 'requestSent',
        reusedConnection: by === 'connection' && this.#wasIdle && !this.#headDone,
        refused: !processed,
        cause: reset,
      }),
    )
  }

  #invalid(what: string): void {
    this.reset(http2Error.protocolError)
    this.#fail(new ProxyError('upstreamInvalid', what, { progress: 'responseBegun' }))
  }

  #fail(error: ProxyError): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    this.#letGo()
    if (exchange.epoch !== this.#epoch) return
    this.#connection.pool.giveBack(this.#connection)
    exchange.upstreamFailed(error)
  }

  protected override onClosed(): void {
    this.#connection.unused(this)
  }

  expired(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    if (this.#awaitingHead) {
      // A stream of events has no deadline for its head, only for silence. Looked at here, it costs the others nothing.
      if (!exchange.wantsEvents) return this.#timeOut('responseTimeout', 'the upstream did not answer in time')
      this.#awaitingHead = false
      this.#touch()
    } else if (this.#touched || this.#credit.holding) {
      // When it is the client that takes nothing, the listener's timeouts judge it.
      this.#touched = false
      this.#quietSlices = 0
      this.#timer.arm(this.#idleMs / idleSlices)
    } else if (++this.#quietSlices < idleSlices) this.#timer.arm(this.#idleMs / idleSlices)
    else this.#timeOut('idleTimeout', 'nothing passed either way for too long')
  }

  #timeOut(code: ErrorCode, why: string): void {
    this.#connection.cut()
    this.reset(http2Error.cancel)
    this.#fail(new ProxyError(code, why, { progress: this.#headDone ? 'responseBegun' : 'requestSent' }))
  }

  fault(fault: unknown): void {
    if (this.#exchange === undefined) this.#connection.fault(fault)
    else this.#exchange.fault(fault)
  }
}

const nothing = Buffer.alloc(0)

function kindOf(head: Http2Head, ended: boolean, exchange: HttpExchange): FramingKind {
  const { status } = head
  if (status === 204 || status === 304 || exchange.methodId === methodId.head) return framingKind.none
  // Nothing says so in HTTP/1.1 but a length.
  if (ended) head.contentLength = 0
  return head.contentLength >= 0 ? framingKind.length : framingKind.chunked
}
