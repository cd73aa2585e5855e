/** The candidate that was most likely meant, by the optimal string alignment distance; undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  // A third of the letters may be wrong, one at least: `prot` is no slip of `host`, `maxIdel` is one of `maxIdle`.
  let bound = Math.max(1, Math.floor(word.length / 3))
  let best: string | undefined
  const lower = word.toLowerCase()
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > bound) continue
    const distance = editDistance(lower, candidate.toLowerCase())
    if (distance > bound || (distance === bound && best !== undefined)) continue
    best = candidate
    bound = distance
  }
  return best
}

/** A hint that names the nearest candidate, and all when there are few enough to read. */
export function nearestHint(word: string, candidates: readonly string[], all: string): string | undefined {
  const near = nearest(word, candidates)
  const sentences = near === undefined ? [] : [`Did you mean \`${near}\`?`]
  if (candidates.length > 0 && candidates.length <= 20) sentences.push(`${all} ${candidates.join(', ')}.`)
  return sentences.length === 0 ? undefined : sentences.join(' ')
}

/** Insertions, deletions, substitutions and swaps of neighbours (Damerau) that lead from one word to the other. */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1]
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1)
      }
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[to.length]!
}
