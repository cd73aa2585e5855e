/** The seventeen status codes of gRPC (statuscodes.md), by name. */
export const statusCode = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const

/** The name of a status code. */
export type StatusName = keyof typeof statusCode

/** A status code of gRPC. */
export type StatusCode = (typeof statusCode)[StatusName]

const names = Object.keys(statusCode) as StatusName[]

/** The name of a code; `undefined` for a number that is none. */
export function statusName(code: number): StatusName | undefined {
  return names[code]
}

/** The value of a `grpc-status` field as a code; what is no known code is UNKNOWN, as gRPC's own libraries have it. */
export function parseStatus(value: string): StatusCode {
  return codes.get(value) ?? statusCode.UNKNOWN
}

const codes = new Map(names.map((_name, code) => [String(code), code as StatusCode]))

/** The code of an answer that has an HTTP status other than 200 and no `grpc-status` (http-grpc-status-mapping.md). */
export function statusOfHttp(status: number): StatusCode {
  switch (status) {
    case 400:
      return statusCode.INTERNAL
    case 401:
      return statusCode.UNAUTHENTICATED
    case 403:
      return statusCode.PERMISSION_DENIED
    case 404:
      return statusCode.UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504:
      return statusCode.UNAVAILABLE
    default:
      return statusCode.UNKNOWN
  }
}

/** The code of a call whose stream was reset with an HTTP/2 error code (PROTOCOL-HTTP2.md, "Errors"). */
export function statusOfReset(errorCode: number): StatusCode {
  switch (errorCode) {
    case 0: // NO_ERROR
    case 1: // PROTOCOL_ERROR
    case 2: // INTERNAL_ERROR
    case 3: // FLOW_CONTROL_ERROR
    case 4: // SETTINGS_TIMEOUT
    case 6: // FRAME_SIZE_ERROR
    case 9: // COMPRESSION_ERROR
    case 10: // CONNECT_ERROR
      return statusCode.INTERNAL
    case 7: // REFUSED_STREAM
      return statusCode.UNAVAILABLE
    case 8: // CANCEL
      return statusCode.CANCELLED
    case 11: // ENHANCE_YOUR_CALM
      return statusCode.RESOURCE_EXHAUSTED
    case 12: // INADEQUATE_SECURITY
      return statusCode.PERMISSION_DENIED
    default: // STREAM_CLOSED and HTTP_1_1_REQUIRED have no place in the map
      return statusCode.UNKNOWN
  }
}

const httpStatuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]

/** The HTTP status of a transcoded answer (the comments of `google.rpc.Code`); 500 for a number that is no code. */
export function httpOfStatus(code: number): number {
  return httpStatuses[code] ?? 500
}
