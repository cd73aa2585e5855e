export { isAuthority, portOf } from './authority.ts'
export { copyBytes, readLatin1, writeDecimal, writeLatin1 } from './bytes.ts'
export {
  ChunkedDecoder,
  type ChunkedLimits,
  chunkEvent,
  encodeChunkHead,
  LAST_CHUNK,
  LAST_CHUNK_LINE,
  MAX_CHUNK_HEAD_BYTES,
} from './chunked.ts'
export { type Http1Error, http1Error, http1ErrorName } from './codes.ts'
export {
  FIELD_CLASS,
  type FieldId,
  fieldClass,
  fieldId,
  fieldIdOf,
  HOP_BY_HOP_MASK,
  ORIGIN_MASK,
} from './field-names.ts'
export { FIELD_STRIDE, FieldBlock, scanFields } from './fields.ts'
export { type HeadLimits, MessageHead } from './message-head.ts'
export { IDEMPOTENT_METHODS, METHOD_NAMES, type MethodId, methodId, methodIdOf, methodIdOfName } from './methods.ts'
export { parseRequestHead, RequestHead, type TargetForm, targetForm } from './request-head.ts'
export { type FramingKind, framing, framingKind, parseResponseHead, ResponseHead } from './response-head.ts'
export { scanTargetText, type TargetText } from './target-text.ts'
export { isTrailerAllowed, isTrailerNameAllowed } from './trailers.ts'
