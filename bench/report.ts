import type { Goal } from './cases/case.ts'
import type { Result, Row } from './result.ts'

interface Column {
  title: string
  cell: (row: Row, result: Result) => string | undefined
}

const figure = (value: number | undefined): string | undefined => {
  if (value === undefined || Number.isNaN(value)) return undefined
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1)
}
const percent = (share: number | undefined) => (share === undefined ? undefined : `${(share * 100).toFixed(1)} %`)
const times = (value: number | undefined) => (value === undefined ? undefined : `${value.toFixed(2)} ×`)
const time = (microseconds: number | undefined): string | undefined => {
  if (microseconds === undefined || Number.isNaN(microseconds)) return undefined
  return Math.abs(microseconds) < 1_000 ? `${microseconds.toFixed(0)} µs` : `${(microseconds / 1000).toFixed(2)} ms`
}
const mebibytes = (bytes: number | undefined) =>
  bytes === undefined ? undefined : `${(bytes / 2 ** 20).toFixed(0)} MiB`

const cpu: Column[] = [
  { title: 'CPU µs', cell: (row) => figure(row.median?.cpu?.total) },
  { title: 'user', cell: (row) => figure(row.median?.cpu?.user) },
  { title: 'system', cell: (row) => figure(row.median?.cpu?.system) },
  { title: '±', cell: (row) => percent(row.median?.spread) },
  { title: '× nginx', cell: (row) => times(row.timesNginx) },
  { title: 'better than Node', cell: (row) => (row.family === 'node' ? undefined : times(row.betterThanNode)) },
]
const perSecond: Column = { title: 'per second', cell: (row) => row.median?.perSecond.toFixed(0) }
const bulk: Column = {
  title: 'MiB/CPU s',
  cell: (row) => mebibytes(row.median?.bytesPerCpuSecond)?.replace(' MiB', ''),
}
const percentiles: Column[] = [
  { title: 'p50', cell: (row) => time(row.median?.latency.p50) },
  { title: 'p99', cell: (row) => time(row.median?.latency.p99) },
  { title: 'p99.9', cell: (row) => time(row.median?.latency.p999) },
  { title: 'longest', cell: (row) => time(row.median?.latency.max) },
]
const added: Column[] = [
  { title: '+ p50', cell: (row) => time(row.median?.added?.p50) },
  { title: 'of direct', cell: (row, result) => percent(shareOfDirect(row, result)) },
  { title: '+ p99', cell: (row) => time(row.median?.added?.p99) },
]
const rss: Column = { title: 'peak RSS', cell: (row) => mebibytes(row.median?.peakRss) }

/** The median that a row adds, as a share of the median without a proxy. */
function shareOfDirect(row: Row, result: Result): number | undefined {
  const direct = result.rows.find((other) => other.family === 'direct')?.median?.latency.p50
  const plus = row.median?.added?.p50
  return direct === undefined || plus === undefined ? undefined : plus / direct
}

function columnsOf(result: Result): Column[] {
  const columns =
    result.figure === 'added'
      ? [...percentiles, ...added, cpu[0]!, perSecond, rss]
      : [...cpu, ...(result.unit === 'download' ? [bulk] : []), perSecond, ...percentiles, rss]
  // A column without a figure (no Node peer, no nginx) is left out.
  return columns.filter(({ cell }) => result.rows.some((row) => cell(row, result) !== undefined))
}

/** The table with its goals and warnings, as plain text. */
export function report(result: Result, goals: readonly Goal[]): string {
  const columns = columnsOf(result)
  const measured = result.rows.filter((row) => row.median !== undefined)
  const cells = [
    ['', ...columns.map(({ title }) => title)],
    ...measured.map((row) => [row.name, ...columns.map(({ cell }) => cell(row, result) ?? '')]),
  ]
  const widths = cells[0]!.map((_, at) => Math.max(...cells.map((line) => line[at]!.length)))
  const table = cells.map((line) =>
    line
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  ')
      .trimEnd(),
  )
  const { settings, machine } = result
  return [
    result.title,
    `medians of ${settings.rounds} × ${settings.seconds} s; CPU in µs of the proxy per ${result.unit}; ${machine.cpu}, kernel ${machine.kernel}`,
    '',
    ...table,
    ...result.rows.filter((row) => row.problem !== undefined).map((row) => `${row.name}: ${row.problem}`),
    ...result.rows.filter((row) => row.remark !== undefined).map((row) => `${row.name}: ${row.remark}`),
    '',
    ...goals.map((goal) => judge(goal, result)),
    ...result.warnings.map((line) => `warning: ${line}`),
  ]
    .join('\n')
    .trimEnd()
}

function judge({ text, value, atMost, atLeast }: Goal, result: Result): string {
  const seen = value(result)
  if (seen === undefined) return `goal not judged, a row is missing: ${text}`
  const reached = (atMost === undefined || seen <= atMost) && (atLeast === undefined || seen >= atLeast)
  return `goal ${reached ? 'reached' : 'MISSED'}: ${text} (${seen.toFixed(3)})`
}
