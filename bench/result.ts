import type { Family } from './candidates/candidate.ts'
import type { Case } from './cases/case.ts'
import type { Latency } from './load/load.ts'
import type { Machine } from './machine.ts'
import { median } from './measure.ts'

/** CPU time in microseconds per unit. */
export interface CpuCost {
  total: number
  user: number
  system: number
}

/** What one round of one candidate has shown. */
export interface Round {
  /** Undefined without a proxy. */
  cpu?: CpuCost
  perSecond: number
  requests: number
  bytes: number
  seconds: number
  latency: Latency
  withoutBackend?: Latency
  /** Bytes. */
  peakRss?: number
  /** Share of the proxy's core that others used meanwhile. */
  othersOnCore: number
}

/** The medians of a row's rounds. */
export interface Medians {
  cpu?: CpuCost
  /** Half the distance between the cheapest and the dearest round, as a share of the median. */
  spread?: number
  perSecond: number
  bytesPerCpuSecond?: number
  latency: Latency
  withoutBackend?: Latency
  /** What the proxy adds to direct access. */
  added?: Latency
  peakRss?: number
  othersOnCore: number
}

/** One candidate of a table. */
export interface Row {
  name: string
  family: Family
  rounds: Round[]
  /** What else is worth telling of it. */
  remark?: string
  median?: Medians
  /** CPU time as a multiple of nginx's. */
  timesNginx?: number
  /** The best Node peer's CPU time as a multiple of this row's. */
  betterThanNode?: number
  /** Why it was not started, or does not count. */
  problem?: string
}

/** One case, as it is written to `bench/results/CASE.json`. */
export interface Result {
  case: string
  title: string
  unit: Case['unit']
  figure: Case['figure']
  date: string
  commit: string
  machine: Machine
  versions: Record<string, string>
  settings: { rounds: number; seconds: number }
  rows: Row[]
  bestNodePeer?: { name: string; cpu: number }
  warnings: string[]
}

/** Fills in medians, what is added to direct access, and the ratios. */
export function summarize(result: Result): void {
  for (const row of result.rows) {
    if (row.problem === undefined && row.rounds.length > 0) row.median = mediansOf(row.rounds)
  }
  const counted = result.rows.filter((row) => row.median !== undefined)
  const base = counted.find((row) => row.family === 'direct')?.median
  const nginx = counted.find((row) => row.name === 'nginx')?.median?.cpu?.total
  const best = counted
    .filter((row) => row.family === 'node' && row.median?.cpu !== undefined)
    .toSorted((a, b) => a.median!.cpu!.total - b.median!.cpu!.total)[0]
  if (best !== undefined) result.bestNodePeer = { name: best.name, cpu: best.median!.cpu!.total }
  for (const row of counted) {
    const medians = row.median!
    if (medians.cpu !== undefined && nginx !== undefined) row.timesNginx = medians.cpu.total / nginx
    if (medians.cpu !== undefined && best !== undefined)
      row.betterThanNode = best.median!.cpu!.total / medians.cpu.total
    if (row.family !== 'direct' && base !== undefined) {
      medians.added = difference(medians.withoutBackend ?? medians.latency, base.withoutBackend ?? base.latency)
    }
  }
}

function mediansOf(rounds: readonly Round[]): Medians {
  const of = (pick: (round: Round) => number) => median(rounds.map(pick))
  const latencyOf = (pick: (round: Round) => Latency): Latency => ({
    p50: of((round) => pick(round).p50),
    p99: of((round) => pick(round).p99),
    p999: of((round) => pick(round).p999),
    // The longest pause of all rounds: a median would hide it.
    max: Math.max(...rounds.map((round) => pick(round).max)),
  })
  const medians: Medians = {
    perSecond: of((round) => round.perSecond),
    latency: latencyOf((round) => round.latency),
    othersOnCore: of((round) => round.othersOnCore),
  }
  if (rounds.every((round) => round.withoutBackend !== undefined)) {
    medians.withoutBackend = latencyOf((round) => round.withoutBackend!)
  }
  if (rounds.every((round) => round.cpu !== undefined)) {
    const totals = rounds.map((round) => round.cpu!.total)
    const total = median(totals)
    medians.cpu = { total, user: of((round) => round.cpu!.user), system: of((round) => round.cpu!.system) }
    if (totals.length > 1) medians.spread = (Math.max(...totals) - Math.min(...totals)) / 2 / total
    medians.bytesPerCpuSecond = of((round) => round.bytes / ((round.cpu!.total * round.requests) / 1e6))
    medians.peakRss = Math.max(...rounds.map((round) => round.peakRss ?? 0))
  }
  return medians
}

function difference(a: Latency, b: Latency): Latency {
  return { p50: a.p50 - b.p50, p99: a.p99 - b.p99, p999: a.p999 - b.p999, max: a.max - b.max }
}
