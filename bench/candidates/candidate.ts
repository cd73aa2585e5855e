import type { Running, Stage } from '../stage.ts'

/** What a candidate is asked to carry. */
export type Traffic = 'http' | 'tcp' | 'websocket' | 'grpc'

/** What a candidate is compared as. */
export type Family = 'direct' | 'sluice' | 'native' | 'node'

/** A candidate that runs: where to send the load, and whose CPU time to count. */
export interface Subject {
  port: number
  process?: Running
  /** The processes that count. */
  pids: number[]
  /** What else is worth telling of it, asked when all rounds are over. */
  remark?: () => Promise<string>
}

/** One row of a table: a way to get to the backend. */
export interface Candidate {
  name: string
  family: Family
  carries: readonly Traffic[]
  /** It writes an access log: measured when `--access-log` asks for it. */
  logs?: true
  /** Starts it in front of `upstreamPort`, or rejects with `Unavailable`. */
  start: (stage: Stage, traffic: Traffic, upstreamPort: number) => Promise<Subject>
}
