import {
  ClientAdmission,
  type BindAddress,
  type HeldBytes,
  type Listener,
  type ListenerParts,
  type Runtime,
} from '@sluice/core'
import type { AcceptTarget, Link, LinkHandler } from '@sluice/wire'
import type { HttpListenerOptions } from './options.ts'
import { ClientSession } from './http2/client-session.ts'
import { Http1Session } from './http1/session.ts'
import { HttpSettings } from './settings.ts'

/** One client connection, whichever version it speaks. */
export interface ClientConnection {
  /** Closes what is idle; what is under way is served. */
  drain(): void
  /** Ends at once. */
  close(): void
}

/** Serves connections of HTTP/1.1 and HTTP/2, in the clear or under TLS. */
export class HttpListener implements Listener {
  readonly runtime: Runtime
  readonly #parts: ListenerParts
  readonly #admission: ClientAdmission
  #settings: HttpSettings
  #draining = false
  #closed = false
  /** With the ticket of each one's client. */
  readonly #sessions = new Map<ClientConnection, number>()

  constructor(runtime: Runtime, options: HttpListenerOptions, parts: ListenerParts) {
    this.runtime = runtime
    this.#settings = new HttpSettings(runtime, options)
    this.#parts = parts
    this.#admission = new ClientAdmission(runtime, options.config, parts)
  }

  get name(): string {
    return this.#settings.options.config.name
  }

  /** What the next request goes by. */
  get settings(): HttpSettings {
    this.runtime.catchUp()
    return this.#settings
  }

  /** What is held in memory, over all threads; undefined when nobody counts. */
  get held(): HeldBytes | undefined {
    return this.#parts.held
  }

  get draining(): boolean {
    return this.#draining
  }

  get connections(): number {
    return this.#sessions.size
  }

  /** Goes by other options: each connection from its next request on, what is under way keeps what it began with. */
  configure(options: HttpListenerOptions): void {
    this.#settings = new HttpSettings(this.runtime, options)
    this.#admission.configure(options.config)
  }

  /** What becomes of connections to one of its addresses: they come here. */
  target(bind: BindAddress): AcceptTarget {
    const local = 'path' in bind
    const settings = () => this.#settings
    return {
      get tls() {
        return settings().options.tls
      },
      admit: (peer) => this.#admission.admit(peer),
      accept: (link, ticket) => this.#accept(link, ticket, local),
      leave: (ticket) => this.#admission.leave(ticket),
      refused: () => this.#parts.refused(),
    }
  }

  #accept(link: Link, ticket: number, local: boolean): LinkHandler {
    if (link.protocol === 'h2') return this.#acceptHttp2(link, ticket, local).session
    const session = new Http1Session(this, link, local)
    this.#sessions.set(session, ticket)
    if (this.#closed) link.destroy()
    return session
  }

  #acceptHttp2(link: Link, ticket: number, local: boolean): ClientSession {
    const session = new ClientSession(this, link, local)
    this.#sessions.set(session, ticket)
    if (this.#closed) link.destroy()
    if (this.#draining) session.drain()
    return session
  }

  /** A connection begins with the preface of HTTP/2 (prior knowledge, RFC 9113 §3.3), of which this is what came. */
  speaksHttp2(from: Http1Session, { buf, start, end }: { buf: Buffer; start: number; end: number }): void {
    const ticket = this.#sessions.get(from)
    if (ticket === undefined) return
    this.#sessions.delete(from)
    this.#acceptHttp2(from.link, ticket, from.local).session.feed(buf, start, end)
  }

  /** A session's socket is closed. */
  gone(session: ClientConnection): void {
    const ticket = this.#sessions.get(session)
    if (ticket === undefined) return
    this.#sessions.delete(session)
    this.#admission.leave(ticket)
  }

  drain(): void {
    this.#draining = true
    for (const session of this.#sessions.keys()) session.drain()
  }

  close(): void {
    this.#draining = true
    this.#closed = true
    for (const session of this.#sessions.keys()) session.close()
  }
}
