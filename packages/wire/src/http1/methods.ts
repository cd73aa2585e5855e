import { http1Error } from './codes.ts'
import { LF, SP, TOKEN } from './octets.ts'

/** Small integers for the methods that a proxy treats specially (RFC 9110 §9.3, RFC 5789); 0 is every other one. */
export const methodId = {
  other: 0,
  get: 1,
  head: 2,
  post: 3,
  put: 4,
  delete: 5,
  options: 6,
  patch: 7,
  trace: 8,
  connect: 9,
} as const

/** One of the numbers in `methodId`. */
export type MethodId = (typeof methodId)[keyof typeof methodId]

/** The method names by their `methodId`; the first is empty. */
export const METHOD_NAMES = [
  '',
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
] as const

/** Bit `1 << methodId` of the methods that may be repeated without effect (RFC 9110 §9.2.2). */
export const IDEMPOTENT_METHODS: number = [
  methodId.get,
  methodId.head,
  methodId.put,
  methodId.delete,
  methodId.options,
  methodId.trace,
].reduce((mask, id) => mask | (1 << id), 0)

// The longest registered one is UPDATEREDIRECTREF, 17; without a bound, octets without a space would be waited on.
const maxMethodBytes = 32

/** The `methodId` of a whole method name; `buf[start, end)` is compared in its own letter case (RFC 9110 §9.1). */
export function methodIdOf(buf: Uint8Array, start: number, end: number): MethodId {
  switch (end - start) {
    case 3:
      if (matches(buf, start, 'GET')) return methodId.get
      return matches(buf, start, 'PUT') ? methodId.put : methodId.other
    case 4:
      if (matches(buf, start, 'POST')) return methodId.post
      return matches(buf, start, 'HEAD') ? methodId.head : methodId.other
    case 5:
      if (matches(buf, start, 'PATCH')) return methodId.patch
      return matches(buf, start, 'TRACE') ? methodId.trace : methodId.other
    case 6:
      return matches(buf, start, 'DELETE') ? methodId.delete : methodId.other
    case 7:
      if (matches(buf, start, 'OPTIONS')) return methodId.options
      return matches(buf, start, 'CONNECT') ? methodId.connect : methodId.other
    default:
      return methodId.other
  }
}

const idsByName = new Map<string, MethodId>(
  METHOD_NAMES.flatMap((name, id) => (name === '' ? [] : [[name, id as MethodId] as const])),
)

/** The `methodId` of a method name that is text. */
export function methodIdOfName(name: string): MethodId {
  return idsByName.get(name) ?? methodId.other
}

function matches(buf: Uint8Array, start: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (buf[start + i] !== word.charCodeAt(i)) return false
  return true
}

/** The position of the SP after the method that begins at `start`, 0 when more octets are needed, or an `http1Error`. */
export function methodEnd(buf: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end && TOKEN[buf[i]!] === 1) i++
  if (i - start > maxMethodBytes) return http1Error.methodTooLong
  if (i === end) return 0
  const octet = buf[i]!
  if (octet === SP) return i > start ? i : http1Error.badRequestLine
  if (octet === LF) return http1Error.bareLf
  return octet === 0x0d ? http1Error.badRequestLine : http1Error.badMethod
}
