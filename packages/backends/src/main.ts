// Runs the test backends alone: `node main.ts [--host H] [--ports default|0|NAME=PORT,…]`. docker-compose.yml does.
import { parseArgs } from 'node:util'
import { type BackendName, plans } from './names.ts'
import { BackendStartError, type Backends, startBackends, type StartBackendsOptions } from './start.ts'

const usage = `usage: main.ts [--host 127.0.0.1] [--ports default|0|NAME=PORT,…]
names: ${plans.map((plan) => plan.name).join(' ')}`

/** A mistake on the command line. */
class UsageError extends Error {}

function portsOf(text: string): NonNullable<StartBackendsOptions['ports']> {
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

function optionsOf(args: readonly string[]): StartBackendsOptions | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { host: { type: 'string' }, ports: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
    if (values.help === true) return undefined
    return { host: values.host ?? '127.0.0.1', ports: portsOf(values.ports ?? 'default') }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function print(backends: Backends): void {
  const rows = backends.table.map((row) => [row.name, `${row.address.host}:${row.address.port}`, row.what, row.tryIt])
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2))
  if (options === undefined) {
    console.log(usage)
    return
  }
  // Before anything is bound, so that a signal in between does not kill us half-way: as PID 1 of a container Node
  // gets no default handling of signals at all.
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve)
    process.once('SIGINT', resolve)
  })
  const backends = await startBackends(options)
  print(backends)
  await stopped
  await backends.close()
}

try {
  await main()
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n${usage}`)
  else if (error instanceof BackendStartError) console.error(error.message)
  else console.error(error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
