/**
 * Everything that can befall a unit, as one closed union. Users see these words in `x-sluice-reason`, in the access
 * log and as the `reason` label of the metrics.
 */
export type ErrorCode = keyof typeof answers

/** Whose doing it was. */
export type ErrorSource = 'downstream' | 'upstream' | 'proxy'

/** How far the unit had got with the upstream; what may be repeated depends on it (RFC 9110 §9.2.2). */
export type Progress =
  | 'nothingSent' // no byte of the request has been written
  | 'requestSent' // the upstream may have acted on it
  | 'responseBegun' // bytes of the answer have come

/** What a failed TCP connection gets: FIN, or RST where an orderly end could be taken for success. */
export type TcpAnswer = 'close' | 'reset'

/** One failure in the words of each protocol. */
export interface Answer {
  /** HTTP status. 499 is never sent: it stands in log and metrics only. */
  readonly http: number
  /** gRPC status code. */
  readonly grpc: number
  /** WebSocket close code after the 101; `undefined` where the failure cannot happen then. */
  readonly websocket: number | undefined
  readonly tcp: TcpAnswer
  /** Whether waiting may help, so that the answer says when to come again. */
  readonly retryAfter: boolean
  readonly source: ErrorSource
}

const answer = (
  http: number,
  grpc: number,
  websocket: number | undefined,
  tcp: TcpAnswer,
  source: ErrorSource,
  retryAfter = false,
): Answer => ({ http, grpc, websocket, tcp, source, retryAfter })

/** The one table that turns a code into an answer of each protocol. */
export const answers = {
  queueFull: answer(503, 14, undefined, 'close', 'proxy', true),
  queueTimeout: answer(503, 14, undefined, 'close', 'proxy', true),
  rateLimited: answer(429, 8, 1008, 'close', 'proxy', true),
  breakerOpen: answer(503, 14, 1013, 'close', 'proxy', true),
  noEndpoint: answer(503, 14, 1013, 'close', 'proxy', true),
  overloaded: answer(503, 14, 1013, 'close', 'proxy', true),
  connectFailed: answer(502, 14, 1014, 'reset', 'upstream'),
  upstreamReset: answer(502, 14, 1014, 'reset', 'upstream'),
  connectTimeout: answer(504, 14, undefined, 'reset', 'upstream'),
  responseTimeout: answer(504, 4, undefined, 'reset', 'upstream'),
  idleTimeout: answer(504, 14, 1001, 'close', 'upstream'),
  deadlineExceeded: answer(504, 4, undefined, 'close', 'downstream'),
  upstreamInvalid: answer(502, 13, 1014, 'reset', 'upstream'),
  badRequest: answer(400, 13, 1002, 'close', 'downstream'),
  requestTimeout: answer(408, 14, undefined, 'close', 'downstream'),
  headTooLarge: answer(431, 8, 1009, 'close', 'downstream'),
  uriTooLong: answer(414, 8, 1009, 'close', 'downstream'),
  bodyTooLarge: answer(413, 8, 1009, 'close', 'downstream'),
  unsupported: answer(415, 12, undefined, 'close', 'downstream'),
  upgradeRequired: answer(426, 12, undefined, 'close', 'downstream'),
  expectationFailed: answer(417, 12, undefined, 'close', 'downstream'),
  misdirected: answer(421, 12, undefined, 'close', 'downstream'),
  methodNotAllowed: answer(405, 12, undefined, 'close', 'downstream'),
  notImplemented: answer(501, 12, undefined, 'close', 'downstream'),
  version: answer(505, 12, undefined, 'close', 'downstream'),
  unauthenticated: answer(401, 16, 1008, 'close', 'downstream'),
  denied: answer(403, 7, 1008, 'close', 'downstream'),
  noRoute: answer(404, 12, undefined, 'close', 'downstream'),
  loop: answer(508, 13, undefined, 'close', 'downstream'),
  draining: answer(503, 14, 1001, 'close', 'proxy'),
  internal: answer(500, 13, 1011, 'reset', 'proxy'),
  clientGone: answer(499, 1, undefined, 'close', 'downstream'),
} satisfies Record<string, Answer>

/** All codes, in the table's order. */
export const errorCodes = Object.keys(answers) as ErrorCode[]

/**
 * Why a unit was refused or failed: facts, not advice. Whether it is tried again is decided elsewhere, from these.
 *
 * Not thrown: it is handed from the half that saw it to the exchange. It is no `Error` because under overload there
 * are as many of them as requests, and a stack would be the dearest part of each.
 */
export class ProxyError {
  readonly code: ErrorCode
  readonly progress: Progress
  /** A sentence for whoever looks for the cause; never shown to clients. */
  readonly message: string
  /** Whether the connection had served other units before, so that its peer may have closed it in the meantime. */
  readonly reusedConnection: boolean
  /**
   * Whether the upstream has said that it has not acted on the unit and will not: REFUSED_STREAM, or a stream above the
   * last one that a GOAWAY names (RFC 9113 §8.7).
   */
  readonly refused: boolean
  readonly cause: unknown

  constructor(
    code: ErrorCode,
    message: string,
    facts: { progress?: Progress; reusedConnection?: boolean; refused?: boolean; cause?: unknown } = {},
  ) {
    this.code = code
    this.message = message
    this.progress = facts.progress ?? 'nothingSent'
    this.reusedConnection = facts.reusedConnection ?? false
    this.refused = facts.refused ?? false
    this.cause = facts.cause
  }

  get source(): ErrorSource {
    return answers[this.code].source
  }

  get answer(): Answer {
    return answers[this.code]
  }
}

/** Refusals without facts of their own, made once. */
export const refusals = {
  queueFull: new ProxyError('queueFull', 'the gate is shut and its queue is full'),
  queueTimeout: new ProxyError('queueTimeout', 'the unit waited as long as it may'),
  noEndpoint: new ProxyError('noEndpoint', 'the upstream has no usable endpoint'),
  overloaded: new ProxyError('overloaded', 'as much is held in memory as may be'),
  noRoute: new ProxyError('noRoute', 'no route matches'),
  draining: new ProxyError('draining', "the drain's deadline has passed"),
  clientGone: new ProxyError('clientGone', 'the client left'),
}
