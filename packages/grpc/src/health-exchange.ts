import { gunzipSync, inflateSync } from 'node:zlib'
import { type ProxyError, Timer } from '@sluice/core'
import { type Client, type ExchangeHandler, Http2Request, type HttpRoute, type IncomingRequest } from '@sluice/http'
import { framingKind, headerField, Http2Head } from '@sluice/wire'
import { type GrpcFormat, grpcFormat } from './content-type.ts'
import { GrpcExchange } from './exchange.ts'
import {
  checkPath,
  decodeHealthRequest,
  encodeHealthResponse,
  type ServingStatusName,
  watchPath,
} from './health/messages.ts'
import { encodeMessage } from './message.ts'
import { frameMessage, MessageReader } from './messages.ts'
import { statusCode } from './status.ts'
import type { Origins } from './web/cors.ts'
import { WebExchange } from './web-exchange.ts'

/** The largest question that is read, in bytes. */
const maxQuestionBytes = 4_096

/** How often a watched service is looked at, in milliseconds. */
const lookEveryMs = 500

/**
 * Answers grpc.health.v1 for the listener itself: the whole of it, or one of the services that its routes lead to.
 * `origins`: whose pages may ask by gRPC-Web; undefined: nobody does.
 */
export function ownHealth(origins: Origins | undefined): ExchangeHandler[] {
  return origins === undefined ? [questions] : [questions, webQuestions(origins)]
}

const questions: ExchangeHandler = {
  when: (request) => request instanceof Http2Request && formatOf(request) === 'grpc',
  start: (client) => new HealthExchange(client),
}

function webQuestions(origins: Origins): ExchangeHandler {
  const WebHealthExchange = answering(
    class extends WebExchange {
      constructor(client: Client) {
        super(client, origins)
      }
    },
  )
  return {
    when: (request) => {
      const format = formatOf(request)
      return format === 'web' || format === 'webText'
    },
    start: (client) => new WebHealthExchange(client),
  }
}

/** How a request asks for health; undefined when it does not. */
function formatOf(request: IncomingRequest): GrpcFormat | undefined {
  if (request.path !== checkPath && request.path !== watchPath) return undefined
  return request.method === 'POST' ? grpcFormat(request.header('content-type') ?? '') : undefined
}

/** Calls of one form, gRPC or gRPC-Web, that are answered here. */
function answering(Call: new (client: Client) => GrpcExchange): new (client: Client) => GrpcExchange {
  return class extends Call {
    #service = ''
    #coding = ''
    #watching = false
    #told: ServingStatusName | undefined
    #look: Timer | undefined

    protected override findRoute(head: IncomingRequest): HttpRoute | ProxyError {
      this.#watching = head.path === watchPath
      this.#coding = head.header('grpc-encoding') ?? 'identity'
      this.#told = undefined
      return this.client.settings.unrouted
    }

    /** The question is read first. */
    protected override readsFirst(): boolean {
      super.readsFirst()
      return true
    }

    protected override get maxStoredBytes(): number {
      return maxQuestionBytes
    }

    protected override answer(): void {
      const body = this.upload.take()
      const question = body[0] === compressed ? decompress(body, this.#coding) : body
      if (question === 'unknown') {
        return this.#end(statusCode.UNIMPLEMENTED, `sluice: the coding is not known: ${this.#coding}`)
      }
      const service = question === undefined ? undefined : questionIn(question)
      if (service === undefined) return this.#end(statusCode.INVALID_ARGUMENT, 'sluice: the question is malformed')
      this.#service = service
      if (this.#watching) {
        // Where routes lead is asked for again and again.
        this.retain()
        return this.#watch()
      }
      const status = this.#status()
      if (status === 'SERVICE_UNKNOWN') return this.#end(statusCode.NOT_FOUND, 'sluice: no route leads to this service')
      this.#tell(status)
      this.#end(statusCode.OK)
    }

    #watch(): void {
      this.#look ??= new Timer(this, this.runtime.fine)
      const status = this.#status()
      if (status !== this.#told) this.#tell(status)
      // Whoever drains has said so, and is about to close.
      if (this.client.listener.draining) this.#end(statusCode.UNAVAILABLE, 'sluice: draining')
      else this.#look.arm(lookEveryMs)
    }

    override expired(timer: Timer): void {
      if (timer === this.#look) this.#watch()
      else super.expired(timer)
    }

    #status(): ServingStatusName {
      const { listener } = this.client
      if (listener.draining) return 'NOT_SERVING'
      if (this.#service === '') return 'SERVING'
      const upstream = this.#routed()?.upstream
      if (upstream === undefined) return 'SERVICE_UNKNOWN'
      return upstream.endpoints.some(({ usable }) => usable) ? 'SERVING' : 'NOT_SERVING'
    }

    /** By the latest configuration: who watches may do so for longer than one of them lives. */
    #routed(): HttpRoute | undefined {
      const { router, options } = this.client.listener.settings
      const whole = router.match({
        protocol: 'grpc',
        host: this.host,
        path: `/${this.#service}/`,
        method: 'POST',
        header: (name) => this.header(name),
        clientAddress: this.clientAddress,
        tlsName: this.tlsName,
      })
      // There may be routes for some of its methods alone.
      return whole ?? options.routes.find(({ match }) => match.service === this.#service)
    }

    #tell(status: ServingStatusName): void {
      if (this.#told === undefined) this.#begin()
      this.#told = status
      const message = frameMessage(encodeHealthResponse(status))
      this.download.body(message, 0, message.length, message.length, true)
    }

    #begin(): void {
      this.statusCode = 200
      this.responseBegun = true
      // The head of an answer without messages, each form's own.
      const fields = this.trailersOnly([]).headers.map(([name, value]) => headerField(name, value))
      this.client.respond(Http2Head.response(200, fields), framingKind.chunked, 0)
    }

    #end(code: number, message?: string): void {
      this.code = code
      const fields: Array<readonly [string, string]> = [['grpc-status', String(code)]]
      if (message !== undefined) fields.push(['grpc-message', encodeMessage(message)])
      if (code === statusCode.UNIMPLEMENTED) fields.push(['grpc-accept-encoding', 'identity,deflate,gzip'])
      if (this.responseBegun) {
        this.endEarly(fields)
        this.client.responseComplete()
      } else {
        this.statusCode = 200
        this.responseBegun = true
        this.client.sendAnswer(this.trailersOnly(fields))
      }
    }

    protected override settled(): void {
      this.#look?.disarm()
      super.settled()
    }
  }
}

const HealthExchange = answering(GrpcExchange)

/** The first octet of a message that is compressed. */
const compressed = 1
const headBytes = 5

/**
 * The one message of a body, as it was before it was compressed; undefined when it is not what it says, or longer than a
 * question may be.
 */
function decompress(body: Buffer, coding: string): Buffer | 'unknown' | undefined {
  const decompressed = coding === 'gzip' ? gunzipSync : coding === 'deflate' ? inflateSync : undefined
  if (decompressed === undefined) return 'unknown'
  if (body.length < headBytes || body.readUInt32BE(1) !== body.length - headBytes) return undefined
  try {
    return frameMessage(decompressed(body.subarray(headBytes), { maxOutputLength: maxQuestionBytes }))
  } catch {
    return undefined
  }
}

/** The service in the one message of a call; undefined when it is no question. */
function questionIn(body: Buffer): string | undefined {
  let service: string | undefined
  let messages = 0
  const reader = new MessageReader(maxQuestionBytes, (message) => {
    messages++
    service = decodeHealthRequest(message)
  })
  const fault = reader.read(body)
  return fault === undefined && reader.atBoundary && messages === 1 ? service : undefined
}
