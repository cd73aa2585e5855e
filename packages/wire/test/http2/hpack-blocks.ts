// Shared by the tests of HPACK: blocks from hex, lists as text, and the decoder of somebody else.
import { createRequire } from 'node:module'
import { type HeaderField, headerField } from '../../src/http2/header-field.ts'
import { hpackError, type Indexing } from '../../src/http2/hpack-codes.ts'
import { HpackDecoder, type HpackLimits } from '../../src/http2/hpack-decoder.ts'
import type { HpackEncoder } from '../../src/http2/hpack-encoder.ts'

export const noLimits: HpackLimits = { maxListBytes: 1_000_000, maxFields: 10_000 }

export const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')

/** Name, value, and how the field is indexed when that is not incremental. */
export type Pair = readonly [name: string, value: string, how?: Indexing]

export const fieldsOf = (list: readonly Pair[]): HeaderField[] => list.map((pair) => headerField(...pair))

export const pairsOf = (fields: readonly HeaderField[]): [string, string][] => fields.map((f) => [f.name, f.value])

/** What a result of the decoder is called: `ok` or the error's name. */
export function outcome(result: number): string {
  if (result === 0) return 'ok'
  return Object.entries(hpackError).find(([, code]) => code === result)?.[0] ?? String(result)
}

/** Decodes a whole block: what became of it, and its fields. */
export function decode(decoder: HpackDecoder, block: string | Buffer, limits = noLimits) {
  const octets = typeof block === 'string' ? hex(block) : block
  const fields: HeaderField[] = []
  const result = decoder.decode(octets, 0, octets.length, fields, limits)
  return { outcome: outcome(result), fields, pairs: pairsOf(fields) }
}

/** The dynamic table, newest first. The decoder is spent afterwards. */
export function tableOf(decoder: HpackDecoder): HeaderField[] {
  const entries: HeaderField[] = []
  for (let index = 62; index < 126; index++) {
    const { outcome, fields } = decode(decoder, Buffer.of(0x80 | index))
    if (outcome !== 'ok') break
    entries.push(fields[0]!)
  }
  return entries
}

/** Encodes into a buffer that has only the room that was asked for, and somewhere inside of it. */
export function encode(encoder: HpackEncoder, fields: readonly HeaderField[]): Buffer {
  const bound = encoder.bound(fields)
  const out = Buffer.alloc(bound + 7, 0xdb)
  const end = encoder.encode(out, 3, fields)
  if (end > 3 + bound) throw new Error(`${end - 3} octets were written where ${bound} are the bound`)
  if (out.subarray(0, 3).some((octet) => octet !== 0xdb) || out.subarray(end).some((octet) => octet !== 0xdb)) {
    throw new Error('octets were written outside of the block')
  }
  return out.subarray(3, end)
}

interface ForeignField {
  readonly name: string
  readonly value: string
  readonly neverIndex: boolean
}

interface Decompressor {
  write(block: Buffer): void
  execute(): void
  read(): ForeignField | null
  on(event: 'error', listener: (error: Error) => void): void
}

interface HpackJs {
  readonly decompressor: { create(options: { table: { maxSize: number } }): Decompressor }
}

const hpackJs = createRequire(import.meta.url)('hpack.js') as HpackJs

/** The decoder of hpack.js, which shares nothing with ours. */
export class ForeignDecoder {
  readonly #decompressor = hpackJs.decompressor.create({ table: { maxSize: 4_096 } })
  #error: Error | undefined

  constructor() {
    this.#decompressor.on('error', (error) => (this.#error = error))
  }

  /** Name, value and whether the field must never be indexed. */
  decode(block: Buffer): [string, string, boolean][] {
    this.#decompressor.write(block)
    this.#decompressor.execute()
    if (this.#error !== undefined) throw this.#error
    const fields: [string, string, boolean][] = []
    for (let field = this.#decompressor.read(); field !== null; field = this.#decompressor.read()) {
      fields.push([field.name, field.value, field.neverIndex])
    }
    return fields
  }
}
