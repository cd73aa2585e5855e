import { parsePathPattern } from '../routing/path-pattern.ts'
import { nearestHint } from './nearest.ts'
import { problem, type Problem } from './problem.ts'

// Texts that end up in HTTP messages. What could end a line or a field early is refused here, once.

const token = /^[!#$%&'*+.^_`|~\dA-Za-z-]+$/
const framingFields = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'transfer-encoding',
  'trailer',
  'upgrade',
  'te',
])
const placeholders = ['path', 'query', 'host']

/** What any method is (RFC 9110 §9.1), and more than any method of gRPC. */
export function checkToken(method: string): string | undefined {
  return token.test(method) ? undefined : `\`${method}\` is not a method.`
}

/** A method of HTTP: those known are upper case, and a method has one spelling. */
export function checkMethod(method: string): Problem | undefined {
  const upper = method.toUpperCase()
  return method === upper ? undefined : problem(`The method \`${method}\` must be upper case.`, `Write \`${upper}\`.`)
}

/** The name of a field. */
export function checkFieldName(name: string): string | undefined {
  return token.test(name) ? undefined : `\`${name}\` is not the name of a header field.`
}

/** The name of a field that an answer may set: not one that frames the message. */
export function checkAnswerFieldName(name: string): string | undefined {
  if (framingFields.has(name.toLowerCase())) return `The field \`${name}\` is set by Sluice itself.`
  return checkFieldName(name)
}

/** The value of a field (RFC 9110 §5.5): no control characters, no space around it, one octet a character. */
export function checkFieldValue(value: string): string | undefined {
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
    return 'The value of a header field must have no line break, control character or character above U+00FF.'
  return value.trim() === value ? undefined : 'The value of a header field must not begin or end with a space.'
}

/** A prefix to strip: whole segments, one at least, that the normal form of a path can begin with. */
export function checkPrefix(prefix: string): string | undefined {
  if (!/^\/[^*?#]*[^*?#/]\/?$/.test(prefix)) {
    return `The prefix \`${prefix}\` must begin with \`/\`, name at least one segment and have no \`*\`.`
  }
  const pattern = parsePathPattern(prefix)
  return typeof pattern === 'string' ? pattern : undefined
}

/** The path of a probe: it goes into a request line as it is. */
export function checkProbePath(path: string): string | undefined {
  return /^\/[\x21-\x7e]*$/.test(path)
    ? undefined
    : `The path \`${path}\` must begin with \`/\` and have no space or control character.`
}

/** The target of a redirect, with its placeholders. */
export function checkRedirect(to: string): Problem | undefined {
  if (!/^(?:https?:\/\/.|\/|\{path\})/.test(to)) {
    return problem(`The redirect \`${to}\` must begin with http://, https://, \`/\` or \`{path}\`.`)
  }
  if (/[^\x21-\x7e]/.test(to))
    return problem(`The redirect \`${to}\` must have no space, control character or character beyond ASCII.`)
  for (const [whole, name = ''] of to.matchAll(/\{([^}]*)\}?/g)) {
    if (whole.endsWith('}') && placeholders.includes(name)) continue
    return problem(`The redirect has no placeholder \`${whole}\`.`, nearestHint(name, placeholders, 'Placeholders are'))
  }
  return undefined
}
