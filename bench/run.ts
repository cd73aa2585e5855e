import { setTimeout as sleep } from 'node:timers/promises'
import type { Candidate, Subject } from './candidates/candidate.ts'
import type { Case } from './cases/case.ts'
import { proxyCore } from './cores.ts'
import { commit, machine, machineWarnings, versions } from './machine.ts'
import { coreBusy, cpuTime, peakRss } from './measure.ts'
import { Progress } from './progress.ts'
import { deviations } from './reference.ts'
import { type Result, type Round, type Row, summarize } from './result.ts'
import { Stage, Unavailable } from './stage.ts'
import { missingTool } from './tools.ts'

/** How long and how often. */
export interface Settings {
  rounds: number
  seconds: number
  signal: AbortSignal
}

interface Contender {
  row: Row
  subject: Subject
}

const warmUpSeconds = 3
/** Share of the proxy's core that others may use before it is told. */
const disturbance = 0.05

/**
 * Measures one case: all candidates are started, warmed up once and then take turns (A B C A B C), so that whatever
 * changes on the machine meanwhile meets all of them.
 */
export async function runCase(bench: Case, candidates: readonly Candidate[], settings: Settings): Promise<Result> {
  const missing = bench.tools.map(missingTool).find((line) => line !== undefined)
  if (missing !== undefined) throw new Unavailable(missing)
  const { rounds, seconds } = settings
  const result: Result = {
    case: bench.name,
    title: bench.title,
    unit: bench.unit,
    figure: bench.figure,
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    versions: versions(),
    settings: { rounds, seconds },
    rows: [],
    warnings: machineWarnings(),
  }
  const stage = new Stage()
  try {
    const contenders = await startAll(bench, candidates, stage, result, settings.signal)
    const progress = new Progress(contenders.length * (rounds + 1))
    for (let round = 0; round <= rounds; round++) {
      const name = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`
      for (const contender of contenders) {
        if (contender.row.problem !== undefined) continue
        progress.step(`${bench.name}  ${name}  ${contender.row.name}`)
        const length = round === 0 ? (bench.warmUpSeconds ?? Math.min(seconds, warmUpSeconds)) : seconds
        await takeTurn(bench, contender, { length, counts: round > 0 }, settings.signal)
        if (contender.row.problem !== undefined) progress.note(`${contender.row.name}: ${contender.row.problem}`)
      }
      if (round > 0)
        progress.round(`${bench.name} ${name}: ${contenders.map(({ row }) => inShort(row, bench)).join(', ')}`)
    }
    progress.clear()
    for (const { row, subject } of contenders) {
      if (row.problem === undefined && subject.remark !== undefined) row.remark = await subject.remark()
    }
  } finally {
    await stage.close()
  }
  summarize(result)
  result.warnings.push(...disturbances(result), ...deviations(result))
  return result
}

async function startAll(
  bench: Case,
  candidates: readonly Candidate[],
  stage: Stage,
  result: Result,
  signal: AbortSignal,
): Promise<Contender[]> {
  const backend = await bench.startBackend(stage)
  const contenders: Contender[] = []
  for (const candidate of candidates) {
    if (!candidate.carries.includes(bench.traffic)) continue
    const row: Row = { name: candidate.name, family: candidate.family, rounds: [] }
    result.rows.push(row)
    try {
      const subject = await candidate.start(stage, bench.traffic, backend)
      const fault = candidate.family === 'direct' ? undefined : await bench.check?.(subject.port)
      if (fault === undefined) contenders.push({ row, subject })
      else row.problem = fault
    } catch (error) {
      row.problem = reasonOf(error)
    }
    signal.throwIfAborted()
    if (row.problem !== undefined) console.error(`${row.name}: ${row.problem}`)
  }
  return contenders
}

async function takeTurn(
  bench: Case,
  { row, subject }: Contender,
  turn: { length: number; counts: boolean },
  signal: AbortSignal,
): Promise<void> {
  try {
    const cpuBefore = cpuTime(subject.pids)
    const busyBefore = coreBusy(proxyCore)
    const startedAt = performance.now()
    const load = await bench.load(subject.port, turn.length, signal)
    const elapsed = (performance.now() - startedAt) / 1000
    const busy = coreBusy(proxyCore) - busyBefore
    const cpuAfter = cpuTime(subject.pids)
    if (load.invalid !== undefined) {
      row.problem = `invalid: ${load.invalid}`
      return
    }
    if (!turn.counts) return
    const user = cpuAfter.user - cpuBefore.user
    const system = cpuAfter.system - cpuBefore.system
    const perUnit = 1e6 / load.requests
    const round: Round = {
      perSecond: load.requests / load.seconds,
      requests: load.requests,
      bytes: load.bytes,
      seconds: load.seconds,
      latency: load.latency,
      othersOnCore: Math.max(0, (busy - user - system) / elapsed),
    }
    if (load.withoutBackend !== undefined) round.withoutBackend = load.withoutBackend
    if (subject.pids.length > 0) {
      round.cpu = { total: (user + system) * perUnit, user: user * perUnit, system: system * perUnit }
      round.peakRss = peakRss(subject.pids)
    }
    row.rounds.push(round)
  } catch (error) {
    signal.throwIfAborted()
    // The exit of a process that just crashed arrives a moment later than its resets.
    await sleep(50)
    row.problem =
      subject.process?.ended() === true ? `it ended during the run: ${subject.process.lastWords()}` : reasonOf(error)
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0]! : String(error)
}

function inShort(row: Row, bench: Case): string {
  const last = row.rounds.at(-1)
  if (row.problem !== undefined || last === undefined) return `${row.name} –`
  if (bench.figure === 'added') return `${row.name} ${(last.latency.p50 / 1000).toFixed(2)} ms`
  if (last.cpu === undefined) return `${row.name} ${Math.round(last.perSecond)}/s`
  return `${row.name} ${last.cpu.total.toFixed(1)} µs`
}

function disturbances(result: Result): string[] {
  const disturbed = result.rows.filter((row) => (row.median?.othersOnCore ?? 0) > disturbance)
  if (disturbed.length === 0) return []
  const list = disturbed.map((row) => `${row.name} ${Math.round(row.median!.othersOnCore * 100)} %`).join(', ')
  return [`others used the proxy's core during the rounds of ${list}.`]
}
