import { defaultFile, loadFile } from './load.ts'
import { serve } from './serve.ts'

/** `sluice run [FILE]`: runs a configuration. */
export async function run(file = defaultFile): Promise<0> {
  return await serve(loadFile(file), { fromFile: true })
}
