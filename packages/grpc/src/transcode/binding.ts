import { MalformedMessage } from '../protobuf/reader.ts'
import { statusCode } from '../status.ts'
import { maxCost, OverBudget } from './budget.ts'
import { resolveFieldPath, setField, textToJson } from './field-path.ts'
import type { HttpRule } from './http-rule.ts'
import { emptyObject, isJsonObject, type Json, type JsonObject, parseJson, writeJson } from './json.ts'
import type { JsonCodec } from './json-codec.ts'
import { unsetToJson } from './message-to-json.ts'
import { PathTemplate, splitPath } from './path-template.ts'
import { addQuery } from './query.ts'
import type { Field, MethodType } from './schema.ts'
import { FieldProblem, TranscodeError, within } from './transcode-error.ts'

/** The largest message that is turned into JSON or made of it, in bytes: gRPC's own default. */
export const maxMessageBytes = 4 * 1024 ** 2

/** One way to call a method by HTTP and JSON. */
export class Binding {
  /** `/shop.v1.Orders/Get` */
  readonly grpcPath: string
  /** Always false: a method with streams of requests is refused when it is loaded. */
  readonly clientStreaming: boolean
  /** Whether the answer is a line of JSON for each message. */
  readonly serverStreaming: boolean
  /** The HTTP method, or `*`. */
  readonly httpMethod: string
  readonly template: PathTemplate
  readonly #codec: JsonCodec
  readonly #method: MethodType
  readonly #variables: readonly (readonly Field[])[]
  /** `undefined`: no body; `'*'`: all of the request. */
  readonly #body: Field | '*' | undefined
  readonly #responseBody: Field | undefined

  /** Throws a sentence, without the method's name, at a rule that does not fit its method. */
  constructor(codec: JsonCodec, service: string, method: MethodType, rule: HttpRule) {
    this.grpcPath = `/${service}/${method.name}`
    this.clientStreaming = method.clientStreaming
    this.serverStreaming = method.serverStreaming
    this.httpMethod = rule.method
    this.#codec = codec
    this.#method = method
    this.template = accepted(PathTemplate.parse(rule.template))
    this.#variables = this.template.variables.map(({ fieldPath }) => {
      const path = accepted(resolveFieldPath(method.request, fieldPath))
      if (path.at(-1)!.repeated) throw new Error(`the path cannot bind \`${fieldPath}\`, which is repeated`)
      return path
    })
    this.#body = rule.body === '*' ? '*' : topField(method.request.named(rule.body), 'body', rule.body)
    this.#responseBody = topField(method.response.named(rule.responseBody), 'response_body', rule.responseBody)
    const field = this.#body
    if (typeof field === 'object' && this.#variables.some((path) => path.length === 1 && path[0] === field)) {
      throw new Error(`the path and the body both give \`${field.name}\``)
    }
  }

  matches(path: readonly string[]): boolean {
    return this.template.matches(path)
  }

  /**
   * The message that a request is, without the five octets before it on the wire. `pathAndQuery` matches the
   * template; a body is read only where the rule has one, and must be called JSON, or nothing.
   */
  request(pathAndQuery: string, body: Buffer, contentType: string | undefined): Buffer | TranscodeError {
    try {
      const [path, query] = splitQuery(pathAndQuery)
      const json = this.#readBody(body, contentType)
      const message = this.#codec.fromJson(this.#method.request, this.#fill(json, path, query))
      if (message.length <= maxMessageBytes) return message
      return new TranscodeError(
        statusCode.RESOURCE_EXHAUSTED,
        `The message would be ${message.length} bytes long, which is more than ${maxMessageBytes}.`,
      )
    } catch (error) {
      return failure(error, statusCode.INVALID_ARGUMENT)
    }
  }

  /** A message of the answer as JSON; with the newline that ends it, when the answer is a stream of them. */
  response(message: Buffer): Buffer | TranscodeError {
    try {
      const json = this.#codec.toJson(this.#method.response, message)
      const field = this.#responseBody
      const part = field === undefined ? json : ((json as JsonObject)[field.jsonName] ?? unsetToJson(field))
      const written = writeJson(part)
      if (written.length > maxCost) {
        return new TranscodeError(statusCode.RESOURCE_EXHAUSTED, `The JSON would be longer than ${maxCost} bytes.`)
      }
      return this.serverStreaming ? Buffer.concat([written, newline]) : written
    } catch (error) {
      return failure(error, statusCode.INTERNAL)
    }
  }

  #readBody(body: Buffer, contentType: string | undefined): Json | undefined {
    if (this.#body === undefined || body.length === 0) return undefined
    if (
      contentType !== undefined &&
      contentType !== '' &&
      !/^application\/(\w[^;,\s]*\+)?json\s*(;|$)/i.test(contentType)
    ) {
      throw new FieldProblem(`the content type must be application/json, not \`${contentType}\``)
    }
    return parseJson(body)
  }

  #fill(body: Json | undefined, path: string, query: string): Json {
    let tree = emptyObject()
    if (this.#body === '*' && body !== undefined) {
      // A request that is one of the well-known messages may be a list, or whatever.
      if (!isJsonObject(body)) return body
      tree = body
    } else if (typeof this.#body === 'object' && body !== undefined) tree[this.#body.jsonName] = body
    if (query !== '') addQuery(tree, this.#method.request, query, (field) => this.#isBound(field))
    for (const [i, { text, fieldPath }] of bindPath(this.template, path).entries()) {
      const fields = this.#variables[i]!
      within(fieldPath, () => setField(tree, fields, textToJson(fields.at(-1)!, text)))
    }
    return tree
  }

  /** Whether a field is the body, lies in it, or is in the path. */
  #isBound(path: readonly Field[]): boolean {
    if (this.#body === '*' || path[0] === this.#body) return true
    return this.#variables.some((bound) => bound.length === path.length && bound.every((field, i) => field === path[i]))
  }
}

const newline = Buffer.from('\n')

/** Path and query of a request target, without a fragment. */
export function splitQuery(pathAndQuery: string): readonly [path: string, query: string] {
  const target = pathAndQuery.replace(/#.*$/s, '')
  const mark = target.indexOf('?')
  return mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
}

function bindPath(template: PathTemplate, path: string) {
  try {
    return template.bind(splitPath(path))
  } catch {
    throw new FieldProblem(`the path \`${path}\` is not percent-encoded UTF-8`)
  }
}

function topField(field: Field | undefined, option: string, name: string): Field | undefined {
  if (name !== '' && field === undefined)
    throw new Error(`its \`${option}\` names \`${name}\`, which is no field there`)
  return field
}

function accepted<T>(value: T | string): T {
  if (typeof value === 'string') throw new Error(value)
  return value
}

function failure(error: unknown, code: TranscodeError['code']): TranscodeError {
  if (error instanceof OverBudget) return new TranscodeError(statusCode.RESOURCE_EXHAUSTED, `${error.sentence}.`)
  if (error instanceof FieldProblem) return new TranscodeError(code, `${error.sentence}.`)
  if (error instanceof MalformedMessage) {
    return new TranscodeError(statusCode.INTERNAL, `the message is not what its definition says: ${error.message}.`)
  }
  // Nesting is bounded everywhere; should it not be somewhere, it is the message's fault and not the thread's end.
  if (error instanceof RangeError && error.message.includes('call stack')) {
    return new TranscodeError(code, 'the message is nested too deep.')
  }
  throw error
}
