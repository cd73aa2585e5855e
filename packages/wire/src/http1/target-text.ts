import { methodId } from './methods.ts'
import { ASTERISK, SLASH, TARGET, targetOctet } from './octets.ts'

/** A request target in origin-form or asterisk-form, as text (RFC 9112 §3.2; HTTP/2 carries it as `:path`). */
export interface TargetText {
  /** Without the query. */
  readonly path: string
  /** With its `?`; empty without one. */
  readonly query: string
  /** Whether the path is its own normal form, as `RequestHead.plainPath`. */
  readonly plain: boolean
}

/** Reads a target by the rules of `parseRequestHead`; undefined when it is none for this method. */
export function scanTargetText(text: string, method: number): TargetText | undefined {
  if (text.charCodeAt(0) === ASTERISK) {
    return text.length === 1 && method === methodId.options ? { path: '*', query: '', plain: false } : undefined
  }
  if (text.charCodeAt(0) !== SLASH) return undefined
  let plain = true
  for (let i = 0; i < text.length; i++) {
    const kind = kindAt(text, i)
    if (kind === targetOctet.plain) continue
    if (kind === targetOctet.dot) plain = plain && text.charCodeAt(i - 1) !== SLASH
    else if (kind === targetOctet.odd) plain = false
    else if (kind === targetOctet.outside) return undefined
    else return isQuery(text, i + 1) ? { path: text.slice(0, i), query: text.slice(i), plain } : undefined
  }
  return { path: text, query: '', plain }
}

function isQuery(text: string, start: number): boolean {
  for (let i = start; i < text.length; i++) if (kindAt(text, i) === targetOctet.outside) return false
  return true
}

function kindAt(text: string, i: number): number {
  return TARGET[text.charCodeAt(i)] ?? targetOctet.outside
}
