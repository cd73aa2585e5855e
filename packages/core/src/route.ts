import { defaults } from './config/defaults.ts'
import type { Gate } from './gate/gate.ts'
import type { Upstream } from './upstream/upstream.ts'

/** What a unit's way is made of, as far as the kernel needs it. */
export interface Route {
  /** Label of metrics and log. */
  readonly id: string
  /** Listener's name, label of metrics and log. */
  readonly listener: string
  readonly listenerGate: Gate | undefined
  readonly gate: Gate | undefined
  /** `undefined` when the protocol answers by itself. */
  readonly upstream: Upstream | undefined
  /** The configuration that it belongs to, which counts its units. */
  readonly generation?: { exchanges: number }
  /** A gate on it wants the permit of a unit that was cut only when the upstream has answered or closed. */
  readonly waitsForAbandoned?: boolean
}

/** The gates of a unit's way, in their order. */
export const stages = 3

/** The gate at one stage of the way, if there is one. */
export function gateAt(route: Route, stage: number): Gate | undefined {
  return stage === 0 ? route.listenerGate : stage === 1 ? route.gate : route.upstream?.gate
}

/**
 * All queues together cost a unit at most the smallest timeout on its way. Where no gate is written on it, a wait for
 * room at an endpoint takes no longer than a gate's would by default.
 */
export function queueTimeoutMs({ listenerGate, gate, upstream }: Route): number {
  const written = [listenerGate, gate, upstream?.config.gate === undefined ? undefined : upstream.gate]
  const timeouts = written.flatMap((one) => (one === undefined ? [] : [one.limits.timeoutMs]))
  return timeouts.length === 0 ? defaults.gate.timeoutMs : Math.min(...timeouts)
}
