import { Connection, type EndpointAddress, type Expirable, type Pool, ProxyError, Timer } from '@sluice/core'
import {
  ByteStore,
  type ConnectingHandler,
  type ConnectTls,
  congestedBytes,
  connectLink,
  type FramingKind,
  framing,
  framingKind,
  type HeadLimits,
  http1Error,
  type Link,
  type LinkError,
  parseResponseHead,
  ResponseHead,
} from '@sluice/wire'
import { connectError, responseError } from '../errors.ts'
import type { HttpExchange } from '../exchange.ts'
import type { Carrier } from '../half.ts'
import { defaultIdleMs } from '../idle.ts'
import { BodyReader } from './body-reader.ts'
import { BodyWriter } from './body-writer.ts'

/** Bounds of what an upstream may answer with. */
const limits: HeadLimits = { maxHeadBytes: 65_536, maxFields: 200, maxTargetBytes: 0 }

/** Interim responses before the final one, at most: each is passed on, so a row without end is a way to be kept busy. */
const maxInterim = 100

/** How much earlier than its peer a connection leaves the pool, in milliseconds. */
const keepAliveMarginMs = 1_000

/** Room that the framing of a stored body takes beside it. */
const chunkRoom = 32

/** One head for all connections of the thread: a response's head is read and passed on in one call. */
const head = new ResponseHead(limits.maxFields)

function http1Only(tls: ConnectTls | undefined): ConnectTls | undefined {
  return tls === undefined ? undefined : { ...tls, protocols: ['http/1.1'] }
}

/** An HTTP/1.1 connection to an endpoint: the upstream half of one exchange after another. */
export class Http1Connection extends Connection implements ConnectingHandler, Expirable, Carrier {
  readonly link: Link
  readonly upload: BodyWriter
  #exchange: HttpExchange | undefined
  #epoch = 0
  readonly #reader = new BodyReader()
  readonly #held = new ByteStore()
  readonly #timer: Timer
  readonly #responseMs: number
  readonly #idleMs: number
  /** Whether the response's head has come, and whether any byte of a response has. */
  #headDone = false
  #answering = false
  #interim = 0
  /** The time for the response's head was up, and did not count. */
  #spared = false
  /** Whether the connection may be used again, by what the response says. */
  #persistent = true
  #idleTimeoutMs: number
  /** Why it was closed by us. */
  #failure: ProxyError | undefined

  /** `link`: one that stands already, on which the peer has chosen HTTP/1.1. */
  constructor(pool: Pool, address: EndpointAddress, link?: Link) {
    super(pool, address)
    const { runtime, config } = pool.endpoint.upstream
    const { connectMs, responseMs, idleMs = defaultIdleMs } = config.timeouts
    this.#responseMs = responseMs
    this.#idleMs = idleMs
    this.#idleTimeoutMs = pool.options.idleTimeoutMs
    this.#timer = new Timer(this, runtime.wheelFor(Math.min(connectMs, responseMs, idleMs)))
    if (link === undefined) {
      this.#timer.arm(connectMs)
      this.link = connectLink(address, this, http1Only(pool.endpoint.tls as ConnectTls | undefined))
    } else {
      this.link = link
      link.handler = this
    }
    this.upload = new BodyWriter(this.link)
  }

  get concurrency(): number {
    return this.reusable ? 1 : 0
  }

  get reusable(): boolean {
    return this.#persistent && this.#failure === undefined && this.link.writable
  }

  onConnect(): void {
    this.#timer.disarm()
    this.pool.opened(this)
  }

  idled(): void {
    this.#timer.arm(this.#idleTimeoutMs)
    this.idleUntil = this.#timer.deadline
  }

  close(): void {
    this.pool.retire(this)
    this.link.destroy()
  }

  abort(exchange: HttpExchange): void {
    this.#exchange = exchange
    this.#epoch = exchange.epoch
    this.link.reset()
  }

  readOn(requestDone: boolean): void {
    if (this.link.paused) this.link.resume()
    // A request that will never be complete says so.
    if (!requestDone) this.link.end()
  }

  /** Begins to serve an exchange: sends what is there of its request. */
  carry(exchange: HttpExchange): Carrier {
    this.#exchange = exchange
    this.#epoch = exchange.epoch
    this.#headDone = false
    this.#answering = false
    this.#interim = 0
    this.#spared = false
    const { link } = this
    link.account = exchange.client.listener.held
    const { upload } = exchange
    const head = exchange.http1Request()
    // Room for what is stored: head and body leave in one buffer.
    if (upload.storedBytes > 0) link.write(head, 0, head.length, upload.storedBytes + chunkRoom)
    else link.send(head)
    this.upload.kind = upload.kind
    upload.connect(this.upload)
    if (exchange.requestDone) this.requestEnd()
    else this.requestProgress()
    return this
  }

  downloadHeld(bytes: number): void {
    if (bytes >= congestedBytes) this.link.pause()
    else if (bytes <= congestedBytes / 2) this.link.resume()
  }

  requestProgress(): void {
    this.#timer.arm(this.#idleMs)
  }

  requestEnd(): void {
    this.#timer.arm(this.#headDone ? this.#idleMs : this.#responseMs)
  }

  /** Leaves the connection to a tunnel, which tells the pool when it is gone. */
  detach(): void {
    this.#timer.disarm()
    this.#exchange = undefined
    this.#persistent = false
  }

  onBytes(bytes: Buffer, start: number, end: number): void {
    if (this.#exchange === undefined || this.#exchange.epoch !== this.#epoch) {
      // Nobody has asked for these: whatever they are, the next exchange must not take them for its answer.
      this.close()
      return
    }
    this.#answering = true
    if (this.#headDone) {
      this.#timer.arm(this.#idleMs)
      this.#readBody(bytes, start, end)
      return
    }
    if (this.#held.length === 0) {
      const at = this.#readHeads(bytes, start, end)
      if (at < end && !this.#headDone && this.#exchange !== undefined) this.#held.write(bytes, at, end)
      return
    }
    this.#held.write(bytes, start, end)
    // A head is parsed anew only when a line of it has been completed.
    if (!bytes.subarray(start, end).includes(0x0a)) {
      if (this.#held.length >= limits.maxHeadBytes) this.#invalid(responseError(http1Error.tooLarge, 'responseBegun'))
      return
    }
    const held = this.#held.take()
    const at = this.#readHeads(held, 0, held.length)
    if (at < held.length && !this.#headDone && this.#exchange !== undefined) this.#held.write(held, at, held.length)
  }

  /** Reads interim heads and the final one with what follows; returns the position after what was read. */
  #readHeads(bytes: Buffer, start: number, end: number): number {
    const exchange = this.#exchange!
    let at = start
    while (at < end) {
      const consumed = parseResponseHead(head, bytes, at, end, limits)
      if (consumed === 0) return at
      if (consumed < 0) {
        this.#invalid(responseError(consumed, 'responseBegun'))
        return end
      }
      at += consumed
      if (head.status >= 200) {
        this.#finalHead(exchange, framing(head, exchange.methodId), bytes, at, end)
        return end
      }
      if (head.status === 101) {
        const refused = exchange.switchProtocols(head, { buf: bytes, start: at, end })
        if (refused !== undefined) this.#invalid(refused)
        return end
      }
      if (++this.#interim > maxInterim) {
        this.#invalid(new ProxyError('upstreamInvalid', 'interim responses without end', { progress: 'responseBegun' }))
        return end
      }
      exchange.informational(head)
    }
    return at
  }

  #finalHead(exchange: HttpExchange, kind: FramingKind, bytes: Buffer, start: number, end: number): void {
    this.#headDone = true
    this.#persistent = head.keepAlive && kind !== framingKind.untilClose
    const { keepAliveTimeoutMs } = head
    this.#idleTimeoutMs =
      keepAliveTimeoutMs < 0
        ? this.pool.options.idleTimeoutMs
        : Math.min(this.pool.options.idleTimeoutMs, Math.max(0, keepAliveTimeoutMs - keepAliveMarginMs))
    this.#reader.begin(kind, head.contentLength)
    exchange.responseHead(head, kind, this.#reader.done ? 0 : end - start)
    if (this.#reader.done) this.#responseEnd(end - start)
    else if (start < end) this.#readBody(bytes, start, end)
    if (this.#exchange !== undefined && !this.#reader.done) this.#timer.arm(this.#idleMs)
  }

  #readBody(bytes: Buffer, start: number, end: number): void {
    const at = this.#reader.read(bytes, start, end, this.#exchange!.download)
    if (at < 0) this.#invalid(responseError(at, 'responseBegun'))
    else if (this.#reader.done) this.#responseEnd(end - at)
  }

  #responseEnd(surplusBytes: number): void {
    const exchange = this.#exchange!
    this.#exchange = undefined
    this.#held.clear()
    // Bytes after the end would be taken for the answer to the next request: such a peer is not trusted with one.
    // The rest of a request that still waits to be sent would have the next one wait unseen.
    if (surplusBytes > 0 || !exchange.requestDone || this.link.congested) this.#persistent = false
    const { reusable } = this
    if (!reusable) this.close()
    else if (this.link.paused) this.link.resume()
    const epoch = exchange.epoch
    try {
      exchange.responseEnd(reusable)
    } catch (fault) {
      // The connection has let go of the exchange, so its own fault path would not find it.
      if (exchange.epoch === epoch) exchange.fault(fault)
      else throw fault
    }
  }

  /** The upstream does not speak the protocol: the connection is destroyed, `onClose` reports why. */
  #invalid(error: ProxyError): void {
    this.#failure ??= error
    this.link.reset()
  }

  onEnd(): void {
    if (this.#exchange !== undefined && this.#headDone && this.#reader.closed(this.#exchange.download)) {
      this.#responseEnd(0)
      return
    }
    this.close()
  }

  onCongested(): void {
    this.#exchange?.uploadHeld(Infinity)
  }

  onDrain(): void {
    this.#exchange?.uploadHeld(0)
  }

  onClose(error: LinkError | undefined): void {
    this.#timer.disarm()
    if (this.state === 'connecting') {
      const elsewhere = error?.kind === 'refused' || error?.kind === 'unreachable'
      this.pool.failed(this, this.#failure ?? connectError(error), elsewhere)
      return
    }
    this.pool.gone(this)
    const exchange = this.#exchange
    this.#exchange = undefined
    if (exchange === undefined || exchange.epoch !== this.#epoch) return
    exchange.upstreamFailed(
      this.#failure ??
        new ProxyError(
          'upstreamReset',
          error?.message ?? 'the upstream closed the connection before its answer was complete',
          {
            progress: this.#answering ? 'responseBegun' : 'requestSent',
            reusedConnection: this.leases > 1,
            cause: error,
          },
        ),
    )
  }

  expired(): void {
    if (this.state === 'idle') {
      this.close()
      return
    }
    if (this.link.paused) {
      // It is the client that takes nothing; the listener's timeouts judge it.
      this.#timer.arm(this.#idleMs)
      return
    }
    if (this.#awaitsHead && !this.#spared && this.#exchange?.wantsEvents === true) {
      // A stream of events has no deadline for its head, only for silence. Looked at here, it costs the others nothing.
      this.#spared = true
      this.#timer.arm(this.#idleMs)
      return
    }
    this.#failure ??= this.#timeout()
    this.link.reset()
  }

  get #awaitsHead(): boolean {
    return !this.#headDone && this.#exchange?.requestDone === true
  }

  #timeout(): ProxyError {
    if (this.state === 'connecting') return connectError(undefined, true)
    const waiting = this.#awaitsHead && !this.#spared
    const progress = this.#answering ? 'responseBegun' : 'requestSent'
    return waiting
      ? new ProxyError('responseTimeout', 'the upstream did not answer in time', { progress })
      : new ProxyError('idleTimeout', 'nothing passed either way for too long', { progress })
  }

  onFault(fault: unknown): void {
    if (this.#exchange === undefined) this.pool.endpoint.upstream.runtime.faulted(fault)
    else this.#exchange.fault(fault)
  }

  fault(fault: unknown): void {
    this.link.fault(fault)
  }
}
