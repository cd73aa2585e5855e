import { Connection, type EndpointAddress, type Expirable, type Pool, Timer, type TimerWheel } from '@sluice/core'
import {
  Http2Session,
  type Http2SessionOwner,
  http2Error,
  http2ErrorName,
  http2Options,
  type Http2Stream,
  type Link,
  type LinkError,
} from '@sluice/wire'
import type { Dial } from '../dial.ts'
import type { HttpExchange } from '../exchange.ts'
import type { Carrier } from '../half.ts'
import { UpstreamStream } from './upstream-stream.ts'

/** How long a PING may wait for its answer, in milliseconds. */
const pongMs = 20_000

/**
 * Streams that are cut on one connection before another one is made in its place. Who lets clients reset streams resets
 * them in turn, and upstreams bound that (CVE-2023-44487), to the harm of all who share the connection: nghttp2, which
 * Node is, ends it after 1,000 and 33 more a second, Envoy after 250 of 500.
 */
const maxCuts = 200

/**
 * Bounds of what an upstream may answer with. A response whose client takes nothing holds as much as its window, and a
 * thousand of them together are to hold far less than 64 MiB; a client that keeps up lets it grow.
 */
const limits = {
  maxHeadBytes: 65_536,
  maxFields: 200,
  window: 32_768,
  // The heads of our own requests, while it reads none: as many as it carries, and they are no fault of its own.
  maxUnsentControlBytes: 8 * 1_048_576,
}

/** An HTTP/2 connection to an endpoint: the upstream half of many exchanges at once. */
export class Http2Connection extends Connection implements Http2SessionOwner, Expirable {
  readonly link: Link
  readonly scheme: 'http' | 'https'
  /** For the timers of its streams. */
  readonly wheel: TimerWheel
  readonly #session: Http2Session
  readonly #timer: Timer
  readonly #pingMs: number
  readonly #spare: UpstreamStream[] = []
  #cuts = 0
  #dial: Dial | undefined
  #framesSeen = 0
  #pinging = false

  /** On a link that stands. */
  constructor(pool: Pool, address: EndpointAddress, link: Link) {
    super(pool, address)
    const { runtime, config } = pool.endpoint.upstream
    const { responseMs, idleMs = Infinity } = config.timeouts
    this.link = link
    this.scheme = link.secure ? 'https' : 'http'
    this.wheel = runtime.wheelFor(Math.min(responseMs, idleMs))
    this.#pingMs = pool.options.pingMs
    this.#timer = new Timer(this, runtime.wheelFor(Math.min(this.#pingMs, pool.options.idleTimeoutMs)))
    this.#session = new Http2Session(
      link,
      'client',
      http2Options({ ...limits, maxStreams: pool.options.maxStreams }),
      this,
    )
  }

  /** Says hello; `dial` hears when the peer has answered, or that it never will. */
  begin(dial: Dial): void {
    this.#dial = dial
    this.#session.start()
  }

  get concurrency(): number {
    return this.#session.maxStreams
  }

  carry(exchange: HttpExchange): Carrier {
    const stream = this.#spare.pop() ?? new UpstreamStream(this)
    this.link.account = exchange.client.listener.held
    this.#session.open(stream)
    // It may have died unseen only while it carried nothing.
    try {
      stream.carry(exchange, this.carrying === 1 && this.leases > 1)
    } catch (fault) {
      stream.drop()
      throw fault
    }
    if (this.carrying === 1) this.#watch()
    return stream
  }

  abort(exchange: HttpExchange): void {
    exchange.upstreamEnded(true)
  }

  /** A stream was reset by us before its end. */
  cut(): void {
    if (++this.#cuts === maxCuts) this.freshUntil = 0
  }

  /** A stream has served its exchange. */
  unused(stream: UpstreamStream): void {
    this.#spare.push(stream)
  }

  idled(): void {
    this.#timer.arm(this.pool.options.idleTimeoutMs)
    this.idleUntil = this.#timer.deadline
  }

  /** Exchanges run: a peer that says nothing for so long is asked whether it is there. */
  #watch(): void {
    this.#framesSeen = this.#session.framesIn
    this.#pinging = false
    if (this.#pingMs === Infinity) this.#timer.disarm()
    else this.#timer.arm(this.#pingMs)
  }

  expired(): void {
    if (this.state === 'idle') {
      this.close()
      return
    }
    const { framesIn } = this.#session
    if (framesIn !== this.#framesSeen) {
      this.#watch()
    } else if (this.#pinging) {
      // Its socket is closed in a later turn.
      this.pool.retire(this)
      this.link.reset()
    } else {
      this.#pinging = true
      this.#session.ping(() => {
        if (this.state === 'leased') this.#watch()
      })
      this.#timer.arm(pongMs)
    }
  }

  close(): void {
    this.pool.retire(this)
    this.#timer.disarm()
    this.#session.close(http2Error.noError)
  }

  // What the session tells.

  newStream(): Http2Stream {
    throw new Error('an upstream opens no streams')
  }

  onSettings(): void {
    const dial = this.#dial
    this.#dial = undefined
    if (dial === undefined) this.pool.concurrencyChanged(this)
    else dial.stands(this)
  }

  onGoaway(): void {
    if (this.#dial === undefined) this.pool.concurrencyChanged(this)
  }

  onIdle(): void {}

  /** Nobody may lease it any more, though its socket lives on until the peer has our last words. */
  onClosing(code: number): void {
    if (this.#dial === undefined) this.pool.retire(this)
    else if (code !== http2Error.noError)
      this.#dial.invalid(`the upstream does not speak HTTP/2: ${http2ErrorName(code)}`)
  }

  onClose(error: LinkError | undefined): void {
    this.#timer.disarm()
    if (this.#dial === undefined) this.pool.gone(this)
    else this.#dial.failed(error)
  }

  onFault(fault: unknown): void {
    this.pool.endpoint.upstream.runtime.faulted(fault)
  }

  fault(fault: unknown): void {
    this.link.fault(fault)
  }
}
