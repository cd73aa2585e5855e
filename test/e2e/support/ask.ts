import { parseResponses, type ParsedResponse, type RawClient } from '../../../packages/testkit/src/raw/index.ts'

/** A GET of HTTP/1.1. */
export const get = (path: string, ...fields: string[]): string => request('GET', path, fields)

/** A request head without a body. */
export const request = (method: string, path: string, fields: readonly string[] = []): string =>
  [`${method} ${path} HTTP/1.1`, 'Host: e2e.example', ...fields, '', ''].join('\r\n')

/** A WebSocket handshake of RFC 6455 §1.3. */
export const handshake = (path: string): string =>
  request('GET', path, [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ])

/** Reads one response that is framed by length, by chunks or not at all; what follows stays unread. */
export async function response(client: RawClient, method = 'GET'): Promise<ParsedResponse> {
  const head = await client.readHead()
  const [alone] = parseResponses(Buffer.from(head, 'latin1'), { methods: [method], ended: false })
  if (alone === undefined) throw new Error(`no response: ${head}`)
  if (alone.complete || alone.framing === 'upgrade') return alone
  let bytes = Buffer.from(head, 'latin1')
  for (;;) {
    bytes = Buffer.concat([bytes, await client.readSome()])
    const [whole] = parseResponses(bytes, { methods: [method], ended: false })
    if (whole!.complete) return whole!
  }
}

/** Sends a request and reads its response. */
export async function ask(client: RawClient, bytes: string, method = 'GET'): Promise<ParsedResponse> {
  await client.write(bytes)
  return response(client, method)
}
