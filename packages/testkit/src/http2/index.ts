/** Raw HTTP/2 for tests: frames and a peer. */
export {
  dataFrame,
  frame,
  type FrameText,
  goawayFrame,
  h2,
  headerBlock,
  headersFrame,
  pingFrame,
  type RawFields,
  type RawFrame,
  requestFields,
  rstFrame,
  settingsFrame,
  windowUpdateFrame,
  word,
} from './http2-frames.ts'
export { type FrameWanted, type HandshakeOptions, RawHttp2, type RawMessage } from './raw-http2.ts'
