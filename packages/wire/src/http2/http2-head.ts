import { fieldId } from '../http1/field-names.ts'
import { isDigit, TOKEN } from '../http1/octets.ts'
import { type HeaderField, headerField } from './header-field.ts'
import { pseudoId } from './hpack-codes.ts'

/** What a header section is: each kind has its own pseudo-fields (RFC 9113 §8.3). */
export type HeadKind = 'request' | 'response' | 'trailers'

const requestPseudo =
  (1 << pseudoId.method) |
  (1 << pseudoId.scheme) |
  (1 << pseudoId.authority) |
  (1 << pseudoId.path) |
  (1 << pseudoId.protocol)
const pseudoOf = { request: requestPseudo, response: 1 << pseudoId.status, trailers: 0 }

// Fields that recur are the same objects: what was found out last is kept.
let lastMethod: HeaderField | undefined
let lastMethodIsToken = false

/**
 * A header section of HTTP/2 as it came, checked (RFC 9113 §8.2, §8.3): its fields in order, and what the pseudo-fields
 * say. Each stream has its own and fills it again for its next section.
 */
export class Http2Head {
  /** Pseudo-fields first; not to be changed by readers. */
  readonly fields: HeaderField[] = []
  /** Of requests, as the other pseudo-fields but `status`. */
  method: HeaderField | undefined
  scheme: HeaderField | undefined
  authority: HeaderField | undefined
  path: HeaderField | undefined
  /** Of an extended CONNECT (RFC 8441 §4). */
  protocol: HeaderField | undefined
  /** Of responses; 0 otherwise. */
  status = 0
  /** -1 when there is none. */
  contentLength = -1
  /** Bit `1 << fieldId` for every known regular field that is there. */
  seen = 0

  /** The head of a response of our own making: `fields` without `:status`. */
  static response(status: number, fields: readonly HeaderField[]): Http2Head {
    const head = new Http2Head()
    head.status = status
    head.fields.push(headerField(':status', String(status)), ...fields)
    for (const { id } of fields) if (id !== fieldId.other) head.seen |= 1 << id
    return head
  }

  /** Forgets what the fields said; they are replaced as the next section is read. */
  clear(): void {
    this.method = undefined
    this.scheme = undefined
    this.authority = undefined
    this.path = undefined
    this.protocol = undefined
    this.status = 0
    this.contentLength = -1
    this.seen = 0
  }

  /** The value of all fields with this name (any letter case), joined as RFC 9110 §5.3 says (Cookie by `; `). */
  header(name: string): string | undefined {
    const lower = name.toLowerCase()
    let joined: string | undefined
    for (const field of this.fields) {
      if (field.name !== lower) continue
      joined = joined === undefined ? field.value : `${joined}${lower === 'cookie' ? '; ' : ', '}${field.value}`
    }
    return joined
  }

  /** The value of the first field with this name, which is written in lower case. */
  first(name: string): string | undefined {
    const { fields } = this
    for (let i = 0; i < fields.length; i++) if (fields[i]!.name === name) return fields[i]!.value
    return undefined
  }

  /** Finds out what the fields say; false when the message is malformed (RFC 9113 §8.1.1). `extended`: RFC 8441 is on. */
  check(kind: HeadKind, extended: boolean): boolean {
    const { fields } = this
    const allowed = pseudoOf[kind]
    const { length } = fields
    let pseudo = 0
    let index = 0
    for (; index < length; index++) {
      const field = fields[index]!
      if (field.pseudo === pseudoId.none) break
      const bit = 1 << field.pseudo
      if (field.flaw !== 0 || (allowed & bit) === 0 || (pseudo & bit) !== 0) return false
      pseudo |= bit
      this.#note(field)
    }
    let seen = 0
    for (; index < length; index++) {
      const field = fields[index]!
      if (field.flaw !== 0 || field.pseudo !== pseudoId.none) return false
      if (field.id === fieldId.other) continue
      if (field.id === fieldId.contentLength && !this.#noteLength(field.value)) return false
      seen |= 1 << field.id
    }
    this.seen = seen
    switch (kind) {
      case 'request':
        return this.#isRequest(pseudo, extended)
      case 'response':
        // 101 has no meaning here (RFC 9113 §8.6).
        return this.status >= 100 && this.status !== 101
      case 'trailers':
        return true
    }
  }

  #note(field: HeaderField): void {
    switch (field.pseudo) {
      case pseudoId.method:
        this.method = field
        break
      case pseudoId.scheme:
        this.scheme = field
        break
      case pseudoId.authority:
        this.authority = field
        break
      case pseudoId.path:
        this.path = field
        break
      case pseudoId.protocol:
        this.protocol = field
        break
      case pseudoId.status:
        this.status = statusOf(field.value)
        break
      default:
        // Refused before: neither kind allows them.
        break
    }
  }

  #noteLength(value: string): boolean {
    if (this.contentLength >= 0) return false
    this.contentLength = decimalOf(value)
    return this.contentLength >= 0
  }

  #isRequest(pseudo: number, extended: boolean): boolean {
    const { method, scheme, path, authority, protocol } = this
    if (method === undefined || !isMethod(method)) return false
    if (method.value === 'CONNECT') {
      if (protocol === undefined) {
        // RFC 9113 §8.5: the authority alone.
        return pseudo === ((1 << pseudoId.method) | (1 << pseudoId.authority)) && authority!.value !== ''
      }
      if (!extended || authority === undefined) return false
    } else if (protocol !== undefined) return false
    return scheme !== undefined && scheme.value !== '' && path !== undefined && path.value !== ''
  }
}

function isMethod(field: HeaderField): boolean {
  if (field === lastMethod) return lastMethodIsToken
  lastMethod = field
  return (lastMethodIsToken = isToken(field.value))
}

function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (TOKEN[text.charCodeAt(i)] !== 1) return false
  return text !== ''
}

/** 0 when it is no status. */
function statusOf(value: string): number {
  const status = value.length === 3 ? decimalOf(value) : -1
  return status >= 100 && status <= 599 ? status : 0
}

/** Below zero when it is no row of digits, or its value no safe integer. */
function decimalOf(value: string): number {
  let number = 0
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i)
    if (!isDigit(code)) return -1
    number = number * 10 + code - 0x30
  }
  return value !== '' && Number.isSafeInteger(number) ? number : -1
}
