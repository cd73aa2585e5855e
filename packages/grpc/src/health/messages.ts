import { MalformedMessage, ProtobufReader, wireType } from '../protobuf/reader.ts'
import { ProtobufWriter } from '../protobuf/writer.ts'

// Two messages of one field each (grpc.health.v1), written by hand: a package has no .proto beside it to load.

/** The path of a health check. */
export const checkPath = '/grpc.health.v1.Health/Check'

/** The path that is told the health again and again. */
export const watchPath = '/grpc.health.v1.Health/Watch'

/** How a service is (`HealthCheckResponse.ServingStatus`). SERVICE_UNKNOWN is a word of Watch alone. */
export const servingStatus = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const

/** The name of a status of health. */
export type ServingStatusName = keyof typeof servingStatus

/** A `HealthCheckRequest`; the empty name is the server as a whole. */
export function encodeHealthRequest(service: string): Buffer {
  const writer = new ProtobufWriter()
  if (service !== '') writer.tag(1, wireType.bytes).string(service)
  return writer.finish()
}

/** The service that a `HealthCheckRequest` asks for; `undefined` when it is malformed. */
export function decodeHealthRequest(message: Buffer): string | undefined {
  let service = ''
  const whole = eachField(message, (reader, tag) => {
    if (tag !== ((1 << 3) | wireType.bytes)) return false
    service = reader.bytes().toString('utf8')
    return true
  })
  return whole ? service : undefined
}

/** A `HealthCheckResponse`. */
export function encodeHealthResponse(status: ServingStatusName): Buffer {
  const writer = new ProtobufWriter()
  if (status !== 'UNKNOWN') writer.tag(1, wireType.varint).uint32(servingStatus[status])
  return writer.finish()
}

/** The status in a `HealthCheckResponse`, UNKNOWN for a number that has no name; `undefined` when it is malformed. */
export function decodeHealthResponse(message: Buffer): ServingStatusName | undefined {
  let status = 0
  const whole = eachField(message, (reader, tag) => {
    if (tag !== ((1 << 3) | wireType.varint)) return false
    status = reader.uint32()
    return true
  })
  return whole ? ((Object.keys(servingStatus) as ServingStatusName[])[status] ?? 'UNKNOWN') : undefined
}

function eachField(message: Buffer, take: (reader: ProtobufReader, tag: number) => boolean): boolean {
  const reader = new ProtobufReader(message)
  try {
    while (!reader.done) {
      const tag = reader.tag()
      if (!take(reader, tag)) reader.skip(tag)
    }
    return true
  } catch (error) {
    if (error instanceof MalformedMessage) return false
    throw error
  }
}
