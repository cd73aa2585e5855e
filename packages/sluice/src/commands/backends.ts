import { onSignals } from '../signals.ts'
import { StartError } from '../start-error.ts'
import { UsageError } from './usage-error.ts'

/** `sluice backends`: the test backends alone, until a signal ends them. */
export async function backends(options: { readonly host: string; readonly ports: string }): Promise<0> {
  const { BackendStartError, formatTable, parsePorts, startBackends, UsageError: BadPorts } = await load()
  // Before anything is bound, so that a signal in between does not end us half-way.
  const stopped = new Promise<void>((resolve) => {
    onSignals({ drain: resolve, stop: resolve, reload: resolve, reopenLogs() {} })
  })
  try {
    const running = await startBackends({ host: options.host, ports: parsePorts(options.ports) })
    console.log(formatTable(running.table))
    await stopped
    await running.close()
    return 0
  } catch (error) {
    if (error instanceof BadPorts) throw new UsageError(`--ports: ${error.message}`)
    if (error instanceof BackendStartError) throw new StartError(error.message, 1)
    throw error
  }
}

/** They are not published: only a clone has them. */
async function load(): Promise<typeof import('@sluice/backends')> {
  try {
    return await import('@sluice/backends')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new StartError(
      'The test backends are not part of the published package: they come with a clone of Sluice.',
      1,
    )
  }
}
