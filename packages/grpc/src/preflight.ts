import { ProxyError } from '@sluice/core'
import { type Client, type ExchangeHandler, HttpExchange, type HttpRoute, type IncomingRequest } from '@sluice/http'
import { methodId } from '@sluice/wire'
import type { Transcoder } from './transcode/transcoder.ts'
import type { Origins, Preflight } from './web/cors.ts'
import type { Fields } from './web/trailer-frame.ts'

/**
 * Answers browsers that ask whether a page may call by gRPC-Web or, where there is a `transcoder`, with JSON (CORS).
 * `all`: nothing else could be asked for; otherwise a preflight that neither announces gRPC-Web nor is about what a path
 * is bound for is somebody else's.
 */
export function webPreflights(origins: Origins, all: boolean, transcoder: Transcoder | undefined): ExchangeHandler {
  return {
    when: (request) =>
      isPreflight(request) && (all || ofWeb(request) || boundMethod(request, transcoder) !== undefined),
    start: (client) => new PreflightExchange(client, origins, transcoder),
  }
}

function isPreflight(request: IncomingRequest): boolean {
  return request.methodId === methodId.options && request.header('access-control-request-method') !== undefined
}

function ofWeb(request: IncomingRequest): boolean {
  return /\bx-grpc-web\b/i.test(request.header('access-control-request-headers') ?? '')
}

/** The method that is asked for, when the path is bound for it. */
function boundMethod(request: IncomingRequest, transcoder: Transcoder | undefined): string | undefined {
  const method = request.header('access-control-request-method')
  return method === undefined || transcoder?.match(method, request.path) === undefined ? undefined : method
}

class PreflightExchange extends HttpExchange {
  readonly #origins: Origins
  readonly #transcoder: Transcoder | undefined
  #fields: Fields = []

  constructor(client: Client, origins: Origins, transcoder: Transcoder | undefined) {
    super(client)
    this.#origins = origins
    this.#transcoder = transcoder
  }

  protected override get ordinary(): boolean {
    return false
  }

  protected override findRoute(head: IncomingRequest): HttpRoute | ProxyError {
    const asked: Preflight = {
      origin: head.header('origin'),
      requestMethod: head.header('access-control-request-method'),
      requestHeaders: head.header('access-control-request-headers'),
      boundMethod: boundMethod(head, this.#transcoder),
    }
    const fields = this.#origins.preflight(asked)
    if (fields === undefined) return new ProxyError('denied', 'pages of this origin may not call')
    this.#fields = fields
    return this.client.settings.unrouted
  }

  protected override answer(): void {
    this.statusCode = 204
    this.responseBegun = true
    this.client.sendAnswer({ status: 204, headers: this.#fields, body: Buffer.alloc(0) })
  }
}
