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
  readonly protocols?: readonly string[]
}

/** Makes the handler of an accepted link. A TLS handshake may still be under way; bytes come after it. */
export type Accept = (link: Link) => LinkHandler

/** How long a TLS handshake may take, in milliseconds. */
const handshakeMs = 10_000

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
 * `close` stops accepting; links that stand are their owners'.
 */
export class Acceptor {
  readonly #server: Server
  readonly #accept: Accept
  readonly #tls: AcceptTls | undefined
  readonly #failed: (error: unknown) => void
  readonly #handshaking = new Set<TLSSocket>()
  #owned = false

  /** `failed` hears what befalls single connections before they are links, such as exhausted descriptors. */
  constructor(accept: Accept, options: { tls?: AcceptTls | undefined; failed: (error: unknown) => void }) {
    this.#accept = accept
    this.#tls = options.tls
    this.#failed = options.failed
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#accepted(socket),
    )
  }

  /** Binds; rejects with Node's error when the address is taken or not ours. */
  async listen(bind: Bind, backlog = 4_096): Promise<Bind> {
    await testLinks()
    this.#owned = ownedBuffers()
    const where = 'path' in bind || bind.host !== '' ? bind : { port: bind.port }
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ ...where, backlog }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', this.#failed)
        resolve()
      })
    })
    const address = this.#server.address()
    if (address === null) throw new Error('the listener closed while it was being bound')
    return typeof address === 'string' ? { path: address } : { host: address.address, port: address.port }
  }

  /** Stops accepting. */
  close(): void {
    this.#server.close()
    for (const socket of this.#handshaking) socket.destroy()
  }

  #accepted(accepted: Socket): void {
    if (this.#tls !== undefined) return this.#acceptedTls(accepted, this.#tls)
    let socket = accepted
    let readBuffer: ReadBuffer | undefined
    if (this.#owned) {
      readBuffer = new ReadBuffer()
      socket = adopt(accepted, { buffer: () => takeNextBuffer(firstReadBuffer), callback: onRead })
    }
    const link = new Link(socket, nobody, readBuffer === undefined ? {} : { readBuffer })
    this.#handOver(link)
    if (readBuffer === undefined) socket.resume()
  }

  #handOver(link: Link): void {
    try {
      link.handler = this.#accept(link)
    } catch (fault) {
      link.destroy()
      this.#failed(fault)
    }
  }

  /** Under TLS a connection is a link once its handshake is done: before, its client is nobody. */
  #acceptedTls(raw: Socket, tls: AcceptTls): void {
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: tls.secureContext,
      ...(tls.protocols === undefined ? {} : { ALPNProtocols: [...tls.protocols] }),
    })
    this.#handshaking.add(socket)
    const timer = setTimeout(() => raw.destroy(), handshakeMs)
    const ended = () => {
      clearTimeout(timer)
      this.#handshaking.delete(socket)
    }
    const failed = (error: unknown) => {
      ended()
      raw.destroy()
      this.#failed(error)
    }
    socket.once('error', failed)
    socket.once('close', ended)
    socket.once('secure', () => {
      ended()
      socket.off('error', failed)
      const link = new Link(socket, nobody, { raw })
      this.#handOver(link)
      socket.resume()
    })
  }
}
