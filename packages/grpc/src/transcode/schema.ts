/** The kinds of scalars, as .proto files call them. */
export const scalarKinds = [
  'double',
  'float',
  'int32',
  'int64',
  'uint32',
  'uint64',
  'sint32',
  'sint64',
  'fixed32',
  'fixed64',
  'sfixed32',
  'sfixed64',
  'bool',
  'string',
  'bytes',
] as const

/** A kind of scalar. */
export type ScalarKind = (typeof scalarKinds)[number]

/** What a field holds, apart from how often. */
export type FieldKind =
  | { readonly kind: ScalarKind }
  | { readonly kind: 'enum'; readonly enumeration: EnumType }
  | { readonly kind: 'message' | 'group'; readonly message: MessageType }

/** A field of a message. */
export interface Field {
  /** As the .proto file has it. */
  readonly name: string
  /** As JSON has it: `json_name`, or the name in lowerCamelCase. */
  readonly jsonName: string
  readonly number: number
  readonly holds: FieldKind
  readonly repeated: boolean
  /** The kind of a map's keys; `holds` is then that of its values. Undefined: no map. */
  readonly key: ScalarKind | undefined
  /** Whether it can be set to its default, so that the default is written. */
  readonly presence: boolean
  /** The oneof that it is part of. */
  readonly oneof: string | undefined
}

/** An enum. */
export class EnumType {
  readonly fullName: string
  readonly numbers = new Map<string, number>()
  readonly names = new Map<number, string>()

  constructor(fullName: string, values: Iterable<readonly [name: string, number: number]>) {
    this.fullName = fullName
    for (const [name, number] of values) {
      this.numbers.set(name, number)
      // The first of several names is the one that is written.
      if (!this.names.has(number)) this.names.set(number, name)
    }
  }
}

/** A message. Its fields come after it was made, for messages may hold each other. */
export class MessageType {
  readonly fullName: string
  readonly fields: Field[] = []
  readonly #byNumber = new Map<number, Field>()
  readonly #byName = new Map<string, Field>()

  constructor(fullName: string) {
    this.fullName = fullName
  }

  add(field: Field): void {
    this.fields.push(field)
    this.#byNumber.set(field.number, field)
    // What JSON calls one field can be what the file calls another: JSON's word wins.
    if (!this.#byName.has(field.name)) this.#byName.set(field.name, field)
    this.#byName.set(field.jsonName, field)
  }

  numbered(number: number): Field | undefined {
    return this.#byNumber.get(number)
  }

  /** By its JSON name or its original name. */
  named(name: string): Field | undefined {
    return this.#byName.get(name)
  }
}

/** A method of a service, with its `google.api.http` as it was read, if it has one. */
export interface MethodType {
  readonly name: string
  readonly request: MessageType
  readonly response: MessageType
  readonly clientStreaming: boolean
  readonly serverStreaming: boolean
  readonly http: unknown
}

/** All that is known of some .proto files, by full names without a dot before them. */
export class Schema {
  readonly messages = new Map<string, MessageType>()
  readonly enums = new Map<string, EnumType>()
  readonly services = new Map<string, readonly MethodType[]>()
}

/** The name that JSON gives a field that has no `json_name` (protobuf language guide, "JSON Mapping"). */
export function jsonNameOf(name: string): string {
  return name.replace(/_+([a-zA-Z0-9]?)/g, (_, letter: string) => letter.toUpperCase())
}
