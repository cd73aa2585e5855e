export { FRAME_HEAD_BYTES, frameFlag, frameType, HTTP2_PREFACE } from './frame.ts'
export { FIELD_OVERHEAD, HeaderField, headerField } from './header-field.ts'
export {
  fieldFlaw,
  type HpackError,
  hpackError,
  type Indexing,
  indexing,
  type PseudoId,
  pseudoId,
} from './hpack-codes.ts'
export { HpackDecoder, type HpackLimits } from './hpack-decoder.ts'
export { HpackEncoder } from './hpack-encoder.ts'
export { http2Error, http2ErrorName } from './http2-codes.ts'
export { Http2Head } from './http2-head.ts'
export { type Http2Options, http2Options } from './http2-options.ts'
export { type Http2Role, Http2Session, type Http2SessionOwner } from './http2-session.ts'
export { Http2Stream, type StreamReset } from './http2-stream.ts'
