import { randomBytes } from 'node:crypto'
import { answers } from '@sluice/core'
import { encodeCloseFrame, FrameFollower, type Link, type LinkError, Tunnel, type TunnelSide } from '@sluice/wire'

/** What passes in one direction. */
interface Direction {
  readonly frames: FrameFollower
  /** A close frame of ours has been put in: nothing may follow it (RFC 6455 §5.5.1). */
  said: boolean
}

/** A tunnel that knows where frames end, so that it can say goodbye between two of them. */
export class WebSocketTunnel extends Tunnel {
  readonly #from: Readonly<Record<TunnelSide, Direction>> = {
    downstream: { frames: new FrameFollower(), said: false },
    upstream: { frames: new FrameFollower(), said: false },
  }
  #goodbye: number | undefined

  override relay(side: TunnelSide, to: Link, bytes: Buffer, start: number, end: number): void {
    const direction = this.#from[side]
    const { frames } = direction
    frames.advance(bytes, start, end)
    if (this.#goodbye === undefined) {
      to.write(bytes, start, end)
      return
    }
    if (!direction.said) {
      const boundary = frames.firstBoundary
      to.write(bytes, start, boundary < 0 ? end : boundary)
      if (boundary >= 0) this.#say(side, to)
    }
    this.#closeWhenAnswered()
  }

  /** Sends a close frame both ways, each as soon as a frame ends there, and closes when both peers have answered. */
  sayGoodbye(code: number): void {
    if (this.#goodbye !== undefined) return
    this.#goodbye = code
    if (this.#from.upstream.frames.atBoundary) this.#say('upstream', this.downstream)
    if (this.#from.downstream.frames.atBoundary) this.#say('downstream', this.upstream)
    this.#closeWhenAnswered()
  }

  /** Tells the client why the session ends, if a frame of ours can stand there. Returns whether it was told. */
  tell(code: number | undefined): boolean {
    const { frames, said } = this.#from.upstream
    if (code === undefined || said || frames.closed || !frames.atBoundary) return false
    this.#from.upstream.said = true
    this.downstream.send(encodeCloseFrame(code))
    return true
  }

  /** A client that can be told that the upstream broke off is told, and need not be reset. */
  protected override endOther(side: TunnelSide, other: Link, error: LinkError | undefined): void {
    const told = side === 'upstream' && error !== undefined && this.tell(answers.upstreamReset.websocket)
    if (told) other.destroyAfterFlush()
    else super.endOther(side, other, error)
  }

  #say(side: TunnelSide, to: Link): void {
    const direction = this.#from[side]
    direction.said = true
    if (direction.frames.closed) return
    // Frames towards the upstream are a client's: masked, with a key that cannot be foreseen (RFC 6455 §5.3).
    to.send(encodeCloseFrame(this.#goodbye!, '', side === 'downstream' ? randomBytes(4) : undefined))
  }

  #closeWhenAnswered(): void {
    const { downstream, upstream } = this.#from
    if (downstream.said && upstream.said && downstream.frames.closed && upstream.frames.closed) this.close()
  }
}
