import type { Balance } from '../config/config.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * Picks among the usable endpoints one that has room. Synchronous and without a memory of units: an upstream whose
 * endpoints change gets a new one.
 */
export interface Balancer {
  /** `undefined` when none has room. `avoid` is picked only when no other can be. */
  pick(avoid?: Endpoint): Endpoint | undefined
}

/** Makes the balancer of that name over these endpoints. */
export function balancerOver(balance: Balance, endpoints: readonly Endpoint[]): Balancer {
  switch (balance) {
    case 'roundRobin':
      return new RoundRobin(endpoints)
    case 'weightedRoundRobin':
      return new WeightedRoundRobin(endpoints)
  }
}

/** One after the other. */
class RoundRobin implements Balancer {
  readonly #endpoints: readonly Endpoint[]
  #next = 0

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints
  }

  pick(avoid?: Endpoint): Endpoint | undefined {
    const endpoints = this.#endpoints
    const count = endpoints.length
    for (let i = 0; i < count; i++) {
      const at = (this.#next + i) % count
      const endpoint = endpoints[at]!
      if (endpoint === avoid || !endpoint.hasRoom) continue
      this.#next = (at + 1) % count
      return endpoint
    }
    return avoid?.hasRoom === true && endpoints.includes(avoid) ? avoid : undefined
  }
}

/** By weight, and as evenly mixed as the weights allow (the smooth round robin of nginx). */
class WeightedRoundRobin implements Balancer {
  readonly #endpoints: readonly Endpoint[]
  readonly #credit: number[]

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints
    this.#credit = endpoints.map(() => 0)
  }

  pick(avoid?: Endpoint): Endpoint | undefined {
    const credit = this.#credit
    let total = 0
    let best = -1
    for (let i = 0; i < credit.length; i++) {
      const endpoint = this.#endpoints[i]!
      if (endpoint === avoid || !endpoint.hasRoom) continue
      credit[i] = credit[i]! + endpoint.weight
      total += endpoint.weight
      if (best < 0 || credit[i]! > credit[best]!) best = i
    }
    if (best < 0) return avoid?.hasRoom === true && this.#endpoints.includes(avoid) ? avoid : undefined
    credit[best] = credit[best]! - total
    return this.#endpoints[best]
  }
}
