import { canonicalMatch, type RouteMatch } from '../routing/match.ts'
import { isMethodName, isServicePattern } from '../routing/service.ts'
import type { ConfigPath } from './config-error.ts'
import { checkFieldName, checkMethod } from './http-text.ts'
import { routeMatch } from './normalise-match.ts'
import { isProblem } from './problem.ts'
import { isObject, listOf, record, type Raw, type Report } from './raw.ts'

/** What holds between the keys of a match, on a listener of a protocol. */
export function checkMatch(match: Raw, protocol: unknown, path: ConfigPath, report: Report): void {
  checkFields(record(match['headers']), [...path, 'headers'], report)
  const { service, method } = match
  if (service === undefined) {
    if (protocol === 'grpc' && method !== undefined) {
      const hint = 'Write `service: shop.v1.Orders` beside it; every call is a POST.'
      report([...path, 'method'], 'On a grpc listener a `method` belongs to a `service`.', hint, 'key')
    } else checkMethods(method, checkMethod, [...path, 'method'], report)
    return
  }
  if (protocol === 'websocket') {
    report([...path, 'service'], '`service` is not known on a websocket listener.', undefined, 'key')
  }
  if (match['path'] !== undefined) {
    report([...path, 'path'], 'A `service` stands for a path: there can be no other beside it.', undefined, 'key')
  }
  if (typeof service === 'string' && service.endsWith('.*') && method !== undefined) {
    const hint = 'Write the full name of the service.'
    report([...path, 'method'], `A \`method\` belongs to one service, and \`${service}\` is a package.`, hint, 'key')
  } else checkMethods(method, checkCall, [...path, 'method'], report)
}

function checkCall(name: string): string | undefined {
  return isMethodName(name) ? undefined : `\`${name}\` is not the name of a gRPC method, such as \`Place\`.`
}

function checkMethods(
  methods: unknown,
  check: (method: string) => ReturnType<typeof checkMethod> | string,
  path: ConfigPath,
  report: Report,
): void {
  for (const [index, method] of listOf(methods).entries()) {
    const wrong = typeof method === 'string' ? check(method) : undefined
    const at = Array.isArray(methods) ? [...path, index] : path
    if (isProblem(wrong)) report(at, wrong.problem, wrong.hint)
    else if (wrong !== undefined) report(at, wrong)
  }
}

function checkFields(headers: Raw, path: ConfigPath, report: Report): void {
  const fields = new Set<string>()
  for (const field of Object.keys(headers)) {
    const at = [...path, field]
    const wrong = checkFieldName(field)
    if (wrong !== undefined) report(at, wrong, undefined, 'key')
    // Names of fields have no letter case, and a field cannot have two values at once.
    if (fields.has(field.toLowerCase()))
      report(at, `The header field \`${field}\` stands here twice.`, undefined, 'key')
    fields.add(field.toLowerCase())
  }
}

/** A match as the router takes it; undefined when the schema has found fault with it. */
export function rawMatch(value: unknown, protocol: unknown): RouteMatch | undefined {
  if (value !== undefined && !isObject(value)) return undefined
  const { host, path, service, method, headers } = record(value)
  if (!isTextOrNone(host) || !isTextOrNone(path) || !isTextOrNone(service)) return undefined
  if ((headers !== undefined && !isObject(headers)) || (service !== undefined && !isServicePattern(service))) {
    return undefined
  }
  const methods = method === undefined ? undefined : listOf(method)
  if (methods !== undefined && !methods.every((item) => typeof item === 'string')) return undefined
  const fields = Object.entries(record(headers))
  if (!fields.every((field): field is [string, string] => typeof field[1] === 'string')) return undefined
  try {
    const match = routeMatch({ host, path, service, method: methods, headers: Object.fromEntries(fields) }, protocol)
    canonicalMatch(match)
    return match
  } catch {
    return undefined
  }
}

const isTextOrNone = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string'
