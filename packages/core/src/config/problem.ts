/** Why a text is not the value it should be: a full sentence, and what to write instead. */
export interface Problem {
  readonly problem: string
  readonly hint: string | undefined
}

/** Makes a problem. */
export function problem(sentence: string, hint?: string): Problem {
  return { problem: sentence, hint }
}

/** Whether a parser's answer is a problem. */
export function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'problem' in value
}
