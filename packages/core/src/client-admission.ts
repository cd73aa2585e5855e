import type { ListenerConfig } from './config/config.ts'
import type { ListenerParts } from './listener.ts'
import { TrustedProxies } from './routing/client-address.ts'
import type { Runtime } from './runtime.ts'
import { tooMany, uncounted } from './state/client-table.ts'
import type { ThreadCount } from './state/thread-count.ts'

/** Whoever connects. The address is asked for only where it matters, since that costs a system call. */
export interface Peer {
  readonly remoteAddress?: string | undefined
}

/** What `admit` returns for a connection that may not come in. */
const refusedTicket = -1
/** The ticket of a connection that is not counted for its client; others are one more than the client's entry. */
const plainTicket = 0

/** Who may connect to a listener: `maxConnections`, `perClient`, and what all listeners together may have. */
export class ClientAdmission {
  readonly #parts: ListenerParts
  readonly #connections: ThreadCount
  readonly #allConnections: ThreadCount
  #config: ListenerConfig
  #trusted: TrustedProxies

  constructor(runtime: Runtime, config: ListenerConfig, parts: ListenerParts) {
    this.#parts = parts
    this.#connections = runtime.store.connections(config.name)
    this.#allConnections = runtime.store.allConnections
    this.#config = config
    this.#trusted = new TrustedProxies(config.trustedProxies)
  }

  /** Goes by other limits. Whoever is connected stays. */
  configure(config: ListenerConfig): void {
    this.#config = config
    this.#trusted = new TrustedProxies(config.trustedProxies)
  }

  /**
   * Counts a connection. Returns the ticket to `leave` with, or one below zero when there are too many; the two totals
   * may be one a thread too high, since threads look at them at the same time.
   */
  admit(peer: Peer): number {
    const ticket = this.#judge(peer)
    if (ticket < 0) {
      this.#parts.refused()
      return refusedTicket
    }
    this.#connections.add(1)
    this.#allConnections.add(1)
    return ticket
  }

  #judge(peer: Peer): number {
    const { maxConnections, perClient, name } = this.#config
    const { clients, maxAllConnections = Infinity } = this.#parts
    if (maxConnections !== Infinity && this.#connections.total >= maxConnections) return refusedTicket
    if (maxAllConnections !== Infinity && this.#allConnections.total >= maxAllConnections) return refusedTicket
    if (perClient === Infinity || clients === undefined) return plainTicket
    const address = peer.remoteAddress ?? ''
    // A trusted proxy speaks for many, and a Unix socket's peer has no address.
    if (address === '' || this.#trusted.has(address)) return plainTicket
    const entry = clients.enter(name, address, perClient)
    if (entry === tooMany) return refusedTicket
    return entry === uncounted ? plainTicket : entry + 1
  }

  /** A connection that was admitted is gone. */
  leave(ticket: number): void {
    this.#connections.add(-1)
    this.#allConnections.add(-1)
    if (ticket > plainTicket) this.#parts.clients?.leave(ticket - 1)
  }
}
