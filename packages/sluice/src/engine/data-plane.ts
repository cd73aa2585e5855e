import type { BindAddress, Config } from '@sluice/core'

/** A configuration on its way to a data plane. Plain data: it can be posted to a thread. */
export interface NextConfig {
  /** Counts configurations; the first one is 1. */
  readonly number: number
  readonly config: Config
  /** Where each configured address is to be bound, by its key; absent: here not. */
  readonly binds: ReadonlyMap<string, BindAddress>
  /** Keys of those that can only be bound once the configuration holds: an address that it gives up is in their way. */
  readonly late: ReadonlySet<string>
}

/** What of an upstream's endpoint only the thread knows that works with it. Plain data. */
export interface EndpointFacts {
  readonly addresses: readonly string[]
  readonly lastFailure: string | undefined
}

/** What a data plane tells of itself. Plain data. */
export interface PlaneFacts {
  /** By the endpoint's identity. */
  readonly endpoints: ReadonlyMap<string, EndpointFacts>
  /** The configurations that units still go by, the newest last. */
  readonly generations: readonly number[]
}

/**
 * What accepts connections and passes bytes on, in one thread: in the calling one, or behind messages in another.
 *
 * A new configuration comes in steps, each of which all planes have ended before the next begins: `prepare`, `bind`, then
 * either `adopt`, and `bind` once more where something is bound late, or `discard`.
 */
export interface DataPlane {
  /** Makes everything that the configuration needs, and changes nothing. Rejects with a `StartError`. */
  prepare(next: NextConfig): Promise<void>
  /** From now on what was prepared holds. */
  adopt(): Promise<void>
  /** What was prepared will never hold. */
  discard(): Promise<void>
  /**
   * Binds what is not bound yet: for what was prepared all but what is late, and nobody is served there before it holds;
   * else for what holds. Tells what was bound, by its key. Rejects with a `StartError`.
   */
  bind(): Promise<ReadonlyMap<string, BindAddress>>
  /** Accepts nobody any more; resolves when who was connected has been accepted. */
  stopAccepting(): Promise<void>
  /** Closes what is idle; what is under way is served. */
  drain(): Promise<void>
  /** Ends everything that is under way. */
  cut(): Promise<void>
  /** Gives back whatever is left, timers included. */
  end(): Promise<void>
  readonly facts: PlaneFacts
}
