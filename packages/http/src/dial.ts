import { Connection, type EndpointAddress, type Expirable, type Pool, ProxyError, Timer } from '@sluice/core'
import { type ConnectingHandler, type ConnectTls, connectLink, type Link, type LinkError } from '@sluice/wire'
import { connectError } from './errors.ts'
import { Http1Connection } from './http1/connection.ts'
import { Http2Connection } from './http2/connection.ts'

/** Application protocols of HTTP as ALPN calls them (RFC 7301). */
type ApplicationProtocol = 'h2' | 'http/1.1'

/**
 * A connection that is being made, until it is known which version its peer speaks: from then on another one stands in
 * its place.
 *
 * One of HTTP/2 stands once the peer's SETTINGS are there: a peer that speaks something else, or takes fewer streams
 * than it is about to get, is found out before a request is lost on it.
 */
export class Dial extends Connection implements ConnectingHandler, Expirable {
  readonly concurrency = 0
  readonly #link: Link
  readonly #timer: Timer
  #timedOut = false
  #failure: ProxyError | undefined

  /** `protocols`: what is offered under TLS, best first; in the clear the first one is spoken. */
  constructor(
    pool: Pool,
    address: EndpointAddress,
    protocols: readonly [ApplicationProtocol, ...ApplicationProtocol[]],
  ) {
    super(pool, address)
    const { runtime, config } = pool.endpoint.upstream
    this.#timer = new Timer(this, runtime.wheelFor(config.timeouts.connectMs))
    this.#timer.arm(config.timeouts.connectMs)
    const tls = pool.endpoint.tls as ConnectTls | undefined
    this.#link = connectLink(address, this, tls === undefined ? undefined : { ...tls, protocols })
    this.#protocols = protocols
  }

  readonly #protocols: readonly ApplicationProtocol[]

  onConnect(): void {
    const spoken = this.#link.secure ? (this.#link.protocol ?? 'http/1.1') : this.#protocols[0]
    if (spoken === 'h2') new Http2Connection(this.pool, this.address, this.#link).begin(this)
    else if (!this.#protocols.includes('http/1.1')) {
      this.#failure = new ProxyError('connectFailed', 'the upstream does not choose HTTP/2 by ALPN')
      this.#link.destroy()
    } else this.stands(new Http1Connection(this.pool, this.address, this.#link))
  }

  /** The peer speaks what it should: `connection` takes this one's place. */
  stands(connection: Connection): void {
    this.#timer.disarm()
    this.pool.opened(this, connection)
  }

  /** The link is gone before anything stood. */
  failed(error: LinkError | undefined): void {
    this.#timer.disarm()
    const elsewhere = error?.kind === 'refused' || error?.kind === 'unreachable'
    this.pool.failed(this, this.#failure ?? connectError(error, this.#timedOut), elsewhere)
  }

  /** The peer answers in another protocol. */
  invalid(what: string): void {
    this.#failure = new ProxyError('upstreamInvalid', what)
    this.#link.destroy()
  }

  onClose(error: LinkError | undefined): void {
    this.failed(error)
  }

  close(): void {
    this.#link.destroy()
  }

  expired(): void {
    this.#timedOut = true
    this.#link.destroy()
  }

  onFault(fault: unknown): void {
    this.pool.endpoint.upstream.runtime.faulted(fault)
  }

  fault(fault: unknown): void {
    this.#link.fault(fault)
  }

  idled(): void {}
  onBytes(): void {}
  onCongested(): void {}
  onDrain(): void {}

  onEnd(): void {
    this.#link.destroy()
  }
}
