/** One way to call a method: what `google.api.HttpRule` says, without its additional bindings. */
export interface HttpRule {
  /** The HTTP method, or `*` for any. */
  readonly method: string
  readonly template: string
  /** A field of the request, `*` for all that the path does not bind, or `''` for none. */
  readonly body: string
  /** A field of the response, or `''` for the whole. */
  readonly responseBody: string
}

type Words = Readonly<Record<string, unknown>>

const patterns = ['get', 'put', 'post', 'delete', 'patch'] as const

/**
 * The rules in a `google.api.http` option: as the parser of .proto files gives it (original names, one additional
 * binding not in a list) or as JSON has it. A string says in a sentence why it is none.
 */
export function readHttpRules(option: unknown): readonly HttpRule[] | string {
  const first = readRule(option)
  if (typeof first === 'string') return first
  const rules = [first]
  const more = (option as Words).additional_bindings ?? (option as Words).additionalBindings ?? []
  for (const additional of Array.isArray(more) ? more : [more]) {
    const rule = readRule(additional)
    if (typeof rule === 'string') return rule
    rules.push(rule)
  }
  return rules
}

function readRule(value: unknown): HttpRule | string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'its `google.api.http` is no HttpRule'
  const words = value as Words
  const pattern = readPattern(words)
  if (typeof pattern === 'string') return pattern
  const body = words.body ?? ''
  const responseBody = words.response_body ?? words.responseBody ?? ''
  if (typeof body !== 'string') return 'its `body` is set more than once'
  if (typeof responseBody !== 'string') return 'its `response_body` is set more than once'
  return { ...pattern, body, responseBody }
}

function readPattern(words: Words): { method: string; template: string } | string {
  const found: { method: string; template: string }[] = []
  for (const name of patterns) {
    const template = words[name]
    if (typeof template === 'string') found.push({ method: name.toUpperCase(), template })
    else if (template !== undefined) return `its \`${name}\` is set more than once`
  }
  const custom = words.custom as Words | undefined
  if (custom !== undefined) found.push({ method: String(custom.kind), template: String(custom.path) })
  if (found.length === 1) return found[0]!
  return found.length === 0
    ? 'its `google.api.http` has no pattern (get, put, post, delete, patch or custom)'
    : 'its `google.api.http` has more than one pattern; further ones are written as `additional_bindings`'
}
