// Shared by the tests of this folder: octets from text, random octets, and outcomes that can be compared.
import { http1ErrorName } from '../../src/http1/codes.ts'
import type { FieldBlock } from '../../src/http1/fields.ts'
import { parseRequestHead, RequestHead } from '../../src/http1/request-head.ts'
import { parseResponseHead, ResponseHead } from '../../src/http1/response-head.ts'

export const limits = { maxHeadBytes: 16_384, maxFields: 100, maxTargetBytes: 8_192 }

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

/** What a result of a parser is called: `ok`, `more`, or the error's name. */
export const outcome = (result: number): string => (result > 0 ? 'ok' : result === 0 ? 'more' : http1ErrorName(result))

export function request(
  text: string | Buffer,
  bounds = limits,
): { head: RequestHead; result: number; outcome: string } {
  const head = new RequestHead()
  const buf = typeof text === 'string' ? bytes(text) : text
  const result = parseRequestHead(head, buf, 0, buf.length, bounds)
  return { head, result, outcome: outcome(result) }
}

export function response(
  text: string | Buffer,
  bounds = limits,
): { head: ResponseHead; result: number; outcome: string } {
  const head = new ResponseHead()
  const buf = typeof text === 'string' ? bytes(text) : text
  const result = parseResponseHead(head, buf, 0, buf.length, bounds)
  return { head, result, outcome: outcome(result) }
}

export function fieldsOf(block: FieldBlock): [string, string][] {
  return Array.from({ length: block.fieldCount }, (_, i) => [block.name(i), block.value(i)])
}

/** Random numbers that a seed repeats (mulberry32). */
export function randomOf(seed: number): (below: number) => number {
  let a = seed >>> 0
  return (below) => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), a | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

const telling = bytes('\r\n\r\n  \t:;,"\\=/?#%*[]@.0159afAF\0\x01\x7f\x80\xff')

/** A copy of `original` with one to three octets changed, taken out, doubled or put in. */
export function mutate(original: Buffer, random: (below: number) => number): Buffer {
  let mutated = Buffer.from(original)
  for (let n = 1 + random(3); n > 0; n--) {
    const at = random(mutated.length)
    const octet = random(2) === 0 ? telling[random(telling.length)]! : random(256)
    const kind = random(4)
    if (kind === 0) mutated[at] = octet
    else if (kind === 1) mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + 1)])
    else if (kind === 2) mutated = Buffer.concat([mutated.subarray(0, at), Buffer.of(octet), mutated.subarray(at)])
    else mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at - random(at + 1))])
    if (mutated.length === 0) return Buffer.from(original)
  }
  return mutated
}
