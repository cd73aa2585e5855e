/** How an HTTP/2 session behaves, and what it lets its peer do. */
export interface Http2Options {
  /** Streams that may be open at once: told to a client, and kept to towards a server. Default: 100. */
  readonly maxStreams: number
  /** What a peer may send on a new stream before it has credit for more, in octets. Default: 65_535. */
  readonly window: number
  /** What it may grow to while the receiver keeps up, in octets. Default: 1_048_576. */
  readonly maxWindow: number
  /** What a peer may send on all streams together before it is credited, in octets. Default: 1_048_576. */
  readonly connectionWindow: number
  /** The longest frame payload that is taken, in octets (RFC 9113 §4.2). Default: 16_384. */
  readonly maxFrameBytes: number
  /** Octets of the peer's table that its header blocks may refer to (RFC 7541 §4.2). Default: 4_096. */
  readonly tableBytes: number
  /** The largest header section, counted as RFC 9113 §6.5.2 says. Default: 16_384. */
  readonly maxHeadBytes: number
  /** The most fields that a header section may have. Default: 100. */
  readonly maxFields: number
  /** Extended CONNECT (RFC 8441) is offered to clients. Default: false. */
  readonly enableConnect: boolean
  /**
   * Streams a second that a peer may reset before they had an answer, or have reset by its own faults
   * (CVE-2023-44487, CVE-2025-8671); each stream that ends well allows one more. Default: 1_000.
   */
  readonly maxResets: number
  /** CONTINUATION frames of one header block (CVE-2024-27316). Default: 32. */
  readonly maxContinuations: number
  /** SETTINGS frames a second (CVE-2019-9515). Default: 50. */
  readonly maxSettings: number
  /** PING frames a second (CVE-2019-9512); each frame of data that is sent allows one more. Default: 100. */
  readonly maxPings: number
  /**
   * Frames a second that carry nothing: empty ones, and those on streams that are gone (CVE-2019-9518); each stream that
   * closes allows two more. Default: 200.
   */
  readonly maxEmptyFrames: number
  /**
   * PRIORITY frames a second, and frames of unknown types (CVE-2019-9513); each stream that closes allows two more.
   * Default: 500.
   */
  readonly maxPriorities: number
  /**
   * WINDOW_UPDATE frames a second (CVE-2019-9511); each 128 octets of data that are sent allow one more, and each stream
   * that closes two. Default: 1_000.
   */
  readonly maxWindowUpdates: number
  /** Octets other than data that a peer may leave unread (CVE-2019-9517). Default: 524_288. */
  readonly maxUnsentControlBytes: number
}

const defaults: Http2Options = {
  maxStreams: 100,
  window: 65_535,
  maxWindow: 1_048_576,
  connectionWindow: 1_048_576,
  maxFrameBytes: 16_384,
  tableBytes: 4_096,
  maxHeadBytes: 16_384,
  maxFields: 100,
  enableConnect: false,
  maxResets: 1_000,
  maxContinuations: 32,
  maxSettings: 50,
  maxPings: 100,
  maxEmptyFrames: 200,
  maxPriorities: 500,
  maxWindowUpdates: 1_000,
  maxUnsentControlBytes: 524_288,
}

/** Options with the defaults for what is left out. */
export function http2Options(options: Partial<Http2Options> = {}): Http2Options {
  return { ...defaults, ...options }
}
