import type { Gate, GateLimits } from '../gate/gate.ts'
import type { GateParts } from '../gate/local-gate.ts'
import type { Endpoint } from '../upstream/endpoint.ts'
import type { EndpointCells, EndpointLimits } from './endpoint-cells.ts'
import type { ThreadCount } from './thread-count.ts'
import type { UnitCount } from './unit-count.ts'

/**
 * Where everything lies that must be exact, or summed, over all threads: gates, what runs at endpoints and their health,
 * counts of connections. What is asked for by the same identity is the same, through every reload.
 */
export interface StateStore {
  /** This thread's number, from 0. */
  readonly thread: number
  readonly threads: number
  /** The number of the newest configuration that holds. */
  readonly published: number
  /** Connections of all listeners. */
  readonly allConnections: ThreadCount
  /** Bytes held for others, in KiB. */
  readonly bufferedKiB: ThreadCount
  /** Units begun, ended and under way. */
  readonly units: UnitCount

  /** The gate of that identity. `limits` are those of a new one. */
  gate(id: string, limits: GateLimits, parts: GateParts): Gate
  /** What is known of the endpoint of that identity over all threads. `gate`: of its upstream. */
  endpoint(id: string, limits: EndpointLimits): EndpointCells
  /** From now on units that are granted room in the endpoint's record are sent to this one, and it hears of the others. */
  adopt(endpoint: Endpoint): void
  /** Connections of one listener. */
  connections(listener: string): ThreadCount
  /** The round robin's place at an upstream's gate: the next index, below `count`. */
  cursor(gate: Gate): Cursor
  /** Has an idle connection to the endpoint closed, wherever one is but at itself. */
  wantConnection(endpoint: Endpoint): void
  /** Tells whoever else waits for a connection to the endpoint that one less stands. */
  connectionFreed(endpoint: Endpoint): void
  /** Milliseconds that mean the same in all threads; they wrap around after 24 days. */
  now(): number
}

/** A number that goes round. */
export interface Cursor {
  value: number
}
