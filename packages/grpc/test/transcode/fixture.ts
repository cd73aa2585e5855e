import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Binding } from '../../src/transcode/binding.ts'
import { TranscodeError } from '../../src/transcode/transcode-error.ts'
import { Transcoder } from '../../src/transcode/transcoder.ts'

/** The path of a file beside the tests. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

/** A transcoder of files beside the tests. */
export function loadFixture(...names: string[]): Promise<Transcoder> {
  return Transcoder.load({ protos: names.map(fixture), includes: [], services: [] })
}

/** Runs `work` with a folder that holds the files of `contents`, and removes it. */
export async function withFiles<T>(
  contents: Record<string, string | Buffer>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-transcode-'))
  try {
    for (const [name, content] of Object.entries(contents)) writeFileSync(join(folder, name), content)
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The message that a request becomes, or what is wrong with it as `CODE sentence`. */
export function ask(
  binding: Binding,
  target: string,
  body?: unknown,
  contentType = 'application/json',
): Buffer | string {
  const octets =
    body === undefined ? Buffer.alloc(0) : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const message = binding.request(target, octets, contentType)
  return message instanceof TranscodeError ? `${message.code} ${message.message}` : message
}

/** The JSON of a message, by a binding whose answer it is. */
export function answer(binding: Binding, message: Buffer): unknown {
  const json = binding.response(message)
  return json instanceof TranscodeError ? `${json.code} ${json.message}` : JSON.parse(json.toString())
}
