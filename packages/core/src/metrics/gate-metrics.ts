import type { GateObserver, GateRefusal } from '../gate/gate.ts'
import type { MetricsBlock } from './block.ts'
import { families } from './families.ts'

/** Counts what one gate does. */
export class GateMetrics implements GateObserver {
  readonly #block: MetricsBlock
  readonly #gate: string
  readonly #wait: number
  readonly #refused: Readonly<Record<GateRefusal, number>>

  constructor(block: MetricsBlock, gate: string) {
    this.#block = block
    this.#gate = gate
    this.#wait = block.histogram(families.gateWaitSeconds, { gate })
    this.#refused = {
      queueFull: block.place(families.gateRefused, { gate, reason: 'queueFull' }),
      queueTimeout: block.place(families.gateRefused, { gate, reason: 'queueTimeout' }),
    }
  }

  waited(ms: number): void {
    this.#block.observe(this.#wait, families.gateWaitSeconds.buckets, ms / 1_000)
  }

  refused(reason: GateRefusal): void {
    this.#block.add(this.#refused[reason], 1)
  }

  /** Makes its series only now: most gates are in earnest. */
  wouldRefuse(reason: GateRefusal): void {
    this.#block.add(this.#block.place(families.gateDryRefused, { gate: this.#gate, reason }), 1)
  }
}
