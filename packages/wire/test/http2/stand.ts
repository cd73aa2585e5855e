import { RawHttp2, RawServer, type HandshakeOptions, type RawClientOptions } from '../../../testkit/src/index.ts'
import {
  Acceptor,
  connectLink,
  type HeaderField,
  headerField,
  type Http2Head,
  http2ErrorName,
  type Http2Options,
  http2Options,
  Http2Session,
  type Http2SessionOwner,
  Http2Stream,
  type Link,
  type LinkError,
  type StreamReset,
} from '../../src/index.ts'

/** Fields of our own making, as `:status 200`. */
export function fields(...lines: readonly string[]): HeaderField[] {
  return lines.map((line) => {
    const at = line.indexOf(' ')
    return headerField(line.slice(0, at), line.slice(at + 1))
  })
}

function text(head: Http2Head): string {
  return head.fields.map(({ name, value }) => `${name}=${value}`).join(' ')
}

/** Notes what a stream is told, and answers by the hooks of a test. */
export class NotedStream extends Http2Stream {
  readonly stand: Stand
  events: string[] = []
  content: Buffer[] = []
  /** Takes what comes at once, as a receiver that keeps up. Default: true. */
  takes = true

  constructor(stand: Stand) {
    super()
    this.stand = stand
  }

  get contentBytes(): number {
    return this.content.reduce((sum, { length }) => sum + length, 0)
  }

  protected override onHead(head: Http2Head, ended: boolean): void {
    this.#note(`head ${text(head)}${ended ? ' end' : ''}`)
    this.stand.onHeadDo?.(this, head, ended)
  }

  protected override onData(bytes: Buffer, start: number, end: number, ended: boolean): void {
    if (end > start) this.content.push(Buffer.from(bytes.subarray(start, end)))
    if (ended) this.#note('end')
    if (this.takes) this.consumed(end - start)
    this.stand.onDataDo?.(this, bytes, start, end, ended)
  }

  protected override onTrailers(trailers: Http2Head): void {
    this.#note(`trailers ${text(trailers)}`)
    this.stand.onTrailersDo?.(this, trailers)
  }

  protected override onReset({ code, by, processed }: StreamReset): void {
    this.#note(`reset ${http2ErrorName(code)} by ${by}${processed ? '' : ' unprocessed'}`)
    this.stand.onResetDo?.(this)
  }

  protected override onSent(bytes: number): void {
    this.stand.onSentDo?.(this, bytes)
  }

  protected override onClosed(): void {
    this.#note('closed')
    this.stand.onClosedDo?.(this)
  }

  protected override onHeadTooLarge(head: Http2Head): void {
    if (this.stand.onHeadTooLargeDo === undefined) return super.onHeadTooLarge(head)
    this.#note('head too large')
    this.stand.onHeadTooLargeDo(this, head)
  }

  #note(event: string): void {
    this.events.push(event)
    this.stand.log.push(`${this.id}: ${event}`)
  }
}

/** What a session tells its owner, and the streams that it has made. */
export class Stand implements Http2SessionOwner {
  session!: Http2Session
  readonly streams: NotedStream[] = []
  /** What was told of all streams, in its order. */
  readonly log: string[] = []
  readonly faults: unknown[] = []
  settings = 0
  goaways: number[] = []
  idles = 0
  closed = false
  error: LinkError | undefined
  onHeadDo: ((stream: NotedStream, head: Http2Head, ended: boolean) => void) | undefined
  onDataDo: ((stream: NotedStream, bytes: Buffer, start: number, end: number, ended: boolean) => void) | undefined
  onTrailersDo: ((stream: NotedStream, trailers: Http2Head) => void) | undefined
  onResetDo: ((stream: NotedStream) => void) | undefined
  onSentDo: ((stream: NotedStream, bytes: number) => void) | undefined
  onClosedDo: ((stream: NotedStream) => void) | undefined
  onHeadTooLargeDo: ((stream: NotedStream, head: Http2Head) => void) | undefined
  newStreamDo: (() => NotedStream) | undefined

  newStream(): NotedStream {
    const stream = this.newStreamDo?.() ?? new NotedStream(this)
    if (!this.streams.includes(stream)) this.streams.push(stream)
    return stream
  }

  onSettings(): void {
    this.settings++
  }

  onGoaway(code: number): void {
    this.goaways.push(code)
  }

  onIdle(): void {
    this.idles++
  }

  onClose(error: LinkError | undefined): void {
    this.closed = true
    this.error = error
  }

  onFault(fault: unknown): void {
    this.faults.push(fault)
  }
}

/** What is open, to be closed after the test. */
const open: (() => void | Promise<void>)[] = []

/** Closes whatever the stands of a test have opened. */
export async function closeStands(): Promise<void> {
  for (const close of open.splice(0).reverse()) await close()
}

/** Answers as soon as the request is complete: 200, and its content echoed. */
export function echo(stand: Stand): void {
  const answer = (stream: NotedStream) => {
    const content = Buffer.concat(stream.content)
    stream.sendHead(fields(':status 200'), content.length === 0)
    if (content.length > 0) stream.sendData(content, 0, content.length, true)
  }
  stand.onHeadDo = (stream, _head, ended) => {
    if (ended) answer(stream)
  }
  stand.onDataDo = (stream, _bytes, _start, _end, ended) => {
    if (ended) answer(stream)
  }
  stand.onTrailersDo = answer
}

/** A server of ours that waits for connections; each has its stand. */
export async function serving(
  prepare: (stand: Stand, link: Link) => void = echo,
  options: Partial<Http2Options> = {},
): Promise<{ readonly port: number; readonly stands: Stand[] }> {
  const stands: Stand[] = []
  const acceptor = new Acceptor({
    tls: undefined,
    admit: () => 0,
    leave: () => undefined,
    refused: (error) => {
      throw error
    },
    accept: (link) => {
      const stand = new Stand()
      stands.push(stand)
      prepare(stand, link)
      stand.session = new Http2Session(link, 'server', http2Options(options), stand)
      return stand.session
    },
  })
  const { port } = (await acceptor.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
  open.push(() => {
    acceptor.destroy()
    for (const { session } of stands) session.link.destroy()
  })
  return { port, stands }
}

/** A server of ours and a raw client whose handshake is done. */
export async function served(
  prepare: (stand: Stand, link: Link) => void = echo,
  options: Partial<Http2Options> = {},
  handshake: HandshakeOptions & Partial<RawClientOptions> = {},
): Promise<{ readonly peer: RawHttp2; readonly stand: Stand; readonly port: number }> {
  // Tests ask by PING whether all has been said.
  const { port, stands } = await serving(prepare, { maxPings: 100_000, ...options })
  const peer = await RawHttp2.connect({ ...handshake, port }, handshake)
  open.push(() => peer.close())
  return { peer, stand: stands[0]!, port }
}

/** A client of ours and a raw server whose handshake is done. */
export async function connected(
  options: Partial<Http2Options> = {},
  handshake: HandshakeOptions = {},
): Promise<{ readonly peer: RawHttp2; readonly stand: Stand }> {
  const server = await RawServer.start()
  open.push(() => server.close())
  const stand = new Stand()
  const nobody = {
    onConnect() {},
    onBytes() {},
    onEnd() {},
    onCongested() {},
    onDrain() {},
    onClose() {},
    onFault() {},
  }
  const link = connectLink({ host: '127.0.0.1', port: server.port }, nobody)
  stand.session = new Http2Session(link, 'client', http2Options(options), stand)
  open.push(() => link.destroy())
  const peer = await RawHttp2.accept(await server.accept(), handshake)
  return { peer, stand }
}

/** Opens a stream of a client and sends a request on it. */
export function request(stand: Stand, lines: readonly string[] = [], { ended = true } = {}): NotedStream {
  const stream = stand.newStream()
  stand.session.open(stream)
  stream.sendHead(fields(':method GET', ':scheme http', ':path /', ':authority sluice.test', ...lines), ended)
  return stream
}
