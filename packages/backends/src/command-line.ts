import { type BackendName, plans } from './names.ts'
import type { BackendRow, StartBackendsOptions } from './start.ts'

/** A mistake on the command line; the message is one sentence for people. */
export class UsageError extends Error {}

/** What `--ports` says: `default`, `0`, or `NAME=PORT,…`. Throws a `UsageError`. */
export function parsePorts(text: string): NonNullable<StartBackendsOptions['ports']> {
  if (text === 'default') return 'default'
  if (text === '0') return 0
  const ports: Partial<Record<BackendName, number>> = {}
  for (const pair of text.split(',')) {
    const [name, port] = pair.split('=')
    const plan = plans.find((one) => one.name === name)
    if (plan === undefined) throw new UsageError(`there is no backend '${name}'`)
    if (port === undefined || !/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
      throw new UsageError(`'${pair}' must be NAME=PORT, with a port from 0 to 65535`)
    }
    ports[plan.name] = Number(port)
  }
  return ports
}

/** What stands where, with a line to try for each. */
export function formatTable(table: readonly BackendRow[]): string {
  const rows = table.map((row) => [row.name, `${row.address.host}:${row.address.port}`, row.what, row.tryIt])
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')).join('\n')
}
