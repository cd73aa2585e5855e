export { contentTypeOfWeb, contentTypeUpstream, type GrpcFormat, grpcFormat, wantsText } from './content-type.ts'
export { decodeMessage, encodeMessage } from './message.ts'
export { frameMessage, type MessageFault, MessageReader, type OnMessage } from './messages.ts'
export {
  httpOfStatus,
  parseStatus,
  type StatusCode,
  type StatusName,
  statusCode,
  statusName,
  statusOfHttp,
  statusOfReset,
} from './status.ts'
export { formatTimeout, parseTimeout } from './timeout.ts'
export { encodeText, Base64Decoder } from './web/base64.ts'
export { Origins, type Preflight } from './web/cors.ts'
export { encodeTrailerFrame, type Fields } from './web/trailer-frame.ts'
export {
  checkPath,
  decodeHealthRequest,
  decodeHealthResponse,
  encodeHealthRequest,
  encodeHealthResponse,
  servingStatus,
  type ServingStatusName,
  watchPath,
} from './health/messages.ts'
export { grpcProbe } from './probe.ts'
export { GrpcExchange } from './exchange.ts'
export { grpcCalls } from './handler.ts'
export { type GrpcExtras, grpcHandlers } from './handlers.ts'
export type { Binding } from './transcode/binding.ts'
export { TranscodeError } from './transcode/transcode-error.ts'
export { Transcoder, type TranscoderOptions } from './transcode/transcoder.ts'
