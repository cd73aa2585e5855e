import { type Connection, type Connector, Exchange, type ProxyError, refusals, Timer } from '@sluice/core'
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
import { maxStoredBytes } from './options.ts'

/** One TCP connection: waits for its permit while it is read on, then becomes a tunnel. */
export class TcpExchange extends Exchange implements LinkHandler, TunnelOwner {
  readonly #listener: TcpListener
  readonly #link: Link
  readonly #stored = new ByteStore()
  readonly #idle: Timer
  readonly #idleMs: number
  readonly loggedClient: string
  #tunnel: Tunnel | undefined

  constructor(listener: TcpListener, link: Link) {
    super(listener.runtime)
    this.#listener = listener
    this.#link = link
    this.loggedClient = link.remoteAddress
    this.#idleMs = Math.min(
      listener.options.config.timeouts.idleMs,
      listener.options.route.upstream?.config.timeouts.idleMs ?? Infinity,
    )
    this.#idle = new Timer(this, listener.runtime.wheelFor(this.#idleMs))
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
    this.begin(this.#listener.options.route, this.startedAt)
  }

  // While it waits.

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#stored.write(bytes, start, end)
    if (this.#stored.length >= maxStoredBytes) this.#link.pause()
  }

  /** FIN before the unit was let through: its client has left. */
  onEnd(): void {
    this.#link.destroy()
  }

  onCongested(): void {}
  onDrain(): void {}

  onClose(): void {
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
    this.#tunnel = new Tunnel(this.#link, link, this)
    if (this.#stored.length > 0) link.send(this.#stored.take())
    this.#idle.arm(this.#idleMs)
  }

  passed(): void {
    this.#idle.arm(this.#idleMs)
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

  override expired(timer: Timer): void {
    if (timer !== this.#idle) {
      super.expired(timer)
      return
    }
    this.reason = 'idleTimeout'
    this.#tunnel?.close()
  }

  protected abort(connection: Connection): void {
    if (this.#tunnel === undefined) (connection as TcpConnection).discard(() => this.upstreamEnded(false))
    else this.#tunnel.upstream.reset()
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
    this.#idle.disarm()
  }
}
