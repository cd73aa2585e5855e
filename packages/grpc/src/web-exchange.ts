import { ProxyError } from '@sluice/core'
import {
  type Answer,
  type BodyReceiver,
  type Client,
  type ExchangeHandler,
  type HttpRoute,
  type IncomingRequest,
  type IncomingResponse,
  type Trailers,
} from '@sluice/http'
import {
  FieldBlock,
  fieldId,
  framingKind,
  type HeaderField,
  headerField,
  Http2Head,
  methodId,
  pseudoId,
} from '@sluice/wire'
import { contentTypeOfWeb, contentTypeUpstream, grpcFormat, wantsText } from './content-type.ts'
import { GrpcExchange } from './exchange.ts'
import { goOn } from './go-on.ts'
import type { Origins } from './web/cors.ts'
import { WebDownload } from './web/download.ts'
import { TextUpload } from './web/text-upload.ts'
import type { Fields } from './web/trailer-frame.ts'

/** Fields of a request that are for the proxy, or say what the body was before it was decoded. */
const notForUpstream = new Set(['content-length', 'accept', 'expect', 'x-grpc-web', 'te'])

/** Takes calls of gRPC-Web, of HTTP/1.1 and HTTP/2 alike. */
export function webCalls(origins: Origins): ExchangeHandler {
  return {
    when: (request) => {
      const format = grpcFormat(request.header('content-type') ?? '')
      return format === 'web' || format === 'webText'
    },
    start: (client) => new WebExchange(client, origins),
  }
}

/** One call of gRPC-Web: a call of gRPC for its upstream, a body with its trailers inside for its client. */
export class WebExchange extends GrpcExchange {
  readonly #origins: Origins
  readonly #download: WebDownload
  readonly #textUpload: TextUpload
  #contentType = ''
  #origin: string | undefined
  #textUp = false
  #textDown = false

  constructor(client: Client, origins: Origins) {
    super(client)
    this.#origins = origins
    this.#download = new WebDownload(client)
    this.#textUpload = new TextUpload(this.upload)
  }

  override get protocol(): string {
    return 'grpc-web'
  }

  override get intake(): BodyReceiver {
    return this.#textUp ? this.#textUpload : this.upload
  }

  override get download(): BodyReceiver {
    return this.abandoned ? super.download : this.#download
  }

  protected override check(head: IncomingRequest): HttpRoute | ProxyError {
    this.#contentType = head.header('content-type') ?? ''
    this.#origin = head.header('origin')
    this.#textUp = grpcFormat(this.#contentType) === 'webText'
    this.#textDown = wantsText(this.#contentType, head.header('accept'))
    this.#textUpload.begin()
    this.#download.text = this.#textDown
    if (head.methodId !== methodId.post) return new ProxyError('methodNotAllowed', 'calls of gRPC-Web are POSTs')
    // What goes up has no length of its own any more; where nothing comes, its end is told with the head.
    if (!this.requestDone) this.upload.kind = framingKind.chunked
    return super.check(head)
  }

  protected override readsFirst(): boolean {
    if (this.head.expectContinue) this.client.inform(goOn)
    return super.readsFirst()
  }

  override requestProgress(): void {
    if (this.#textUpload.malformed) this.fail(malformed)
    else super.requestProgress()
  }

  override requestEnd(): void {
    if (!this.#textUpload.malformed) return super.requestEnd()
    this.requestDone = true
    this.fail(malformed)
  }

  override http2Request(scheme: 'http' | 'https'): readonly HeaderField[] {
    const fields = super.http2Request(scheme).filter(({ name }) => !notForUpstream.has(name))
    const upstream = headerField('content-type', contentTypeUpstream(this.#contentType))
    return [...fields.map((field) => (field.id === fieldId.contentType ? upstream : field)), teTrailers]
  }

  /** Trailers go into the body; of a call that has no message and no trailers, the status stands in the head. */
  protected override respond(head: IncomingResponse): void {
    const fields = (head as Http2Head).fields.filter(({ pseudo, id }) => {
      return pseudo === pseudoId.none && id !== fieldId.contentType && id !== fieldId.contentLength
    })
    const names = fields.map(({ name }) => name)
    const own: Fields = [['content-type', this.#ownContentType(head)], ...this.#origins.response(this.#origin, names)]
    const all = [...own.map(([name, value]) => headerField(name, value)), ...fields]
    this.client.respond(Http2Head.response(head.status, all), framingKind.chunked, 0)
  }

  #ownContentType(head: IncomingResponse): string {
    return contentTypeOfWeb(head.header('content-type') ?? '', this.#textDown)
  }

  protected override endResponse(trailers: Trailers | null): void {
    const fields: Array<readonly [string, string]> = []
    if (trailers instanceof FieldBlock) throw new Error('an upstream of gRPC speaks HTTP/2')
    for (const { name, value } of trailers ?? []) fields.push([name, value])
    if (fields.length > 0) this.#download.trailerFrame(fields)
    this.#download.bodyEnd(null)
  }

  protected override endEarly(fields: Answer['headers']): void {
    this.#download.trailerFrame(fields)
    this.#download.bodyEnd(null)
  }

  /** A request that is refused before it is read answers for itself, not for the one before it. */
  protected override settled(): void {
    this.#origin = undefined
    this.#textDown = false
    super.settled()
  }

  protected override trailersOnly(fields: Answer['headers']): Answer {
    const contentType = contentTypeOfWeb('', this.#textDown)
    const names = fields.map(([name]) => name)
    const headers: Fields = [['content-type', contentType], ...this.#origins.response(this.#origin, names), ...fields]
    return { status: 200, headers, body: nothing }
  }
}

const nothing = Buffer.alloc(0)
const malformed = new ProxyError('badRequest', 'the body is no base64')
const teTrailers = headerField('te', 'trailers')
