import { type Expirable, type ListenerConfig, refusals, Timer } from '@sluice/core'
import {
  Http2Session,
  type Http2SessionOwner,
  http2Error,
  type Http2Options,
  http2Options,
  type Link,
  type LinkError,
} from '@sluice/wire'
import type { ClientConnection, HttpListener } from '../listener.ts'
import { Origin } from '../origin.ts'
import type { HttpSettings } from '../settings.ts'
import { ClientStream } from './client-stream.ts'

/** How long a PING may wait for its answer, in milliseconds; and one that goes with a goodbye. */
const pongMs = 20_000
const farewellMs = 2_000

/** Streams' objects kept for later ones at most, and while there are none: connections may rest by the thousand. */
const maxSpare = 128
const maxSpareIdle = 4

/** One client connection that speaks HTTP/2: the downstream half of many exchanges at once. */
export class ClientSession implements ClientConnection, Http2SessionOwner, Expirable {
  readonly listener: HttpListener
  readonly link: Link
  /** The peer's address. */
  readonly peer: string
  /** What the next request goes by. */
  settings: HttpSettings
  /** Whether the peer is a trusted proxy. */
  trusted!: boolean
  origin!: Origin
  readonly session: Http2Session
  readonly #local: boolean
  readonly #spare: ClientStream[] = []
  readonly #timer: Timer
  readonly #bornAt: number
  #idleSince: number
  #framesSeen = -1
  #pinging = false
  /** It has rested for too long, and was told so. */
  #dismissed = false

  /** `local`: accepted on a Unix socket, where peers have no address. */
  constructor(listener: HttpListener, link: Link, local: boolean) {
    this.listener = listener
    this.link = link
    this.peer = link.remoteAddress
    this.settings = listener.settings
    this.#local = local
    this.#judgePeer()
    const now = listener.runtime.clock()
    this.#bornAt = now
    this.#idleSince = now
    link.account = listener.held
    this.session = new Http2Session(link, 'server', optionsOf(this.settings.options.config), this)
    this.#timer = new Timer(this, this.settings.wheel)
    this.#watch()
  }

  #judgePeer(): void {
    const { trustedProxies, options } = this.settings
    this.trusted = !trustedProxies.empty && (this.#local || trustedProxies.has(this.peer))
    this.origin = new Origin(this.peer, this.trusted, this.link.secure ? 'https' : 'http', options.pseudonym)
  }

  /** A request begins: it goes by the latest settings, until it is over. */
  renewSettings(): void {
    const { settings } = this.listener
    if (settings === this.settings) return
    this.settings = settings
    this.#timer.moveTo(settings.wheel)
    this.#judgePeer()
  }

  // What the session tells.

  newStream(): ClientStream {
    return this.#spare.pop() ?? new ClientStream(this)
  }

  /** Both the stream and its exchange are over. */
  over(stream: ClientStream): void {
    if (this.#spare.length < maxSpare) this.#spare.push(stream)
  }

  onSettings(): void {}
  onGoaway(): void {}

  onIdle(): void {
    this.#idleSince = this.listener.runtime.clock()
  }

  onClose(_error: LinkError | undefined): void {
    this.#timer.disarm()
    this.listener.gone(this)
  }

  onFault(fault: unknown): void {
    this.listener.runtime.faulted(fault)
  }

  // Its time.

  #watch(atMostMs = Infinity): void {
    const { headMs, keepAliveMs } = this.settings.timeouts
    const { pingMs, maxAgeMs } = this.settings.options.config.http2
    const every = Math.min(headMs, keepAliveMs, pingMs, maxAgeMs, atMostMs)
    if (every !== Infinity) this.#timer.arm(every)
  }

  expired(): void {
    const { framesIn, headPending, settled, openStreams } = this.session
    const quiet = framesIn === this.#framesSeen
    this.#framesSeen = framesIn
    if (quiet && (headPending || !settled)) {
      this.session.close(http2Error.settingsTimeout, 'a frame or a header block was not completed in time')
      return
    }
    if (openStreams === 0) this.#restTooLong()
    else if (quiet && this.#pinging) this.link.reset()
    else this.#askAfterPeer(quiet)
  }

  #restTooLong(): void {
    // Here and not as it becomes idle, which between two rows of calls it is all the time.
    if (this.#spare.length > maxSpareIdle) this.#spare.length = maxSpareIdle
    const { keepAliveMs } = this.settings.timeouts
    const left = this.#idleSince + keepAliveMs - this.listener.runtime.clock()
    if (this.#dismissed) this.session.close(http2Error.noError)
    else if (left > 0 && !this.#aged) this.#watch(left)
    else this.#dismiss()
  }

  get #aged(): boolean {
    return this.listener.runtime.clock() - this.#bornAt >= this.settings.options.config.http2.maxAgeMs
  }

  /** Says goodbye. Who does not answer the PING that goes with it is not waited for once nothing runs any more. */
  #dismiss(): void {
    if (this.#dismissed) return
    this.#dismissed = true
    this.session.shutdown()
    this.#timer.arm(farewellMs)
  }

  #askAfterPeer(quiet: boolean): void {
    const { pingMs } = this.settings.options.config.http2
    if (this.#aged) this.#dismiss()
    this.#pinging = quiet && pingMs !== Infinity
    this.#watch(this.#dismissed ? farewellMs : Infinity)
    if (!this.#pinging) return
    this.session.ping(() => {
      this.#pinging = false
    })
    this.#timer.arm(pongMs)
  }

  // How it ends.

  drain(): void {
    this.#dismiss()
  }

  close(): void {
    // All of this session's streams are its own.
    for (const stream of this.session.streams.all()) (stream as ClientStream).refuse(refusals.draining)
    this.session.close(http2Error.noError)
  }

  fault(fault: unknown): void {
    this.link.fault(fault)
  }
}

function optionsOf({ http2, limits }: ListenerConfig): Http2Options {
  return http2Options({
    maxStreams: http2.maxStreams,
    window: http2.windowBytes,
    maxWindow: http2.maxWindowBytes,
    maxHeadBytes: limits.maxHeadBytes,
    maxFields: limits.maxFields,
    maxResets: http2.maxResets,
    maxPings: http2.maxPings,
    maxSettings: http2.maxSettings,
    maxEmptyFrames: http2.maxEmptyFrames,
    maxPriorities: http2.maxPriorities,
    maxWindowUpdates: http2.maxWindowUpdates,
    maxUnsentControlBytes: http2.maxUnsentControlBytes,
    maxContinuations: http2.maxContinuations,
  })
}
