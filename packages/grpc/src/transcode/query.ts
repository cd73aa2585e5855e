import { resolveFieldPath, setField, textToJson } from './field-path.ts'
import type { Json, JsonObject } from './json.ts'
import type { Field, MessageType } from './schema.ts'
import { FieldProblem } from './transcode-error.ts'

/**
 * Puts the parameters of a query into a tree. Names are paths of fields, repeated ones may come more than once, and
 * whatever names no field, or one that `bound` says is given elsewhere, is an error. Throws FieldProblem.
 */
export function addQuery(
  tree: JsonObject,
  type: MessageType,
  query: string,
  bound: (path: readonly Field[]) => boolean,
): void {
  const values = new Map<string, { readonly path: readonly Field[]; readonly texts: string[] }>()
  for (const parameter of query.split('&')) {
    if (parameter === '') continue
    const equals = parameter.indexOf('=')
    const name = decode(equals < 0 ? parameter : parameter.slice(0, equals))
    const text = decode(equals < 0 ? '' : parameter.slice(equals + 1))
    const path = resolveFieldPath(type, name)
    if (typeof path === 'string') throw new FieldProblem(`the query parameter \`${name}\` does not fit: ${path}`)
    if (bound(path)) throw new FieldProblem(`the query parameter \`${name}\` is given by the path or the body already`)
    // `page_size` and `pageSize` are one field.
    const key = path.map((field) => field.number).join('.')
    const known = values.get(key)
    if (known === undefined) values.set(key, { path, texts: [text] })
    else if (path.at(-1)!.repeated) known.texts.push(text)
    else throw new FieldProblem(`the query parameter \`${name}\` is given more than once`)
  }
  for (const { path, texts } of values.values()) {
    const field = path.at(-1)!
    const list = texts.map((text): Json => textToJson(field, text))
    setField(tree, path, field.repeated ? list : list[0]!)
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw new FieldProblem(`the query has \`${text}\`, which is not percent-encoded UTF-8`)
  }
}
