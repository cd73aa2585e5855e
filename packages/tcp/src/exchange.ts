import {
  type Connection,
  type Connector,
  Exchange,
  type ProxyError,
  refusals,
  TunnelWatch,
  type WatchedTunnel,
} from '@sluice/core'
import {
  ByteStore,
  type Link,
  type LinkError,
  type LinkHandler,
  lingeringClose,
  Tunnel,
  type TunnelOwner,
  type TunnelSide,
} from '@sluice/wire'
import { type TcpConnection, tcpConnector } from './connection.ts'
import type { TcpListener } from './listener.ts'
import { maxStoredBytes, type TcpListenerOptions } from './options.ts'

/** One TCP connection: waits for its permit while it is read on, then becomes a tunnel. */
export class TcpExchange extends Exchange implements LinkHandler, TunnelOwner, WatchedTunnel {
  readonly #listener: TcpListener
  /** As they were when the connection came. */
  readonly #options: TcpListenerOptions
  readonly #link: Link
  readonly #stored: ByteStore
  #watch: TunnelWatch | undefined
  /** The client's FIN came while a connection was made. */
  #finished = false
  readonly loggedClient: string
  #tunnel: Tunnel | undefined

  constructor(listener: TcpListener, link: Link) {
    super(listener.runtime)
    this.#listener = listener
    this.#options = listener.options
    this.#link = link
    link.account = listener.held
    this.#stored = new ByteStore(listener.held)
    this.loggedClient = link.remoteAddress
  }

  get protocol(): string {
    return 'tcp'
  }

  get status(): string {
    return '-'
  }

  protected get connector(): Connector {
    return tcpConnector
  }

  /** Nothing is known of what the bytes mean. */
  protected get idempotent(): boolean {
    return false
  }

  protected get replayable(): boolean {
    return this.#tunnel === undefined
  }

  start(): void {
    this.open()
    if (this.#listener.held?.exceeded === true) {
      this.matched(this.#options.route)
      this.fail(refusals.overloaded)
      return
    }
    this.begin(this.#options.route, this.startedAt)
  }

  // While it waits.

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#stored.write(bytes, start, end)
    if (this.#stored.length >= maxStoredBytes) this.#link.pause()
  }

  /** FIN before the unit was let through: its client has left. Afterwards it has only said all it has to say. */
  onEnd(): void {
    if (this.state === 'connecting') this.#finished = true
    else this.#link.destroy()
  }

  onCongested(): void {}
  onDrain(): void {}

  onClose(): void {
    this.#stored.clear()
    this.#countBytes()
    this.cancel(refusals.clientGone)
    this.#listener.gone(this)
  }

  onFault(fault: unknown): void {
    this.fault(fault)
  }

  protected retain(): void {}

  // Once it is let through.

  protected forward(connection: Connection): void {
    const { link } = connection as TcpConnection
    link.account = this.#listener.held
    this.#tunnel = new Tunnel(this.#link, link, this)
    this.#tunnel.lingers = this.route!.waitsForAbandoned === true
    if (this.#stored.length > 0) link.send(this.#stored.take())
    if (this.#finished) link.end()
    const { timeouts, minRate } = this.#options.config
    this.#watch = new TunnelWatch(
      this.runtime,
      { idleMs: this.route!.upstream!.config.timeouts.idleMs ?? timeouts.idleMs, sendMs: timeouts.sendMs, minRate },
      this,
    )
  }

  passed(): void {
    this.#watch!.passed()
  }

  congested(): void {
    this.#watch!.congested()
  }

  drained(): void {
    this.#watch!.drained()
  }

  get unsentBytes(): number {
    return this.#link.unsentBytes
  }

  get takenBytes(): number {
    return this.#link.takenBytes
  }

  idled(): void {
    if (this.reason === 'ok') this.reason = 'idleTimeout'
    this.#tunnel!.close()
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
      this.#countBytes()
      this.downstreamEnded()
      this.#listener.gone(this)
    }
  }

  protected abort(connection: Connection): void {
    if (this.#tunnel === undefined) (connection as TcpConnection).discard(() => this.upstreamEnded(false))
    else this.#tunnel.upstream.reset()
  }

  protected override abandon(connection: Connection): void {
    if (this.#tunnel === undefined) (connection as TcpConnection).linger(() => this.upstreamEnded(false))
    else this.#tunnel.abandon()
  }

  protected refuse(error: ProxyError): void {
    this.#countBytes()
    if (error.answer.tcp === 'reset') this.#link.reset()
    else if (this.#tunnel === undefined) lingeringClose(this.#link, { closed: () => this.#listener.gone(this) })
    else this.#tunnel.close()
    this.downstreamEnded()
  }

  protected answer(): void {
    throw new Error('a tcp route has an upstream')
  }

  /** Ends at once, at the drain's deadline. */
  close(): void {
    this.fail(refusals.draining)
  }

  #countBytes(): void {
    this.bytesIn = this.#link.bytesIn
    this.bytesOut = this.#link.bytesOut
  }

  protected settled(): void {
    this.#stored.clear()
    this.#watch?.end()
  }
}
