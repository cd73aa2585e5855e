import type { Connection, Connector, Endpoint } from '@sluice/core'
import { Dial } from './dial.ts'
import type { HttpExchange } from './exchange.ts'
import type { Carrier } from './half.ts'
import { Http1Connection } from './http1/connection.ts'

/** A connection to an endpoint that carries exchanges of HTTP. */
export interface HttpConnection extends Connection {
  /** Begins to serve an exchange: sends what is there of its request. */
  carry(exchange: HttpExchange): Carrier
  /** Gives up an exchange that was leased to it and is not carried yet, and tells it when that is done. */
  abort(exchange: HttpExchange): void
}

/** Makes connections of HTTP/1.1. */
export const http1Connector: Connector = {
  reusable: true,
  concurrency: () => 1,
  connect: (pool, address) => new Http1Connection(pool, address),
}

/** Makes connections of HTTP/2: by ALPN under TLS, by prior knowledge in the clear (RFC 9113 §3). */
export const http2Connector: Connector = {
  reusable: true,
  concurrency: (pool) => pool.options.maxStreams,
  connect: (pool, address) => new Dial(pool, address, ['h2']),
}

/** Makes connections of the version that the peer prefers, by ALPN (RFC 7301). */
export const negotiatingConnector: Connector = {
  reusable: true,
  concurrency: () => undefined,
  connect: (pool, address) => new Dial(pool, address, ['h2', 'http/1.1']),
}

/** How an endpoint is connected to for requests that either version can carry. */
export function connectorFor(endpoint: Endpoint): Connector {
  const { protocol } = endpoint.upstream.config
  if (protocol === 'http2') return http2Connector
  return protocol === 'auto' && endpoint.tls !== undefined ? negotiatingConnector : http1Connector
}
