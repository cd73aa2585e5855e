import { lookup as nodeLookup } from 'node:dns/promises'
import type { Endpoint } from './endpoint.ts'

/** Resolves a name to IP addresses. */
export type Lookup = (host: string) => Promise<readonly string[]>

/** What the machine's own resolver says, `/etc/hosts` included. */
export const systemLookup: Lookup = async (host) => {
  const found = await nodeLookup(host, { all: true, order: 'verbatim' })
  return found.map(({ address }) => address)
}

/** How soon a failed look-up is repeated, in milliseconds. */
const retryMs = 1_000

/**
 * Keeps an endpoint's addresses up to date in the background: no request ever waits for a name.
 *
 * A look-up that fails leaves the last good addresses in place.
 */
export class NameWatch {
  readonly #endpoint: Endpoint
  readonly #host: string
  readonly #port: number
  readonly #refreshMs: number
  readonly #lookup: Lookup
  readonly #changed: () => void
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(
    endpoint: Endpoint,
    name: { host: string; port: number },
    options: { refreshMs: number; lookup: Lookup; changed: () => void },
  ) {
    this.#endpoint = endpoint
    this.#host = name.host
    this.#port = name.port
    this.#refreshMs = options.refreshMs
    this.#lookup = options.lookup
    this.#changed = options.changed
  }

  /** Looks up once and goes on in the background. Resolves when the first look-up has ended, well or badly. */
  async start(): Promise<void> {
    await this.#refresh()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  async #refresh(): Promise<void> {
    let nextMs = this.#refreshMs
    try {
      const found = await this.#lookup(this.#host)
      this.#take(found)
    } catch (error) {
      this.#endpoint.health.lastFailure = `its name does not resolve: ${(error as Error).message}`
      nextMs = Math.min(retryMs, nextMs)
    }
    if (this.#closed || nextMs === Infinity) return
    this.#timer = setTimeout(() => void this.#refresh(), nextMs)
    this.#timer.unref()
  }

  #take(found: readonly string[]): void {
    if (this.#closed || found.length === 0) return
    const now = this.#endpoint.addresses
    const same =
      now.length === found.length && now.every((address, i) => 'host' in address && address.host === found[i])
    if (same) return
    this.#endpoint.moved(found.map((host) => ({ host, port: this.#port })))
    this.#changed()
  }
}
