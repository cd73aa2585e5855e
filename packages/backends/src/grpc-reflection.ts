import { type ServerDuplexStream, status, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { DescriptorIndex } from './grpc-descriptors.ts'
import type { ServiceName } from './grpc-protos.ts'

interface Question {
  readonly host: string
  readonly messageRequest?: string
  readonly fileByFilename?: string
  readonly fileContainingSymbol?: string
}

/** `grpc.reflection.v1.ServerReflection` for `services`; questions about extensions are answered UNIMPLEMENTED. */
export function reflectionService(services: readonly ServiceName[]): UntypedServiceImplementation {
  let index: DescriptorIndex | undefined
  const answer = (question: Question): object => {
    if (question.messageRequest === 'listServices') {
      return { listServicesResponse: { service: services.map((name) => ({ name })) } }
    }
    index ??= new DescriptorIndex(services)
    const asked = question.fileByFilename ?? question.fileContainingSymbol
    if (asked === undefined) return error(status.UNIMPLEMENTED, 'only files and services are told')
    const name = question.messageRequest === 'fileByFilename' ? asked : index.declaring(asked)
    const files = name === undefined ? [] : [...index.withNeeds(name).values()].reverse()
    if (files.length === 0) return error(status.NOT_FOUND, `there is no '${asked}'`)
    return { fileDescriptorResponse: { fileDescriptorProto: files } }
  }
  return {
    ServerReflectionInfo: (call: ServerDuplexStream<Question, object>) => {
      call.on('data', (question: Question) => {
        call.write({ validHost: question.host, originalRequest: question, ...answer(question) })
      })
      call.on('end', () => call.end())
    },
  }
}

function error(errorCode: number, errorMessage: string): object {
  return { errorResponse: { errorCode, errorMessage } }
}
