import { dirname } from 'node:path'
import { checkReferences } from './check.ts'
import type { Config } from './config.ts'
import { formatPath, type ConfigError, type ConfigPath } from './config-error.ts'
import { parseText, type ParsedDocument, type Position } from './document.ts'
import { findingsOf, valueAt, wordIssue, type Finding } from './issue.ts'
import { normalise } from './normalise.ts'
import { schema, type CheckedInput, type ConfigInput } from './schema.ts'

/** A configuration, or everything that is wrong with it. */
export type ConfigResult =
  | { readonly config: Config; readonly errors?: undefined; readonly locate: Locate }
  | { readonly config?: undefined; readonly errors: readonly ConfigError[] }

/**
 * Where the value at a path stands, or of the nearest thing above it; undefined for a configuration that was an object.
 * For whoever meets a mistake later than the check, such as a port in use.
 */
export type Locate = (path: ConfigPath) => Position | undefined

/** What belongs to a text besides its characters. */
export interface ParseOptions {
  /** The name of the file, for errors; its directory is what relative paths are relative to, unless `baseDir` is given. */
  readonly file?: string | undefined
  /** Where `${NAME}` is looked up. Default: nothing is set. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Default: `json` when the name of the file ends so, otherwise `yaml`. */
  readonly format?: 'yaml' | 'json' | undefined
  /** What relative paths are relative to. Default: the directory of `file`; without one they stay as they are. */
  readonly baseDir?: string | undefined
}

/** Parses and checks the text of a configuration. Never throws for anything in the text; all errors come at once. */
export function parseConfig(text: string, options: ParseOptions = {}): ConfigResult {
  const { file, env = {}, format = file?.endsWith('.json') ? 'json' : 'yaml' } = options
  const baseDir = options.baseDir ?? (file === undefined ? undefined : dirname(file))
  const document = parseText(text, { format, env })
  const lines = text.split(/\r?\n/)
  const errorAt = (
    { line, column }: Position,
    path: ConfigPath,
    message: string,
    hint: string | undefined,
  ): ConfigError => {
    return { file, line, column, path: formatPath(path), message, hint, sourceLine: lines[line - 1] }
  }
  const errors = document.errors.map(({ position, message, hint }) => errorAt(position, [], message, hint))
  if (document.data === undefined || document.data === null) {
    if (errors.length === 0) errors.push(errorAt({ line: 1, column: 1 }, [], 'The configuration is empty.', undefined))
    return { errors }
  }
  const { input, findings } = check(document.data, document)
  for (const { path, at, message, hint } of findings)
    errors.push(errorAt(document.locate(path, at), path, message, hint))
  if (input === undefined || errors.length > 0) return { errors: inOrder(errors) }
  return { config: normalise(input, baseDir), locate: (path) => document.locate(path, 'value') }
}

/** Checks a configuration written in TypeScript. Nothing is taken from the environment, and errors have no position. */
export function parseConfigObject(
  object: ConfigInput,
  options: { readonly baseDir?: string | undefined } = {},
): ConfigResult {
  const { input, findings } = check(object, undefined)
  if (input !== undefined && findings.length === 0) {
    return { config: normalise(input, options.baseDir), locate: () => undefined }
  }
  const nowhere = { file: undefined, line: undefined, column: undefined, sourceLine: undefined }
  return { errors: findings.map(({ path, message, hint }) => ({ ...nowhere, path: formatPath(path), message, hint })) }
}

interface Checked {
  readonly input: CheckedInput | undefined
  readonly findings: readonly Finding[]
}

function check(data: unknown, document: ParsedDocument | undefined): Checked {
  let parsed = schema.safeParse(data, { error: wordIssue })
  let findings = parsed.success ? [] : findingsOf(parsed.error.issues, data)
  if (document !== undefined && convertInterpolated(data, findings, document)) {
    parsed = schema.safeParse(data, { error: wordIssue })
    findings = parsed.success ? [] : findingsOf(parsed.error.issues, data)
  }
  return { input: parsed.data, findings: [...findings, ...checkReferences(data)] }
}

/**
 * A variable is text, and only the schema knows where a number or a boolean is wanted: there the text is converted, in
 * place. Whether any was.
 */
function convertInterpolated(data: unknown, findings: readonly Finding[], document: ParsedDocument): boolean {
  let converted = false
  for (const { path, expected } of findings) {
    if (expected === undefined || !document.interpolated(path)) continue
    const text = valueAt(data, path)
    const value = typeof text === 'string' ? convert(text, expected) : undefined
    const parent = valueAt(data, path.slice(0, -1)) as Record<string | number, unknown>
    const key = path.at(-1)
    if (value === undefined || key === undefined) continue
    parent[key] = value
    converted = true
  }
  return converted
}

function convert(text: string, expected: string): number | boolean | undefined {
  if (expected === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined
  const wantsNumber = expected === 'number' || expected === 'int' || expected === 'value'
  return wantsNumber && /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined
}

/** Errors from the top of the file down, each once: an alias repeats a mistake wherever it is used. */
function inOrder(errors: readonly ConfigError[]): ConfigError[] {
  const unique = new Map<string, ConfigError>()
  for (const error of errors) {
    const key = `${error.line}:${error.column}:${error.message}`
    if (!unique.has(key)) unique.set(key, error)
  }
  return [...unique.values()].sort((a, b) => a.line! - b.line! || a.column! - b.column!)
}
