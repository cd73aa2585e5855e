// Runs the test backends alone: `node main.ts [--host H] [--ports default|0|NAME=PORT,…]`. docker-compose.yml does.
import { parseArgs } from 'node:util'
import { formatTable, parsePorts, UsageError } from './command-line.ts'
import { plans } from './names.ts'
import { BackendStartError, startBackends, type StartBackendsOptions } from './start.ts'

const usage = `usage: main.ts [--host 127.0.0.1] [--ports default|0|NAME=PORT,…]
names: ${plans.map((plan) => plan.name).join(' ')}`

function optionsOf(args: readonly string[]): StartBackendsOptions | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { host: { type: 'string' }, ports: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
    if (values.help === true) return undefined
    return { host: values.host ?? '127.0.0.1', ports: parsePorts(values.ports ?? 'default') }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
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
  console.log(formatTable(backends.table))
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
