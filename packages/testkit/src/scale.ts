/** How large a suite runs: `npm test`, `.ci/run` or `npm run soak`. */
export type Scale = 'test' | 'ci' | 'soak'

/** The scale that `SLUICE_SCALE` names; `test` when it is not set. Throws on any other word. */
export function scale(): Scale {
  const word = process.env.SLUICE_SCALE ?? 'test'
  if (word === 'test' || word === 'ci' || word === 'soak') return word
  throw new Error(`SLUICE_SCALE is "${word}"; it is one of test, ci, soak`)
}

/** The figure of the present scale. */
export function scaled<T>(figures: Readonly<Record<Scale, T>>): T {
  return figures[scale()]
}
