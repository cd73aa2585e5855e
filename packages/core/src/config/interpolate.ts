/** The outcome of an interpolation: the text, and whether the environment or a default had a part in it. */
export interface Interpolated {
  readonly text: string
  readonly interpolated: boolean
}

const reference = /\$\$\{|\$\{([^}]*)\}?/g
const variable = /^([A-Za-z_]\w*)(?::-(.*))?$/s

/**
 * Replaces `${NAME}` and `${NAME:-default}` from the environment; as in a shell, the default also stands in for an
 * empty variable. `$${` is a literal `${`. Returns a sentence for a variable without value and for a broken reference.
 */
export function interpolate(text: string, env: Readonly<Record<string, string | undefined>>): Interpolated | string {
  if (!text.includes('${')) return { text, interpolated: false }
  let failure: string | undefined
  let interpolated = false
  const replaced = text.replace(reference, (match, inner: string | undefined) => {
    if (inner === undefined) return '${'
    const [, name, fallback] = variable.exec(inner) ?? []
    if (name === undefined || !match.endsWith('}')) {
      failure ??= `\`${match}\` is not a reference to a variable: write \`\${NAME}\` or \`\${NAME:-default}\`, and \`$\${\` for the characters themselves.`
      return match
    }
    interpolated = true
    const value = Object.hasOwn(env, name) ? env[name] : undefined
    if (value === undefined && fallback === undefined) {
      failure ??= `The environment variable ${name} is not set, and \`${match}\` has no default.`
      return match
    }
    return fallback !== undefined && (value === undefined || value === '') ? fallback : (value ?? '')
  })
  return failure ?? { text: replaced, interpolated }
}
