/** One thing that is wrong with a configuration. Lines and columns count from 1. */
export interface ConfigError {
  /** The file it stands in; undefined for a configuration that was an object. */
  readonly file: string | undefined
  readonly line: number | undefined
  readonly column: number | undefined
  /** Where in the configuration, such as `upstreams.users.pool.maxIdel`; `''` is the whole. */
  readonly path: string
  /** What is wrong: a full sentence with the value and the bound. */
  readonly message: string
  /** What to write instead, where that can be told. */
  readonly hint: string | undefined
  /** The line of the file, for people to see. */
  readonly sourceLine: string | undefined
}

/** A path into a configuration: keys and the indices of lists. */
export type ConfigPath = ReadonlyArray<string | number>

/** A path as text: `listeners.web.routes[0].match`. */
export function formatPath(path: ConfigPath): string {
  let text = ''
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : `${text === '' ? '' : '.'}${part}`
  return text
}

// A line may be long (JSON on one line); the caret must still be seen.
const maxShownColumns = 100

/** What a terminal shows: for every error its place, the sentence, the hint, and the line with a caret below. */
export function formatConfigErrors(errors: readonly ConfigError[]): string {
  return errors.map(formatOne).join('\n\n')
}

function formatOne(error: ConfigError): string {
  const { file, line, column, path, message, hint, sourceLine } = error
  const place = [file, line, column].filter((part) => part !== undefined).join(':')
  const head = [place, path].filter((part) => part !== '').join(' ')
  const lines = [`${head === '' ? '' : `${head}: `}${message}`]
  if (hint !== undefined) lines.push(`  ${hint}`)
  if (line !== undefined && column !== undefined && sourceLine !== undefined) {
    const cut = column > maxShownColumns ? column - Math.floor(maxShownColumns / 2) : 0
    const shown = sourceLine.slice(cut, cut + maxShownColumns)
    const margin = `  ${line} | `
    // Tabs are repeated below, so that the caret stands where the terminal put the character.
    const indent = shown.slice(0, column - 1 - cut).replace(/[^\t]/g, ' ')
    lines.push(`${margin}${shown}`, `${' '.repeat(margin.length - 2)}| ${indent}^`)
  }
  return lines.join('\n')
}
