import { ProxyError } from '@sluice/core'
import { type Client, type ExchangeHandler, HttpExchange, type HttpRoute, type IncomingRequest } from '@sluice/http'
import { methodId } from '@sluice/wire'
import type { Origins, Preflight } from './web/cors.ts'
import type { Fields } from './web/trailer-frame.ts'

/**
 * Answers browsers that ask whether a page may call by gRPC-Web (CORS). `all`: nothing else could be asked for;
 * otherwise a preflight that does not announce gRPC-Web is somebody else's.
 */
export function webPreflights(origins: Origins, all: boolean): ExchangeHandler {
  return {
    when: (request) => isPreflight(request, all),
    start: (client) => new PreflightExchange(client, origins),
  }
}

function isPreflight(request: IncomingRequest, all: boolean): boolean {
  if (request.methodId !== methodId.options || request.header('access-control-request-method') === undefined)
    return false
  return all || /\bx-grpc-web\b/i.test(request.header('access-control-request-headers') ?? '')
}

class PreflightExchange extends HttpExchange {
  readonly #origins: Origins
  #fields: Fields = []

  constructor(client: Client, origins: Origins) {
    super(client)
    this.#origins = origins
  }

  protected override get ordinary(): boolean {
    return false
  }

  protected override findRoute(head: IncomingRequest): HttpRoute | ProxyError {
    const asked: Preflight = {
      origin: head.header('origin'),
      requestMethod: head.header('access-control-request-method'),
      requestHeaders: head.header('access-control-request-headers'),
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
