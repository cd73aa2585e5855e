import { createRequire } from 'node:module'
// Adds what protobufjs does not bundle by itself: descriptor.proto, api.proto, type.proto.
import '@grpc/proto-loader'

/** What we read of protobufjs' reflection: its types are no dependency of ours, it comes with @grpc/proto-loader. */
export interface ReflectedObject {
  readonly name: string
  readonly fullName: string
  readonly filename: string | null
}

/** A namespace, a message, an enum or a service. */
export interface ReflectedNamespace extends ReflectedObject {
  readonly nestedArray?: readonly ReflectedNamespace[]
}

/** An enum. */
export interface ReflectedEnum extends ReflectedNamespace {
  readonly values: Readonly<Record<string, number>>
}

/** A message. */
export interface ReflectedType extends ReflectedNamespace {
  readonly fieldsArray: readonly ReflectedField[]
}

/** A field. */
export interface ReflectedField extends ReflectedObject {
  readonly id: number
  readonly type: string
  readonly keyType?: string
  readonly repeated: boolean
  readonly map: boolean
  readonly delimited: boolean
  readonly hasPresence: boolean
  readonly options: Readonly<Record<string, unknown>> | null | undefined
  readonly partOf: ReflectedObject | null
  readonly resolvedType: ReflectedNamespace | null
}

/** A service. */
export interface ReflectedService extends ReflectedNamespace {
  readonly methodsArray: readonly ReflectedMethod[]
}

/** A method. */
export interface ReflectedMethod extends ReflectedObject {
  readonly requestStream?: boolean
  readonly responseStream?: boolean
  readonly resolvedRequestType: ReflectedType | null
  readonly resolvedResponseType: ReflectedType | null
  readonly parsedOptions: readonly Readonly<Record<string, unknown>>[] | null | undefined
}

/** All of it. */
export interface ReflectedRoot extends ReflectedNamespace {
  readonly files: string[]
  resolvePath: (origin: string, target: string) => string | null
  loadSync(files: readonly string[], options: { readonly keepCase: boolean }): ReflectedRoot
  addJSON(json: object): ReflectedRoot
  resolveAll(): ReflectedRoot
}

interface Protobufjs {
  readonly Root: new () => ReflectedRoot
  readonly Type: new () => ReflectedType
  readonly Enum: new () => ReflectedEnum
  readonly Service: new () => ReflectedService
  readonly common: Readonly<Record<string, object>>
}

/** protobufjs, as @grpc/proto-loader has it. */
export const protobufjs = createRequire(createRequire(import.meta.url).resolve('@grpc/proto-loader'))(
  'protobufjs',
) as Protobufjs
