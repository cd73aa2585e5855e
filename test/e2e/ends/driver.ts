import type { RawClient, RawConnection, RawScript, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import type { Stage } from '../support/stage.ts'

/** How a peer leaves. */
export type Leave = 'fin' | 'rst'

/** One cell of the table of client ends, while it runs. */
export interface Cell {
  readonly stage: Stage
  readonly upstream: RawServer
  readonly client: RawClient
  /** Stands in the unit's first bytes, so that it is known again at the upstream and in the accounts. */
  readonly id: string
  /** Resolves with what the upstream holds of this unit, once it does. */
  readonly served: () => Promise<RawConnection>
}

/** Where a client stands when it leaves, and what must follow. */
export interface ClientState {
  readonly name: string
  /** `free`: the gate is open; `shut`: another unit holds it; `hanging`: the upstream's connects hang. */
  readonly way: 'free' | 'shut' | 'hanging'
  /** Brings the client there: resolves when the proxy is seen to be in that state. */
  reach(cell: Cell): Promise<void>
  /** What the account says, `undefined` when no unit had begun. */
  readonly reason: Readonly<Record<Leave, string | undefined>>
  /** Whether the upstream hears of the unit. */
  readonly reaches: boolean
  /** What remains to be done once the client has left. */
  after?(cell: Cell): void | Promise<void>
}

/** The other side of the proxy, for an upstream that must know how far a unit has come. */
export interface Beyond {
  readonly stage: Stage
  /** Resolves when the client has bytes of the answer. */
  readonly clientHasBytes: () => Promise<void>
  /** Idle connections to this very upstream. */
  readonly idle: () => number
}

/** What a raw upstream does with each connection. */
export type UpstreamScript = (connection: RawConnection, beyond: Beyond) => void | Promise<void>

/** What a raw upstream does, and what the client must see of it. */
export interface UpstreamEnd {
  readonly name: string
  /** `refuses` and `hangs` have no script. */
  readonly script: UpstreamScript | 'refuses' | 'hangs'
  /** Runs one unit through and asserts what the client sees. */
  readonly expects: (client: RawClient, beyond: Beyond) => Promise<void>
  /** What the account says; several where the kernel decides which of two things is seen first. */
  readonly reason: string | readonly string[]
}

/** A protocol as the table of ends knows it: a column. */
export interface Driver {
  readonly name: string
  readonly protocol: 'http' | 'tcp' | 'websocket'
  /** Whether clients come over TLS. */
  readonly secure: boolean
  /** The upstream of the client ends: tells `seen` of every unit that reaches it. */
  script(seen: (id: string, connection: RawConnection) => void): RawScript
  /** Has a unit take the gate until its client is dropped. */
  hold(client: RawClient, id: string): Promise<void>
  readonly clientStates: readonly ClientState[]
  readonly upstreamEnds: readonly UpstreamEnd[]
}

/** The gates of the tables, on every level. */
export const gates = { listener: 'listener:free', upstream: 'upstream:up' } as const
