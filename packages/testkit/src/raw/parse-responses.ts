/** One HTTP/1.1 response, or as much of one as has come. */
export interface ParsedResponse {
  readonly version: string
  readonly status: number
  readonly reason: string
  /** Name and value, in their order and letter case. */
  readonly headers: readonly (readonly [string, string])[]
  /** How the body is bounded; `upgrade`: all that follows a 101. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close' | 'upgrade'
  readonly body: Buffer
  /** The sizes of the chunks, without the last one. */
  readonly chunks: readonly number[]
  readonly trailers: readonly (readonly [string, string])[]
  /** False when the bytes stop before the response does. */
  readonly complete: boolean
  /** The value of a header field, those of a repeated one joined by `, `. */
  header(name: string): string | undefined
}

/** What the bytes alone do not say. */
export interface ParseResponsesOptions {
  /** The methods of the requests, in their order; the answer to HEAD has no body. Default: GET for all. */
  readonly methods?: readonly string[]
  /** Whether the bytes end with the connection; a body that ends with it is complete then. Default: true. */
  readonly ended?: boolean
}

type Fields = (readonly [string, string])[]
type Body = Pick<ParsedResponse, 'framing' | 'body' | 'chunks' | 'trailers' | 'complete'>

/**
 * Takes bytes apart into HTTP/1.1 responses, for asserts. It shares no code with `@sluice/wire`, so that a mistake
 * there cannot hide itself; it is strict (CRLF, one framing) and throws where a byte does not fit. An incomplete head
 * at the end is left out.
 */
export function parseResponses(bytes: Uint8Array, options: ParseResponsesOptions = {}): ParsedResponse[] {
  const cursor = new Cursor(bytes)
  const responses: ParsedResponse[] = []
  let request = 0
  while (!cursor.atEnd) {
    const lines = cursor.head()
    if (lines === undefined) {
      const rest = cursor.rest().toString('latin1')
      if (!'HTTP/1.'.startsWith(rest.slice(0, 7)))
        throw new Error(`surplus bytes: ${JSON.stringify(rest.slice(0, 80))}`)
      break
    }
    const match = /^HTTP\/(\d\.\d) (\d{3})(?: ([^\r\n]*))?$/.exec(lines[0] ?? '')
    if (match === null) throw new Error(`no status line at byte ${cursor.at}: ${JSON.stringify(lines[0])}`)
    const headers = fields(lines.slice(1))
    const status = Number(match[2])
    const method = options.methods?.[request] ?? 'GET'
    if (status >= 200 || status === 101) request++
    const body = readBody(cursor, status, method, headers, options.ended ?? true)
    responses.push({
      version: match[1]!,
      status,
      reason: match[3] ?? '',
      headers,
      header: (name) => valueOf(headers, name),
      ...body,
    })
    if (!body.complete) break
  }
  return responses
}

function readBody(cursor: Cursor, status: number, method: string, headers: Fields, ended: boolean): Body {
  const whole = (framing: Body['framing'], body: Buffer, complete: boolean): Body => {
    return { framing, body, chunks: [], trailers: [], complete }
  }
  if (status === 101) return whole('upgrade', cursor.rest(), true)
  if (status < 200 || status === 204 || status === 304 || method === 'HEAD') return whole('none', Buffer.alloc(0), true)
  const length = valueOf(headers, 'content-length')
  const coding = valueOf(headers, 'transfer-encoding')
  if (length !== undefined && coding !== undefined) throw new Error('both content-length and transfer-encoding')
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw new Error(`transfer-encoding ${coding}`)
    return chunkedBody(cursor)
  }
  if (length === undefined) return whole('close', cursor.rest(), ended)
  if (!/^\d+$/.test(length)) throw new Error(`content-length ${length}`)
  const body = cursor.take(Number(length))
  return whole('length', body, body.length === Number(length))
}

function chunkedBody(cursor: Cursor): Body {
  const parts: Buffer[] = []
  const done = (trailers: Fields, complete: boolean): Body => {
    const chunks = parts.map((part) => part.length)
    return { framing: 'chunked', body: Buffer.concat(parts), chunks, trailers, complete }
  }
  for (;;) {
    const line = cursor.line()
    if (line === undefined) return done([], false)
    const match = /^([0-9a-fA-F]+)(?:[ \t]*;.*)?$/.exec(line)
    if (match === null) throw new Error(`no chunk size before byte ${cursor.at}: ${JSON.stringify(line)}`)
    const size = Number.parseInt(match[1]!, 16)
    if (size === 0) {
      const trailers: string[] = []
      for (;;) {
        const trailer = cursor.line()
        if (trailer === undefined) return done(fields(trailers), false)
        if (trailer === '') return done(fields(trailers), true)
        trailers.push(trailer)
      }
    }
    const part = cursor.take(size)
    parts.push(part)
    if (part.length < size) return done([], false)
    const end = cursor.line()
    if (end === undefined) return done([], false)
    if (end !== '') throw new Error(`a chunk of ${size} bytes does not end before byte ${cursor.at}`)
  }
}

function fields(lines: readonly string[]): Fields {
  return lines.map((line) => {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/.exec(line)
    if (match === null) throw new Error(`no header field: ${JSON.stringify(line)}`)
    return [match[1]!, match[2]!] as const
  })
}

function valueOf(headers: Fields, name: string): string | undefined {
  const values = headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}

class Cursor {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get atEnd(): boolean {
    return this.at >= this.#bytes.length
  }

  /** The lines up to an empty one, or nothing when that has not come. */
  head(): string[] | undefined {
    const end = this.#bytes.indexOf('\r\n\r\n', this.at)
    if (end < 0) return undefined
    const text = this.#bytes.toString('latin1', this.at, end)
    this.at = end + 4
    if (/[\r\n]/.test(text.replaceAll('\r\n', ''))) throw new Error(`a bare CR or LF in ${JSON.stringify(text)}`)
    return text.split('\r\n')
  }

  line(): string | undefined {
    const end = this.#bytes.indexOf('\r\n', this.at)
    if (end < 0) return undefined
    const text = this.#bytes.toString('latin1', this.at, end)
    this.at = end + 2
    return text
  }

  take(length: number): Buffer {
    const part = this.#bytes.subarray(this.at, this.at + length)
    this.at += part.length
    return part
  }

  rest(): Buffer {
    return this.take(this.#bytes.length - this.at)
  }
}
