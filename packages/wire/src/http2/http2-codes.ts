/** Why a stream or a connection ended, as RST_STREAM and GOAWAY say it (RFC 9113 §7). */
export const http2Error = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

const names = Object.keys(http2Error).map((name) => name.replaceAll(/[A-Z]|1+/g, '_$&').toUpperCase())

/** The name of an error code in the letters of RFC 9113 §7, or its number when it has none. */
export function http2ErrorName(code: number): string {
  return names[code] ?? String(code)
}
