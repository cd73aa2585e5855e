import type { MethodDefinition } from '@grpc/grpc-js'

const opaque = (bytes: Buffer): Buffer => bytes

/** The unary method of the grpc-js case. Its messages are bytes: what protobuf costs is none of a proxy's business. */
export const say: MethodDefinition<Buffer, Buffer> = {
  path: '/bench.v1.Echo/Say',
  requestStream: false,
  responseStream: false,
  requestSerialize: opaque,
  requestDeserialize: opaque,
  responseSerialize: opaque,
  responseDeserialize: opaque,
}
