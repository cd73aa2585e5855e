import type { LinkError } from '../link/index.ts'
import type { HeaderField } from './header-field.ts'
import { http2Error } from './http2-codes.ts'
import { Http2Head } from './http2-head.ts'
import type { Http2Session } from './http2-session.ts'

/** Why a stream ended before both of its sides had. */
export interface StreamReset {
  /** One of `http2Error`, or what the peer says instead. */
  readonly code: number
  readonly by: 'peer' | 'us' | 'connection'
  /** False when the peer has not acted on the stream: it was refused, or is above the last one of a GOAWAY. */
  readonly processed: boolean
  readonly error?: LinkError
}

/** One stream. Objects are used again for later streams. */
export abstract class Http2Stream {
  id = 0
  session!: Http2Session
  /** The request's or response's head; valid until the object is used again. */
  readonly head: Http2Head = new Http2Head()
  bytesIn = 0
  bytesOut = 0

  protected abstract onHead(head: Http2Head, ended: boolean): void
  protected abstract onData(bytes: Buffer, start: number, end: number, ended: boolean): void
  protected abstract onTrailers(trailers: Http2Head, ended: true): void
  protected abstract onReset(reset: StreamReset): void
  protected abstract onSent(bytes: number): void
  protected onClosed(): void {}
  protected onHeadTooLarge(_head: Http2Head): void {
    this.reset(http2Error.enhanceYourCalm)
  }

  sendHead(_fields: readonly HeaderField[], _ended: boolean): void {}
  sendData(_bytes: Buffer, _start: number, _end: number, _ended: boolean): void {}
  sendTrailers(_fields: readonly HeaderField[]): void {}
  reset(_code: number): void {}
  consumed(_bytes: number): void {}
  get queuedBytes(): number {
    return 0
  }
  get localEnded(): boolean {
    return false
  }
  get remoteEnded(): boolean {
    return false
  }
  get closed(): boolean {
    return false
  }
}
