import type { ActiveHealthConfig, UpstreamConfig } from '../config/config.ts'
import { parseIpAddress } from '../routing/ip-address.ts'
import type { Runtime } from '../runtime.ts'
import { ActiveCheck, type Probe } from './active-check.ts'
import type { Endpoint } from './endpoint.ts'
import { type Lookup, NameWatch, systemLookup } from './resolver.ts'

/** What looks after endpoints from outside of this package. */
export interface UpkeepParts {
  /** Probes of active checks, by type. Undefined: another thread probes. */
  readonly probes?: Readonly<Record<ActiveHealthConfig['type'], Probe>> | undefined
  /** Default: the machine's resolver. */
  readonly lookup?: Lookup
}

/** The background work for one endpoint: its name is looked up, and it is probed. */
export class Upkeep {
  readonly #name: NameWatch | undefined
  readonly #check: ActiveCheck | undefined
  #probing = false

  constructor(endpoint: Endpoint, config: UpstreamConfig, runtime: Runtime, parts: UpkeepParts) {
    const { address } = endpoint.config
    if ('path' in address || parseIpAddress(address.host) !== undefined) {
      endpoint.addresses = [address]
    } else {
      this.#name = new NameWatch(endpoint, address, {
        refreshMs: config.dns.refreshMs,
        lookup: parts.lookup ?? systemLookup,
        changed: () => endpoint.upstream.refresh(),
      })
    }
    const { active } = config.health
    if (active === undefined || parts.probes === undefined) return
    const wheel = runtime.wheelFor(Math.min(active.intervalMs, active.timeoutMs))
    this.#check = new ActiveCheck(endpoint, active, parts.probes[active.type], wheel)
  }

  /** Resolves when the name has been looked up once, well or badly. */
  async resolve(): Promise<void> {
    await this.#name?.start()
  }

  /** Begins to probe, unless it does already. */
  probe(): void {
    if (this.#probing) return
    this.#probing = true
    this.#check?.start()
  }

  close(): void {
    this.#name?.close()
    this.#check?.close()
  }
}
