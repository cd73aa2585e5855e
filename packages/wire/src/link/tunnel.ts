import type { Link, LinkHandler } from './link.ts'
import type { LinkError } from './link-error.ts'

export type TunnelSide = 'downstream' | 'upstream'

/** Whoever owns a tunnel hears of its life. */
export interface TunnelOwner {
  /** Bytes have passed, either way. */
  passed(): void
  /** So much waits for the client that the upstream is not read from. */
  congested(): void
  /** The client has taken what waited for it. */
  drained(): void
  /** One side's socket is gone. `error` is what it met, if it was the first to break. */
  sideClosed(side: TunnelSide, error: LinkError | undefined): void
  fault(fault: unknown): void
}

/**
 * Passes bytes between two links, both ways and independently: with back-pressure, half-close for half-close and reset
 * for reset.
 */
export class Tunnel {
  readonly downstream: Link
  readonly upstream: Link
  readonly owner: TunnelOwner
  /**
   * The upstream is never cut: when the client has gone it is told so by a FIN, and what it still says is dropped until it
   * closes by itself. Default: false.
   */
  lingers = false
  #broken = false

  /** Takes both links over: nobody else writes to them or hears of them any more. */
  constructor(downstream: Link, upstream: Link, owner: TunnelOwner) {
    this.downstream = downstream
    this.upstream = upstream
    this.owner = owner
    downstream.handler = new TunnelEnd(this, 'downstream', upstream)
    upstream.handler = new TunnelEnd(this, 'upstream', downstream)
    // Whatever made either side stop reading before is over; congestion of the other one is not.
    if (upstream.congested) downstream.pause()
    else downstream.resume()
    if (downstream.congested) upstream.pause()
    else upstream.resume()
  }

  /** Passes a run of bytes that came from `side` on to `to`. Protocols that watch the bytes override it. */
  relay(_side: TunnelSide, to: Link, bytes: Buffer, start: number, end: number): void {
    to.write(bytes, start, end)
  }

  /** The peer at `side` will send nothing more. */
  ended(_side: TunnelSide, to: Link): void {
    to.end()
  }

  /** A socket is gone: nothing can pass any more, so the other one goes as well, in the same manner. */
  closed(side: TunnelSide, other: Link, error: LinkError | undefined): void {
    const first = !this.#broken
    this.#broken = true
    if (!other.closed) this.endOther(side, other, error)
    this.owner.sideClosed(side, first ? error : undefined)
  }

  /** Ends what is left when the socket at `side` is gone: as it has gone. */
  protected endOther(side: TunnelSide, other: Link, error: LinkError | undefined): void {
    if (side === 'downstream' && this.lingers) this.abandon()
    else if (error === undefined) other.end()
    else other.reset()
  }

  /** Tells the upstream that nothing more comes, and drops what it still says. */
  abandon(): void {
    this.upstream.end()
    this.upstream.resume()
  }

  /** Ends both sides with RST. */
  reset(): void {
    this.#broken = true
    this.downstream.reset()
    if (this.lingers) this.abandon()
    else this.upstream.reset()
  }

  /** Ends both sides with FIN after what is queued, and does not wait for what their peers still send. */
  close(): void {
    this.#broken = true
    this.downstream.destroyAfterFlush()
    if (this.lingers) this.abandon()
    else this.upstream.destroyAfterFlush()
  }
}

class TunnelEnd implements LinkHandler {
  readonly #tunnel: Tunnel
  readonly #side: TunnelSide
  readonly #other: Link

  constructor(tunnel: Tunnel, side: TunnelSide, other: Link) {
    this.#tunnel = tunnel
    this.#side = side
    this.#other = other
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    this.#tunnel.owner.passed()
    this.#tunnel.relay(this.#side, this.#other, bytes, start, end)
  }

  onEnd(): void {
    this.#tunnel.ended(this.#side, this.#other)
  }

  onCongested(): void {
    this.#other.pause()
    if (this.#side === 'downstream') this.#tunnel.owner.congested()
  }

  onDrain(): void {
    this.#other.resume()
    if (this.#side === 'downstream') this.#tunnel.owner.drained()
    else this.#tunnel.owner.passed()
  }

  onClose(error: LinkError | undefined): void {
    this.#tunnel.closed(this.#side, this.#other, error)
  }

  onFault(fault: unknown): void {
    this.#tunnel.owner.fault(fault)
  }
}
