import { annotations, httpOption, httpOptionNumber } from './annotations.ts'
import type { Json } from './json.ts'
import { JsonCodec } from './json-codec.ts'
import { protobufjs } from './protobufjs.ts'
import { reflectInto } from './reflect.ts'
import { EnumType, type FieldKind, jsonNameOf, MessageType, type ScalarKind, Schema, scalarKinds } from './schema.ts'

// Descriptors in their own JSON (google/protobuf/descriptor.proto), as far as they are of use here.
interface FileProto {
  package?: string
  syntax?: string
  options?: { features?: Features }
  messageType?: MessageProto[]
  enumType?: EnumProto[]
  service?: ServiceProto[]
  extension?: FieldProto[]
}
interface MessageProto {
  name: string
  field?: FieldProto[]
  nestedType?: MessageProto[]
  enumType?: EnumProto[]
  extension?: FieldProto[]
  options?: { mapEntry?: boolean; features?: Features }
  oneofDecl?: { name: string }[]
}
interface FieldProto {
  name: string
  number: number
  label?: string
  type: string
  typeName?: string
  extendee?: string
  jsonName?: string
  oneofIndex?: number
  options?: { features?: Features }
}
interface EnumProto {
  name: string
  value?: { name: string; number?: number }[]
}
interface ServiceProto {
  name: string
  method?: MethodProto[]
}
interface MethodProto {
  name: string
  inputType: string
  outputType: string
  clientStreaming?: boolean
  serverStreaming?: boolean
  options?: Record<string, Json>
}
interface Features {
  fieldPresence?: string
  messageEncoding?: string
}

let codec: JsonCodec | undefined

/** Reads descriptors by the very codec that transcodes, so that their options keep `google.api.http`. */
function descriptorCodec(): JsonCodec {
  if (codec !== undefined) return codec
  const root = new protobufjs.Root()
  const descriptors = protobufjs.common['google/protobuf/descriptor.proto'] as { readonly nested: object }
  root.addJSON(structuredClone(descriptors.nested))
  root.addJSON(annotations)
  const schema = new Schema()
  reflectInto(schema, root.resolveAll())
  schema.messages.get('google.protobuf.MethodOptions')!.add({
    name: httpOption,
    jsonName: httpOption,
    number: httpOptionNumber,
    holds: { kind: 'message', message: schema.messages.get('google.api.HttpRule')! },
    repeated: false,
    key: undefined,
    presence: true,
    oneof: undefined,
  })
  codec = new JsonCodec(schema)
  return codec
}

/** Adds a FileDescriptorSet, as `protoc --include_imports --descriptor_set_out` writes it. Throws at what is none. */
export function addDescriptorSet(schema: Schema, bytes: Buffer): void {
  const { schema: descriptors } = descriptorCodec()
  const type = descriptors.messages.get('google.protobuf.FileDescriptorSet')!
  const set = descriptorCodec().toJson(type, bytes) as unknown as { file?: FileProto[] }
  if (set.file === undefined) throw new Error('it holds no files')
  const files = set.file
  // First all names, then what refers to them.
  const builder = new DescriptorBuilder(schema)
  for (const file of files) builder.declare(file)
  for (const file of files) builder.define(file)
}

class DescriptorBuilder {
  readonly #schema: Schema
  readonly #added = new Map<string, { readonly proto: MessageProto; readonly type: MessageType; explicit: boolean }>()

  constructor(schema: Schema) {
    this.#schema = schema
  }

  declare(file: FileProto): void {
    const explicit = presenceOf(file.options?.features, file.syntax !== 'proto3')
    for (const message of file.messageType ?? []) this.#declareMessage(prefix(file.package), message, explicit)
    for (const enumeration of file.enumType ?? []) this.#declareEnum(prefix(file.package), enumeration)
  }

  define(file: FileProto): void {
    for (const message of file.messageType ?? []) this.#defineMessage(prefix(file.package), message)
    for (const service of file.service ?? []) {
      const name = prefix(file.package) + service.name
      const methods = (service.method ?? []).map((method) => ({
        name: method.name,
        request: this.#message(method.inputType),
        response: this.#message(method.outputType),
        clientStreaming: method.clientStreaming === true,
        serverStreaming: method.serverStreaming === true,
        http: method.options?.[httpOption],
      }))
      this.#schema.services.set(name, methods)
    }
    this.#extensions(prefix(file.package), file.extension)
  }

  #declareMessage(before: string, proto: MessageProto, explicit: boolean): void {
    const name = before + proto.name
    const own = presenceOf(proto.options?.features, explicit)
    const type = new MessageType(name)
    this.#added.set(name, { proto, type, explicit: own })
    // What another file has defined already stays what it is.
    if (!this.#schema.messages.has(name)) this.#schema.messages.set(name, type)
    for (const nested of proto.nestedType ?? []) this.#declareMessage(`${name}.`, nested, own)
    for (const nested of proto.enumType ?? []) this.#declareEnum(`${name}.`, nested)
  }

  #declareEnum(before: string, proto: EnumProto): void {
    const values = (proto.value ?? []).map(({ name, number = 0 }) => [name, number] as const)
    const name = before + proto.name
    if (!this.#schema.enums.has(name)) this.#schema.enums.set(name, new EnumType(name, values))
  }

  #defineMessage(before: string, proto: MessageProto): void {
    const name = before + proto.name
    const { type, explicit } = this.#added.get(name)!
    for (const field of proto.field ?? []) this.#addField(type, field, explicit, proto)
    for (const nested of proto.nestedType ?? []) this.#defineMessage(`${name}.`, nested)
    this.#extensions(`${name}.`, proto.extension)
  }

  #extensions(before: string, extensions: FieldProto[] = []): void {
    for (const field of extensions) {
      const extended = this.#schema.messages.get(bare(field.extendee ?? ''))
      const name = `[${before}${field.name}]`
      if (extended !== undefined) this.#addField(extended, { ...field, name, jsonName: name }, true, undefined)
    }
  }

  #addField(type: MessageType, field: FieldProto, explicit: boolean, parent: MessageProto | undefined): void {
    const entry = this.#added.get(bare(field.typeName ?? ''))?.proto
    const map = entry?.options?.mapEntry === true ? entry.field : undefined
    const holds = this.#kind(map?.find(({ number }) => number === 2) ?? field)
    const key = map?.find(({ number }) => number === 1)
    const oneof = field.oneofIndex === undefined ? undefined : parent?.oneofDecl?.[field.oneofIndex]?.name
    const repeated = field.label === 'LABEL_REPEATED'
    const message = holds.kind === 'message' || holds.kind === 'group'
    type.add({
      name: field.name,
      jsonName: field.jsonName ?? jsonNameOf(field.name),
      number: field.number,
      holds,
      repeated,
      key: key === undefined ? undefined : scalarKind(key.type),
      presence: !repeated && (message || oneof !== undefined || presenceOf(field.options?.features, explicit)),
      oneof,
    })
  }

  #kind(field: FieldProto): FieldKind {
    if (field.type === 'TYPE_ENUM') return { kind: 'enum', enumeration: this.#enum(field.typeName ?? '') }
    if (field.type !== 'TYPE_MESSAGE' && field.type !== 'TYPE_GROUP') return { kind: scalarKind(field.type) }
    const delimited = field.type === 'TYPE_GROUP' || field.options?.features?.messageEncoding === 'DELIMITED'
    return { kind: delimited ? 'group' : 'message', message: this.#message(field.typeName ?? '') }
  }

  #message(name: string): MessageType {
    return known(this.#schema.messages, name)
  }

  #enum(name: string): EnumType {
    return known(this.#schema.enums, name)
  }
}

function known<T>(types: ReadonlyMap<string, T>, name: string): T {
  const type = types.get(bare(name))
  if (type === undefined) throw new Error(`it lacks ${bare(name)} (protoc writes all with --include_imports)`)
  return type
}

function scalarKind(type: string): ScalarKind {
  const kind = scalarKinds.find((scalar) => type === `TYPE_${scalar.toUpperCase()}`)
  if (kind === undefined) throw new Error(`it has a field of the unknown type ${type}`)
  return kind
}

function presenceOf(features: Features | undefined, otherwise: boolean): boolean {
  return features?.fieldPresence === undefined ? otherwise : features.fieldPresence !== 'IMPLICIT'
}

function prefix(name: string | undefined): string {
  return name === undefined || name === '' ? '' : `${name}.`
}

function bare(name: string): string {
  return name.replace(/^\./, '')
}
