/** A gRPC message of 20 bytes behind its five of framing: what a call sends, and what it is answered with. */
export const grpcMessage = `\0\0\0\0\u0014${'x'.repeat(20)}`

/** The method that is called. */
export const grpcPath = '/bench.v1.Echo/Say'

/** In the first answer on a connection to the backend: whether the request brought X-Forwarded-For, `yes` or `no`. */
export const forwardedHeader = 'bench-forwarded'
