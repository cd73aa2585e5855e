import { normalizeLiteral } from './path.ts'

/** What a route says about the path, in a form that is quick to compare. */
export interface PathPattern {
  /** The canonical text. */
  readonly text: string
  /** There is no `*`: the path must be this text. */
  readonly exact: boolean
  /** The last segment is `*`: whatever lies below matches, and the path above it too. */
  readonly prefix: boolean
  /** `/shop.v1.*` and what lies below: the first segment only begins with the literal text and a dot. */
  readonly package: boolean
  /** The segments after the first `/`; `*` is any one segment that is not empty. The `*` of a prefix is left out. */
  readonly segments: readonly string[]
  /** Where the first `*` stands among the segments; their number when there is none. */
  readonly firstWildcard: number
  /** The literal text before the first `*`, without the `/` before it. */
  readonly literalPrefix: string
  /** How many segments are literal and not empty. */
  readonly literals: number
}

/** The path pattern in a text, or a sentence that says what is wrong with it. */
export function parsePathPattern(text: string): PathPattern | string {
  if (!text.startsWith('/')) return `The path \`${text}\` must begin with \`/\`.`
  if (/[?#]/.test(text)) return `The path \`${text}\` must have no query and no fragment: only the path is matched.`
  const segments: string[] = []
  for (const written of text.slice(1).split('/')) {
    if (written !== '*' && written.includes('*')) {
      return `\`*\` stands for whole segments, as in \`/users/*\` or \`/users/*/orders\`, and not for part of one as in \`${text}\`.`
    }
    const normal = written === '*' ? '/*' : normalizeLiteral(`/${written}`)
    if (normal === undefined || (normal === '/') !== (written === '')) {
      return `The path \`${text}\` can match nothing: backslash, NUL, invalid escapes and dot segments never reach a route.`
    }
    segments.push(normal.slice(1))
  }
  const canonical = `/${segments.join('/')}`
  const prefix = segments.at(-1) === '*'
  if (prefix) segments.pop()
  const star = segments.indexOf('*')
  const firstWildcard = star < 0 ? segments.length : star
  const literal = segments.slice(0, firstWildcard)
  return {
    text: canonical,
    exact: !prefix && star < 0,
    prefix,
    package: false,
    segments,
    firstWildcard,
    literalPrefix: literal.length === 0 ? '' : `/${literal.join('/')}`,
    literals: segments.filter((segment) => segment !== '*' && segment !== '').length,
  }
}

/** The pattern of every method of every service below a package: the path of a gRPC call is `/PACKAGE.SERVICE/METHOD`. */
export function packagePattern(name: string): PathPattern {
  return {
    text: `/${name}.*/*`,
    exact: false,
    prefix: true,
    package: true,
    segments: ['*'],
    firstWildcard: 0,
    literalPrefix: `/${name}`,
    literals: 0,
  }
}

/** Whether a path matches a pattern. Makes no string. */
export function matchesPath(pattern: PathPattern, path: string): boolean {
  if (pattern.exact) return path === pattern.text
  if (path.length === 0 || !path.startsWith(pattern.literalPrefix)) return false
  let at = pattern.literalPrefix.length
  if (pattern.package) return path.charCodeAt(at) === 0x2e && path.indexOf('/', at) > at + 1
  const { segments } = pattern
  for (let index = pattern.firstWildcard; index < segments.length; index++) {
    if (path.charCodeAt(at) !== 0x2f) return false
    at++
    const segment = segments[index]!
    if (segment === '*') {
      const slash = path.indexOf('/', at)
      const end = slash < 0 ? path.length : slash
      if (end === at) return false
      at = end
    } else {
      if (!path.startsWith(segment, at)) return false
      at += segment.length
    }
  }
  if (at === path.length) return true
  return pattern.prefix && path.charCodeAt(at) === 0x2f
}

/**
 * Which of two path patterns comes first: exact, most literal segments, longest text before the first `*`, most
 * segments, and last none at all. Zero when neither does.
 */
export function comparePaths(a: PathPattern | undefined, b: PathPattern | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  if (a.exact !== b.exact) return a.exact ? -1 : 1
  // Two exact paths that differ never match the same request: nothing is to be decided between them.
  if (a.exact) return 0
  return (
    b.literals - a.literals || b.literalPrefix.length - a.literalPrefix.length || b.segments.length - a.segments.length
  )
}
