import type { BindAddress, Listener, ListenerParts, Runtime } from '@sluice/core'
import type { AcceptTarget, Link, LinkHandler } from '@sluice/wire'
import type { HttpListenerOptions } from './options.ts'
import { Http1Session } from './session.ts'
import { HttpSettings } from './settings.ts'

/** Serves HTTP/1.1 connections, in the clear or under TLS. */
export class HttpListener implements Listener {
  readonly runtime: Runtime
  readonly #parts: ListenerParts
  #settings: HttpSettings
  #draining = false
  #closed = false
  readonly #sessions = new Set<Http1Session>()

  constructor(runtime: Runtime, options: HttpListenerOptions, parts: ListenerParts) {
    this.runtime = runtime
    this.#settings = new HttpSettings(runtime, options)
    this.#parts = parts
  }

  get name(): string {
    return this.#settings.options.config.name
  }

  /** What the next request goes by. */
  get settings(): HttpSettings {
    return this.#settings
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
  }

  /** What becomes of connections to one of its addresses: they come here. */
  target(bind: BindAddress): AcceptTarget {
    const local = 'path' in bind
    const settings = () => this.#settings
    return {
      get tls() {
        return settings().options.tls
      },
      accept: (link) => this.#accept(link, local),
      refused: () => this.#parts.refused(),
    }
  }

  #accept(link: Link, local: boolean): LinkHandler {
    const session = new Http1Session(this, link, local)
    this.#sessions.add(session)
    if (this.#closed) link.destroy()
    return session
  }

  /** A session's socket is closed. */
  gone(session: Http1Session): void {
    this.#sessions.delete(session)
  }

  drain(): void {
    this.#draining = true
    for (const session of this.#sessions) session.drain()
  }

  close(): void {
    this.#draining = true
    this.#closed = true
    for (const session of this.#sessions) session.close()
  }
}
