import { type SharedControl, type SharedStore, Turn } from '@sluice/core'
import type { GateStore } from './gate-store.ts'

/** The classes that a shared gate is made of: those of `@sluice/core`, or of a copy of it. */
export interface SharedGateModules {
  readonly SharedControl: typeof SharedControl
  readonly SharedStore: typeof SharedStore
  readonly Turn: typeof Turn
  readonly Permit?: NonNullable<GateStore['Permit']>
  readonly Waiter?: NonNullable<GateStore['Waiter']>
}

/** The store of many threads, in one: what holds for every gate holds for it too. */
export function sharedGateStore({
  SharedControl: Control,
  SharedStore: Store,
  ...classes
}: SharedGateModules): GateStore {
  const { Turn: ThreadTurn, ...units } = classes
  return {
    ...units,
    make(limits, { clock, observer }) {
      const control = new Control({ threads: 1, gates: 1, endpoints: 1, listeners: 1, waiters: 128 }, clock.read)
      control.makeGate('test', limits)
      const store = new Store(control.memory, 0, { records: control.records, clock: clock.read })
      store.open()
      const gate = store.gate('test', limits, { turn: new ThreadTurn(), clock: clock.read, observer })
      return {
        gate,
        setLimits: (next) => gate.setLimits(next),
        // The turn's microtask was queued before this one.
        told: async () => {},
        close: async () => {
          store.close()
          control.close()
        },
      }
    },
  }
}
