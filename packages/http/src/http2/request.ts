import {
  type Http2Head,
  type HeaderField,
  fieldId,
  isAuthority,
  type MethodId,
  methodId,
  methodIdOfName,
  scanTargetText,
  type TargetText,
} from '@sluice/wire'

const noTarget: TargetText = { path: '', query: '', plain: true }

// The same few methods, paths and hosts come again and again, as the same objects: what was found out last is kept.
let lastPath: HeaderField | undefined
let lastTarget: TargetText | undefined
let lastAuthority: HeaderField | undefined
let lastAuthorityIsSound = false

/** The head of a request of HTTP/2, in the terms in which an exchange asks for it. Each stream has its own. */
export class Http2Request {
  readonly head: Http2Head
  methodId: MethodId = methodId.other
  #target: TargetText = noTarget

  constructor(head: Http2Head) {
    this.head = head
  }

  /** Reads what the head says; false when it is no request that all would read alike. */
  read(): boolean {
    const { method, path } = this.head
    this.methodId = methodIdOfName(method!.value)
    this.#target = noTarget
    if (this.methodId === methodId.connect) return true
    // What an asterisk means depends on the method.
    if (path !== lastPath || lastTarget === undefined || path!.value === '*') {
      lastTarget = scanTargetText(path!.value, this.methodId)
      lastPath = path
    }
    if (lastTarget === undefined) return false
    this.#target = lastTarget
    return this.#hostIsSound()
  }

  /** RFC 9113 §8.3.1: where both are there they must say the same. */
  #hostIsSound(): boolean {
    const { authority, seen } = this.head
    if (authority !== undefined && authority !== lastAuthority) {
      lastAuthority = authority
      lastAuthorityIsSound = soundAuthority(authority.value)
    }
    if (authority !== undefined && !lastAuthorityIsSound) return false
    if ((seen & (1 << fieldId.host)) === 0) return true
    const host = this.head.header('host')!
    return authority === undefined ? soundAuthority(host) : host === authority.value
  }

  get method(): string {
    return this.head.method!.value
  }

  get target(): string {
    return this.head.path?.value ?? ''
  }

  get host(): string {
    return this.head.authority?.value ?? this.head.header('host') ?? ''
  }

  /** The path as it came, without the query. */
  get path(): string {
    return this.#target.path
  }

  /** With its `?`, or an empty string. */
  get query(): string {
    return this.#target.query
  }

  /** Whether the path is its own normal form. */
  get plainPath(): boolean {
    return this.#target.plain
  }

  get seen(): number {
    return this.head.seen
  }

  get expectContinue(): boolean {
    return this.#expects && this.head.header('expect')!.toLowerCase() === '100-continue'
  }

  get expectsOther(): boolean {
    return this.#expects && !this.expectContinue
  }

  get #expects(): boolean {
    return (this.head.seen & (1 << fieldId.expect)) !== 0
  }

  get teTrailers(): boolean {
    return (this.head.seen & (1 << fieldId.te)) !== 0
  }

  header(name: string): string | undefined {
    return name === 'host' ? this.host : this.head.header(name)
  }

  /** It lives as long as its stream. */
  retain(): this {
    return this
  }
}

function soundAuthority(text: string): boolean {
  const bytes = Buffer.from(text, 'latin1')
  return isAuthority(bytes, 0, bytes.length)
}
