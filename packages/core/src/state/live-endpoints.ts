import type { Endpoint } from '../upstream/endpoint.ts'

/**
 * The endpoints of one thread that may have connections, or units that wait for one. There may be several of one
 * identity: with other TLS an endpoint is another object, while the former one ends what it carries.
 */
export class LiveEndpoints {
  readonly #byId = new Map<string, Set<Endpoint>>()

  add(endpoint: Endpoint): void {
    const { id } = endpoint.config
    const same = this.#byId.get(id)
    if (same === undefined) this.#byId.set(id, new Set([endpoint]))
    else same.add(endpoint)
  }

  /** Forgets those that are retired and have nothing any more. */
  sweep(): void {
    for (const [id, same] of this.#byId) {
      for (const endpoint of same) if (endpoint.retired && !endpoint.busy) same.delete(endpoint)
      if (same.size === 0) this.#byId.delete(id)
    }
  }

  /** Others of that endpoint's identity. */
  othersOf(endpoint: Endpoint): Endpoint[] {
    return [...(this.#byId.get(endpoint.config.id) ?? [])].filter((one) => one !== endpoint)
  }

  *[Symbol.iterator](): Generator<Endpoint> {
    for (const same of this.#byId.values()) yield* same
  }
}
