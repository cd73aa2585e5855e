import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Config, formatConfigErrors, type Locate, parseConfig } from '@sluice/core'
import { StartError } from '../start-error.ts'

/** The file that is taken when none is named. */
export const defaultFile = 'sluice.yaml'

/** A configuration and where its keys stand. */
export interface Loaded {
  readonly config: Config
  /** `FILE:LINE:COLUMN` of a key, or its flag; undefined when that is not known. */
  readonly placeOf: (path: NonNullable<StartError['path']>) => string | undefined
  /** Undefined where it does not come from a file. */
  readonly source?: ConfigSource | undefined
}

/** A file that can be read again. */
export interface ConfigSource {
  /** As it was named. */
  readonly file: string
  /** Where relative paths in it begin. */
  readonly baseDir: string
  readonly locate: Locate
  /** Reads it anew. Throws a `StartError` that lists every mistake. */
  load(): Loaded
}

/** What the command line says and the file does not get to. */
export type Overrides = Partial<Pick<Config, 'threads'>>

/** Reads and checks a configuration file. Throws a `StartError` that lists every mistake. */
export function loadFile(file: string, overrides: Overrides = {}): Loaded {
  const baseDir = dirname(resolve(file))
  const result = parseConfig(read(file), { file, baseDir, env: process.env })
  if (result.errors !== undefined) {
    const { length } = result.errors
    const count = length === 1 ? '1 mistake' : `${length} mistakes`
    throw new StartError(`${formatConfigErrors(result.errors)}\n\n${file}: ${count}`, 2, undefined, result.errors)
  }
  const { locate } = result
  return {
    config: { ...result.config, ...overrides },
    placeOf: placeIn(file, locate),
    source: { file, baseDir, locate, load: () => loadFile(file, overrides) },
  }
}

function placeIn(file: string, locate: Locate): Loaded['placeOf'] {
  return (path) => {
    const position = locate(path)
    return position === undefined ? file : `${file}:${position.line}:${position.column}`
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new StartError(`${file} cannot be read: ${message}`, 2)
    const hint =
      file === defaultFile ? ' Name another file, or start without one: sluice http :8080 localhost:3000' : ''
    throw new StartError(`${file} does not exist.${hint}`, 2)
  }
}

/** An error at the start as one line, with the place of the key that it is about. */
export function describeStartError(error: StartError, placeOf: Loaded['placeOf']): string {
  const place = error.path === undefined ? undefined : placeOf(error.path)
  return place === undefined ? error.message : `${place} ${error.message}`
}
