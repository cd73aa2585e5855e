import { createSecureContext } from 'node:tls'
import { eventually, type RawClientOptions, RawClient, RawServer } from '../../../testkit/src/raw/index.ts'
import { Acceptor, connectLink, type ConnectingHandler, type Link, type LinkError } from '../../src/link/index.ts'
import { certificate } from './certificate.ts'

/** Notes what a link tells, and answers by the hooks of a test. */
export class Notes implements ConnectingHandler {
  link!: Link
  readonly events: string[] = []
  received: Buffer[] = []
  /** The octets as they were lent, not copied. */
  lent: Buffer | undefined
  error: LinkError | undefined
  faults: unknown[] = []
  onBytesDo: ((bytes: Buffer, start: number, end: number) => void) | undefined
  onEndDo: (() => void) | undefined
  readonly closed: Promise<void>
  #close!: () => void

  constructor() {
    this.closed = new Promise((resolve) => (this.#close = resolve))
  }

  get bytes(): Buffer {
    return Buffer.concat(this.received)
  }

  onConnect(): void {
    this.events.push('connect')
  }
  onBytes(bytes: Buffer, start: number, end: number): void {
    this.received.push(Buffer.from(bytes.subarray(start, end)))
    this.lent = bytes.subarray(start, end)
    this.onBytesDo?.(bytes, start, end)
  }
  onEnd(): void {
    this.events.push('end')
    this.onEndDo?.()
  }
  onCongested(): void {
    this.events.push('congested')
  }
  onDrain(): void {
    this.events.push('drain')
  }
  onClose(error: LinkError | undefined): void {
    this.events.push('close')
    this.error = error
    this.#close()
  }
  onFault(fault: unknown): void {
    this.faults.push(fault)
  }
}

/** A link and its raw peer. */
export interface Pair {
  readonly notes: Notes
  readonly link: Link
  readonly peer: RawClient
}

export const secureContext = createSecureContext(certificate)

/** Accepts links in the clear or under TLS, and connects raw peers to them. */
export class Accepting {
  readonly acceptor: Acceptor
  readonly accepted: Notes[] = []
  readonly failures: unknown[] = []
  /** Told what to note on before the first byte comes. */
  prepare: ((notes: Notes) => void) | undefined
  port = 0
  readonly #tls: boolean
  readonly #peers: RawClient[] = []

  constructor(options: { tls?: boolean } = {}) {
    this.#tls = options.tls === true
    this.acceptor = new Acceptor({
      accept: (link) => {
        const notes = new Notes()
        notes.link = link
        this.accepted.push(notes)
        this.prepare?.(notes)
        return notes
      },
      tls: this.#tls ? { secureContext } : undefined,
      admit: () => 0,
      leave: () => undefined,
      refused: (error) => this.failures.push(error),
    })
  }

  async listen(): Promise<this> {
    const bound = await this.acceptor.listen({ host: '127.0.0.1', port: 0 })
    this.port = (bound as { port: number }).port
    return this
  }

  get clientOptions(): RawClientOptions {
    return { port: this.port, ...(this.#tls ? { tls: { ca: certificate.cert, servername: 'sluice.test' } } : {}) }
  }

  async pair(): Promise<Pair> {
    const before = this.accepted.length
    const peer = await RawClient.connect(this.clientOptions)
    this.#peers.push(peer)
    while (this.accepted.length === before) await new Promise((resolve) => setImmediate(resolve))
    const notes = this.accepted.at(-1)!
    return { notes, link: notes.link, peer }
  }

  async close(): Promise<void> {
    this.acceptor.destroy()
    await Promise.all(this.#peers.map((peer) => peer.close()))
    for (const { link } of this.accepted) link.destroy()
    await eventually(() => this.accepted.every(({ link }) => link.closed))
  }
}

/** A link that connects to a raw server, in the clear or under TLS. */
export async function connecting(tls: boolean): Promise<{ server: RawServer; notes: Notes; link: Link }> {
  const server = await RawServer.start(undefined, tls ? { tls: certificate } : {})
  const notes = new Notes()
  const link = connectLink(
    { host: '127.0.0.1', port: server.port },
    notes,
    tls ? { secureContext: createSecureContext({ ca: certificate.cert }), serverName: 'sluice.test' } : undefined,
  )
  notes.link = link
  return { server, notes, link }
}
