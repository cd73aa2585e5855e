import type { IncomingMessage, ServerResponse } from 'node:http'

/** A request that asks for something impossible; the answer is 400 with this message. */
export class BadCall extends Error {}

/** One behaviour of the HTTP backend. */
export type Answer = (call: Call) => void | Promise<void>

/** One request to the HTTP backend, with its address taken apart. */
export class Call {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** The first segment of the path: which behaviour is asked for. */
  readonly verb: string
  /** The second segment, as in `/bytes/1000`; empty when there is none. */
  readonly argument: string
  readonly #queryAt: number
  #query: URLSearchParams | undefined
  #expectsContinue: boolean

  constructor(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean) {
    this.req = req
    this.res = res
    this.#expectsContinue = expectsContinue
    const url = req.url ?? '/'
    const mark = url.indexOf('?')
    this.#queryAt = mark < 0 ? url.length : mark
    const slash = url.indexOf('/', 1)
    const verbEnd = slash < 0 || slash > this.#queryAt ? this.#queryAt : slash
    this.verb = url.slice(1, verbEnd)
    this.argument = url.slice(verbEnd + 1, this.#queryAt)
  }

  /** The text of a query parameter. */
  text(name: string, fallback: string): string {
    this.#query ??= new URLSearchParams((this.req.url ?? '').slice(this.#queryAt + 1))
    return this.#query.get(name) ?? fallback
  }

  /** A query parameter that is a whole number from 0 on. */
  number(name: string, fallback: number): number {
    const text = this.text(name, '')
    return text === '' ? fallback : wholeNumber(name, text)
  }

  /** The second path segment as a whole number from 0 on. */
  size(fallback?: number): number {
    if (this.argument === '' && fallback !== undefined) return fallback
    return wholeNumber(this.verb, this.argument)
  }

  /** Says that the body will be read: a client that waits for `100 Continue` gets it now, and only now. */
  wantBody(): void {
    if (!this.#expectsContinue) return
    this.#expectsContinue = false
    this.res.writeContinue()
  }

  /** The whole body. Behaviours that must not hold it in memory read `req` themselves. */
  async body(maxBytes: number): Promise<Buffer> {
    this.wantBody()
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of this.req as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBytes) throw new BadCall(`the body is larger than ${maxBytes} bytes; POST it to /hash`)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks, size)
  }

  /** Answers with JSON. */
  json(value: unknown, status = 200): void {
    const text = Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
    this.res.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length })
    this.res.end(text)
  }

  /** Answers with a line of text. */
  line(text: string, status = 200): void {
    const bytes = Buffer.from(`${text}\n`)
    this.res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': bytes.length })
    this.res.end(bytes)
  }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (text === '' || !Number.isSafeInteger(value) || value < 0) {
    throw new BadCall(`${name} must be a whole number from 0 on, and is '${text}'`)
  }
  return value
}
