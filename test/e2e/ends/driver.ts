import type { RawClient, RawConnection, RawScript, RawServer } from '../../../packages/testkit/src/raw/index.ts'
import type { ProxyStats } from 'sluice'
import type { Stage } from '../support/stage.ts'

/** How a client leaves; `reset`: only the unit's stream is, by RST_STREAM. */
export type Leave = 'fin' | 'rst' | 'reset'

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
  /** What the account says, `undefined` when no unit had begun; a way of leaving that is not named does not apply. */
  readonly reason: Readonly<Partial<Record<Leave, string | undefined>>>
  /** Whether the upstream hears of the unit. */
  readonly reaches: boolean
  /** What remains to be done once the client has left. */
  after?(cell: Cell): void | Promise<void>
}

/** The other side of the proxy, for an upstream that must know how far a unit has come. */
export interface Beyond {
  readonly stage: Stage
  /** What the client has read so far. */
  readonly clientBytes: () => number
  /** Resolves when the client has read more than that. Default: 0. */
  readonly clientHasBytes: (since?: number) => Promise<void>
  /** Connections to this very upstream. */
  readonly connections: () => ProxyStats['upstreams'][number]['endpoints'][number]['connections']
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
  readonly protocol: 'http' | 'tcp' | 'websocket' | 'grpc'
  /** Whether clients come over TLS. */
  readonly secure: boolean
  /** What clients choose by ALPN under TLS. Default: nothing. */
  readonly alpn?: string
  /** The upstream speaks HTTP/2: its connections outlive the units that they carry. */
  readonly upstreamIsHttp2?: boolean
  /** The upstream of the client ends: tells `seen` of every unit that reaches it. */
  script(seen: (id: string, connection: RawConnection) => void): RawScript
  /** Has a unit take the gate until its client is dropped. */
  hold(client: RawClient, id: string): Promise<void>
  /** Resets the stream of the unit that the client has under way, and proves that its connection lives on. */
  readonly resetStream?: (client: RawClient) => Promise<void>
  readonly clientStates: readonly ClientState[]
  readonly upstreamEnds: readonly UpstreamEnd[]
}

/** Has a client run one unit, and asserts what it sees of it. */
export type Expectation = (client: RawClient) => Promise<void>

/** How a body is delimited: in HTTP/2 by a Content-Length, or by nothing but its end. */
export type Framing = 'length' | 'chunked'

/** A client's side of the upstream ends: asks once, each time, and looks at what comes. */
export interface Asker {
  /** The whole answer is one of ours. `grpcStatus`: that of a call, where the table of reasons does not say it. */
  answered(status: number, reason: string | readonly string[], grpcStatus?: number): Expectation
  /** A 103 comes through, and then an answer of ours. */
  answeredAfterHint(status: number, reason: string): Expectation
  /** The head came through; the body ends in a way that nobody can take for its end. */
  cut(framing: Framing): Expectation
  /** The response comes through, whole. */
  whole(body: string): Expectation
}

/** The gates of the tables, on every level. */
export const gates = { listener: 'listener:free', upstream: 'upstream:up' } as const
