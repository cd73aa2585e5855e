import type { Flushable } from '../link/flush.ts'
import type { Link, LinkError, LinkHandler } from '../link/index.ts'
import type { Http2Options } from './http2-options.ts'
import type { Http2Stream } from './http2-stream.ts'

/** Who a session belongs to. */
export interface Http2SessionOwner {
  /** Makes or reuses the object for a stream that the peer opens; of a server only. */
  newStream(): Http2Stream
  /** The peer's SETTINGS have come, first or later: `maxStreams` may have changed. */
  onSettings(): void
  /** The peer's GOAWAY: no new streams. */
  onGoaway(code: number): void
  /** The last open stream has closed. */
  onIdle(): void
  /** The link is gone; all streams have been told before. */
  onClose(error: LinkError | undefined): void
  /** A handler threw: a bug of ours, which has cost its stream. */
  onFault(fault: unknown): void
}

/** One HTTP/2 connection, of either role (RFC 9113). */
export class Http2Session implements LinkHandler, Flushable {
  readonly link: Link
  readonly role: 'server' | 'client'
  readonly options: Http2Options
  readonly owner: Http2SessionOwner

  constructor(link: Link, role: 'server' | 'client', options: Http2Options, owner: Http2SessionOwner) {
    this.link = link
    this.role = role
    this.options = options
    this.owner = owner
    link.handler = this
  }

  start(): void {}
  feed(_bytes: Buffer, _start: number, _end: number): void {}
  open(_stream: Http2Stream): void {}
  get canOpen(): boolean {
    return false
  }
  get maxStreams(): number {
    return 0
  }
  get openStreams(): number {
    return 0
  }
  get settled(): boolean {
    return false
  }
  get headPending(): boolean {
    return false
  }
  get framesIn(): number {
    return 0
  }
  ping(_answered: () => void): void {}
  shutdown(): void {}
  close(_code: number, _why?: string): void {}

  onBytes(_bytes: Buffer, _start: number, _end: number): void {}
  onEnd(): void {}
  onCongested(): void {}
  onDrain(): void {}
  onClose(_error: LinkError | undefined): void {}
  onFault(_fault: unknown): void {}
  flush(): void {}
  fault(_fault: unknown): void {}
}
