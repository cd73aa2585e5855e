import {
  dataFrame,
  h2,
  headersFrame,
  type RawFields,
  RawHttp2,
  rstFrame,
} from '../../../../packages/testkit/src/http2/index.ts'
import { RawClient } from '../../../../packages/testkit/src/raw/index.ts'

/** What is asked of a listener in the words of any version. */
export interface HttpQuestion {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly fields?: RawFields
}

/** The head of an answer; names in lower case. */
export interface HttpHead {
  readonly status: number
  readonly fields: RawFields
  /** The value of a field, or `undefined`. */
  field(name: string): string | undefined
}

/** A whole answer. */
export interface HttpAnswer extends HttpHead {
  readonly body: Buffer
}

/** One request under way, and its answer as it comes. */
export interface HttpConversation {
  /** Sends body bytes; the last ones with `end`. */
  send(bytes: Uint8Array | string, end?: { readonly end: true }): Promise<void>
  /** The next head, an interim one too. */
  anyHead(): Promise<HttpHead>
  /** The head of the answer. */
  head(): Promise<HttpHead>
  /** The next bytes of the body; empty at its end. */
  piece(): Promise<Buffer>
  /** Breaks it off: a reset of the stream, or of the connection. */
  leave(): Promise<void>
}

/** A client of one version of HTTP, one connection. */
export interface HttpClient {
  /** `bodiless`: nothing follows the head. */
  begin(question: HttpQuestion, options?: { readonly bodiless?: boolean }): Promise<HttpConversation>
  close(): Promise<void>
}

/** A version of HTTP, for suites that run on each. */
export interface HttpWay {
  readonly name: 'HTTP/1.1' | 'HTTP/2'
  connect(port: number): Promise<HttpClient>
}

/** Asks, and takes the whole of the answer; a body has its length, and without one there is none. */
export async function exchange(
  client: HttpClient,
  question: HttpQuestion,
  body?: Uint8Array | string,
): Promise<HttpAnswer> {
  const bytes = body === undefined ? undefined : Buffer.from(body as string)
  const fields =
    bytes === undefined ? question.fields : [...(question.fields ?? []), ['content-length', `${bytes.length}`] as const]
  const conversation = await client.begin(
    { ...question, fields: fields ?? [] },
    { bodiless: bytes === undefined || bytes.length === 0 },
  )
  if (bytes !== undefined && bytes.length > 0) await conversation.send(bytes, { end: true })
  return await restOf(conversation)
}

/** The whole answer. */
export async function restOf(conversation: HttpConversation): Promise<HttpAnswer> {
  const head = await conversation.head()
  const pieces: Buffer[] = []
  for (let piece = await conversation.piece(); piece.length > 0; piece = await conversation.piece()) pieces.push(piece)
  return { ...head, body: Buffer.concat(pieces) }
}

function headOf(status: number, fields: RawFields): HttpHead {
  const field = (name: string): string | undefined => {
    const values = fields.filter(([key]) => key === name).map(([, value]) => value)
    return values.length === 0 ? undefined : values.join(', ')
  }
  return { status, fields, field }
}

async function finalHead(conversation: HttpConversation): Promise<HttpHead> {
  for (;;) {
    const head = await conversation.anyHead()
    if (head.status >= 200) return head
  }
}

class Http1Client implements HttpClient {
  readonly #client: RawClient

  constructor(client: RawClient) {
    this.#client = client
  }

  async begin({ method, target, fields = [] }: HttpQuestion, { bodiless = false } = {}): Promise<HttpConversation> {
    const length = fields.some(([name]) => name === 'content-length')
    const chunked = !bodiless && !length
    const lines = [
      `${method} ${target} HTTP/1.1`,
      'host: sluice.test',
      ...fields.map(([name, value]) => `${name}: ${value}`),
    ]
    if (chunked) lines.push('transfer-encoding: chunked')
    await this.#client.write(`${lines.join('\r\n')}\r\n\r\n`)
    return new Http1Conversation(this.#client, method, chunked)
  }

  async close(): Promise<void> {
    await this.#client.close()
  }
}

class Http1Conversation implements HttpConversation {
  readonly #client: RawClient
  readonly #method: string
  readonly #chunkedUp: boolean
  /** Of the answer: bytes to come, or `chunked`. */
  #left: number | 'chunked' = 0

  constructor(client: RawClient, method: string, chunkedUp: boolean) {
    this.#client = client
    this.#method = method
    this.#chunkedUp = chunkedUp
  }

  async send(bytes: Uint8Array | string, { end }: { readonly end?: true } = {}): Promise<void> {
    const body = Buffer.from(bytes as string)
    if (!this.#chunkedUp) return await this.#client.write(body)
    const chunk = body.length === 0 ? [] : [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]
    await this.#client.write(Buffer.concat([...chunk, ...(end === true ? [Buffer.from('0\r\n\r\n')] : [])]))
  }

  async anyHead(): Promise<HttpHead> {
    const [first, ...lines] = (await this.#client.readHead()).trimEnd().split('\r\n')
    const head = headOf(
      Number(/^HTTP\/1\.1 (\d{3})/.exec(first!)![1]),
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    )
    const bodiless = this.#method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304
    const chunked = head.field('transfer-encoding') === 'chunked'
    this.#left = bodiless ? 0 : chunked ? 'chunked' : Number(head.field('content-length'))
    return head
  }

  head(): Promise<HttpHead> {
    return finalHead(this)
  }

  async piece(): Promise<Buffer> {
    if (this.#left === 'chunked') {
      const size = Number.parseInt((await this.#client.readUntil('\r\n')).toString('latin1'), 16)
      const chunk = await this.#client.readExactly(size + 2)
      if (size === 0) this.#left = 0
      return chunk.subarray(0, size)
    }
    if (this.#left === 0) return Buffer.alloc(0)
    const body = await this.#client.readExactly(this.#left)
    this.#left = 0
    return body
  }

  leave(): Promise<void> {
    this.#client.rst()
    return Promise.resolve()
  }
}

class Http2Client implements HttpClient {
  readonly #peer: RawHttp2
  #id = 1

  constructor(peer: RawHttp2) {
    this.#peer = peer
  }

  async begin({ method, target, fields = [] }: HttpQuestion, { bodiless = false } = {}): Promise<HttpConversation> {
    const id = this.#id
    this.#id += 2
    const pseudo: RawFields = [
      [':method', method],
      [':scheme', 'http'],
      [':path', target],
      [':authority', 'sluice.test'],
    ]
    await this.#peer.send(headersFrame(id, [...pseudo, ...fields], h2.endHeaders | (bodiless ? h2.endStream : 0)))
    return new Http2Conversation(this.#peer, id)
  }

  async close(): Promise<void> {
    await this.#peer.close()
  }
}

class Http2Conversation implements HttpConversation {
  readonly #peer: RawHttp2
  readonly #id: number
  #ended = false

  constructor(peer: RawHttp2, id: number) {
    this.#peer = peer
    this.#id = id
  }

  send(bytes: Uint8Array | string, { end }: { readonly end?: true } = {}): Promise<void> {
    // A frame is 16 KiB at most unless the peer has said otherwise.
    const body = Buffer.from(bytes as string)
    const frames: Buffer[] = []
    for (let at = 0; at === 0 || at < body.length; at += 16_384) {
      const part = body.subarray(at, at + 16_384)
      frames.push(dataFrame(this.#id, part, { end: end === true && at + 16_384 >= body.length }))
    }
    return this.#peer.send(...frames)
  }

  async anyHead(): Promise<HttpHead> {
    for (;;) {
      const { type, flags, fields, payload } = await this.#peer.next({ id: this.#id })
      if (type === h2.rstStream) throw new Error(`the stream was reset with ${payload.readUInt32BE()}`)
      if (fields === undefined) continue
      this.#ended = (flags & h2.endStream) !== 0
      const status = Number(fields.find(([name]) => name === ':status')?.[1])
      return headOf(
        status,
        fields.filter(([name]) => !name.startsWith(':')),
      )
    }
  }

  head(): Promise<HttpHead> {
    return finalHead(this)
  }

  async piece(): Promise<Buffer> {
    while (!this.#ended) {
      const { type, flags, payload } = await this.#peer.next({ id: this.#id })
      if (type === h2.rstStream) throw new Error(`the stream was reset with ${payload.readUInt32BE()}`)
      if (type !== h2.data && type !== h2.headers) continue
      this.#ended = (flags & h2.endStream) !== 0
      if (type === h2.headers) throw new Error('trailers, which no answer here has')
      if (payload.length > 0) return payload
    }
    return Buffer.alloc(0)
  }

  async leave(): Promise<void> {
    await this.#peer.send(rstFrame(this.#id, 8))
  }
}

/** Both versions. */
export const httpWays: readonly HttpWay[] = [
  {
    name: 'HTTP/1.1',
    connect: async (port) => new Http1Client(await RawClient.connect({ port, timeoutMs: 5_000 })),
  },
  {
    name: 'HTTP/2',
    connect: async (port) => new Http2Client(await RawHttp2.connect({ port, timeoutMs: 5_000 })),
  },
]
