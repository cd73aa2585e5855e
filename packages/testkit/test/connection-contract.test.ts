import {
  Connection,
  type Connector,
  type EndpointAddress,
  type Expirable,
  type Pool,
  ProxyError,
  Timer,
} from '@sluice/core'
import { type ConnectingHandler, connectLink, type Link, type LinkError } from '@sluice/wire'
import { describeConnection } from '../src/index.ts'

/** Makes connections of a protocol in which the peer says with one byte how many exchanges it takes from now on. */
const byteConnector: Connector = {
  reusable: true,
  concurrency: (pool) => pool.options.maxStreams,
  connect: (pool, address) => new ByteConnection(pool, address),
}

class ByteConnection extends Connection implements ConnectingHandler, Expirable {
  readonly link: Link
  readonly #timer: Timer
  #allowed = 0

  constructor(pool: Pool, address: EndpointAddress) {
    super(pool, address)
    this.#timer = new Timer(this, pool.endpoint.upstream.runtime.fine)
    this.link = connectLink(address, this)
  }

  get concurrency(): number {
    return this.link.writable ? this.#allowed : 0
  }

  onBytes(bytes: Buffer, _start: number, end: number): void {
    this.#allowed = bytes[end - 1]!
    if (this.state === 'connecting') this.pool.opened(this)
    else this.pool.concurrencyChanged(this)
  }

  idled(): void {
    this.#timer.arm(this.pool.options.idleTimeoutMs)
    this.idleUntil = this.#timer.deadline
  }

  expired(): void {
    if (this.state === 'idle') this.close()
  }

  close(): void {
    this.pool.retire(this)
    this.link.destroy()
  }

  onEnd(): void {
    this.close()
  }

  onClose(error: LinkError | undefined): void {
    this.#timer.disarm()
    if (this.state !== 'connecting') this.pool.gone(this)
    else this.pool.failed(this, new ProxyError('connectFailed', 'refused'), error?.kind === 'refused')
  }

  onConnect(): void {}
  onCongested(): void {}
  onDrain(): void {}

  onFault(fault: unknown): void {
    this.fault(fault)
  }

  fault(fault: unknown): void {
    this.pool.endpoint.upstream.runtime.faulted(fault)
  }
}

describeConnection('A connection whose peer counts in bytes', byteConnector, {
  greet: (peer, exchanges) => void peer.write(Buffer.of(exchanges)),
  allow: (peer, exchanges) => void peer.write(Buffer.of(exchanges)),
  goAway: (peer) => void peer.write(Buffer.of(0)),
})
