import { type Gate, type GateLimits, type GateObserver, Permit, Waiter } from '@sluice/core'
import type { FakeClock } from './fake-clock.ts'

/** A gate as a suite drives it, whatever store it has. */
export interface GateFixture {
  readonly gate: Gate
  /** Changes the limits in place, as a reload does. */
  setLimits(limits: GateLimits): void
  /** Resolves when every waiter that was granted its permit has been told, or has left. */
  told(): Promise<void>
  /** Ends what the gate needs, such as other threads. */
  close?(): Promise<void>
}

/** Makes gates of one store: what the contract and the model test run on. */
export interface GateStore {
  make(limits: GateLimits, parts: { clock: FakeClock; observer: GateObserver }): GateFixture | Promise<GateFixture>
  /** Default: those of `@sluice/core`. */
  readonly Permit?: new () => Permit
  readonly Waiter?: abstract new () => Waiter
}

/** One unit at a gate: what it was told, and when. */
export interface Unit extends Waiter {
  readonly name: string
  /** How often it was told that it has its permit. */
  timesTold: number
}

/** Makes units of a store's own classes. `told` hears of every unit that is told. */
export function unitMaker(store: GateStore, told: (unit: Unit) => void): (name: string) => Unit {
  const StorePermit = store.Permit ?? Permit
  const StoreWaiter = store.Waiter ?? Waiter
  class TestUnit extends StoreWaiter implements Unit {
    readonly permit: Permit = new StorePermit()
    readonly name: string
    timesTold = 0

    constructor(name: string) {
      super()
      this.name = name
    }

    protected override granted(): void {
      this.timesTold++
      told(this)
    }

    override fault(fault: unknown): void {
      throw fault
    }
  }
  return (name) => new TestUnit(name)
}
