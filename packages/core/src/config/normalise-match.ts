import { formatHostPattern } from '../routing/host.ts'
import { compileMatch, type RouteMatch } from '../routing/match.ts'

/** What the file says about a match. */
export interface WrittenMatch {
  readonly host?: string | undefined
  readonly path?: string | undefined
  readonly service?: string | undefined
  /** Of HTTP, or beside `service` of gRPC. */
  readonly method?: readonly string[] | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * A match as the router takes it, on a listener of a protocol: where requests of other kinds come too, a service is
 * called by POST alone. Throws a TypeError as `compileMatch` does.
 */
export function routeMatch({ host, path, service, method, headers }: WrittenMatch, protocol: unknown): RouteMatch {
  if (service === undefined) return { host, path, methods: method, headers }
  return { host, service, calls: method, methods: protocol === 'http' ? ['POST'] : undefined, headers }
}

/** The match in its canonical writing; methods keep their order. */
export function normaliseMatch(written: WrittenMatch, protocol: string): RouteMatch {
  const match = routeMatch(written, protocol)
  const [{ host, path, headers }] = compileMatch(match)
  return {
    host: host === undefined ? undefined : formatHostPattern(host),
    path: match.service === undefined ? path?.text : undefined,
    service: match.service,
    calls: match.calls,
    methods: match.methods,
    headers: headers === undefined ? undefined : Object.fromEntries(headers),
  }
}
