import { fileDescriptors, type ServiceName } from './grpc-protos.ts'

/** A descriptor, or a part of one: of a file, a message, an enum, a field, a service or a method. */
interface Part {
  readonly name?: string
  readonly package?: string
  readonly messageType?: readonly Part[]
  readonly nestedType?: readonly Part[]
  readonly field?: readonly Part[]
  readonly [field: string]: unknown
}

const wellKnown = 'google.protobuf'

/** The fields of descriptors that name a type. */
const typeFields = new Set(['typeName', 'inputType', 'outputType'])
/** Those that hold what is declared in a file, a message or a service. */
const declaringFields = ['messageType', 'nestedType', 'enumType', 'service', 'method']
/** Those that hold what can name a type. */
const partFields = new Set([...declaringFields, 'field'])
/** What proto-loader gives with errors that other readers of descriptors do not let pass. */
const brokenFields = new Set(['extension', 'extensionRange'])

/**
 * The `.proto` files of services as descriptors that any reader takes, by what they declare, each with those that it
 * needs. proto-loader makes one file a package and leaves the annotations out.
 */
export class DescriptorIndex {
  readonly #bytes = new Map<string, Buffer>()
  readonly #needs = new Map<string, readonly string[]>()
  /** The name of the file that declares it, by the full name of a symbol. */
  readonly #symbols = new Map<string, string>()

  constructor(services: readonly ServiceName[]) {
    const { files, codec } = fileDescriptors(services)
    const parts = files.map((bytes) => withMapEntries(codec.deserialize(bytes) as Part))
    for (const file of parts) this.#declare(file, file.package ?? '', file.name!)
    const used = new Set<string>()
    const add = (file: Part): void => {
      const needed = new Set<string>()
      const resolved = this.#resolve(file, file.package ?? '', needed)
      for (const symbol of needed) used.add(symbol)
      const needs = new Set([...needed].map((symbol) => this.#symbols.get(symbol)!))
      needs.delete(file.name!)
      this.#needs.set(file.name!, [...needs])
      this.#bytes.set(file.name!, codec.serialize({ ...resolved, dependency: [...needs] }))
    }
    for (const file of parts) if (file.package !== wellKnown) add(file)
    // Only what the others use: among the rest is descriptor.proto, which cannot be told as a file of proto3.
    for (const file of parts.filter((one) => one.package === wellKnown)) {
      const messageType = file.messageType?.filter((type) => used.has(within(wellKnown, type.name!)))
      add({ name: file.name!, package: wellKnown, messageType: messageType ?? [] })
    }
  }

  /** All files, each after those that it needs. */
  get all(): readonly Buffer[] {
    const found = new Map<string, Buffer>()
    for (const name of this.#bytes.keys()) this.withNeeds(name, found)
    return [...found.values()]
  }

  /** The file of that name and all that it needs, each after what it needs itself. */
  withNeeds(name: string, found: Map<string, Buffer> = new Map()): Map<string, Buffer> {
    const bytes = this.#bytes.get(name)
    if (bytes === undefined || found.has(name)) return found
    for (const need of this.#needs.get(name)!) this.withNeeds(need, found)
    return found.set(name, bytes)
  }

  /** The name of the file that declares `symbol`. */
  declaring(symbol: string): string | undefined {
    return this.#symbols.get(symbol)
  }

  #declare(part: Part, scope: string, file: string): void {
    for (const field of declaringFields) {
      for (const declared of (part[field] ?? []) as Part[]) {
        const symbol = within(scope, declared.name!)
        this.#symbols.set(symbol, file)
        this.#declare(declared, symbol, file)
      }
    }
  }

  /**
   * `part` with its types named in full. proto-loader names them as they are seen from where they are used, and does
   * not say which files one needs: they are those that declare its types.
   */
  #resolve(part: Part, scope: string, needed: Set<string>): Part {
    const resolved: Record<string, unknown> = {}
    for (const [field, value] of Object.entries(part)) {
      if (brokenFields.has(field)) continue
      if (typeFields.has(field)) resolved[field] = `.${this.#find(value as string, scope, needed)}`
      else if (!partFields.has(field)) resolved[field] = value
      else {
        resolved[field] = (value as Part[])
          // An extension, which proto-loader gives a second time as a field of what it extends.
          .filter(({ name }) => name?.startsWith('.') !== true)
          .map((inner) => this.#resolve(inner, within(scope, inner.name ?? ''), needed))
      }
    }
    return resolved
  }

  #find(type: string, scope: string, needed: Set<string>): string {
    for (let outer = scope; ; outer = outer.slice(0, Math.max(0, outer.lastIndexOf('.')))) {
      const symbol = type.startsWith('.') ? type.slice(1) : within(outer, type)
      if (this.#symbols.has(symbol)) {
        needed.add(symbol)
        return symbol
      }
      if (outer === '') throw new Error(`no file declares ${type}`)
    }
  }
}

const within = (scope: string, name: string): string => (scope === '' ? name : `${scope}.${name}`)

/** With the types of maps named as protoc does, `FieldEntry`, which readers insist on; proto-loader says `Field`. */
function withMapEntries(part: Part): Part {
  const isEntry = (type: Part): boolean => (type.options as { mapEntry?: boolean } | undefined)?.mapEntry === true
  const entries = new Set(part.nestedType?.filter(isEntry).map(({ name }) => name))
  const types = (list: readonly Part[]) =>
    list.map((type) => (isEntry(type) ? { ...type, name: `${type.name}Entry` } : withMapEntries(type)))
  return {
    ...part,
    ...(part.messageType && { messageType: types(part.messageType) }),
    ...(part.nestedType && { nestedType: types(part.nestedType) }),
    ...(part.field && {
      field: part.field.map((field) =>
        entries.has(field.typeName as string) ? { ...field, typeName: `${String(field.typeName)}Entry` } : field,
      ),
    }),
  }
}
