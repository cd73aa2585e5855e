import { Binding, splitQuery } from './binding.ts'
import { readHttpRules } from './http-rule.ts'
import { JsonCodec } from './json-codec.ts'
import { loadSchema } from './load-schema.ts'
import { splitPath } from './path-template.ts'
import { encodeErrorBody, addErrorDetails } from './error-body.ts'

/** What is transcoded, as users write it. */
export interface TranscoderOptions {
  /** `.proto` files, and descriptor sets under any other name. */
  readonly protos: readonly string[]
  /** Folders where imports are looked for. */
  readonly includes: readonly string[]
  /** Full names of services; all that have annotations when it is empty. */
  readonly services: readonly string[]
}

/** The bindings of some services between HTTP with JSON and gRPC, by their `google.api.http` annotations. */
export class Transcoder {
  /** By HTTP method, the more specific first. */
  readonly #bindings = new Map<string, Binding[]>()
  readonly #codec: JsonCodec

  private constructor(codec: JsonCodec) {
    this.#codec = codec
  }

  /** Rejects with a sentence that names the file, or the service, method and template. */
  static async load(options: TranscoderOptions): Promise<Transcoder> {
    const schema = await loadSchema(options.protos, options.includes)
    addErrorDetails(schema)
    const transcoder = new Transcoder(new JsonCodec(schema))
    const files = options.protos.join(', ')
    for (const service of options.services.length > 0 ? options.services : schema.services.keys()) {
      const methods = schema.services.get(service)
      if (methods === undefined) throw new Error(`The service ${service} is in none of ${files}.`)
      const annotated = methods.filter((method) => method.http !== undefined)
      if (annotated.length === 0 && options.services.length > 0) {
        throw new Error(`The service ${service} in ${files} has no method with a \`google.api.http\` annotation.`)
      }
      for (const method of annotated) {
        const refuse = (why: string) => new Error(`The method ${service}/${method.name} cannot be transcoded: ${why}.`)
        if (method.clientStreaming) throw refuse('its requests are a stream, which JSON over HTTP has no form for')
        const rules = readHttpRules(method.http)
        if (typeof rules === 'string') throw refuse(rules)
        for (const rule of rules) {
          try {
            transcoder.#add(new Binding(transcoder.#codec, service, method, rule))
          } catch (error) {
            throw refuse((error as Error).message)
          }
        }
      }
    }
    if (transcoder.#bindings.size === 0) throw new Error(`No method in ${files} has a \`google.api.http\` annotation.`)
    for (const bindings of transcoder.#bindings.values()) {
      bindings.sort((one, other) => one.template.compare(other.template))
    }
    return transcoder
  }

  /** The most specific binding for a request; `path` may have a query behind it. */
  match(method: string, path: string): Binding | undefined {
    const segments = splitPath(splitQuery(path)[0])
    const own = this.#bindings.get(method)?.find((binding) => binding.matches(segments))
    return own ?? this.#bindings.get('*')?.find((binding) => binding.matches(segments))
  }

  /** The HTTP methods that have a binding for a path, for `Allow`; empty when the path is unknown. */
  methods(path: string): string[] {
    return [...this.#bindings.keys()].filter((method) => this.match(method, path) !== undefined)
  }

  /**
   * A failed call as the JSON of google.rpc.Status. `detailsBin` is the value of `grpc-status-details-bin`, whose
   * details are told as far as their types are known; the status and the message are those that are given.
   */
  errorBody(code: number, message: string, detailsBin?: string): Buffer {
    return encodeErrorBody(this.#codec, code, message, detailsBin)
  }

  #add(binding: Binding): void {
    let bindings = this.#bindings.get(binding.httpMethod)
    if (bindings === undefined) this.#bindings.set(binding.httpMethod, (bindings = []))
    const { shape } = binding.template
    const other = bindings.find((known) => known.template.shape === shape)
    if (other !== undefined) {
      const both = `\`${other.httpMethod} ${other.template.text}\``
      throw new Error(`\`${binding.template.text}\` matches the same paths as ${both} of ${other.grpcPath.slice(1)}`)
    }
    bindings.push(binding)
  }
}
