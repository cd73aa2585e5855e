import type { Candidate, Traffic } from '../candidates/candidate.ts'
import type { Load } from '../load/load.ts'
import type { Result } from '../result.ts'
import type { Stage } from '../stage.ts'
import type { ToolName } from '../tools.ts'

/** A figure that Sluice must reach, judged within one run. */
export interface Goal {
  text: string
  /** The figure, or undefined when a row that it needs is missing. */
  value: (result: Result) => number | undefined
  atMost?: number
  atLeast?: number
}

/** One kind of load with the table it gives. */
export interface Case {
  name: string
  /** One line for people: what is sent, how, to whom. */
  title: string
  /** What is counted. */
  unit: 'request' | 'call' | 'download' | 'message'
  traffic: Traffic
  /** What it cannot run without. */
  tools: readonly ToolName[]
  /** Starts the backend on the load core and resolves with its port. */
  startBackend: (stage: Stage) => Promise<number>
  /** One request through a candidate before it is measured: undefined when it does what the case asks of it. */
  check?: (port: number) => Promise<string | undefined>
  load: Load
  /** Whom it compares, where that is not whoever was asked for. */
  candidates?: readonly Candidate[]
  goals: readonly Goal[]
  /** Whether the table's first figure is CPU time or the latency that is added. */
  figure: 'cpu' | 'added'
  /** It has rows with the access log on when nothing else is asked for. */
  accessLog?: true
  /** How long a candidate is warmed up. Default: 3, or a round if that is shorter. */
  warmUpSeconds?: number
  /** Rounds when none are asked for. */
  rounds: number
}
