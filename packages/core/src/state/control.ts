import type { Config } from '../config/config.ts'
import type { GateLimits } from '../gate/gate.ts'
import type { EndpointCells } from './endpoint-cells.ts'
import type { ThreadCount } from './thread-count.ts'

/** A gate at this moment, over all threads. */
export interface GateState {
  readonly id: string
  readonly limits: GateLimits
  readonly running: number
  readonly waiting: number
  readonly oldestWaitMs: number
}

/**
 * The state of everything that has an identity, as whoever steers sees it: sets limits, and reads what there is.
 */
export interface StateControl {
  /** Makes room for what the configuration names. Throws a `CapacityError` when there is none. */
  prepare(config: Config): void
  /** The configuration of that number holds from now on. What it does not name stays until it is swept. */
  publish(config: Config, number: number): void
  /**
   * Forgets what nobody uses and neither the newest configuration names nor one of those that are `live`, by number: by
   * them units may still go.
   */
  sweep(live: ReadonlySet<number>): void
  /** Changes one gate's limits until the next configuration is published. False: there is no such gate. */
  setLimits(gate: string, limits: GateLimits): boolean
  /** The gates that the configuration has written, and those that vanished from it and still hold units. */
  gateStates(): GateState[]
  gateState(id: string): GateState | undefined
  endpointCells(id: string): EndpointCells | undefined
  /** Connections of one listener. */
  connectionsOf(listener: string): ThreadCount | undefined
}

/** The shared state is of a fixed size, and a configuration needs more. */
export class CapacityError extends Error {
  override readonly name = 'CapacityError'
}
