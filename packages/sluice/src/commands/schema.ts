import { jsonSchema } from '@sluice/core'

/** `sluice schema`: the JSON Schema of the configuration. */
export function schema(): 0 {
  console.log(JSON.stringify(jsonSchema(), undefined, 2))
  return 0
}
