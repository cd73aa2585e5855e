import * as z from 'zod'
import { schema } from './schema.ts'

// What replaces a variable is text in the file, wherever it stands.
const variable = { type: 'string', pattern: '\\$\\{' } as const

/** The JSON Schema of what people write, so that editors complete, explain and underline. */
export function jsonSchema(): Record<string, unknown> {
  const generated = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-07',
    override: ({ jsonSchema }) => {
      const { type } = jsonSchema
      if (type !== 'integer' && type !== 'number' && type !== 'boolean' && jsonSchema.enum === undefined) return
      const { description, ...wanted } = jsonSchema
      for (const key of Object.keys(wanted)) delete (jsonSchema as Record<string, unknown>)[key]
      jsonSchema.anyOf = [wanted, variable]
      if (description !== undefined) jsonSchema.description = description
    },
  })
  return { ...generated, title: 'Sluice configuration' }
}
