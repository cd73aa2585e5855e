/** Raw-byte clients and servers for tests. */
export { type Deferred, deferred } from './deferred.ts'
export { eventually, type EventuallyOptions } from './eventually.ts'
export { parseResponses, type ParsedResponse, type ParseResponsesOptions } from './parse-responses.ts'
export { RawClient, type RawClientOptions } from './raw-client.ts'
export { ConnectionEnded, type End, RawConnection, type RawConnectionOptions } from './raw-connection.ts'
export { type RawScript, RawServer, type RawServerOptions } from './raw-server.ts'
