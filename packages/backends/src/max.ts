import type { Backend, Neighbours } from './backend.ts'

/** The answer to a question about counts. */
export interface MaxAnswer {
  readonly status: number
  readonly value: unknown
}

/**
 * Answers `/max` and `/max/reset` (which starts anew and then tells) for `self`; with `?backend=NAME` for a backend
 * beside it, or, by name, for all whose names start so (`?backend=tcp`).
 */
export function answerMax(url: string, self: Backend, neighbours: Neighbours | undefined): MaxAnswer {
  const { pathname, searchParams } = new URL(url, 'http://backend')
  const wanted = searchParams.get('backend') ?? ''
  const all = neighbours?.() ?? new Map([[self.name, self]])
  const exact = wanted === '' ? self : all.get(wanted)
  const chosen = exact === undefined ? [...all.values()].filter((one) => one.name.startsWith(wanted)) : [exact]
  if (chosen.length === 0) {
    return { status: 404, value: { error: `no backend '${wanted}'`, backends: [...all.keys()] } }
  }
  if (pathname === '/max/reset') for (const one of chosen) one.resetStats()
  if (exact !== undefined) return { status: 200, value: exact.stats() }
  return { status: 200, value: Object.fromEntries(chosen.map((one) => [one.name, one.stats()])) }
}
