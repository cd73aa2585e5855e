import type { LinkError } from '../link/index.ts'
import type { HeaderField } from './header-field.ts'
import { pseudoId } from './hpack-codes.ts'
import { MAX_31_BITS } from './frame.ts'
import { http2Error } from './http2-codes.ts'
import { Http2Head } from './http2-head.ts'
import type { Http2Output } from './http2-output.ts'
import type { Http2Session } from './http2-session.ts'
import { SendQueue } from './send-queue.ts'

/** Why a stream ended before both of its sides had. */
export interface StreamReset {
  /** One of `http2Error`, or what the peer says instead. */
  readonly code: number
  readonly by: 'peer' | 'us' | 'connection'
  /** False when the peer has not acted on the stream: it was refused, or is above the last one of a GOAWAY. */
  readonly processed: boolean
  /** What the connection met, if it was the connection. */
  readonly error?: LinkError
}

/** Frames that a window has made shorter than this are no honest work: a peer could ask for octets one by one. */
const smallFrameBytes = 1_024

/**
 * One stream of a session (RFC 9113 §5). Whoever uses streams extends it, so that one object is both the stream and what
 * it is for; objects are used again for later streams.
 *
 * A call that throws costs its stream: it is reset, and told so.
 */
export abstract class Http2Stream {
  /** 0 before it was first used. */
  id = 0
  session!: Http2Session
  /** The request's or response's head; valid until the object is used again. */
  readonly head: Http2Head = new Http2Head()
  #trailers: Http2Head | undefined
  /** Octets of content and of header blocks that have passed. */
  bytesIn = 0
  bytesOut = 0
  #out!: Http2Output
  #localEnded = false
  #remoteEnded = false
  #closed = true
  /** A call is under way that must find the object as it is: the end is told after it. */
  #telling = false
  #toldOfEnd = true
  #headSent = false
  /** The request's head, or the response that is not an interim one, has come. */
  #headCame = false
  /** The peer's content is bounded to none: the answer to HEAD. */
  #bodiless = false
  /** What must still come of the content, by Content-Length; below zero when nobody knows. */
  #contentLeft = -1
  // Flow control (RFC 9113 §5.2): what we may send, and what the peer may.
  #sendWindow = 0
  #receiveWindow = 0
  #windowTarget = 0
  /** The peer had used its window up when it was credited last. */
  #usedUpBefore = false
  /** Octets that were taken and not credited yet. */
  #creditDue = 0
  #flushesBefore = 0
  #queue: SendQueue | undefined
  #endQueued = false
  #queuedTrailers: readonly HeaderField[] | undefined
  /** Its place among those that may send; the session's business. */
  ready = false
  previousReady: Http2Stream | undefined
  nextReady: Http2Stream | undefined

  // What the session tells.

  /** The request's head; the response's, and each interim one before it (status below 200). */
  protected abstract onHead(head: Http2Head, ended: boolean): void
  /** Content as it comes, a frame in one part or several; lent. Empty with `ended` when the last frame is. */
  protected abstract onData(bytes: Buffer, start: number, end: number, ended: boolean): void
  /** The peer has ended with trailers. */
  protected abstract onTrailers(trailers: Http2Head, ended: true): void
  /** The stream is gone before both sides had ended, by others than its owner's `reset`. Called once at most. */
  protected abstract onReset(reset: StreamReset): void
  /** Queued bytes have left, so many; `queuedBytes` is what still waits. */
  protected abstract onSent(bytes: number): void

  /** Both sides have ended or the stream was reset: the session has forgotten it, the object may be used again. */
  protected onClosed(): void {}

  /**
   * The head exceeds our bounds; `head` holds what fitted. A server may answer; who does not override this resets the
   * stream: a client then hears of it by `onReset`.
   */
  protected onHeadTooLarge(_head: Http2Head): void {
    if (this.session.server) this.reset(http2Error.enhanceYourCalm)
    else this.fail(http2Error.enhanceYourCalm)
  }

  // What the owner says.

  /** Sends a head, of an interim response as well: fields as they go on the wire, pseudo-fields first. */
  sendHead(fields: readonly HeaderField[], ended: boolean): void {
    if (this.#closed || this.#localEnded || this.#endQueued) return
    const first = fields[0]
    // An interim head is no answer: whoever resets after one has still cost a request.
    if (first?.pseudo !== pseudoId.status || !first.value.startsWith('1')) this.#headSent = true
    if (first !== undefined && first.pseudo === pseudoId.method && first.value === 'HEAD') this.#bodiless = true
    this.bytesOut += this.#out.head(this.id, fields, ended)
    if (ended) this.#endLocal()
  }

  /** Sends lent bytes; what the windows or the link do not take now is copied and queued. */
  sendData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    if (this.#closed || this.#localEnded || this.#endQueued) return
    const out = this.#out
    let at = start
    if (this.queuedBytes === 0) {
      if (start === end) {
        if (ended) this.#sendEmptyEnd()
        return
      }
      while (at < end) {
        const length = Math.min(end - at, this.#sendWindow, out.dataRoom)
        if (length <= 0) break
        const last = ended && at + length === end
        this.#count(length, at + length === end)
        out.data(this.id, bytes, at, at + length, last)
        at += length
        if (last) return this.#endLocal()
      }
    }
    if (at < end) {
      ;(this.#queue ??= new SendQueue()).push(bytes, at, end, out.link.account)
      if (this.#sendWindow > 0) out.ready(this)
    }
    if (ended) this.#endQueued = true
  }

  /** Ends our side with trailers, after what is queued. */
  sendTrailers(fields: readonly HeaderField[]): void {
    if (this.#closed || this.#localEnded || this.#endQueued) return
    if (this.queuedBytes > 0) {
      this.#endQueued = true
      this.#queuedTrailers = [...fields]
      return
    }
    this.bytesOut += this.#out.head(this.id, fields, true)
    this.#endLocal()
  }

  /** Ends the stream with RST_STREAM; what is queued is dropped, and nothing more is told but `onClosed`. */
  reset(code: number): void {
    if (this.#closed) return
    this.#out.rstStream(this.id, code)
    this.#close('us')
  }

  /** The receiver has taken so many octets of content: the peer may send as many more, and more still if it keeps up. */
  consumed(bytes: number): void {
    if (this.#closed || this.#remoteEnded) return
    this.#creditDue += bytes
    if (this.#creditDue < this.#windowTarget >> 1) return
    let increment = this.#creditDue
    const untaken = this.#windowTarget - this.#receiveWindow - increment
    const { maxWindow } = this.session.options
    const usedUp = untaken <= this.#windowTarget >> 3
    // Once is no sign that the receiver keeps up: it may have been the first bytes of one that takes no more.
    if (usedUp && this.#usedUpBefore && this.#windowTarget < maxWindow) {
      const target = Math.min(maxWindow, this.#windowTarget * 2)
      increment += target - this.#windowTarget
      this.#windowTarget = target
    }
    this.#usedUpBefore = usedUp
    this.#creditDue = 0
    this.#receiveWindow += increment
    this.#out.windowUpdate(this.id, increment)
  }

  /** Octets that wait for a window, or for room in the link. */
  get queuedBytes(): number {
    return this.#queue === undefined ? 0 : this.#queue.bytes
  }

  /** Whether our side is over: END_STREAM has been written. */
  get localEnded(): boolean {
    return this.#localEnded
  }

  /** Whether the peer's side is over. */
  get remoteEnded(): boolean {
    return this.#remoteEnded
  }

  /** Whether the session has forgotten it, or never knew it. */
  get closed(): boolean {
    return this.#closed
  }

  /** What the peer may still send on it, in octets of content. */
  get receiveWindow(): number {
    return this.#receiveWindow
  }

  /** Whether a head was sent. */
  get headSent(): boolean {
    return this.#headSent
  }

  // What the session does with it.

  /** Begins a life as the stream `id`. */
  begin(session: Http2Session, out: Http2Output, id: number, sendWindow: number, receiveWindow: number): void {
    this.session = session
    this.#out = out
    this.id = id
    this.bytesIn = 0
    this.bytesOut = 0
    this.#localEnded = false
    this.#remoteEnded = false
    this.#closed = false
    this.#toldOfEnd = false
    this.#headSent = false
    this.#headCame = false
    this.#bodiless = false
    this.#contentLeft = -1
    this.#sendWindow = sendWindow
    this.#receiveWindow = receiveWindow
    // A peer that does not have our SETTINGS yet may send more: it is credited by what they say all the same.
    this.#windowTarget = Math.min(receiveWindow, session.options.window)
    this.#usedUpBefore = false
    this.#creditDue = 0
    this.#endQueued = false
    this.#queuedTrailers = undefined
    this.#flushesBefore = out.flushes
  }

  /** Where its next header section is read to. */
  get nextHead(): Http2Head {
    return this.#headCame ? (this.#trailers ??= new Http2Head()) : this.head
  }

  /** A header section has been read to `nextHead`. `malformed`: it does not pass, whatever it says. */
  receiveHead(blockBytes: number, ended: boolean, tooLarge: boolean, malformed: boolean): void {
    this.bytesIn += blockBytes
    if (this.#remoteEnded) return this.fail(http2Error.streamClosed)
    if (tooLarge) return this.#receiveTooLarge(ended)
    const { server, options } = this.session
    if (this.#headCame) {
      const sound = !malformed && ended && this.#trailers!.check('trailers', false)
      if (!sound || this.#contentLeft > 0) return this.fail(http2Error.protocolError)
      this.#tellTrailers()
      return
    }
    const { head } = this
    if (malformed || !head.check(server ? 'request' : 'response', options.enableConnect)) return this.#malformed()
    const interim = !server && head.status < 200
    if (interim && ended) return this.#malformed()
    if (!interim) {
      this.#headCame = true
      if (!server && head.status === 304) this.#bodiless = true
      this.#contentLeft = this.#bodiless ? 0 : head.contentLength
      if (ended && this.#contentLeft > 0) return this.#malformed()
    }
    this.#tellHead(ended)
  }

  /** Of a request nobody hears that it was there. */
  #malformed(): void {
    const { session } = this
    if (!session.server) return this.fail(http2Error.protocolError)
    this.reset(http2Error.protocolError)
    session.blame()
  }

  #receiveTooLarge(ended: boolean): void {
    if (this.#headCame) return this.fail(http2Error.enhanceYourCalm)
    this.head.check(this.session.server ? 'request' : 'response', true)
    this.#headCame = true
    if (ended) this.#remoteEnded = true
    this.#telling = true
    try {
      this.onHeadTooLarge(this.head)
    } catch (fault) {
      this.#broken(fault)
    }
    this.#told()
  }

  /** A DATA frame begins that counts for `length`, of which so much is content; false: it is refused. */
  receiveDataHead(length: number, contentBytes: number): boolean {
    if (this.#remoteEnded) this.fail(http2Error.streamClosed)
    else if (!this.#headCame) this.fail(http2Error.protocolError)
    else if (length > this.#receiveWindow) this.fail(http2Error.flowControlError)
    else if (this.#contentLeft >= 0 && contentBytes > this.#contentLeft) this.fail(http2Error.protocolError)
    else {
      this.#receiveWindow -= length
      if (this.#contentLeft >= 0) this.#contentLeft -= contentBytes
      this.bytesIn += contentBytes
      if (length > contentBytes) this.consumed(length - contentBytes)
      return true
    }
    return false
  }

  receiveData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    if (ended) {
      if (this.#contentLeft > 0) return this.fail(http2Error.protocolError)
      this.#remoteEnded = true
    } else if (start === end) return
    this.#telling = true
    try {
      this.onData(bytes, start, end, ended)
    } catch (fault) {
      this.#broken(fault)
    }
    this.#told()
  }

  /** The peer lets us send more on it; false when that is more than there can be. */
  addWindow(increment: number): boolean {
    this.#sendWindow += increment
    if (this.#sendWindow > MAX_31_BITS) return false
    if (this.queuedBytes > 0 && this.#sendWindow > 0) this.#out.ready(this)
    return true
  }

  /** Sends one frame of what is queued; returns whether it could send another one. Only while the connection has room. */
  sendQueued(): boolean {
    const queue = this.#queue
    if (this.#closed || queue === undefined || queue.bytes === 0 || this.#sendWindow <= 0) return false
    const out = this.#out
    const length = Math.min(queue.bytes, this.#sendWindow, out.dataRoom)
    const whole = length === queue.bytes
    const last = whole && this.#endQueued && this.#queuedTrailers === undefined
    this.#count(length, whole)
    const buf = out.dataHead(this.id, length, last)
    queue.moveTo(buf, out.dataPos(length), length, out.link.account)
    this.#telling = true
    if (last) this.#localEnded = true
    else if (whole && this.#queuedTrailers !== undefined) {
      this.bytesOut += out.head(this.id, this.#queuedTrailers, true)
      this.#localEnded = true
    }
    try {
      this.onSent(length)
    } catch (fault) {
      this.#broken(fault)
    }
    this.#told()
    return !this.#closed && queue.bytes > 0 && this.#sendWindow > 0
  }

  /** The peer has reset it, or says that it will not act on it. */
  resetByPeer(code: number, processed: boolean): void {
    this.#end({ code, by: 'peer', processed }, 'peer')
  }

  /** The connection is gone; `unsent`: with what was written and had not left. */
  lost(code: number, error: LinkError | undefined, unsent: boolean): void {
    // What never left nobody has acted on.
    const processed = this.session.server || !unsent || this.#out.flushes !== this.#flushesBefore
    const reset = { code, by: 'connection', processed } as const
    this.#end(error === undefined ? reset : { ...reset, error }, 'us')
  }

  /** Resets it for a fault of the peer's, and tells. */
  fail(code: number): void {
    if (this.#closed) return
    const { session } = this
    this.#out.rstStream(this.id, code)
    this.#end({ code, by: 'us', processed: true }, 'us')
    session.blame()
  }

  #count(length: number, whole: boolean): void {
    this.#sendWindow -= length
    this.bytesOut += length
    if (!whole && length < smallFrameBytes) return
    this.#out.dataFrames++
    this.#out.dataBytes += length
  }

  #sendEmptyEnd(): void {
    this.#out.emptyEnd(this.id)
    this.#endLocal()
  }

  #endLocal(): void {
    this.#localEnded = true
    if (this.#remoteEnded) this.#close('ends')
  }

  #tellHead(ended: boolean): void {
    if (ended) this.#remoteEnded = true
    this.#telling = true
    try {
      this.onHead(this.head, ended)
    } catch (fault) {
      this.#broken(fault)
    }
    this.#told()
  }

  #tellTrailers(): void {
    this.#remoteEnded = true
    this.#telling = true
    try {
      this.onTrailers(this.#trailers!, true)
    } catch (fault) {
      this.#broken(fault)
    }
    this.#told()
  }

  /** A call is over: the end that it may have led to is dealt with, as whoever made it uses the object no more. */
  #told(): void {
    this.#telling = false
    if (!this.#closed) {
      if (this.#localEnded && this.#remoteEnded) this.#close('ends')
    } else if (!this.#toldOfEnd) this.#tellClosed()
  }

  /** A handler threw. */
  #broken(fault: unknown): void {
    this.session.handlerFault(fault)
    if (this.#closed) return
    this.#out.rstStream(this.id, http2Error.internalError)
    this.#end({ code: http2Error.internalError, by: 'us', processed: true }, 'us')
  }

  #end(reset: StreamReset, by: 'peer' | 'us'): void {
    if (this.#closed) return
    const { session } = this
    const telling = this.#telling
    this.#forget(by)
    this.#telling = true
    try {
      this.onReset(reset)
    } catch (fault) {
      session.handlerFault(fault)
    }
    this.#telling = telling
    if (!telling) this.#tellClosed()
  }

  #close(by: 'ends' | 'us'): void {
    this.#forget(by)
    if (!this.#telling) this.#tellClosed()
  }

  /** Nothing of it is known to the session any more. */
  #forget(by: 'ends' | 'peer' | 'us'): void {
    this.#closed = true
    this.#queue?.clear(this.#out.link.account)
    this.#queuedTrailers = undefined
    this.#out.unready(this)
    this.session.forget(this, by)
  }

  #tellClosed(): void {
    const { session } = this
    this.#toldOfEnd = true
    try {
      this.onClosed()
    } catch (fault) {
      session.handlerFault(fault)
    }
    session.streamClosed()
  }
}
