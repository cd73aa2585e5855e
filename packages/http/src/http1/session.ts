import { type Expirable, type ProxyError, refusals, ProxyError as Refusal, Timer } from '@sluice/core'
import {
  ByteStore,
  congestedBytes,
  type FramingKind,
  framingKind,
  hurryLingering,
  type Link,
  type LinkHandler,
  lingeringClose,
  parseRequestHead,
  type RequestHead,
  type ResponseHead,
} from '@sluice/wire'
import type { Answer } from '../answer.ts'
import { ClientPace, type PacedClient } from '../client-pace.ts'
import { requestError } from '../errors.ts'
import type { HttpExchange } from '../exchange.ts'
import { Exchanges } from '../exchange-handler.ts'
import { type Client, dropper, type IncomingResponse } from '../half.ts'
import type { HttpListener } from '../listener.ts'
import { Origin } from '../origin.ts'
import type { HttpSettings } from '../settings.ts'
import { BodyReader } from './body-reader.ts'
import type { BodyWriter } from './body-writer.ts'
import { beginsHttp2, claimsNoVersion } from './preface.ts'
import { ResponseWriter } from './response-writer.ts'

/** Where a session stands between its requests. */
type SessionState =
  | 'head' // a request's head is awaited or has come in part
  | 'body' // a request's body is being read
  | 'response' // the request is complete, its response is not
  | 'dropping' // the response is complete, the rest of the request is read and dropped
  | 'flushing' // both are complete, but the client has not taken enough of what it was sent to be served more
  | 'ended' // nothing more is read here: the link is closing, or belongs to a tunnel

/** Bytes of later requests that are kept while one is being answered. Beyond it reading stops. */
const maxHeldBytes = 65_536

/** The rest of a request that is read and dropped so that the connection may live on after an early answer. */
const maxDroppedBytes = 65_536

/**
 * How long a drained connection may still bring a request, in milliseconds: its client was told nothing yet, and may be
 * sending one at this moment.
 */
const lastRequestMs = 1_000

/** Why the client is not read from. */
const pausedFor = { upstream: 1, store: 2, pipeline: 4 } as const

/** What a session's link was left to. */
export interface SessionTunnel {
  /** Says farewell in the words of its protocol. */
  drain(): void
  /** Ends at once. */
  close(): void
}

/** One client connection that speaks HTTP/1.1: the downstream half of one exchange after another. */
export class Http1Session implements LinkHandler, Expirable, PacedClient, Client {
  readonly link: Link
  readonly listener: HttpListener
  /** What the present request goes by; the latest when the next one comes. */
  settings: HttpSettings
  /** The peer's address. */
  readonly peer: string
  /** Whether the peer is a trusted proxy. */
  trusted!: boolean
  origin!: Origin
  /** Sends the response's body. */
  readonly download: BodyWriter
  readonly #out: ResponseWriter
  /** Accepted on a Unix socket, where peers have no address. */
  readonly local: boolean
  readonly #exchanges: Exchanges
  readonly #timer: Timer
  readonly #reader = new BodyReader()
  /** A head that is not complete yet, or requests that came while another one is served. */
  readonly #held: ByteStore
  readonly #pace: ClientPace
  #exchange: HttpExchange
  #state: SessionState = 'head'
  /** Nothing has come yet by which the version could be told. */
  #fresh = true
  /** Whether the loop over received bytes is running: then whoever settles need not start it. */
  #reading = false
  #pauses = 0
  #expectsContinue = false
  /** The client has sent its FIN and still waits (`halfClose`). */
  #halfClosed = false
  #tunnel: SessionTunnel | undefined
  #bytesInBefore = 0
  #bytesOutBefore = 0
  /** How much had been written when it was last handed to the kernel. */
  #flushedBytes = 0
  /** What was still unsent when the send timeout began. */
  #unsent = 0

  constructor(listener: HttpListener, link: Link, local: boolean) {
    this.listener = listener
    this.link = link
    link.account = listener.held
    this.#held = new ByteStore(listener.held)
    this.#pace = new ClientPace(listener.runtime, this)
    this.peer = link.remoteAddress
    this.local = local
    this.settings = listener.settings
    this.#judgePeer()
    this.#out = new ResponseWriter(link)
    this.download = this.#out.body
    this.#exchanges = new Exchanges(this)
    this.#exchange = this.#exchanges.own
    this.#timer = new Timer(this, this.settings.wheel)
    this.#timer.arm(this.#restMs(this.settings.timeouts.headMs))
  }

  /** How long a connection may rest without a request. */
  #restMs(ms: number): number {
    return this.listener.draining ? Math.min(ms, lastRequestMs) : ms
  }

  #judgePeer(): void {
    const { trustedProxies, options } = this.settings
    this.trusted = !trustedProxies.empty && (this.local || trustedProxies.has(this.peer))
    this.origin = new Origin(this.peer, this.trusted, this.link.secure ? 'https' : 'http', options.pseudonym)
  }

  /** A request begins: it goes by the latest settings, until it is over. */
  #renewSettings(): void {
    const { settings } = this.listener
    if (settings === this.settings) return
    this.settings = settings
    this.#timer.moveTo(settings.wheel)
    this.#judgePeer()
  }

  get receivedBytes(): number {
    return this.link.bytesIn
  }

  get takenBytes(): number {
    return this.link.takenBytes
  }

  get tlsName(): string | undefined {
    return this.link.tlsName
  }

  get idle(): boolean {
    return this.#state === 'head' && this.#held.length === 0
  }

  // What the client sends.

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.#fresh && this.#isHttp2(bytes, start, end)) return
    if (this.#held.length === 0) {
      const at = this.#read(bytes, start, end)
      if (at < end) this.#hold(bytes, at, end)
      return
    }
    this.#hold(bytes, start, end)
    // A head is parsed anew only when a line of it has been completed, or its bound may have been reached.
    if (this.#state !== 'head') return
    if (bytes.subarray(start, end).includes(0x0a) || this.#held.length >= this.settings.limits.maxHeadBytes) {
      this.#readHeld()
    }
  }

  /** Looks at the first bytes; true when they are not for this session, or too few to tell. */
  #isHttp2(bytes: Buffer, start: number, end: number): boolean {
    if (this.#held.length > 0) {
      this.#held.write(bytes, start, end)
      const all = this.#held.take()
      this.onBytes(all, 0, all.length)
      return true
    }
    const answer = beginsHttp2(bytes, start, end)
    this.#fresh = answer === undefined
    if (answer === false) return false
    if (answer === true) this.#leaveToHttp2(bytes, start, end)
    else this.#hold(bytes, start, end)
    return true
  }

  #hold(bytes: Buffer, start: number, end: number): void {
    if (this.#state === 'ended') return
    if (this.#held.length === 0 && this.#state === 'head') this.#timer.arm(this.settings.timeouts.headMs)
    this.#held.write(bytes, start, end)
    this.#pauseWhenFull()
  }

  #pauseWhenFull(): void {
    if (this.#held.length < maxHeldBytes) return
    if (this.#state === 'response' || this.#state === 'flushing') this.#pause(pausedFor.pipeline)
  }

  #readHeld(): void {
    const held = this.#held.take()
    const at = this.#read(held, 0, held.length)
    if (at < held.length) {
      // A head that is still not complete is as old as its first byte: its time runs on.
      if (at > 0 && this.#state === 'head') this.#timer.arm(this.settings.timeouts.headMs)
      this.#held.giveBack(held, at)
      this.#pauseWhenFull()
    }
    if (this.#halfClosed && this.#state === 'head') this.#endSession()
  }

  /** Reads requests; returns the position after what could be used now. */
  #read(bytes: Buffer, start: number, end: number): number {
    this.#reading = true
    let at = start
    while (at < end && (this.#state === 'head' || this.#state === 'body' || this.#state === 'dropping')) {
      const next = this.#state === 'head' ? this.#readHead(bytes, at, end) : this.#readBody(bytes, at, end)
      if (next === at && this.#state === 'head') break
      at = next
    }
    this.#reading = false
    if (this.#state === 'body') this.#exchange.bodyAwaited()
    return this.#state === 'ended' ? end : at
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    this.#renewSettings()
    const { head, limits } = this.settings
    const consumed = parseRequestHead(head, bytes, start, end, limits)
    if (consumed === 0) return start
    // The head, and what else came with it, is counted by the link already.
    this.#bytesInBefore = this.link.bytesIn - (end - start)
    this.#bytesOutBefore = this.link.bytesOut
    if (consumed < 0) {
      this.#out.last = true
      this.#out.foreign = this.link.bytesOut === 0 && claimsNoVersion(bytes, start, end)
      this.#state = 'response'
      this.#exchange.reject(requestError(consumed))
      return end
    }
    this.#request(head)
    return start + consumed
  }

  #request(head: RequestHead): void {
    const kind = head.chunked ? framingKind.chunked : head.contentLength > 0 ? framingKind.length : framingKind.none
    this.#out.minorVersion = head.minorVersion
    this.#expectsContinue = head.expectContinue
    this.#out.last = this.listener.draining || !head.keepAlive
    this.#reader.begin(kind, head.contentLength)
    this.#state = this.#reader.done ? 'response' : 'body'
    if (!this.#reader.done) this.#timer.arm(this.settings.timeouts.bodyMs)
    this.#exchange = this.#exchanges.pick(this.settings.options.handlers, head)
    if (head.upgrade && this.#reader.done) {
      for (const handler of this.settings.options.upgrades) {
        if (handler.when(head)) {
          this.#exchange = handler.start(this)
          break
        }
      }
    }
    this.#exchange.request(head, kind, head.contentLength)
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const exchange = this.#exchange
    const dropping = this.#state === 'dropping'
    if (this.#expectsContinue) {
      // It does not wait any more.
      this.#expectsContinue = false
      this.#watchUpload()
    }
    this.#timer.arm(this.settings.timeouts.bodyMs)
    const at = this.#reader.read(bytes, start, end, dropping ? dropper : exchange.intake)
    if (!dropping && this.#state !== 'body') {
      // The exchange was answered by what it read.
      if (this.#state === 'dropping' && this.#reader.done) this.#nextRequest()
      return at < 0 ? end : at
    }
    if (at < 0) {
      this.#out.last = true
      if (dropping) this.#endSession()
      else exchange.fail(requestError(at))
      return end
    }
    if (dropping) {
      if (this.#reader.done) this.#nextRequest()
      return at
    }
    if (this.#reader.done) {
      this.#state = 'response'
      this.#pace.uploadStopped()
      exchange.requestEnd()
    } else {
      exchange.requestProgress()
      if (exchange.uploadFull) this.#pause(pausedFor.store)
    }
    return at
  }

  // How much may come.

  #pause(reason: number): void {
    if (this.#pauses === 0) this.link.pause()
    this.#pace.uploadStopped()
    this.#pauses |= reason
  }

  #unpause(reason: number): void {
    if ((this.#pauses & reason) === 0) return
    this.#pauses &= ~reason
    if (this.#pauses !== 0) return
    if (this.#state === 'body') this.#timer.arm(this.settings.timeouts.bodyMs)
    this.link.resume()
    this.#watchUpload()
  }

  /** While a request is on its way up and not complete, it is for its client to send. */
  #watchUpload(): void {
    if (this.#state !== 'body' || this.#pauses !== 0 || this.#expectsContinue) return
    if (this.#exchange.state === 'forwarding') this.#pace.uploading(this.settings.options.config.minRate)
  }

  uploadHeld(bytes: number): void {
    if (bytes >= congestedBytes) this.#pause(pausedFor.upstream)
    else if (bytes <= congestedBytes / 2) this.#unpause(pausedFor.upstream)
  }

  forwarding(): void {
    this.#unpause(pausedFor.store)
    this.#watchUpload()
    // The answers before this one may not have been taken yet.
    if (this.link.congested) this.#downloadCongested()
  }

  onCongested(): void {
    this.#unsent = this.link.unsentBytes
    this.#timer.arm(this.settings.timeouts.sendMs)
    if (this.#state === 'head') this.#state = 'flushing'
    this.#downloadCongested()
  }

  #downloadCongested(): void {
    if (this.#exchange.state === 'forwarding') this.#pace.downloading(this.settings.options.config.minRate)
    this.#exchange.downloadHeld(Infinity)
  }

  onDrain(): void {
    this.#pace.downloadStopped()
    if (this.#state === 'flushing') {
      this.#nextRequest()
      return
    }
    // The timer was taken for the sending; whatever it guarded before it guards again.
    if (this.#state === 'head') {
      this.#timer.arm(this.idle ? this.#restMs(this.settings.timeouts.keepAliveMs) : this.settings.timeouts.headMs)
    } else if (this.#state !== 'ended') this.#timer.arm(this.settings.timeouts.bodyMs)
    this.#exchange.downloadHeld(0)
  }

  // What the client gets.

  inform(head: IncomingResponse): void {
    if (head.status === 100 && this.#out.minorVersion === 1) {
      this.#expectsContinue = false
      this.#watchUpload()
    }
    this.#out.informational(head)
  }

  respond(head: IncomingResponse, kind: FramingKind, available: number): void {
    // An early answer to a request whose rest is not worth reading: the client hears in time that it is the last one.
    if (!this.#restCanBeDropped()) this.#out.last = true
    this.#out.head(head, kind, available)
  }

  closeAfterwards(): void {
    this.#out.last = true
  }

  sendAnswer(answer: Answer): void {
    if (!this.#restCanBeDropped()) this.#out.last = true
    this.#out.answer(answer, this.#exchange.headOnly)
    this.responseComplete()
  }

  /** Whether what is missing of the request is worth reading, for the sake of the next one. */
  #restCanBeDropped(): boolean {
    if (this.#reader.done) return true
    // Whoever waits for a 100 may send the body or not: what comes next cannot be told apart.
    if (this.#expectsContinue || this.#reader.kind !== framingKind.length) return false
    return this.#reader.remaining <= maxDroppedBytes
  }

  responseComplete(): void {
    const exchange = this.#exchange
    if (!this.#out.last && !this.#restCanBeDropped()) this.#out.last = true
    if (this.#out.last) this.#endSession()
    exchange.downstreamEnded()
  }

  cut(): void {
    const exchange = this.#exchange
    this.#out.last = true
    if (this.download.kind === framingKind.untilClose) {
      this.#state = 'ended'
      this.link.reset()
    } else {
      this.#endSession()
    }
    exchange.downstreamEnded()
  }

  countBytes(exchange: HttpExchange): void {
    exchange.bytesIn = this.link.bytesIn - this.#bytesInBefore - this.#held.length
    exchange.bytesOut = this.link.bytesOut - this.#bytesOutBefore
  }

  exchangeSettled(): void {
    const { endedAt } = this.#exchange
    this.#pace.end()
    this.#exchange = this.#exchanges.own
    if (this.#state === 'ended') return
    if (!this.#reader.done) {
      this.#state = 'dropping'
      this.#pauses = 0
      this.link.resume()
      this.#timer.arm(this.settings.timeouts.bodyMs)
      return
    }
    this.#nextRequest(endedAt)
  }

  #nextRequest(now?: number): void {
    this.#state = 'head'
    if (this.#halfClosed && !this.#reading && this.#held.length === 0) {
      this.#endSession()
      return
    }
    if (this.#answersPileUp()) {
      this.#state = 'flushing'
      this.#timer.arm(this.settings.timeouts.sendMs)
      return
    }
    this.#timer.arm(this.#restMs(this.settings.timeouts.keepAliveMs), now)
    // Before what is held: the next request may have to stop the reading again, or more would be held with each one.
    this.#unpause(pausedFor.pipeline | pausedFor.store | pausedFor.upstream)
    if (!this.#reading && this.#held.length > 0) this.#readHeld()
  }

  /** Whether the client does not take what it has asked for: it gets no more before it does. */
  #answersPileUp(): boolean {
    if (this.link.bytesOut - this.#flushedBytes >= congestedBytes) {
      // Many answers of ours may be given in one turn.
      this.#flushedBytes = this.link.bytesOut
      this.link.flush()
    }
    return this.link.congested
  }

  // How it ends.

  /** The connection is one of HTTP/2, and these its first bytes. */
  #leaveToHttp2(bytes: Buffer, start: number, end: number): void {
    this.#state = 'ended'
    this.#timer.disarm()
    this.listener.speaksHttp2(this, { buf: bytes, start, end })
  }

  /** FIN after what is written; what still comes is dropped, so that the client reads the answer and not a reset. */
  #endSession(): void {
    this.#state = 'ended'
    this.#held.clear()
    this.#timer.disarm()
    this.#pace.end()
    lingeringClose(this.link, { sendMs: this.settings.timeouts.sendMs, closed: () => this.listener.gone(this) })
  }

  /**
   * Passes on the 101 that `head` is and leaves the link to a tunnel; returns what the client has sent beyond its
   * request. The tunnel tells `listener.gone` when the link is closed.
   */
  switchProtocols(head: ResponseHead, tunnel: SessionTunnel): Buffer | undefined {
    this.#out.switchingProtocols(head)
    this.#tunnel = tunnel
    this.#state = 'ended'
    this.#timer.disarm()
    this.#pace.end()
    return this.#held.length > 0 ? this.#held.take() : undefined
  }

  /** Serves what is under way, and one request more when its client could not know that it would be the last. */
  drain(): void {
    if (this.#tunnel !== undefined) this.#tunnel.drain()
    else if (this.idle) this.#timer.arm(this.#restMs(this.settings.timeouts.keepAliveMs))
    else if (!this.#exchange.responseBegun) this.#out.last = true
  }

  /** Closes at once; what is under way is told `draining`. */
  close(): void {
    if (this.#tunnel !== undefined) this.#tunnel.close()
    else if (this.#state === 'head' || this.#state === 'dropping') this.link.destroy()
    else if (this.#state === 'flushing') {
      this.#endSession()
      hurryLingering(this.link)
    } else if (this.#state === 'ended') hurryLingering(this.link)
    else {
      this.#out.last = true
      this.#exchange.fail(refusals.draining)
      hurryLingering(this.link)
    }
  }

  onEnd(): void {
    switch (this.#state) {
      case 'response':
        if (this.settings.options.config.halfClose) {
          this.#halfClosed = true
          if (this.#held.length === 0) this.#out.last = true
          return
        }
        break
      case 'flushing':
        if (this.settings.options.config.halfClose) this.#halfClosed = true
        else this.#endSession()
        return
      case 'head':
      case 'dropping':
        this.#endSession()
        return
      case 'body':
      case 'ended':
        break
    }
    this.link.destroy()
  }

  onClose(): void {
    this.#state = 'ended'
    this.#timer.disarm()
    this.#pace.end()
    this.#held.clear()
    this.#exchange.cancel(refusals.clientGone)
    this.listener.gone(this)
  }

  #endIdle(): void {
    if (this.listener.draining) this.#endSession()
    else this.link.destroy()
  }

  sendsTooSlowly(): void {
    this.#out.last = true
    this.#exchange.fail(tooSlow)
  }

  takesTooSlowly(): void {
    this.link.reset()
  }

  expired(): void {
    if (this.link.congested) {
      const { unsentBytes } = this.link
      if (unsentBytes < this.#unsent) {
        this.#unsent = unsentBytes
        this.#timer.arm(this.settings.timeouts.sendMs)
        return
      }
      this.link.reset()
      return
    }
    switch (this.#state) {
      case 'head':
        if (this.#held.length === 0) this.#endIdle()
        else {
          this.#out.last = true
          this.#state = 'response'
          this.#held.clear()
          this.#exchange.reject(tooSlow)
        }
        return
      case 'body':
        if (this.#pauses !== 0) return
        this.sendsTooSlowly()
        return
      case 'dropping':
        this.#endSession()
        return
      case 'response':
      case 'flushing':
      case 'ended':
        return
    }
  }

  onFault(fault: unknown): void {
    this.#exchange.fault(fault)
  }

  fault(fault: unknown): void {
    this.link.fault(fault)
  }
}

const tooSlow: ProxyError = new Refusal('requestTimeout', 'the client took too long to send its request')
