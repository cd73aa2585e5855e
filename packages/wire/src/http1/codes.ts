/**
 * Why a head, a chunked body or a trailer section was refused: negative, so that every parser can return it in place
 * of a length. A request with one of them is answered 400 unless the line says otherwise, a response becomes 502.
 */
export const http1Error = {
  /** The request line has not exactly three words with one SP between them (RFC 9112 §3). */
  badRequestLine: -1,
  /** The method holds something other than token octets (RFC 9110 §9.1). */
  badMethod: -2,
  /** 501: the method is longer than any that exists (RFC 9112 §3). */
  methodTooLong: -3,
  /** The target fits none of the four forms, or not with this method (RFC 9112 §3.2). */
  badTarget: -4,
  /** 414: the target exceeds `maxTargetBytes` (RFC 9112 §3). */
  targetTooLong: -5,
  /** 505: a well-formed version whose major number is not 1 (RFC 9110 §15.6.6). */
  badVersion: -6,
  /** The status line is malformed or its status is not 100 to 599 (RFC 9112 §4, RFC 9110 §15). */
  badStatusLine: -7,
  /** A field name is empty, holds something other than token octets, or is not followed at once by `:` (RFC 9112 §5.1). */
  badFieldName: -8,
  /** A field value holds a control octet (RFC 9110 §5.5). */
  badFieldValue: -9,
  /** A line begins with whitespace: a folded line (RFC 9112 §5.2), or one before the first field (§2.2). */
  obsFold: -10,
  /** A CR that no LF follows (RFC 9112 §2.2). */
  bareCr: -11,
  /** An LF that no CR precedes; the RFC lets a recipient take it, this one does not (RFC 9112 §2.2). */
  bareLf: -12,
  /** An HTTP/1.1 request without Host (RFC 9112 §3.2). */
  missingHost: -13,
  /** More than one Host line (RFC 9112 §3.2). */
  duplicateHost: -14,
  /** Host or the authority of the target is not `uri-host [":" port]` (RFC 9110 §7.2, RFC 3986 §3.2). */
  badHost: -15,
  /** Content-Length is not one decimal number up to 2^53-1 (RFC 9112 §6.3, item 5). */
  badContentLength: -16,
  /** Content-Length beside Transfer-Encoding (RFC 9112 §6.3, item 3). */
  conflictingFraming: -17,
  /** Transfer-Encoding is malformed, repeated, in HTTP/1.0, or does not end in `chunked` (RFC 9112 §6.1, §6.3). */
  badTransferEncoding: -18,
  /** 501: a well-formed Transfer-Encoding with a coding besides `chunked` (RFC 9112 §6.1). */
  unknownTransferCoding: -19,
  /** Connection lists something that is not a token (RFC 9110 §7.6.1). */
  badConnection: -20,
  /** 431: the head exceeds `maxHeadBytes`, or the trailer section its bound (RFC 6585 §5). */
  tooLarge: -21,
  /** 431: more fields than `maxFields` (RFC 6585 §5). */
  tooManyFields: -22,
  /** A chunk size is not 1 to 16 hexadecimal digits, exceeds 2^53-1 or is not followed by CRLF (RFC 9112 §7.1). */
  badChunkSize: -23,
  /** A chunk extension is malformed, or all of a message exceed their bound (RFC 9112 §7.1.1). */
  badChunkExtension: -24,
  /** Chunk data is not followed by CRLF (RFC 9112 §7.1). */
  badChunkEnd: -25,
} as const

/** One of the codes in `http1Error`. */
export type Http1Error = (typeof http1Error)[keyof typeof http1Error]

const names = new Map<number, string>(Object.entries(http1Error).map(([name, code]) => [code, name]))

/** The name of an `http1Error` code, for logs and tests. */
export function http1ErrorName(code: number): string {
  return names.get(code) ?? 'unknown'
}
