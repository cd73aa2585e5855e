import { createRequire } from 'node:module'
import { RawClient, type RawClientOptions } from '../raw/raw-client.ts'
import { ConnectionEnded, type RawConnection } from '../raw/raw-connection.ts'
import { frame, h2, type RawFields, type RawFrame, settingsFrame } from './http2-frames.ts'

interface Decompressor {
  write(block: Buffer): void
  execute(): void
  read(): { readonly name: string; readonly value: string } | null
  on(event: 'error', listener: (error: Error) => void): void
}

interface HpackJs {
  readonly decompressor: { create(options: { table: { maxSize: number } }): Decompressor }
}

/** Which frame is waited for. */
export interface FrameWanted {
  readonly type?: number
  readonly id?: number
  /** Bits that must be set. */
  readonly flags?: number
}

/** How a session with a raw peer begins. */
export interface HandshakeOptions {
  /** What our SETTINGS say. Default: nothing. */
  readonly settings?: readonly (readonly [name: number, value: number])[]
}

/** A message as it came: its head, its content and its trailers. */
export interface RawMessage {
  readonly fields: RawFields
  readonly status: number
  readonly content: Buffer
  readonly trailers: RawFields
}

function statusOf(fields: RawFields | undefined): number {
  return Number(fields?.find(([name]) => name === ':status')?.[1] ?? 0)
}

/** Whether these are the fields of a head, and not of an interim response. */
function isFinal(fields: RawFields | undefined): boolean {
  return fields !== undefined && Math.floor(statusOf(fields) / 100) !== 1
}

/** A peer that speaks HTTP/2 frame by frame, from either side, and shares no code with what is tested. */
export class RawHttp2 {
  readonly connection: RawConnection
  /** Every frame that has been read. */
  readonly frames: RawFrame[] = []
  readonly #decompressor: Decompressor
  #decompressionError: Error | undefined
  #block: Buffer[] = []

  constructor(connection: RawConnection) {
    this.connection = connection
    const { decompressor } = createRequire(import.meta.url)('hpack.js') as HpackJs
    this.#decompressor = decompressor.create({ table: { maxSize: 4_096 } })
    this.#decompressor.on('error', (error) => (this.#decompressionError = error))
  }

  /** Connects as a client; preface and SETTINGS are exchanged when it resolves. */
  static async connect(to: number | RawClientOptions, options: HandshakeOptions = {}): Promise<RawHttp2> {
    const peer = new RawHttp2(await RawClient.connect(to))
    await peer.send(Buffer.from(h2.preface, 'latin1'), settingsFrame(...(options.settings ?? [])))
    await peer.#exchangeSettings()
    return peer
  }

  /** Takes a connection as a server; preface and SETTINGS are exchanged when it resolves. */
  static async accept(connection: RawConnection, options: HandshakeOptions = {}): Promise<RawHttp2> {
    const peer = new RawHttp2(connection)
    await connection.readUntil(h2.preface)
    await peer.send(settingsFrame(...(options.settings ?? [])))
    await peer.#exchangeSettings()
    return peer
  }

  async #exchangeSettings(): Promise<void> {
    const theirs = await this.next({ type: h2.settings })
    if ((theirs.flags & h2.ack) !== 0) throw new Error('SETTINGS were acknowledged before any came')
    await this.send(frame(h2.settings, { flags: h2.ack }))
    await this.next({ type: h2.settings, flags: h2.ack })
  }

  /** Writes the bytes of frames; resolves when the kernel has them. */
  send(...frames: readonly Uint8Array[]): Promise<void> {
    return this.connection.write(Buffer.concat(frames))
  }

  /** The next frame, or the next one that is so; others are passed over, `frames` has them. */
  async next(wanted: FrameWanted = {}): Promise<RawFrame> {
    for (;;) {
      const came = await this.#read()
      const typeFits = wanted.type === undefined || came.type === wanted.type
      const idFits = wanted.id === undefined || came.id === wanted.id
      if (typeFits && idFits && (came.flags & (wanted.flags ?? 0)) === (wanted.flags ?? 0)) return came
    }
  }

  /** Reads a message of a stream to its end. */
  async message(id: number): Promise<RawMessage> {
    let fields: RawFields | undefined
    const content: Buffer[] = []
    let trailers: RawFields = []
    let ended = false
    while (!ended || this.#block.length > 0) {
      const came = await this.next({ id })
      if (came.type === h2.rstStream) throw new Error(`stream ${id} was reset with ${came.payload.readUInt32BE()}`)
      if (came.type === h2.data) content.push(came.payload)
      else if (came.fields !== undefined && !isFinal(fields)) fields = came.fields
      else if (came.fields !== undefined) trailers = came.fields
      if (came.type <= h2.headers && (came.flags & h2.endStream) !== 0) ended = true
    }
    return { fields: fields ?? [], status: statusOf(fields), content: Buffer.concat(content), trailers }
  }

  /** Reads to the end of the connection; gives the code and the text of the last GOAWAY, -1 when none came. */
  async ending(): Promise<{ readonly code: number; readonly debug: string }> {
    try {
      for (;;) await this.#read()
    } catch (error) {
      if (!(error instanceof ConnectionEnded)) throw error
    }
    const goaway = this.frames.findLast(({ type }) => type === h2.goaway)
    if (goaway === undefined) return { code: -1, debug: '' }
    return { code: goaway.payload.readUInt32BE(4), debug: goaway.payload.subarray(8).toString('latin1') }
  }

  async close(): Promise<void> {
    await this.connection.close()
  }

  async #read(): Promise<RawFrame> {
    const head = await this.connection.readExactly(9)
    const payload = Buffer.from(await this.connection.readExactly(head.readUIntBE(0, 3)))
    const came = { type: head[3]!, flags: head[4]!, id: head.readUInt32BE(5), payload }
    const whole = this.#withFields(came)
    this.frames.push(whole)
    return whole
  }

  #withFields(came: RawFrame): RawFrame {
    if (came.type !== h2.headers && came.type !== h2.continuation) return came
    const { flags } = came
    if ((flags & (h2.padded | h2.priorityFlag)) !== 0)
      throw new Error('the peer pads or ranks, which it has no cause to')
    this.#block.push(came.payload)
    if ((flags & h2.endHeaders) === 0) return came
    this.#decompressor.write(Buffer.concat(this.#block))
    this.#block = []
    this.#decompressor.execute()
    if (this.#decompressionError !== undefined) throw this.#decompressionError
    const fields: [string, string][] = []
    for (let field = this.#decompressor.read(); field !== null; field = this.#decompressor.read()) {
      fields.push([field.name, field.value])
    }
    return { ...came, fields }
  }
}
