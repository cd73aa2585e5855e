import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2'

/** What came of a request. */
export interface Http2Answer {
  readonly head: IncomingHttpHeaders
  readonly informational: readonly IncomingHttpHeaders[]
  readonly body: Buffer
  readonly trailers: IncomingHttpHeaders
  /** The code of the reset that ended the stream; 0 when none did. */
  readonly reset: number
}

/** Sends a request on a session of node:http2 and awaits its end, whatever it is. */
export function ask(session: ClientHttp2Session, path: string, body?: Buffer): Promise<Http2Answer> {
  return new Promise((resolve) => {
    const method = body === undefined ? 'GET' : 'POST'
    const stream = session.request({ ':method': method, ':path': path }, { endStream: body === undefined })
    let head: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    const informational: IncomingHttpHeaders[] = []
    const chunks: Buffer[] = []
    stream.on('headers', (fields) => informational.push(fields))
    stream.on('response', (fields) => (head = fields))
    stream.on('trailers', (fields) => (trailers = fields))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', () => undefined)
    stream.on('close', () => {
      resolve({ head, informational, body: Buffer.concat(chunks), trailers, reset: stream.rstCode })
    })
    if (body !== undefined) stream.end(body)
  })
}
