import type { HeaderField } from './header-field.ts'

/**
 * A header section of HTTP/2 as it came, checked (RFC 9113 §8.2, §8.3): its fields in order, and what the pseudo-fields
 * say. Each stream has its own and fills it again for its next section.
 */
export class Http2Head {
  /** Pseudo-fields first; not to be changed by readers. */
  readonly fields: HeaderField[] = []
  method: HeaderField | undefined
  scheme: HeaderField | undefined
  authority: HeaderField | undefined
  path: HeaderField | undefined
  protocol: HeaderField | undefined
  /** Of responses; 0 otherwise. */
  status = 0
  /** -1 when there is none. */
  contentLength = -1
  /** Bit `1 << fieldId` for every known regular field that is there. */
  seen = 0

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
}
