import { httpOption } from './annotations.ts'
import {
  protobufjs,
  type ReflectedEnum,
  type ReflectedField,
  type ReflectedMethod,
  type ReflectedNamespace,
  type ReflectedType,
} from './protobufjs.ts'
import {
  EnumType,
  type FieldKind,
  jsonNameOf,
  MessageType,
  type MethodType,
  type ScalarKind,
  type Schema,
} from './schema.ts'

/** Adds what protobufjs has read to a schema. A name that is there already stays what it is. */
export function reflectInto(schema: Schema, root: ReflectedNamespace): void {
  new Reflection(schema).addNested(root)
}

class Reflection {
  readonly #schema: Schema

  constructor(schema: Schema) {
    this.#schema = schema
  }

  addNested(namespace: ReflectedNamespace): void {
    for (const nested of namespace.nestedArray ?? []) {
      if (nested instanceof protobufjs.Type) this.#message(nested)
      else if (nested instanceof protobufjs.Enum) this.#enum(nested)
      else if (nested instanceof protobufjs.Service) {
        this.#schema.services.set(
          bare(nested.fullName),
          nested.methodsArray.map((method) => this.#method(method)),
        )
      }
      this.addNested(nested)
    }
  }

  #message(type: ReflectedType): MessageType {
    const name = bare(type.fullName)
    const known = this.#schema.messages.get(name)
    if (known !== undefined) return known
    const message = new MessageType(name)
    this.#schema.messages.set(name, message)
    for (const field of type.fieldsArray) {
      // Extensions are fields whose name is their full one; JSON writes it in brackets.
      const extension = field.name.startsWith('.') ? `[${bare(field.name)}]` : undefined
      const given = field.options?.json_name
      message.add({
        name: extension ?? field.name,
        jsonName: extension ?? (typeof given === 'string' ? given : jsonNameOf(field.name)),
        number: field.id,
        holds: this.#kind(field),
        repeated: field.repeated || field.map,
        key: field.map ? (field.keyType as ScalarKind) : undefined,
        presence: field.hasPresence,
        oneof: field.partOf?.name,
      })
    }
    return message
  }

  #kind(field: ReflectedField): FieldKind {
    const type = field.resolvedType
    if (type === null) return { kind: field.type as ScalarKind }
    if (type instanceof protobufjs.Enum) return { kind: 'enum', enumeration: this.#enum(type) }
    return { kind: field.delimited ? 'group' : 'message', message: this.#message(type as ReflectedType) }
  }

  #enum(type: ReflectedEnum): EnumType {
    const name = bare(type.fullName)
    const known = this.#schema.enums.get(name)
    if (known !== undefined) return known
    const enumeration = new EnumType(name, Object.entries(type.values))
    this.#schema.enums.set(name, enumeration)
    return enumeration
  }

  #method(method: ReflectedMethod): MethodType {
    return {
      name: method.name,
      request: this.#message(method.resolvedRequestType!),
      response: this.#message(method.resolvedResponseType!),
      clientStreaming: method.requestStream === true,
      serverStreaming: method.responseStream === true,
      http: method.parsedOptions?.find((option) => Object.hasOwn(option, httpOption))?.[httpOption],
    }
  }
}

function bare(fullName: string): string {
  return fullName.replace(/^\./, '')
}
