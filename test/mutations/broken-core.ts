// Copies of the sources of packages/core, broken on purpose.
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { LocalGate, Turn } from '@sluice/core'
import type { SharedModules } from '@sluice/testkit'
import type { Mutation } from './mutations.ts'

const core = join(import.meta.dirname, '../../packages/core')

/** What the suites run on, from one copy of the sources. */
export interface CoreModules extends SharedModules {
  readonly LocalGate: typeof LocalGate
  readonly Turn: typeof Turn
  /** Where the sources of the copy lie. */
  readonly source: URL
}

const files = [
  'gate/local-gate.ts',
  'turn.ts',
  'gate/gate.ts',
  'runtime.ts',
  'upstream/upstream.ts',
  'state/shared-control.ts',
  'state/shared-memory.ts',
  'state/shared-store.ts',
]

/** Copies the sources, breaks the copy and loads it. Throws when what is to be broken is not there. */
export async function loadCore(directory: string, mutation?: Mutation): Promise<CoreModules> {
  cpSync(join(core, 'src'), join(directory, 'src'), { recursive: true })
  cpSync(join(core, 'package.json'), join(directory, 'package.json'))
  symlinkSync(join(core, 'node_modules'), join(directory, 'node_modules'))
  if (mutation !== undefined) {
    const file = join(directory, 'src', mutation.file)
    const parts = readFileSync(file, 'utf8').split(mutation.find)
    if (parts.length !== 2) {
      throw new Error(`"${mutation.name}": its text stands ${parts.length - 1} times in ${mutation.file}, not once`)
    }
    writeFileSync(file, parts.join(mutation.replace))
  }
  const source = pathToFileURL(join(directory, 'src/'))
  const part = async (file: string): Promise<object> => (await import(new URL(file, source).href)) as object
  const layout = await part('state/layout.ts')
  return Object.assign({ source, layout }, ...(await Promise.all(files.map(part)))) as CoreModules
}
