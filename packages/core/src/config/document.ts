import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLMap,
} from 'yaml'
import type { ConfigPath } from './config-error.ts'
import { interpolate } from './interpolate.ts'

/** Where something stands in a text; lines and columns count from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** What is wrong with a text before anyone asks what it means. */
export interface TextError {
  readonly position: Position
  readonly message: string
  readonly hint: string | undefined
}

/** A text as plain data that still knows where everything stands. */
export interface ParsedDocument {
  /** Undefined when the syntax leaves no data. */
  readonly data: unknown
  readonly errors: readonly TextError[]
  /** The position of the value at a path or of its key; of the nearest thing above where nothing stands there. */
  locate(path: ConfigPath, at: 'key' | 'value'): Position
  /** Whether variables had a part in the scalar at a path. */
  interpolated(path: ConfigPath): boolean
}

// More aliases than this do not occur in a configuration that people write; a bomb has billions.
const maxAliasCount = 200

/** Parses YAML, or JSON (of which YAML is a superset), with anchors, aliases and merge keys, and replaces variables. */
export function parseText(
  text: string,
  { format, env }: { readonly format: 'yaml' | 'json'; readonly env: Readonly<Record<string, string | undefined>> },
): ParsedDocument {
  const counter = new LineCounter()
  const positionAt = (offset: number): Position => {
    // The counter knows the starts of lines as far as the parser came; before the first it says line 0.
    const { line, col } = counter.linePos(offset)
    return line === 0 ? { line: 1, column: 1 } : { line, column: col }
  }
  const failed = (error: TextError): ParsedDocument => ({
    data: undefined,
    errors: [error],
    locate: () => error.position,
    interpolated: () => false,
  })

  if (format === 'json') {
    const error = jsonError(text)
    if (error !== undefined) return failed(error)
  }
  let document: Document.Parsed
  try {
    document = parseDocument(text, { lineCounter: counter, prettyErrors: false, merge: true, version: '1.2' })
  } catch (error) {
    // The parser recurses, so a text of many thousand brackets ends it.
    if (!(error instanceof RangeError)) throw error
    return failed({ ...nestedTooDeeply, position: { line: 1, column: 1 } })
  }

  const errors = syntaxErrors(document, positionAt)
  // Duplicate keys and unknown tags leave data that can be checked on; other mistakes leave none to rely on.
  const usable = document.contents !== null && document.errors.every(({ code }) => code === 'DUPLICATE_KEY')
  const replaced = new Set<Node>()
  let data: unknown
  if (usable) {
    try {
      prepare(document, { env, errors, replaced, positionAt })
      data = document.toJS({ maxAliasCount })
    } catch (error) {
      errors.push({ position: { line: 1, column: 1 }, message: aliasSentence(error), hint: undefined })
    }
  }

  return {
    data,
    errors,
    locate: (path, at) => positionAt(offsetOf(document, path, at)),
    interpolated: (path) => {
      const node = nodeAt(document, path)
      return node !== undefined && replaced.has(node)
    },
  }
}

function syntaxErrors(document: Document.Parsed, positionAt: (offset: number) => Position): TextError[] {
  const errors: TextError[] = []
  let broken = false
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const position = positionAt(pos[0])
    if (code === 'DUPLICATE_KEY') {
      const hint = 'Keep one of them: the keys of an object must differ.'
      errors.push({ position, message: 'This key stands here for the second time.', hint })
    } else if (code === 'TAG_RESOLVE_FAILED') {
      errors.push({ position, message: `${message}.`, hint: 'A configuration needs no tags.' })
    } else if (code === 'MULTIPLE_DOCS') {
      errors.push({ position, message: 'A second document begins here.', hint: 'A configuration is one document.' })
    } else if (!broken) {
      // What follows the first mistake in the syntax is mostly its consequence.
      broken = true
      const tooDeep = message.includes('call stack')
      errors.push(
        tooDeep ? { ...nestedTooDeeply, position } : { position, message: asSentence(message), hint: undefined },
      )
    }
  }
  return errors
}

interface Preparation {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly errors: TextError[]
  /** Receives the scalars in which variables had a part. */
  readonly replaced: Set<Node>
  positionAt(offset: number): Position
}

/** Replaces the variables in every scalar that is no key, and finds keys that are no text and aliases that lead nowhere. */
function prepare(document: Document.Parsed, { env, errors, replaced, positionAt }: Preparation): void {
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key)) return
      const position = positionAt(isNode(key) ? (key.range?.[0] ?? 0) : 0)
      const hint = 'Text that begins with `{`, `[` or `*` stands in quotes.'
      errors.push({ position, message: 'A key must be text.', hint })
      return visit.REMOVE
    },
    Alias(_, node) {
      if (node.resolve(document) !== undefined) return
      const position = positionAt(node.range?.[0] ?? 0)
      errors.push({
        position,
        message: `No anchor is named \`${node.source}\`.`,
        hint: 'An anchor stands before its aliases.',
      })
      return visit.REMOVE
    },
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string') return
      const result = interpolate(node.value, env)
      if (typeof result === 'string') {
        errors.push({ position: positionAt(node.range?.[0] ?? 0), message: result, hint: undefined })
        return
      }
      node.value = result.text
      if (result.interpolated) replaced.add(node)
    },
  })
}

const nestedTooDeeply = { message: 'The file is nested too deeply.', hint: undefined }

const asSentence = (message: string): string => `${message.replace(/[.:]?\s*$/, '')}.`

function aliasSentence(error: unknown): string {
  if (error instanceof RangeError) return nestedTooDeeply.message
  const message = error instanceof Error ? error.message : String(error)
  if (!message.startsWith('Excessive alias count')) return asSentence(message)
  return `Aliases of aliases make more than ${maxAliasCount} copies of one anchor.`
}

/** What JSON.parse says, with its place: YAML is more lenient than what a file called .json promises. */
function jsonError(text: string): TextError | undefined {
  const message = jsonFailure(text)
  if (message === undefined) return undefined
  const before = text.slice(0, jsonErrorOffset(text)).split('\n')
  const sentence = message.replace(/ in JSON at position .*$/s, '').replace(/, (?:\.{3})?".*is not valid JSON$/s, '')
  return {
    position: { line: before.length, column: before.at(-1)!.length + 1 },
    message: asSentence(sentence),
    hint: 'The file must be JSON: no comments, no comma at the end, keys in double quotes.',
  }
}

function jsonFailure(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/**
 * Where JSON.parse stopped. Not every message of V8 says it, so it is searched: a text cut before the mistake fails at
 * its end, one cut behind it fails within.
 */
function jsonErrorOffset(text: string): number {
  let fine = 0
  let broken = text.length + 1
  while (broken - fine > 1) {
    const middle = (fine + broken) >> 1
    const failure = jsonFailure(text.slice(0, middle))
    const atEnd =
      failure === undefined || failure.includes('Unexpected end') || failure.includes(`at position ${middle} `)
    if (atEnd) fine = middle
    else broken = middle
  }
  return fine
}

/** The node under a key or index of a node, and the key that stands before it. */
interface Step {
  readonly key: Node | undefined
  readonly value: Node | undefined
}

function stepInto(document: Document.Parsed, node: Node | undefined, part: string | number): Step | undefined {
  const target = isAlias(node) ? node.resolve(document) : node
  if (isSeq(target)) {
    const item = target.items[Number(part)]
    return isNode(item) ? { key: undefined, value: item } : undefined
  }
  return isMap(target) ? stepIntoMap(document, target, String(part)) : undefined
}

function stepIntoMap(document: Document.Parsed, map: YAMLMap, part: string): Step | undefined {
  const merged: Node[] = []
  // The last of two equal keys is the one whose value counts.
  for (const { key, value } of map.items.toReversed()) {
    if (!isScalar(key)) continue
    if (String(key.value) === part || key.source === part) return { key, value: isNode(value) ? value : undefined }
    if (key.source === '<<' && isNode(value)) merged.push(value)
  }
  for (const source of merged) {
    const target = isAlias(source) ? source.resolve(document) : source
    const parents = isSeq(target) ? target.items.filter(isNode) : [target]
    for (const parent of parents) {
      const found = stepInto(document, parent, part)
      if (found !== undefined) return found
    }
  }
  return undefined
}

function nodeAt(document: Document.Parsed, path: ConfigPath): Node | undefined {
  let node: Node | undefined = document.contents ?? undefined
  for (const part of path) node = stepInto(document, node, part)?.value
  return isAlias(node) ? node.resolve(document) : node
}

function offsetOf(document: Document.Parsed, path: ConfigPath, at: 'key' | 'value'): number {
  let node: Node | undefined = document.contents ?? undefined
  let offset = node?.range?.[0] ?? 0
  for (const [index, part] of path.entries()) {
    const step = stepInto(document, node, part)
    if (step === undefined) return offset
    node = step.value
    const keyOffset = step.key?.range?.[0]
    const valueOffset = node?.range?.[0]
    const last = index === path.length - 1
    // What stands above a missing key is best shown by its own key: an object begins at its first key.
    const wanted =
      last && at === 'value' ? (emptyScalar(node) ? keyOffset : (valueOffset ?? keyOffset)) : (keyOffset ?? valueOffset)
    offset = wanted ?? offset
  }
  return offset
}

// An empty value has no character of its own that a caret could point at.
function emptyScalar(node: Node | undefined): boolean {
  return isScalar(node) && node.range !== undefined && node.range !== null && node.range[0] === node.range[1]
}
