import { FakeClock, GateEnd, type GateEndOptions, sharedConfig, SharedTruth } from '../../../testkit/src/index.ts'
import type { Config } from '../../src/config/config.ts'
import { Permit, Waiter } from '../../src/gate/gate.ts'
import { Runtime } from '../../src/runtime.ts'
import * as layout from '../../src/state/layout.ts'
import { SharedControl } from '../../src/state/shared-control.ts'
import { SharedMemory } from '../../src/state/shared-memory.ts'
import { SharedStore } from '../../src/state/shared-store.ts'
import { Upstream } from '../../src/upstream/upstream.ts'

/** The classes of this package that ends are made of. */
export const sharedModules = { SharedControl, SharedStore, SharedMemory, Runtime, Upstream, Permit, Waiter, layout }

/** Shared state of a configuration, and ends of threads over it, all in this thread. */
export class GateEnds {
  readonly clock = new FakeClock()
  readonly control: SharedControl
  readonly truth: SharedTruth
  readonly config: Config
  /** Names of units, THREAD.INDEX, in the order in which they were told. */
  readonly told: string[] = []
  readonly ends: GateEnd[] = []

  constructor(options: { readonly threads?: number } & Partial<Parameters<typeof sharedConfig>[0]> = {}) {
    const { threads = 2, ...config } = options
    this.control = new SharedControl(
      { threads, gates: 4, endpoints: 8, listeners: 2, waiters: 64 * threads },
      this.clock.read,
    )
    this.truth = new SharedTruth(this.control.memory, layout)
    this.config = sharedConfig({ endpoints: [1, 2], ...config })
    this.control.prepare(this.config)
    this.control.publish(this.config, 1)
  }

  open(thread: number, options: Partial<GateEndOptions> = {}): GateEnd {
    const end = new GateEnd(sharedModules, {
      control: this.control,
      config: this.config,
      thread,
      clock: this.clock.read,
      mortal: false,
      units: 6,
      told: (unit) => void this.told.push(unit.name),
      ...options,
    })
    this.ends.push(end)
    end.readMail()
    return end
  }

  record(gate: string): number {
    return this.control.records.gates.get(gate)!
  }

  /** What is wrong with any gate. */
  get problem(): string | undefined {
    const endpoints = [...this.control.records.endpoints.values()]
    for (const [id, record] of this.control.records.gates) {
      const problem = this.truth.problemOf(record, id.startsWith('upstream:') ? endpoints : [])
      if (problem !== undefined) return `${id}: ${problem}`
    }
    return undefined
  }

  close(): void {
    for (const end of this.ends) end.die()
    this.control.close()
  }
}
