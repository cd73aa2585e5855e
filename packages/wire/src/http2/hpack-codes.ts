/** How a field is represented in a header block (RFC 7541 §6.2). */
export const indexing = {
  /** May enter the dynamic tables of both ends (§6.2.1). */
  incremental: 0,
  /** Stays out of the tables on this hop; the next may do otherwise (§6.2.2). */
  without: 1,
  /** Stays out of the tables on every hop, since its value is a secret (§6.2.3, §7.1.3). */
  never: 2,
} as const

/** One of the numbers in `indexing`. */
export type Indexing = (typeof indexing)[keyof typeof indexing]

/** Small integers for pseudo-fields (RFC 9113 §8.3, RFC 8441 §4). */
export const pseudoId = {
  /** An ordinary field. */
  none: 0,
  method: 1,
  scheme: 2,
  authority: 3,
  path: 4,
  status: 5,
  protocol: 6,
  /** A name with `:` in front that nobody has defined. */
  unknown: 7,
} as const

/** One of the numbers in `pseudoId`. */
export type PseudoId = (typeof pseudoId)[keyof typeof pseudoId]

/** Why a field makes its message malformed (RFC 9113 §8.2): bits of `HeaderField.flaw`. */
export const fieldFlaw = {
  /** Not a lower-case token, after the `:` of a pseudo-field (§8.2.1). */
  badName: 1,
  /** A control octet other than HTAB in the value, or whitespace at either end of it (§8.2.1). */
  badValue: 2,
  /** Belongs to one HTTP/1.1 connection: Connection, Upgrade and their like (§8.2.2). */
  connectionSpecific: 4,
  /** `te` with something other than `trailers` (§8.2.2). */
  badTe: 8,
} as const

/** Why a header block was refused: negative, as all codes of refusal are. */
export const hpackError = {
  /** A connection error COMPRESSION_ERROR (RFC 9113 §4.3): the decoder is of no use any more. */
  compression: -1,
  /** The list is larger than `HpackLimits` allow; the decoder remains in step with its peer. */
  tooLarge: -2,
} as const

/** One of the codes in `hpackError`. */
export type HpackError = (typeof hpackError)[keyof typeof hpackError]
