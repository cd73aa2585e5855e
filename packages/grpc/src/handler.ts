import { type ExchangeHandler, Http2Request, type IncomingRequest } from '@sluice/http'
import { fieldId, type HeaderField } from '@sluice/wire'
import { type GrpcFormat, grpcFormat } from './content-type.ts'
import { GrpcExchange } from './exchange.ts'

// Callers have one content type, and it comes as one and the same field.
let lastField: HeaderField | undefined
let lastFormat: GrpcFormat | undefined

/** Takes calls of gRPC: HTTP/2 with a content type of `application/grpc`. */
export const grpcCalls: ExchangeHandler = {
  when: isGrpcCall,
  start: (client) => new GrpcExchange(client),
}

function isGrpcCall(request: IncomingRequest): boolean {
  if (!(request instanceof Http2Request)) return false
  for (const field of request.head.fields) {
    if (field.id !== fieldId.contentType) continue
    if (field !== lastField) {
      lastField = field
      lastFormat = grpcFormat(field.value)
    }
    return lastFormat === 'grpc'
  }
  return false
}
