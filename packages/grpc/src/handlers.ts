import type { ExchangeHandler } from '@sluice/http'
import { grpcCalls } from './handler.ts'
import { ownHealth } from './health-exchange.ts'
import { webPreflights } from './preflight.ts'
import type { Transcoder } from './transcode/transcoder.ts'
import { transcodedCalls } from './transcode-exchange.ts'
import { Origins } from './web/cors.ts'
import { webCalls } from './web-exchange.ts'

/** What a listener does for calls of gRPC besides passing them on. */
export interface GrpcExtras {
  /** Only gRPC is served: a question of a browser, or a path that is bound, can be about nothing else. */
  readonly only: boolean
  /** Answers grpc.health.v1 by itself. */
  readonly health: boolean
  /** Pages that may call, by gRPC-Web and with JSON; undefined: none. */
  readonly web: { readonly origins: readonly string[] } | undefined
  /** Methods that are bound to HTTP with JSON. */
  readonly transcode: TranscodeFiles | undefined
}

/** Where the bindings stand. */
export interface TranscodeFiles {
  readonly protos: readonly string[]
  readonly includes: readonly string[]
  /** Undefined: all services. */
  readonly services: readonly string[] | undefined
}

/** Who takes the calls of a listener, in the order in which they are asked. Rejects when a file cannot be used. */
export async function grpcHandlers({ only, health, web, transcode }: GrpcExtras): Promise<ExchangeHandler[]> {
  const transcoder = transcode === undefined ? undefined : await load(transcode)
  const origins = web === undefined ? undefined : new Origins(web.origins)
  const handlers: ExchangeHandler[] = []
  if (health) handlers.push(...ownHealth(origins))
  handlers.push(grpcCalls)
  if (origins !== undefined) handlers.push(webCalls(origins), webPreflights(origins, only, transcoder))
  if (transcoder !== undefined) handlers.push(transcodedCalls(transcoder, only, origins))
  return handlers
}

async function load({ protos, includes, services = [] }: TranscodeFiles): Promise<Transcoder> {
  // protobufjs is large, and most listeners have no use for it.
  const { Transcoder } = await import('./transcode/transcoder.ts')
  return await Transcoder.load({ protos, includes, services })
}
