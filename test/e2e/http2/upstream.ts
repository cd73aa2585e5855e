import {
  dataFrame,
  frame,
  type HandshakeOptions,
  h2,
  headersFrame,
  type RawFields,
  type RawFrame,
  RawHttp2,
  requestFields,
  settingsFrame,
  windowUpdateFrame,
} from '../../../packages/testkit/src/http2/index.ts'
import { eventually, type RawClient, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import type { Stage } from '../support/stage.ts'

/** What an upstream's session does with each request whose head has come; unanswered ones are the test's. */
export type Serve = (session: UpstreamSession, id: number, fields: RawFields) => void | Promise<void>

/** One session of an upstream: its frames are read all the time. */
export class UpstreamSession {
  readonly peer: RawHttp2
  /** Requests whose head has come, in their order, and those that have come whole. */
  readonly heads: number[] = []
  readonly whole: number[] = []
  /** Streams that the proxy has reset, with the code. */
  readonly resets = new Map<number, number>()
  /** The code of the proxy's GOAWAY. */
  goaway: number | undefined
  pings = 0
  /** What `serve` threw. */
  failure: unknown
  /** Requests under way now, and at most. */
  readonly running = new Set<number>()
  mostRunning = 0

  constructor(peer: RawHttp2) {
    this.peer = peer
  }

  get closed(): boolean {
    return this.peer.connection.socket.destroyed
  }

  /** Reads until the connection ends. */
  async read(serve: Serve): Promise<void> {
    for (;;) {
      const one = await this.peer.next()
      this.#note(one)
      // Streams have their window and no more; the connection has what it needs.
      if (one.type === h2.data && one.payload.length > 0) {
        await this.peer.send(windowUpdateFrame(0, one.payload.length))
      }
      if (one.type === h2.headers && one.fields?.[0]?.[0] === ':method') {
        this.heads.push(one.id)
        this.running.add(one.id)
        this.mostRunning = Math.max(this.mostRunning, this.running.size)
        void this.#run(serve, one.id, one.fields)
      }
    }
  }

  /** What a test asserts in here fails its upstream, and the test with it. */
  async #run(serve: Serve, id: number, fields: RawFields): Promise<void> {
    try {
      await serve(this, id, fields)
    } catch (error) {
      this.failure ??= error
      this.peer.connection.rst()
    }
  }

  #note({ type, id, flags, payload }: RawFrame): void {
    if (type === h2.rstStream) {
      this.resets.set(id, payload.readUInt32BE())
      this.running.delete(id)
    }
    if (type === h2.goaway) this.goaway = payload.readUInt32BE(4)
    if (type === h2.ping && (flags & h2.ack) === 0) this.pings++
    if (type <= h2.headers && (flags & h2.endStream) !== 0) this.whole.push(id)
  }

  /** Answers a request with a body that names what the test wants to know. */
  async answer(id: number, body = 'done'): Promise<void> {
    this.running.delete(id)
    await this.peer.send(headersFrame(id, [[':status', '200']], h2.endHeaders), dataFrame(id, body, { end: true }))
  }
}

/** An upstream of HTTP/2 whose sessions a test drives frame by frame. */
export class Http2Upstream {
  readonly server: RawServer
  readonly sessions: UpstreamSession[]

  private constructor(server: RawServer, sessions: UpstreamSession[]) {
    this.server = server
    this.sessions = sessions
  }

  /** `settings` of each session, by its place. */
  static async start(
    serve: Serve = () => undefined,
    settings: (index: number) => HandshakeOptions = () => ({}),
    { answersFin = true } = {},
  ): Promise<Http2Upstream> {
    const sessions: UpstreamSession[] = []
    const server = await RawServer.start(
      async (connection, index) => {
        if (answersFin) void connection.ended.then(() => connection.close())
        const session = new UpstreamSession(await RawHttp2.accept(connection, settings(index)))
        sessions.push(session)
        await session.read(serve)
      },
      // A session may rest as long as a test runs.
      { timeoutMs: 60_000 },
    )
    return new Http2Upstream(server, sessions)
  }

  get address(): string {
    return `127.0.0.1:${this.server.port}`
  }

  /** Requests whose head has come, over all sessions. */
  get heads(): number {
    return this.sessions.reduce((sum, { heads }) => sum + heads.length, 0)
  }

  /** Resolves when so many requests have come. */
  async reached(count: number): Promise<void> {
    await eventually(() => this.heads >= count, { what: `${count} requests at the upstream` })
  }

  async close(): Promise<void> {
    await this.server.close()
    for (const { failure } of this.sessions)
      if (failure !== undefined) throw new Error('an upstream failed', { cause: failure })
  }
}

/** A client of HTTP/2 that has shaken hands with a listener. It is closed with the stage. */
export async function sessionOf(stage: Stage, listener = 'web'): Promise<RawHttp2> {
  return begin(await stage.client(listener, { timeoutMs: 10_000 }))
}

/** Shakes hands on a connection that stands, as a client. */
export async function begin(client: RawClient): Promise<RawHttp2> {
  const peer = new RawHttp2(client)
  await peer.send(Buffer.from(h2.preface, 'latin1'), settingsFrame())
  await peer.next({ type: h2.settings })
  await peer.send(frame(h2.settings, { flags: h2.ack }))
  await peer.next({ type: h2.settings, flags: h2.ack })
  return peer
}

/** A whole request. */
export const get = (id: number, path = '/'): Buffer => headersFrame(id, requestFields(path))

/** A request with a body by its length, whole when all of it is sent. */
export function post(id: number, { length, sent = length }: { length: number; sent?: number }): Buffer {
  const frames = [headersFrame(id, requestFields('/', 'POST', [['content-length', String(length)]]), h2.endHeaders)]
  for (let left = sent; left > 0; left -= 16_000) {
    frames.push(dataFrame(id, Buffer.alloc(Math.min(left, 16_000), 'x'), { end: left <= 16_000 && sent === length }))
  }
  return Buffer.concat(frames)
}
