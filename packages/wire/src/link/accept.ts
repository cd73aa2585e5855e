import { createServer, type Server, type Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { adopt } from './adopt.ts'
import { Link, type LinkHandler, onRead, takeNextBuffer } from './link.ts'
import { firstReadBuffer, ReadBuffer } from './read-buffers.ts'
import { ownedBuffers, testLinks } from './self-test.ts'

/** Where to listen, or where it was bound. The empty host is every address of both families. */
export type Bind = { readonly host: string; readonly port: number } | { readonly path: string }

/** TLS towards clients. */
export interface AcceptTls {
  readonly secureContext: SecureContext
  /** Application protocols spoken here (ALPN, RFC 7301), best first. */
  readonly protocols?: readonly string[] | undefined
}

/** Whoever connects. Asking for the address costs a system call. */
export interface Peer {
  readonly remoteAddress?: string | undefined
}

/** What becomes of the connections of a bound address. */
export interface AcceptTarget {
  /** TLS of connections that are accepted from now on. */
  readonly tls: AcceptTls | undefined
  /** Whether a connection may come in: gives it a ticket, or a number below zero to one that is to be closed. */
  admit(peer: Peer): number
  /** Makes the handler of an admitted link, whose ticket is the target's once the link has it. Under TLS the handshake is done. */
  accept(link: Link, ticket: number): LinkHandler
  /** An admitted connection is gone before it was a link. */
  leave(ticket: number): void
  /** A connection was lost before it was a link, or could not be accepted, such as for want of descriptors. */
  refused(error: unknown): void
}

/** How an address is bound. */
export interface ListenOptions {
  /** Connections that the kernel keeps until they are accepted. Default: 4_096. */
  readonly backlog?: number
  /** Several sockets, as a rule of several threads, share the address, and the kernel spreads connections over them. */
  readonly reusePort?: boolean
  /**
   * Connections with a descriptor of this number or a higher one are refused, so that some are left for other things:
   * without any left libuv closes whoever comes, and says so to nobody. Default: none are.
   */
  readonly maxDescriptor?: number
}

const defaults = { backlog: 4_096 }

/** How long a TLS handshake may take, in milliseconds. */
const handshakeMs = 10_000

/** How long one that is under way may still take once nobody is accepted any more, in milliseconds. */
const lastHandshakeMs = 2_000

/** How long a closing socket that is never found without a new connection is tried to be, in milliseconds. */
const maxEmptyingMs = 1_000

/** Connections that wait until a target is there: it comes as soon as all threads have bound, or never. */
const maxHeld = 1_024

/** Until the protocol has given its handler; nothing is read before. */
const nobody: LinkHandler = {
  onBytes() {},
  onEnd() {},
  onCongested() {},
  onDrain() {},
  onClose() {},
  onFault() {},
}

/**
 * Binds one address and turns accepted connections into links.
 *
 * What they are for is the target's business, which may change while the address stays bound: a TLS handshake that is
 * under way then ends with the certificate it began with, and its link belongs to the new target.
 */
export class Acceptor {
  #target: AcceptTarget | undefined
  /** Accepted before there was a target. Nothing of them is read. */
  #held: Socket[] = []
  readonly #server: Server
  /** With what ends each of them when it takes too long. */
  readonly #handshaking = new Map<TLSSocket, NodeJS.Timeout>()
  #owned = false
  #maxDescriptor = Infinity
  #acceptedCount = 0
  #closing: Promise<void> | undefined
  #closed = false

  constructor(target?: AcceptTarget) {
    this.#target = target
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accepted(socket),
    )
  }

  /** Connections that come before there is one wait for it, a bounded number; when there never is, they are reset. */
  get target(): AcceptTarget | undefined {
    return this.#target
  }

  set target(target: AcceptTarget | undefined) {
    this.#target = target
    if (target === undefined) return
    const held = this.#held
    this.#held = []
    for (const socket of held) this.#begin(socket, target)
  }

  /** Binds; rejects with Node's error when the address is taken or not ours, and when it is closed meanwhile. */
  async listen(bind: Bind, { maxDescriptor = Infinity, ...options }: ListenOptions = {}): Promise<Bind> {
    this.#maxDescriptor = maxDescriptor
    await testLinks()
    if (this.#closed || this.#closing !== undefined) throw closedEarly()
    this.#owned = ownedBuffers()
    const where = 'path' in bind || bind.host !== '' ? bind : { port: bind.port }
    await new Promise<void>((resolve, reject) => {
      const closed = () => reject(closedEarly())
      this.#server.once('error', reject)
      this.#server.once('close', closed)
      this.#server.listen({ ...defaults, ...options, ...where }, () => {
        // A name is looked up first, and Node binds it even when the server was closed meanwhile.
        if (this.#closed) this.#server.close()
        this.#server.off('error', reject)
        this.#server.off('close', closed)
        this.#server.on('error', (error) => this.target?.refused(error))
        resolve()
      })
    })
    const address = this.#server.address()
    if (address === null) throw closedEarly()
    return typeof address === 'string' ? { path: address } : { host: address.address, port: address.port }
  }

  /**
   * Stops accepting, and resolves when the socket is closed. Who was connected before is accepted still: on Linux;
   * elsewhere the kernel may reset who waits for it. Handshakes that are under way may end within two seconds.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** Whether it is closed and brings nobody any more. */
  get finished(): boolean {
    return this.#closed && this.#handshaking.size === 0
  }

  /** Stops accepting at once; the kernel resets who waits to be accepted. */
  destroy(): void {
    this.#stop()
    for (const socket of this.#handshaking.keys()) socket.destroy()
  }

  async #close(): Promise<void> {
    await this.#emptied()
    this.#stop()
    for (const [socket, timer] of this.#handshaking) {
      clearTimeout(timer)
      this.#handshaking.set(socket, endAfter(socket, lastHandshakeMs))
    }
  }

  #stop(): void {
    if (this.#closed) return
    this.#closed = true
    this.#server.close()
    for (const socket of this.#held) turnAway(socket)
    this.#held = []
  }

  /**
   * Resolves in a moment at which no connection waits to be accepted, since closing the socket would reset it.
   *
   * A second `listen` with the least backlog lets nobody in while anybody waits: others' SYNs are dropped, and their
   * repetitions, a second later, are refused or go to another socket of the same port. libuv accepts one connection a
   * turn of its loop, so the queue is empty after a poll that brought none. One connection may still slip in between
   * that poll and the close. Measured with 300 clients that connect again and again: 0.5 resets a close (2 at most),
   * where a plain close made 163 (279 at most).
   */
  #emptied(): Promise<void> {
    const { _handle: handle } = this.#server as unknown as { _handle: { listen(backlog: number): number } | null }
    if (process.platform !== 'linux' || !this.#server.listening || handle === null || handle.listen(0) !== 0) {
      return Promise.resolve()
    }
    const deadline = performance.now() + maxEmptyingMs
    return new Promise((resolve) => {
      const look = (before: number) => {
        if (this.#closed || this.#acceptedCount === before || performance.now() >= deadline) {
          // Here and not in the promise's turn: every microsecond lets somebody in.
          this.#stop()
          resolve()
        } else setImmediate(look, this.#acceptedCount)
      }
      setImmediate(look, -1)
    })
  }

  #accepted(accepted: Socket): void {
    this.#acceptedCount++
    if (this.#target !== undefined) this.#begin(accepted, this.#target)
    else if (this.#closed || this.#held.length >= maxHeld) turnAway(accepted)
    else this.#held.push(accepted)
  }

  #begin(accepted: Socket, target: AcceptTarget): void {
    if (descriptorOf(accepted) >= this.#maxDescriptor) {
      turnAway(accepted)
      target.refused(new Error('no descriptor is left for a client'))
      return
    }
    const ticket = target.admit(accepted)
    if (ticket < 0) {
      turnAway(accepted)
      return
    }
    if (target.tls !== undefined) return this.#acceptedTls(accepted, target, target.tls, ticket)
    let socket = accepted
    let readBuffer: ReadBuffer | undefined
    if (this.#owned) {
      readBuffer = new ReadBuffer()
      socket = adopt(accepted, { buffer: () => takeNextBuffer(firstReadBuffer), callback: onRead })
    }
    const link = new Link(socket, nobody, readBuffer === undefined ? {} : { readBuffer })
    this.#handOver(link, target, ticket)
    if (readBuffer === undefined) socket.resume()
  }

  #handOver(link: Link, target: AcceptTarget, ticket: number): void {
    try {
      link.handler = target.accept(link, ticket)
    } catch (fault) {
      // Whose handler the link has knows of its end, and leaves by itself.
      if (link.handler === nobody) target.leave(ticket)
      link.destroy()
      target.refused(fault)
    }
  }

  /** Under TLS a connection is a link once its handshake is done: before, its client is nobody. */
  #acceptedTls(raw: Socket, target: AcceptTarget, tls: AcceptTls, ticket: number): void {
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: tls.secureContext,
      ...(tls.protocols === undefined ? {} : { ALPNProtocols: [...tls.protocols] }),
    })
    this.#handshaking.set(socket, endAfter(socket, handshakeMs))
    let handedOver = false
    const ended = () => {
      clearTimeout(this.#handshaking.get(socket))
      if (this.#handshaking.delete(socket) && !handedOver) target.leave(ticket)
    }
    const failed = (error: unknown) => {
      ended()
      raw.destroy()
      this.target?.refused(error)
    }
    // Nobody reads yet, and a half-open socket would wait out the time of its handshake.
    const left = () => failed(new Error('the client left during its TLS handshake'))
    socket.once('error', failed)
    socket.once('end', left)
    socket.once('close', ended)
    socket.once('secure', () => {
      socket.off('error', failed)
      socket.off('end', left)
      const next = this.target!
      handedOver = next === target
      // Its own place is free for it, also where there are no others.
      if (!handedOver) target.leave(ticket)
      const nextTicket = handedOver ? ticket : next.admit(raw)
      handedOver = true
      if (nextTicket >= 0) this.#handOver(new Link(socket, nobody, { raw }), next, nextTicket)
      else turnAway(raw)
      ended()
      socket.resume()
    })
  }
}

function closedEarly(): Error {
  return new Error('the listener closed while it was being bound')
}

function endAfter(socket: TLSSocket, ms: number): NodeJS.Timeout {
  return setTimeout(() => socket.destroy(), ms)
}

/** The kernel gives the lowest that is free: a high one says that nearly all are taken. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
}

/** Closes a connection that nobody will serve, with RST: it must not cost a port for a minute more. */
function turnAway(socket: Socket): void {
  if ((socket as unknown as { _handle?: { reset?: unknown } | null })._handle?.reset === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
