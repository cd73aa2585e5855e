import { formatHostPattern, hostName, parseHostPattern, type HostPattern } from './host.ts'
import type { Head } from './head.ts'
import { comparePaths, matchesPath, packagePattern, parsePathPattern, type PathPattern } from './path-pattern.ts'

/** What a request must be for a route to take it. What is absent does not matter. */
export interface RouteMatch {
  /** `api.example.com`, or `*.example.com` for every name below it. */
  readonly host?: string | undefined
  // A line comment, since a pattern with a star in its midst would end a block comment.
  // `/health`, `/users/*` (`/users` too), `/users/*/orders` (one segment).
  readonly path?: string | undefined
  /** In place of `path`: `shop.v1.Orders`, a gRPC service, or `shop.v1.*` for every service below the package. */
  readonly service?: string | undefined
  /** The methods of the service (which is no package then) of which it must be one. */
  readonly calls?: readonly string[] | undefined
  /** The methods of which it must be one, in upper case. */
  readonly methods?: readonly string[] | undefined
  /** Fields by lower-case name, and the value that each must have. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** A `RouteMatch`, or one path of it, in a form that is quick to compare. */
export interface Matcher {
  readonly host: HostPattern | undefined
  readonly path: PathPattern | undefined
  readonly methods: readonly string[] | undefined
  /** Sorted by name; undefined when there is none. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]> | undefined
}

/**
 * One matcher for each path that a match names: several methods of a service are several paths. Throws a TypeError with a
 * sentence when the host or the path is no pattern.
 */
export function compileMatch(match: RouteMatch): readonly [Matcher, ...Matcher[]] {
  const host = match.host === undefined ? undefined : parseHostPattern(match.host)
  if (typeof host === 'string') throw new TypeError(host)
  const headers = Object.entries(match.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const)
  headers.sort(([a], [b]) => (a < b ? -1 : 1))
  const rest = {
    methods: match.methods === undefined || match.methods.length === 0 ? undefined : [...match.methods].sort(),
    headers: headers.length === 0 ? undefined : headers,
  }
  const [first, ...others] = pathsOf(match)
  return [{ host, path: first, ...rest }, ...others.map((path) => ({ host, path, ...rest }))]
}

function pathsOf({ path, service, calls }: RouteMatch): ReadonlyArray<PathPattern | undefined> {
  if (service !== undefined) {
    if (service.endsWith('.*')) return [packagePattern(service.slice(0, -2))]
    const names = calls === undefined || calls.length === 0 ? ['*'] : [...new Set(calls)].sort()
    return names.map((name) => patternOf(`/${service}/${name}`))
  }
  return [path === undefined ? undefined : patternOf(path)]
}

function patternOf(text: string): PathPattern {
  const pattern = parsePathPattern(text)
  if (typeof pattern === 'string') throw new TypeError(pattern)
  return pattern
}

/**
 * A match as one line, equal for equal matches whatever their writing: `GET,HEAD api.example.com/orders/* x-canary=1`,
 * `/health`, `/shop.v1.Orders/Cancel,Place`, `api.example.com`, and `*` for what matches everything.
 */
export function canonicalMatch(match: RouteMatch): string {
  const [{ host, path, methods, headers }, ...others] = compileMatch(match)
  const more = others.map((other) => `,${other.path?.text.slice(other.path.text.lastIndexOf('/') + 1)}`)
  const place = `${host === undefined ? '' : formatHostPattern(host)}${path?.text ?? ''}${more.join('')}`
  const words = [...(methods === undefined ? [] : [methods.join(',')]), place === '' ? '*' : place]
  for (const [name, value] of headers ?? [])
    words.push(`${name}=${/[\s"]/.test(value) ? JSON.stringify(value) : value}`)
  return words.join(' ')
}

/** Whether a matcher takes a head: the definition, which the router's tables must agree with. */
export function matches(matcher: Matcher, head: Head): boolean {
  if (matcher.host !== undefined && !matchesHost(matcher.host, hostName(head.host))) return false
  if (matcher.path !== undefined && !matchesPath(matcher.path, head.path)) return false
  return matchesRest(matcher, head)
}

/** Whether a matcher's methods and headers take a head. */
export function matchesRest(matcher: Matcher, head: Head): boolean {
  if (matcher.methods !== undefined && !matcher.methods.includes(head.method)) return false
  if (matcher.headers === undefined) return true
  for (const field of matcher.headers) if (head.header(field[0]) !== field[1]) return false
  return true
}

function matchesHost(pattern: HostPattern, name: string): boolean {
  if (!pattern.wildcard) return name === pattern.name
  return name.length > pattern.name.length + 1 && name.endsWith(`.${pattern.name}`)
}

/** One rule of the order of routes: its name in words, and who comes first by it (negative: the first). */
export interface OrderRule {
  readonly words: string
  compare(a: Matcher, b: Matcher): number
}

/** The order of routes, the first rule that tells two apart decides; at last the place in the file. */
export const orderRules: readonly OrderRule[] = [
  {
    words: 'its host is more specific',
    compare: ({ host: a }, { host: b }) => {
      if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
      if (a.wildcard !== b.wildcard) return a.wildcard ? 1 : -1
      return a.wildcard ? b.name.length - a.name.length : 0
    },
  },
  { words: 'its path is more specific', compare: (a, b) => comparePaths(a.path, b.path) },
  {
    words: 'it names a method',
    compare: (a, b) => Number(a.methods === undefined) - Number(b.methods === undefined),
  },
  { words: 'it names more headers', compare: (a, b) => (b.headers?.length ?? 0) - (a.headers?.length ?? 0) },
]

/** Which of two matchers comes first; zero when only their place in the file tells. */
export function compareMatchers(a: Matcher, b: Matcher): number {
  for (const rule of orderRules) {
    const order = rule.compare(a, b)
    if (order !== 0) return order
  }
  return 0
}
