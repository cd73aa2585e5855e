import { LocalGate, Turn } from '@sluice/core'
import type { GateStore } from './gate-store.ts'

/** The classes that a local gate is made of: those of `@sluice/core`, or of a copy of it. */
export interface LocalGateModules {
  readonly LocalGate: typeof LocalGate
  readonly Turn: typeof Turn
  readonly Permit?: NonNullable<GateStore['Permit']>
  readonly Waiter?: NonNullable<GateStore['Waiter']>
}

/** The store of one thread. */
export function localGateStore({ LocalGate: Local, Turn: LocalTurn, ...classes }: LocalGateModules): GateStore {
  return {
    ...classes,
    make(limits, { clock, observer }) {
      const gate = new Local('test', limits, { turn: new LocalTurn(), clock: clock.read, observer })
      return {
        gate,
        setLimits: (next) => gate.setLimits(next),
        // The turn's microtask was queued before this one.
        told: async () => {},
      }
    },
  }
}
