import { type Config, parseConfigObject } from '@sluice/core'
import { type ConfigInput, createProxy, type ExchangeRecord, Proxy, type ProxyOptions, type ProxyStats } from 'sluice'
import { expect } from 'chai'
import { eventually, RawClient, type RawClientOptions } from '../../../packages/testkit/src/raw/index.ts'

/** A configuration in the words of the file; what is wrong with it the proxy says. */
export type Written = Record<string, unknown>

/** Data-plane threads where a test does not say: `SLUICE_THREADS` in the environment, else 0. */
export const threadsByDefault = Number(process.env.SLUICE_THREADS ?? 0)

/**
 * A proxy in this process with everything a test asks about it, and the clients that were made for it.
 *
 * Where it has threads, accounts and faults come by message, a moment after the counts of `stats` have changed: a test
 * awaits them.
 */
export class Stage {
  readonly proxy: Proxy
  /** Bugs of ours that were caught. Must stay empty. */
  readonly faults: readonly unknown[]
  /** Every exchange that has settled, in order. */
  readonly accounts: ExchangeRecord[]
  readonly threads: number
  readonly #clients = new Set<RawClient>()
  readonly #closers: (() => Promise<void>)[] = []

  private constructor(proxy: Proxy, threads: number, faults: unknown[], accounts: ExchangeRecord[]) {
    this.proxy = proxy
    this.threads = threads
    this.faults = faults
    this.accounts = accounts
  }

  /** `change`: what cannot be written, such as the window of a rate. */
  static async start(config: Written, options: ProxyOptions = {}, change?: (config: Config) => Config): Promise<Stage> {
    const faults: unknown[] = []
    const accounts: ExchangeRecord[] = []
    const threads = (config.threads as number | undefined) ?? threadsByDefault
    const input = { drainTimeout: '5s', ...config, threads } as ConfigInput
    const heard: ProxyOptions = {
      ...options,
      onExchange: (record) => accounts.push(record),
      onFault: (fault) => faults.push(fault),
    }
    const proxy =
      change === undefined
        ? await createProxy(input, heard)
        : new Proxy(change(parseConfigObject(input).config!), heard)
    await proxy.listen()
    return new Stage(proxy, threads, faults, accounts)
  }

  get stats(): ProxyStats {
    return this.proxy.stats()
  }

  get lastAccount(): ExchangeRecord | undefined {
    return this.accounts.at(-1)
  }

  port(listener: string): number {
    const address = this.proxy.addresses[listener]
    if (address === undefined || !('port' in address)) throw new Error(`${listener} is not bound to a port`)
    return address.port
  }

  async client(listener: string, options: Omit<RawClientOptions, 'port'> = {}): Promise<RawClient> {
    const client = await RawClient.connect({ ...options, port: this.port(listener) })
    this.#clients.add(client)
    void client.closed.then(() => this.#clients.delete(client))
    return client
  }

  /** Has something closed after the proxy, such as its upstream. */
  closesWith(closable: { close(): Promise<void> }): this {
    this.#closers.push(() => closable.close())
    return this
  }

  gate(id: string): ProxyStats['gates'][number] {
    const gate = this.stats.gates.find((one) => one.id === id)
    if (gate === undefined) throw new Error(`no gate ${id}`)
    return gate
  }

  /** Resolves when that many run and wait at the gate. */
  async atGate(id: string, counts: { running?: number; waiting?: number }): Promise<void> {
    await eventually(
      () => {
        const gate = this.gate(id)
        return (counts.running ?? gate.running) === gate.running && (counts.waiting ?? gate.waiting) === gate.waiting
      },
      { what: `${id} at ${JSON.stringify(counts)}` },
    )
  }

  /** Drops all clients that are left. */
  async leave(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.close()))
  }

  /** Resolves when nothing is under way any more; rejects with what is left. */
  async settled(timeoutMs = 10_000): Promise<void> {
    await eventually(
      () => {
        expect(residue(this.stats)).to.deep.equal([])
        return true
      },
      { timeoutMs, what: 'nothing left' },
    )
    expect(this.faults).to.deep.equal([])
  }

  /** Ends everything, and looks that nothing is left of it. */
  async close(): Promise<void> {
    try {
      await this.leave()
      await this.settled()
      await this.proxy.close()
      await this.settled()
      expect(this.stats.timers, 'timers').to.equal(0)
      expect(this.faults).to.deep.equal([])
    } finally {
      await this.proxy.close()
      await Promise.all(this.#closers.map((close) => close()))
    }
  }
}

/** What is not zero that must be when nothing is under way. */
export function residue(stats: ProxyStats): string[] {
  const left: string[] = []
  const zero = (what: string, value: number) => {
    if (value !== 0) left.push(`${what}: ${value}`)
  }
  zero('exchanges', stats.exchanges)
  for (const listener of stats.listeners) zero(`connections of ${listener.name}`, listener.connections)
  for (const gate of stats.gates) {
    zero(`running at ${gate.id}`, gate.running)
    zero(`waiting at ${gate.id}`, gate.waiting)
  }
  for (const upstream of stats.upstreams) {
    zero(`running at ${upstream.name}`, upstream.running)
    zero(`waiting at ${upstream.name}`, upstream.waiting)
    for (const endpoint of upstream.endpoints) {
      zero(`running at ${endpoint.endpoint}`, endpoint.running)
      zero(`busy connections to ${endpoint.endpoint}`, endpoint.connections.busy)
      zero(`connections being made to ${endpoint.endpoint}`, endpoint.connections.connecting)
    }
  }
  return left
}
