import { methodDefinition, type ServiceName } from '../../../../packages/backends/src/index.ts'
import { h2, headersFrame, dataFrame, type RawFields } from '../../../../packages/testkit/src/http2/index.ts'

/** The service that echoes. */
export const echo = 'sluice.test.v1.Echo'
/** The service with annotations. */
export const orders = 'shop.v1.Orders'

/** A message with its five octets before it, by hand: nothing here is shared with what is tested. */
export function framed(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5)
  head[0] = flags
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** What a caller of a method sends, framed. */
export function requestOf(service: ServiceName, method: string, request: object): Buffer {
  return framed(methodDefinition(service, method).requestSerialize(request))
}

/** One frame of a body of gRPC or gRPC-Web. */
export interface BodyFrame {
  readonly flags: number
  readonly content: Buffer
}

/** All frames of a body; throws where one is cut. */
export function framesOf(body: Buffer): BodyFrame[] {
  const frames: BodyFrame[] = []
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1)
    if (end > body.length) throw new Error(`a frame of ${end - at} bytes is cut at ${body.length - at}`)
    frames.push({ flags: body[at]!, content: body.subarray(at + 5, end) })
    at = end
  }
  return frames
}

/** What a method answered, in the messages of a body. */
export function answersIn(body: Buffer, service: ServiceName = echo, method = 'Unary'): Record<string, unknown>[] {
  const { responseDeserialize } = methodDefinition(service, method)
  return framesOf(body)
    .filter(({ flags }) => flags === 0)
    .map(({ content }) => responseDeserialize(content) as Record<string, unknown>)
}

/** The head of a call, frame by frame. */
export function callHead(
  id: number,
  path: string,
  more: RawFields = [],
  { contentType = 'application/grpc', end = false } = {},
): Buffer {
  const fields: RawFields = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'sluice.test'],
    ['te', 'trailers'],
    ['content-type', contentType],
    ...more,
  ]
  return headersFrame(id, fields, h2.endHeaders | (end ? h2.endStream : 0))
}

/** A whole call of one message, frame by frame. */
export function wholeCall(
  id: number,
  { text = 'a', behaviour, more = [] }: { text?: string; behaviour?: object; more?: RawFields } = {},
): Buffer {
  const message = requestOf(echo, 'Unary', behaviour === undefined ? { text } : { text, behaviour })
  return Buffer.concat([callHead(id, `/${echo}/Unary`, more), dataFrame(id, message, { end: true })])
}

/** The value of a field; those of a repeated one joined by `, `. */
export function valueOf(fields: RawFields, name: string): string | undefined {
  const values = fields.filter(([key]) => key === name).map(([, value]) => value)
  return values.length === 0 ? undefined : values.join(', ')
}
