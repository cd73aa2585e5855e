import { fileURLToPath } from 'node:url'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import { loadSync, type MessageTypeDefinition, type Options } from '@grpc/proto-loader'

/** The folder of the `.proto` files; their names are relative to it. */
export const protosDir = fileURLToPath(new URL('../../../protos', import.meta.url))

/** What the gRPC backend serves, by the name of the service. */
const files = {
  'sluice.test.v1.Echo': 'sluice/test/v1/echo.proto',
  'shop.v1.Orders': 'shop/v1/orders.proto',
  'grpc.testing.TestService': 'grpc/testing/test.proto',
  'grpc.testing.UnimplementedService': 'grpc/testing/test.proto',
  'grpc.health.v1.Health': 'grpc/health/v1/health.proto',
  'grpc.reflection.v1.ServerReflection': 'grpc/reflection/v1/reflection.proto',
} as const

/** A service that has a `.proto` file here. */
export type ServiceName = keyof typeof files

/** lowerCamelCase names, 64-bit numbers as numbers, enums as their names, fields that were not sent by their defaults. */
const asObjects: Options = { includeDirs: [protosDir], longs: Number, enums: String, defaults: true, oneofs: true }

const definitions = new Map<string, ServiceDefinition>()

/** The definition of a service as grpc-js takes it, for servers and clients. */
export function serviceDefinition(name: ServiceName): ServiceDefinition {
  let definition = definitions.get(name)
  if (definition === undefined) {
    definition = loadSync(files[name], asObjects)[name] as ServiceDefinition
    definitions.set(name, definition)
  }
  return definition
}

/** One method of a service; throws when there is none of that name. */
export function methodDefinition(service: ServiceName, method: string): MethodDefinition<object, object> {
  const definition = serviceDefinition(service)[method]
  if (definition === undefined) throw new Error(`${service} has no method ${method}`)
  return definition as MethodDefinition<object, object>
}

/**
 * All files that `services` need as proto-loader describes them, each a serialized `google.protobuf.FileDescriptorProto`,
 * with what reads and writes them; fields keep their names.
 */
export function fileDescriptors(services: readonly ServiceName[]): {
  readonly files: readonly Buffer[]
  readonly codec: MessageTypeDefinition<object, object>
} {
  // The annotations bring descriptor.proto. Without defaults: they would become explicit when it is written again, and oneof 0 would take in every field.
  const loaded = loadSync([...new Set(services.map((name) => files[name])), 'google/api/annotations.proto'], {
    includeDirs: [protosDir],
    keepCase: true,
  })
  const codec = loaded['google.protobuf.FileDescriptorProto'] as MessageTypeDefinition<object, object>
  return { files: codec.fileDescriptorProtos, codec }
}
