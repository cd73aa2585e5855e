import { type ConfigInput, parseConfigObject } from '@sluice/core'
import { defaultFile, loadFile, type Overrides } from './load.ts'
import { serve } from './serve.ts'
import { UsageError } from './usage-error.ts'

/** What the command line of `run` says besides the file. */
export interface RunFlags {
  /** Whether the file is reloaded when it changes. */
  readonly watch: boolean
  /** As it was written; it goes before what the file says. */
  readonly threads: string | undefined
}

/** `sluice run [FILE]`: runs a configuration. Resolves with the exit code. */
export async function run(file = defaultFile, { watch, threads }: RunFlags): Promise<0 | 1> {
  return await serve(loadFile(file, threads === undefined ? {} : overrides(threads)), { watch })
}

function overrides(threads: string): Overrides {
  const value = /^\d+$/.test(threads) ? Number(threads) : threads
  const listeners = { main: { bind: ':1', protocol: 'tcp', upstream: 'tcp://localhost:1' } } as const
  const result = parseConfigObject({ threads: value, listeners } as ConfigInput)
  if (result.errors !== undefined) throw new UsageError(`--threads: ${result.errors[0]!.message}`)
  return { threads: result.config.threads }
}
