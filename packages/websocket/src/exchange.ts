import { http1Connector, type Http1Connection, type Http1Session, HttpExchange, type SessionTunnel } from '@sluice/http'
import {
  type Connection,
  type Connector,
  answers,
  ProxyError,
  Timer,
  TunnelWatch,
  type WatchedTunnel,
} from '@sluice/core'
import { fieldId, type LinkError, type ResponseHead, type TunnelOwner, type TunnelSide } from '@sluice/wire'
import { WebSocketTunnel } from './tunnel.ts'

/** How long a drained session may wait for a frame to end and for the peer's close frame, in milliseconds. */
const farewellMs = 5_000

/** One WebSocket session: begins as an HTTP request, and after the upstream's 101 is a tunnel. */
export class WebSocketExchange extends HttpExchange implements TunnelOwner, SessionTunnel, WatchedTunnel {
  #tunnel: WebSocketTunnel | undefined
  #watch: TunnelWatch | undefined
  /** Runs from the close frame of ours until the session is cut. */
  #farewell: Timer | undefined

  /** The client, which can be left to a tunnel. */
  readonly session: Http1Session

  constructor(session: Http1Session) {
    super(session)
    this.session = session
  }

  protected override get ordinary(): boolean {
    return false
  }

  /** Only HTTP/1.1 has upgrades. */
  protected override get connector(): Connector {
    return http1Connector
  }

  get #http1(): Http1Connection {
    return this.connection as Http1Connection
  }

  override get protocol(): string {
    return 'websocket'
  }

  override get upgrade(): string {
    return 'websocket'
  }

  /** The upstream agrees: from here on frames pass both ways. */
  override switchProtocols(
    head: ResponseHead,
    rest: { buf: Buffer; start: number; end: number },
  ): ProxyError | undefined {
    const agreed = head.indexOf(fieldId.upgrade)
    if (!head.connectionUpgrade || agreed < 0 || !head.valueIs(agreed, 'websocket')) {
      return new ProxyError('upstreamInvalid', 'the upstream changes to another protocol than WebSocket', {
        progress: 'requestSent',
      })
    }
    const { session } = this
    const http1 = this.#http1
    if (this.abandoned) return this.#switchForNobody()
    this.statusCode = 101
    this.responseBegun = true
    this.firstByteAt = this.runtime.clock()
    this.endpoint!.health.answered(101)
    const early = session.switchProtocols(head, this)
    http1.detach()
    this.#tunnel = new WebSocketTunnel(session.link, http1.link, this)
    this.#tunnel.lingers = this.route!.waitsForAbandoned === true
    if (rest.end > rest.start) this.#tunnel.relay('upstream', session.link, rest.buf, rest.start, rest.end)
    if (early !== undefined) this.#tunnel.relay('downstream', http1.link, early, 0, early.length)
    const { timeouts, minRate } = session.settings.options.config
    this.#watch = new TunnelWatch(
      this.runtime,
      { idleMs: this.route!.upstream!.config.timeouts.idleMs ?? timeouts.idleMs, sendMs: timeouts.sendMs, minRate },
      this,
    )
    if (session.listener.draining) this.drain()
    return undefined
  }

  /** The client has left meanwhile, and the upstream is to close by itself. */
  #switchForNobody(): undefined {
    const { session } = this
    const http1 = this.#http1
    http1.detach()
    this.#tunnel = new WebSocketTunnel(session.link, http1.link, this)
    this.#tunnel.lingers = true
    this.#tunnel.abandon()
  }

  passed(): void {
    this.#watch?.passed()
  }

  congested(): void {
    this.#watch?.congested()
  }

  drained(): void {
    this.#watch?.drained()
  }

  get unsentBytes(): number {
    return this.session.link.unsentBytes
  }

  get takenBytes(): number {
    return this.session.link.takenBytes
  }

  idled(): void {
    this.#sayGoodbye('idleTimeout')
  }

  stuck(): void {
    if (this.reason === 'ok') this.reason = 'requestTimeout'
    this.#tunnel!.reset()
  }

  sideClosed(side: TunnelSide, error: LinkError | undefined): void {
    if (error !== undefined && this.reason === 'ok') {
      this.reason = side === 'upstream' ? 'upstreamReset' : 'clientGone'
    }
    if (side === 'upstream') {
      const { connection } = this
      connection?.pool.gone(connection)
      this.upstreamEnded(false)
    } else {
      this.session.listener.gone(this.session)
      this.downstreamEnded()
    }
  }

  override expired(timer: Timer): void {
    if (timer === this.#farewell) this.#tunnel!.close()
    else super.expired(timer)
  }

  /** Sends a close frame (1001, RFC 6455 §7.4.1) both ways as soon as a frame ends there. */
  drain(): void {
    if (this.#tunnel !== undefined) this.#sayGoodbye('draining')
  }

  #sayGoodbye(reason: 'draining' | 'idleTimeout'): void {
    if (this.#farewell !== undefined) return
    if (this.reason === 'ok') this.reason = reason
    this.#farewell = new Timer(this, this.runtime.fine)
    this.#farewell.arm(farewellMs)
    this.#watch?.end()
    this.#tunnel!.sayGoodbye(answers[reason].websocket!)
  }

  /** Ends at once, at the drain's deadline. */
  close(): void {
    if (this.reason === 'ok') this.reason = 'draining'
    this.#tunnel?.close()
  }

  protected override abort(connection: Connection): void {
    if (this.#tunnel === undefined) super.abort(connection)
    else this.#tunnel.upstream.reset()
  }

  protected override abandon(connection: Connection): void {
    if (this.#tunnel === undefined) super.abandon(connection)
    else this.#tunnel.abandon()
  }

  protected override refuse(error: ProxyError): void {
    if (this.#tunnel === undefined) super.refuse(error)
    else {
      this.#tunnel.tell(error.answer.websocket)
      this.#tunnel.close()
      this.downstreamEnded()
    }
  }

  protected override settled(): void {
    this.#watch?.end()
    this.#farewell?.disarm()
    super.settled()
  }
}
