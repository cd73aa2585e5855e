/** A variable of a template: the field that it binds, and the segments [start, end) of the template that it spans. */
export interface Variable {
  readonly fieldPath: string
  readonly start: number
  readonly end: number
}

/** What one variable has matched, decoded. */
export interface BoundVariable {
  readonly fieldPath: string
  readonly text: string
}

/** A path split for matching: its segments as they came, percent-encoded. */
export function splitPath(path: string): readonly string[] {
  return path.slice(1).split('/')
}

/**
 * A path template (the grammar in google/api/http.proto): literals, `*` (one segment), `**` (any number of them,
 * with nothing but literals and `*` behind), `{variable}`, `{variable=segments}` and `:verb`.
 */
export class PathTemplate {
  readonly text: string
  readonly variables: readonly Variable[]
  readonly verb: string | undefined
  readonly #segments: readonly string[]
  /** Where `**` stands, or -1. */
  readonly #wild: number

  private constructor(text: string, segments: readonly string[], variables: readonly Variable[], verb?: string) {
    this.text = text
    this.variables = variables
    this.verb = verb
    this.#segments = segments
    this.#wild = segments.indexOf('**')
  }

  /** A string says in a sentence what is wrong. */
  static parse(text: string): PathTemplate | string {
    const scanner = new TemplateScanner(text)
    const problem = scanner.scan()
    if (problem !== undefined) return `the path template \`${text}\` ${problem}`
    return new PathTemplate(text, scanner.segments, scanner.variables, scanner.verb)
  }

  /** Equal for templates that match the same paths with the same precedence. */
  get shape(): string {
    return `${this.#segments.join('/')}${this.verb === undefined ? '' : `:${this.verb}`}`
  }

  /** Sorts before another when it is more specific: a verb, then literals before `*` before `**`, from the left. */
  compare(other: PathTemplate): number {
    if ((this.verb === undefined) !== (other.verb === undefined)) return this.verb === undefined ? 1 : -1
    const length = Math.max(this.#segments.length, other.#segments.length)
    for (let i = 0; i < length; i++) {
      const difference = rank(this.#segments[i]) - rank(other.#segments[i])
      if (difference !== 0) return difference
    }
    return 0
  }

  matches(path: readonly string[]): boolean {
    const segments = this.#segments
    if (this.#wild < 0 ? path.length !== segments.length : path.length < segments.length - 1) return false
    const last = path.length - 1
    if (this.verb !== undefined && !(path[last] ?? '').endsWith(`:${this.verb}`)) return false
    for (let i = 0; i < segments.length; i++) {
      if (i === this.#wild) continue
      const at = this.#wild < 0 || i < this.#wild ? i : i + path.length - segments.length
      const segment = this.#withoutVerb(path, at)
      if (segments[i] === '*' ? segment === '' : segment !== segments[i] && decodedOrNot(segment) !== segments[i]) {
        return false
      }
    }
    return true
  }

  /**
   * What the variables are in a path that matches. One that is a single segment is decoded whole; in one of several,
   * `%2F` stays, since it would look like the slashes between them. Throws a URIError at what is no UTF-8.
   */
  bind(path: readonly string[]): BoundVariable[] {
    const more = path.length - this.#segments.length
    return this.variables.map(({ fieldPath, start, end }) => {
      const from = this.#wild >= 0 && start > this.#wild ? start + more : start
      const to = this.#wild >= 0 && end > this.#wild ? end + more : end
      const single = end - start === 1 && this.#wild !== start
      const parts = path.slice(from, to).map((_, i) => this.#withoutVerb(path, from + i))
      const text = parts.map((part) => (single ? decodeURIComponent(part) : decodeButSlash(part))).join('/')
      return { fieldPath, text }
    })
  }

  #withoutVerb(path: readonly string[], at: number): string {
    const segment = path[at]!
    return this.verb === undefined || at !== path.length - 1 ? segment : segment.slice(0, -this.verb.length - 1)
  }
}

function rank(segment: string | undefined): number {
  if (segment === undefined) return 3
  return segment === '**' ? 2 : segment === '*' ? 1 : 0
}

function decodeButSlash(segment: string): string {
  return segment
    .split(/(%2f)/i)
    .map((part, i) => (i % 2 === 1 ? part : decodeURIComponent(part)))
    .join('')
}

function decodedOrNot(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

const identifiers = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*/
const literal = /^[^/{}:*=?#\s]+/

class TemplateScanner {
  readonly segments: string[] = []
  readonly variables: Variable[] = []
  verb: string | undefined
  #rest: string

  constructor(text: string) {
    this.#rest = text
  }

  /** What is wrong, as the end of a sentence. */
  scan(): string | undefined {
    if (!this.#take('/')) return 'must begin with `/`'
    const problem = this.#segments(false)
    if (problem !== undefined) return problem
    if (this.#take(':')) {
      // Colons are allowed within a verb by nobody, and literals have them escaped.
      this.verb = this.#match(literal)
      if (this.verb === undefined) return 'has no verb after its `:`'
    }
    if (this.#rest !== '') return `cannot be read from \`${this.#rest}\` on`
    const wild = this.segments.filter((segment) => segment === '**').length
    if (wild > 1) return 'has `**` more than once'
    const names = this.variables.map((variable) => variable.fieldPath)
    const twice = names.find((name, i) => names.indexOf(name) < i)
    return twice === undefined ? undefined : `binds \`${twice}\` twice`
  }

  #segments(inVariable: boolean): string | undefined {
    do {
      const problem = this.#segment(inVariable)
      if (problem !== undefined) return problem
    } while (this.#take('/'))
    return undefined
  }

  #segment(inVariable: boolean): string | undefined {
    if (this.#take('**')) this.segments.push('**')
    else if (this.#take('*')) this.segments.push('*')
    else if (this.#rest.startsWith('{')) return inVariable ? 'has a variable within a variable' : this.#variable()
    else {
      const text = this.#match(literal)
      if (text === undefined)
        return this.#rest === '' ? 'has an empty segment' : `cannot be read from \`${this.#rest}\` on`
      this.segments.push(decodedOrNot(text))
    }
    return undefined
  }

  #variable(): string | undefined {
    this.#take('{')
    const fieldPath = this.#match(identifiers)
    if (fieldPath === undefined) return 'has a variable without a name'
    const start = this.segments.length
    if (this.#take('=')) {
      const problem = this.#segments(true)
      if (problem !== undefined) return problem
    } else this.segments.push('*')
    if (!this.#take('}')) return `does not close the variable \`${fieldPath}\``
    this.variables.push({ fieldPath, start, end: this.segments.length })
    return undefined
  }

  #take(text: string): boolean {
    if (!this.#rest.startsWith(text)) return false
    this.#rest = this.#rest.slice(text.length)
    return true
  }

  #match(pattern: RegExp): string | undefined {
    const found = pattern.exec(this.#rest)?.[0]
    if (found !== undefined) this.#rest = this.#rest.slice(found.length)
    return found
  }
}
