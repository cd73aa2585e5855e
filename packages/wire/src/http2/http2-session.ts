import type { ConnectingHandler, Link, LinkError } from '../link/index.ts'
import { lingeringClose } from '../link/linger.ts'
import { ClosedStreams, closedBy } from './closed-streams.ts'
import { flood } from './flood-guard.ts'
import { DEFAULT_WINDOW, HTTP2_PREFACE, MAX_31_BITS, setting, writeUint32 } from './frame.ts'
import { http2Error } from './http2-codes.ts'
import { Http2Input } from './http2-input.ts'
import type { Http2Options } from './http2-options.ts'
import { Http2Output } from './http2-output.ts'
import type { Http2Stream } from './http2-stream.ts'
import { PeerSettings } from './peer-settings.ts'
import { StreamTable } from './stream-table.ts'

/** Which end of the connection a session is. */
export type Http2Role = 'server' | 'client'

/** Who a session belongs to. */
export interface Http2SessionOwner {
  /** Makes or reuses the object for a stream that the peer opens; of a server only. */
  newStream(): Http2Stream
  /** The peer's SETTINGS have come, first or later: `maxStreams` may have changed. */
  onSettings(): void
  /** The peer's GOAWAY: no new streams. */
  onGoaway(code: number): void
  /** The last open stream has closed. */
  onIdle(): void
  /** The session has ended, and its streams have been told; the link lives on for a moment. `code`: of `http2Error`. */
  onClosing?(code: number): void
  /** The link is gone; all streams have been told before. */
  onClose(error: LinkError | undefined): void
  /** A handler threw: a bug of ours, which has cost its stream or, outside of one, the session. */
  onFault(fault: unknown): void
}

/** Where a session stands. */
type SessionState =
  | 'connecting' // a client's link does not stand yet
  | 'open' // frames are read and written; ours or the peer's GOAWAY may have announced the end
  | 'closing' // nothing more is read; what was written leaves, then the link closes
  | 'closed' // the link is gone

/** Marks the PING whose answer ends the first step of a graceful shutdown; others are numbered. */
const shutdownPing = 0

const pingBytes = Buffer.alloc(8)

/** One HTTP/2 connection, of either role (RFC 9113). Keeps no time: its owner pings it and closes it. */
export class Http2Session implements ConnectingHandler {
  readonly link: Link
  readonly role: Http2Role
  readonly server: boolean
  readonly options: Http2Options
  readonly owner: Http2SessionOwner
  /** The open streams. */
  readonly streams = new StreamTable()
  /** The peer has acknowledged our SETTINGS. */
  settingsAcked = false
  /** Streams that ended well, and all that have closed. */
  servedStreams = 0
  closedStreams = 0
  /** Octets that may still come for streams that we have reset: what their windows left. */
  lateBytes = 0
  readonly #out: Http2Output
  readonly #input: Http2Input
  readonly #peer = new PeerSettings()
  readonly #memory = new ClosedStreams()
  #state: SessionState
  #settled = false
  /** The highest stream that the peer has opened, and the next one of ours. */
  #lastPeerId = 0
  #nextId = 1
  /** Set by our GOAWAY: later streams of the peer are none. */
  #finalPeerId = MAX_31_BITS
  #draining = false
  #peerLeaves = false
  #pings: Map<number, () => void> | undefined
  #lastPing = shutdownPing

  /** A server begins at once, a client by `start`. */
  constructor(link: Link, role: Http2Role, options: Http2Options, owner: Http2SessionOwner) {
    this.link = link
    this.role = role
    this.server = role === 'server'
    this.options = options
    this.owner = owner
    this.#out = new Http2Output(link, this, options.maxUnsentControlBytes)
    this.#input = new Http2Input(this, this.#out)
    this.#state = this.server ? 'open' : 'connecting'
    link.handler = this
    if (this.server) this.#begin()
  }

  onConnect(): void {
    this.start()
  }

  /** The link of a client stands. */
  start(): void {
    if (this.#state !== 'connecting') return
    this.#state = 'open'
    this.#out.raw(HTTP2_PREFACE)
    this.#begin()
  }

  #begin(): void {
    const { options } = this
    const values: number[] = [setting.maxHeaderListSize, options.maxHeadBytes]
    if (this.server) values.push(setting.maxConcurrentStreams, options.maxStreams)
    else values.push(setting.enablePush, 0)
    if (options.window !== DEFAULT_WINDOW) values.push(setting.initialWindowSize, options.window)
    if (options.maxFrameBytes !== 16_384) values.push(setting.maxFrameSize, options.maxFrameBytes)
    if (options.tableBytes !== 4_096) values.push(setting.headerTableSize, options.tableBytes)
    if (options.enableConnect && this.server) values.push(setting.enableConnectProtocol, 1)
    this.#out.settings(values)
    const more = options.connectionWindow - DEFAULT_WINDOW
    if (more > 0) this.#out.windowUpdate(0, more)
  }

  /** Bytes that somebody else has read, from the preface on: as if the link had brought them. */
  feed(bytes: Buffer, start: number, end: number): void {
    this.#input.read(bytes, start, end)
  }

  // What the owner asks and says.

  /** Makes `stream` the next one of a client; only while `canOpen`. */
  open(stream: Http2Stream): void {
    const id = this.#nextId
    this.#nextId += 2
    this.adopt(stream, id)
  }

  /** Whether one more stream may be opened now. */
  get canOpen(): boolean {
    return this.#state === 'open' && !this.server && this.#nextId <= MAX_31_BITS && this.openStreams < this.maxStreams
  }

  /** How many streams may be open at once: 0 once either side has said that it leaves. */
  get maxStreams(): number {
    if (this.#draining || this.#peerLeaves || this.#state === 'closing' || this.#state === 'closed') return 0
    if (this.server) return this.options.maxStreams
    // Streams' numbers are used up: the connection takes no new ones (RFC 9113 §5.1.1).
    return this.#nextId > MAX_31_BITS ? 0 : Math.min(this.options.maxStreams, this.#peer.maxStreams)
  }

  get openStreams(): number {
    return this.streams.size
  }

  /** Whether the peer's first SETTINGS have come. */
  get settled(): boolean {
    return this.#settled
  }

  /** The largest header section that the peer takes, as it says; Infinity when it does not. */
  get peerMaxHeadBytes(): number {
    return this.#peer.maxHeadBytes
  }

  /** Whether the peer takes extended CONNECT (RFC 8441). */
  get peerTakesConnect(): boolean {
    return this.#peer.enableConnect
  }

  /** Whether the preface, a frame other than DATA or a header block has come in part. */
  get headPending(): boolean {
    return this.#input.pending
  }

  /** Frames that have come. */
  get framesIn(): number {
    return this.#input.frames
  }

  /** Frames of data sent, without small ones that a window has cut short. */
  get dataFramesOut(): number {
    return this.#out.dataFrames
  }

  /** The octets in them. */
  get dataBytesOut(): number {
    return this.#out.dataBytes
  }

  /** Sends a PING; `answered` is called when its answer comes. */
  ping(answered: () => void): void {
    if (this.#state !== 'open') return
    this.#lastPing = this.#lastPing === 0xffff_ffff ? shutdownPing + 1 : this.#lastPing + 1
    this.#sendPing(this.#lastPing, answered)
  }

  #sendPing(number: number, answered: () => void): void {
    ;(this.#pings ??= new Map<number, () => void>()).set(number, answered)
    writeUint32(pingBytes, 0, 0)
    writeUint32(pingBytes, 4, number)
    this.#out.ping(pingBytes, 0, false)
  }

  /**
   * Ends gracefully: no new streams, and the link closes with the last open one. A server first says that it will leave,
   * and waits for the answer to a PING, since requests may be on their way (RFC 9113 §6.8).
   */
  shutdown(): void {
    if (this.#draining || this.#state === 'closing' || this.#state === 'closed') return
    this.#draining = true
    if (this.#state === 'connecting') return this.link.destroy()
    if (!this.server) {
      this.#out.goaway(0, http2Error.noError, '')
      this.#finishWhenIdle()
      return
    }
    this.#out.goaway(MAX_31_BITS, http2Error.noError, '')
    this.#sendPing(shutdownPing, () => this.#endShutdown())
  }

  #endShutdown(): void {
    this.#finalPeerId = this.#lastPeerId
    this.#out.goaway(this.#lastPeerId, http2Error.noError, '')
    this.#finishWhenIdle()
  }

  /** Ends with GOAWAY: all streams are told, and the link closes when the peer has it. `why` is text for people. */
  close(code: number, why = ''): void {
    if (this.#state === 'connecting') return this.link.destroy()
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#out.goaway(this.server ? this.#lastPeerId : 0, code, why)
    this.#lose(code, undefined)
    this.#out.flush()
    this.owner.onClosing?.(code)
    // Who does not read would not read this either.
    if (this.link.congested) this.link.reset()
    else this.#linger()
  }

  #finishWhenIdle(): void {
    if (this.#state !== 'open' || this.openStreams > 0) return
    const done = this.server ? this.#finalPeerId < MAX_31_BITS : this.#draining || this.#peerLeaves
    if (!done) return
    this.#state = 'closing'
    this.#out.flush()
    this.#linger()
  }

  #linger(): void {
    lingeringClose(this.link, { closed: () => this.onClose(undefined) })
  }

  #lose(code: number, error: LinkError | undefined, unsent = false): void {
    for (const stream of this.streams.all()) stream.lost(code, error, unsent)
  }

  // What the link tells.

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#input.read(bytes, start, end)
  }

  /** A peer that sends nothing more takes part in no stream any more. */
  onEnd(): void {
    if (this.#state !== 'open') return this.link.destroyAfterFlush()
    this.#state = 'closing'
    this.#lose(http2Error.cancel, undefined, true)
    // Requests that were written since the last flush are told to be unprocessed: so they must not leave.
    if (this.server) this.#out.flush()
    else this.#out.drop()
    this.owner.onClosing?.(http2Error.noError)
    this.link.destroyAfterFlush()
  }

  onCongested(): void {}

  onDrain(): void {
    this.#out.drained()
  }

  onClose(error: LinkError | undefined): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#lose(http2Error.cancel, error, true)
    this.#out.drop()
    this.#pings = undefined
    this.owner.onClose(error)
  }

  onFault(fault: unknown): void {
    this.owner.onFault(fault)
  }

  // What the output tells.

  unread(): void {
    this.close(http2Error.enhanceYourCalm, 'more than maxUnsentControl allows')
  }

  fault(fault: unknown): void {
    this.link.fault(fault)
  }

  // What input and streams tell.

  /** Whether frames are still read. */
  get reading(): boolean {
    return this.#state === 'open'
  }

  /** Whether a stream has never been opened (RFC 9113 §5.1). 0 counts as one. */
  isIdle(id: number): boolean {
    if ((id & 1) === 0) return true
    return this.server ? id > this.#lastPeerId : id >= this.#nextId
  }

  /** How a stream has closed: one of `closedBy`. */
  closedBy(id: number): number {
    return this.#memory.by(id)
  }

  /** A stream was refused before it was one. */
  noteRefused(id: number): void {
    this.#memory.note(id, closedBy.us)
    this.#expectLate(Math.max(DEFAULT_WINDOW, this.options.window))
  }

  /** No more than can be on its way at once: not all that was ever reset. */
  #expectLate(bytes: number): void {
    const { maxStreams, maxWindow } = this.options
    this.lateBytes = Math.min(this.lateBytes + bytes, maxStreams * maxWindow)
  }

  /** The peer opens a stream: whether it is refused, and if so, whether it is worth a word. */
  newPeerStream(id: number): 'none' | 'refused' | 'silent' {
    this.#lastPeerId = id
    if (id > this.#finalPeerId) {
      this.noteRefused(id)
      return 'silent'
    }
    return this.openStreams >= this.options.maxStreams ? 'refused' : 'none'
  }

  /** Gives a stream its life. */
  adopt(stream: Http2Stream, id: number): void {
    const { window } = this.options
    // Until the peer has our SETTINGS it goes by the window that RFC 9113 §6.9.2 takes for granted.
    const receiveWindow = this.settingsAcked ? window : Math.max(window, DEFAULT_WINDOW)
    stream.begin(this, this.#out, id, this.#peer.window, receiveWindow)
    this.streams.add(stream)
  }

  /** A stream has closed. */
  forget(stream: Http2Stream, by: 'ends' | 'peer' | 'us'): void {
    this.streams.delete(stream)
    this.#memory.note(stream.id, closedBy[by])
    this.closedStreams++
    if (by === 'ends') this.servedStreams++
    else if (by === 'us' && !stream.remoteEnded) this.#expectLate(stream.receiveWindow)
  }

  /** The object of a closed stream was given back. */
  streamClosed(): void {
    if (this.openStreams > 0 || this.#state !== 'open') return
    this.owner.onIdle()
    this.#finishWhenIdle()
  }

  /** A client's stream was reset for its own fault. */
  blame(): void {
    if (this.server) this.#input.allows(flood.resets)
  }

  handlerFault(fault: unknown): void {
    try {
      this.owner.onFault(fault)
    } catch {
      // The owner is broken beyond its own fault path; the stream ends in any case.
    }
  }

  receiveSettings(buf: Buffer, start: number, end: number): void {
    const before = this.#peer.window
    const tableBytes = this.#peer.tableBytes
    const error = this.#peer.read(buf, start, end, !this.server)
    if (error !== http2Error.noError) return this.close(error, 'SETTINGS are wrong')
    const { lowestTableBytes } = this.#peer
    if (lowestTableBytes < tableBytes) this.#out.setPeerTableBytes(lowestTableBytes)
    if (this.#peer.tableBytes !== Math.min(tableBytes, lowestTableBytes)) {
      this.#out.setPeerTableBytes(this.#peer.tableBytes)
    }
    const change = this.#peer.window - before
    if (change !== 0) {
      for (const stream of this.streams.all()) {
        if (!stream.addWindow(change)) return this.close(http2Error.flowControlError, 'a window is too large')
      }
    }
    this.#out.settingsAck()
    this.#settled = true
    this.owner.onSettings()
  }

  /** False when nobody has asked. */
  receivePong(high: number, low: number): boolean {
    const answered = high === 0 ? this.#pings?.get(low) : undefined
    if (answered === undefined) return false
    this.#pings!.delete(low)
    answered()
    return true
  }

  receiveGoaway(lastId: number, code: number): void {
    this.#peerLeaves = true
    if (!this.server) {
      // Nothing above it was or will be acted on (RFC 9113 §6.8).
      for (const stream of this.streams.all()) {
        if (stream.id > lastId) stream.resetByPeer(http2Error.refusedStream, false)
      }
    }
    this.owner.onGoaway(code)
    if (!this.server) this.#finishWhenIdle()
  }
}
