import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { annotationFiles, annotations } from './annotations.ts'
import { addDescriptorSet } from './descriptor-set.ts'
import { protobufjs } from './protobufjs.ts'
import { reflectInto } from './reflect.ts'
import { Schema } from './schema.ts'
import { FieldProblem } from './transcode-error.ts'
import { MalformedMessage } from '../protobuf/reader.ts'

/**
 * Reads `.proto` files, and descriptor sets under any other name. Imports are looked for in `includes`, then beside
 * the importing file; google/protobuf/*.proto and google/api/annotations.proto need not be there. Rejects with a
 * sentence that names the file.
 */
export async function loadSchema(files: readonly string[], includes: readonly string[]): Promise<Schema> {
  const schema = new Schema()
  for (const file of files) if (!existsSync(file)) throw new Error(`${file}: there is no such file.`)
  const sources = files.filter((file) => file.endsWith('.proto'))
  if (sources.length > 0) addSources(schema, sources, includes)
  for (const file of files) {
    if (file.endsWith('.proto')) continue
    try {
      addDescriptorSet(schema, await readFile(file))
    } catch (error) {
      throw new Error(`${file}: it cannot be read as a descriptor set: ${sentenceOf(error)}.`, { cause: error })
    }
  }
  return schema
}

function addSources(schema: Schema, sources: readonly string[], includes: readonly string[]): void {
  const root = new protobufjs.Root()
  const own = annotationFiles.every((file) => !includes.some((include) => existsSync(join(include, file))))
  if (own) root.addJSON(annotations)
  root.resolvePath = (origin, target) => {
    if (isAbsolute(target)) return target
    const found = [...includes, dirname(origin)].map((from) => resolve(from, target)).find((path) => existsSync(path))
    if (found !== undefined) return found
    if (own && annotationFiles.includes(target)) return null
    throw new Error(`${origin}: its import ${target} is neither beside it nor in ${listOf(includes)}`)
  }
  try {
    // Not `load`, which throws what it finds unresolved past its caller, to where it ends the process.
    root.loadSync(
      sources.map((source) => resolve(source)),
      { keepCase: true },
    )
  } catch (error) {
    // What protobufjs says of syntax names the file itself, what it says of missing types does not.
    const sentence = sentenceOf(error)
    const named = sentence.includes('.proto')
    throw new Error(named ? `${sentence}.` : `${sources.join(', ')}: ${sentence}.`, { cause: error })
  }
  reflectInto(schema, root)
}

function listOf(includes: readonly string[]): string {
  return includes.length === 0 ? 'the includes, of which there are none' : `the includes ${includes.join(', ')}`
}

function sentenceOf(error: unknown): string {
  if (error instanceof FieldProblem) return error.sentence
  if (error instanceof MalformedMessage) return error.message
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
}
