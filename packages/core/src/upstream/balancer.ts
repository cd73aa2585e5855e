import type { Balance } from '../config/config.ts'
import type { Cursor } from '../state/store.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * Picks among the usable endpoints one that has room. When none is usable all are: a wrong check must not take down what
 * may still answer. Synchronous; an upstream whose endpoints change gets a new one.
 */
export interface Balancer {
  /** `undefined` when none has room. `avoid` is picked only when no other can be. */
  pick(avoid?: Endpoint): Endpoint | undefined
}

/** Makes the balancer of that name over these endpoints. `cursor`: where the round robin stands, in all threads. */
export function balancerOver(balance: Balance, endpoints: readonly Endpoint[], cursor: Cursor): Balancer {
  switch (balance) {
    case 'roundRobin':
      return new RoundRobin(endpoints, cursor)
    case 'weightedRoundRobin':
      return new WeightedRoundRobin(endpoints)
  }
}

/** One after the other. */
class RoundRobin implements Balancer {
  readonly #endpoints: readonly Endpoint[]
  readonly #cursor: Cursor

  constructor(endpoints: readonly Endpoint[], cursor: Cursor) {
    this.#endpoints = endpoints
    this.#cursor = cursor
  }

  pick(avoid?: Endpoint): Endpoint | undefined {
    const endpoints = this.#endpoints
    const count = endpoints.length
    const next = this.#cursor.value
    const all = noneUsable(endpoints)
    for (let i = 0; i < count; i++) {
      // Another thread may know of more endpoints than this one.
      const at = (next + i) % count
      const endpoint = endpoints[at]!
      if (endpoint === avoid || !takesWork(endpoint, all)) continue
      this.#cursor.value = (at + 1) % count
      return endpoint
    }
    return again(avoid, endpoints, all)
  }
}

/** By weight, and as evenly mixed as the weights allow (the smooth round robin of nginx). */
class WeightedRoundRobin implements Balancer {
  readonly #endpoints: readonly Endpoint[]

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints
  }

  pick(avoid?: Endpoint): Endpoint | undefined {
    let total = 0
    let best: Endpoint | undefined
    const all = noneUsable(this.#endpoints)
    for (const endpoint of this.#endpoints) {
      if (endpoint === avoid || !takesWork(endpoint, all)) continue
      const { cells, weight } = endpoint
      cells.credit += weight
      total += weight
      if (best === undefined || cells.credit > best.cells.credit) best = endpoint
    }
    if (best === undefined) return again(avoid, this.#endpoints, all)
    best.cells.credit -= total
    return best
  }
}

function noneUsable(endpoints: readonly Endpoint[]): boolean {
  for (const endpoint of endpoints) if (endpoint.usable) return false
  return true
}

function takesWork(endpoint: Endpoint, all: boolean): boolean {
  return endpoint.hasRoom && (all || endpoint.usable)
}

function again(avoid: Endpoint | undefined, endpoints: readonly Endpoint[], all: boolean): Endpoint | undefined {
  return avoid !== undefined && endpoints.includes(avoid) && takesWork(avoid, all) ? avoid : undefined
}
