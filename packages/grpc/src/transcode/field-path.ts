import { emptyObject, isJsonObject, type Json, type JsonObject } from './json.ts'
import { textToBoolean } from './scalars.ts'
import type { Field, MessageType, ScalarKind } from './schema.ts'
import { FieldProblem } from './transcode-error.ts'
import { textKindOf } from './well-known-types.ts'

/** The fields on the way that `a.b.c` names, the last one holding something that a text can be. A string says why not. */
export function resolveFieldPath(type: MessageType, path: string): readonly Field[] | string {
  const fields: Field[] = []
  let message: MessageType | undefined = type
  for (const name of path.split('.')) {
    const before = fields.at(-1)
    if (before !== undefined && (before.repeated || message === undefined)) return `\`${before.name}\` has no fields`
    const field: Field | undefined = message?.named(name)
    if (field === undefined) return `\`${name}\` is no field of ${message?.fullName}`
    fields.push(field)
    message = field.holds.kind === 'message' || field.holds.kind === 'group' ? field.holds.message : undefined
  }
  const last = fields.at(-1)!
  if (last.key !== undefined) return `\`${path}\` is a map`
  return message === undefined || textKindOf(message.fullName) !== undefined
    ? fields
    : `\`${path}\` is a message, not a single value`
}

/** A text of a path or a query as JSON for a field; what does not fit is left for the codec to refuse. */
export function textToJson(field: Field, text: string): Json {
  const { holds } = field
  if (holds.kind === 'enum') return /^-?\d{1,10}$/.test(text) ? Number(text) : text
  const kind: ScalarKind | undefined =
    holds.kind === 'message' || holds.kind === 'group' ? textKindOf(holds.message.fullName) : holds.kind
  return kind === 'bool' ? textToBoolean(text) : text
}

/** Sets a value deep in a tree, under whichever of its names a field has there already. */
export function setField(tree: JsonObject, path: readonly Field[], value: Json): void {
  let object = tree
  for (const [i, field] of path.entries()) {
    const key = Object.hasOwn(object, field.name) ? field.name : field.jsonName
    if (i === path.length - 1) {
      // Both names at once would be an error of the caller, who has given this value only once.
      if (key !== field.jsonName) delete object[field.jsonName]
      object[key] = value
      return
    }
    const held = Object.hasOwn(object, key) ? object[key] : null
    if (held === null) object = object[key] = emptyObject()
    else if (isJsonObject(held)) object = held
    else throw new FieldProblem(`\`${field.name}\` must be an object`)
  }
}
