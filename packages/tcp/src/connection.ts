import { Connection, type Connector, type EndpointAddress, type Expirable, type Pool, Timer } from '@sluice/core'
import { connectError, connectTimeout } from './errors.ts'
import { type ConnectingHandler, type ConnectTls, connectLink, type Link, type LinkError } from '@sluice/wire'

/** Makes TCP connections: one for each exchange. */
export const tcpConnector: Connector = {
  reusable: false,
  concurrency: () => 1,
  connect: (pool, address) => new TcpConnection(pool, address),
}

/** A TCP connection to an endpoint: the upstream half of one tunnel. */
export class TcpConnection extends Connection implements ConnectingHandler, Expirable {
  readonly link: Link
  readonly #timer: Timer
  #timedOut = false
  #discarded: (() => void) | undefined

  constructor(pool: Pool, address: EndpointAddress) {
    super(pool, address)
    const { runtime, config } = pool.endpoint.upstream
    this.#timer = new Timer(this, runtime.wheelFor(config.timeouts.connectMs))
    this.#timer.arm(config.timeouts.connectMs)
    this.link = connectLink(address, this, pool.endpoint.tls as ConnectTls | undefined)
  }

  get concurrency(): number {
    return this.leases === 0 && this.link.writable ? 1 : 0
  }

  onConnect(): void {
    this.#timer.disarm()
    this.pool.endpoint.health.succeeded()
    this.pool.opened(this)
  }

  /** Its client has left before it stood; no other one can use it. */
  idled(): void {
    this.close()
  }

  close(): void {
    this.pool.retire(this)
    this.link.destroy()
  }

  /** Closes a connection whose client left while it was made; `closed` is called when it is gone. */
  discard(closed: () => void): void {
    this.#discarded = closed
    this.link.reset()
  }

  /** Sends FIN to an upstream whose client left while the connection was made, and waits until it has closed. */
  linger(closed: () => void): void {
    this.#discarded = closed
    this.link.end()
  }

  expired(): void {
    this.#timedOut = true
    this.close()
  }

  onClose(error: LinkError | undefined): void {
    this.#timer.disarm()
    if (this.state !== 'connecting') {
      this.pool.gone(this)
      this.#discarded?.()
      return
    }
    const elsewhere = error?.kind === 'refused' || error?.kind === 'unreachable'
    this.pool.failed(this, this.#timedOut ? connectTimeout : connectError(error), elsewhere)
  }

  // Once it stands it belongs to a tunnel, or is closed at once.
  onBytes(): void {}
  onEnd(): void {}
  onCongested(): void {}
  onDrain(): void {}

  onFault(fault: unknown): void {
    this.pool.endpoint.upstream.runtime.faulted(fault)
  }

  fault(fault: unknown): void {
    this.link.fault(fault)
  }
}
