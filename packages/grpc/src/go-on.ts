import { Http2Head } from '@sluice/wire'

/**
 * The 100 that a client may wait for before it sends its body (RFC 9110 §10.1.1). Servers of gRPC send none, so it is
 * Sluice that does where clients of HTTP call them.
 */
export const goOn: Http2Head = Http2Head.response(100, [])
