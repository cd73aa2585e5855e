import type { Fields } from './trailer-frame.ts'

/** What a preflight asks (Fetch standard, "CORS-preflight request"); a field that is not there is undefined. */
export interface Preflight {
  readonly origin: string | undefined
  /** `access-control-request-method`. */
  readonly requestMethod: string | undefined
  /** `access-control-request-headers`. */
  readonly requestHeaders: string | undefined
  /** What else than POST the path takes, as an annotation binds it. */
  readonly boundMethod?: string | undefined
}

const preflightMaxAgeSeconds = 86_400
const alwaysExposed = ['grpc-status', 'grpc-message', 'grpc-status-details-bin']
const isToken = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Which web pages may call, and the fields that tell their browsers so. Credentials are not allowed. */
export class Origins {
  readonly #any: boolean
  readonly #allowed: ReadonlySet<string>

  /** Origins as browsers send them (`https://app.example.com`, letter case aside), or `*` for all. */
  constructor(origins: readonly string[]) {
    this.#any = origins.includes('*')
    this.#allowed = new Set(origins.map((origin) => origin.toLowerCase().replace(/\/$/, '')))
  }

  allows(origin: string): boolean {
    return this.#any || this.#allowed.has(origin.toLowerCase())
  }

  /**
   * The fields of the 204 that answers a preflight for POST, or for the method that the path is bound for; `undefined`
   * when it is none, or is not allowed.
   */
  preflight({ origin, requestMethod, requestHeaders, boundMethod }: Preflight): Fields | undefined {
    if (origin === undefined || requestMethod === undefined || !this.allows(origin)) return undefined
    if (requestMethod !== 'POST' && (requestMethod !== boundMethod || !isToken.test(requestMethod))) return undefined
    const fields: [string, string][] = [
      ['access-control-allow-origin', this.#any ? '*' : origin],
      ['access-control-allow-methods', requestMethod],
    ]
    const names = (requestHeaders ?? '').split(',').map((name) => name.trim())
    // Echoed rather than `*`, which would not cover `authorization`. What is no field name is not worth an echo.
    const headers = names.filter((name) => isToken.test(name)).join(', ')
    if (headers !== '') fields.push(['access-control-allow-headers', headers])
    fields.push(['access-control-max-age', String(preflightMaxAgeSeconds)])
    fields.push(['vary', 'origin, access-control-request-method, access-control-request-headers'])
    return fields
  }

  /**
   * The fields that let the page of `origin` read an answer whose own fields are named `names`. An origin that is
   * not allowed gets `vary` alone, and its browser keeps the answer from the page.
   */
  response(origin: string | undefined, names: Iterable<string> = []): Fields {
    const fields: [string, string][] = this.#any ? [] : [['vary', 'origin']]
    if (origin === undefined || !this.allows(origin)) return fields
    const exposed = new Set(alwaysExposed)
    for (const name of names) if (!hidden(name.toLowerCase())) exposed.add(name.toLowerCase())
    fields.unshift(['access-control-allow-origin', this.#any ? '*' : origin])
    fields.push(['access-control-expose-headers', [...exposed].join(', ')])
    return fields
  }
}

// Pseudo-fields, and what browsers never hand to a page or always do.
function hidden(name: string): boolean {
  return !isToken.test(name) || name === 'set-cookie' || name === 'vary' || name.startsWith('access-control-')
}
