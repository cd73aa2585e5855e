import { loadSync, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader'
import { fixture } from './fixture.ts'

/** What protobufjs makes of a fixture: lowerCamelCase names, 64-bit numbers and enums as strings, bytes as base64. */
export interface Independent {
  /** An object as a message. */
  message(type: string, object: object): Buffer
  /** A message as an object, without what is not set. */
  object(type: string, message: Buffer): unknown
  /** A message as the request of a method. */
  request(service: string, method: string, message: Buffer): unknown
}

/** The definitions of a fixture as @grpc/proto-loader has them, to judge ours by. */
export function protobuf(name: string): Independent {
  const definitions = loadSync(fixture(name), {
    longs: String,
    enums: String,
    bytes: String,
    json: true,
    includeDirs: [fixture('../../../../protos')],
  })
  const type = (full: string) => definitions[full] as unknown as MessageTypeDefinition<object, object>
  // What protobufjs gives has prototypes of its own, which are of no interest.
  const plain = (object: object): unknown => JSON.parse(JSON.stringify(object))
  return {
    message: (full, object) => Buffer.from(type(full).serialize(object)),
    object: (full, message) => plain(type(full).deserialize(message)),
    request: (service, method, message) =>
      plain((definitions[service] as ServiceDefinition)[method]!.requestDeserialize(message)),
  }
}
