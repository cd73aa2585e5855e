import { type BindAddress, type ListenerConfig, formatAddress, formatDuration } from '@sluice/core'
import type { Logs } from '../log/logs.ts'
import { openLogs, Proxy, type ProxyLogs } from '../proxy.ts'
import { onSignals } from '../signals.ts'
import { StartError } from '../start-error.ts'
import { describeStartError, type Loaded } from './load.ts'

/** Between two lines that say what a drain still waits for, in milliseconds. */
const stillOpenEveryMs = 5_000

/** How long clients get to read their last answer after the second signal, in milliseconds. */
const stopMs = 500

/** How a proxy is served. */
export interface ServeOptions {
  /** Whether there is a file to reload. Without one SIGHUP means that the terminal has gone. */
  readonly fromFile: boolean
  /** Everything is bound: says what listens where. Default: a line a listener in the log. */
  readonly started?: () => void
}

/**
 * Runs a proxy until a signal or the admin listener ends it. Resolves with the exit code, 0; a second signal exits with
 * 1 itself. Throws a `StartError`, with the place of the key that it is about, when it cannot start.
 */
export async function serve({ config, placeOf }: Loaded, options: ServeOptions): Promise<0> {
  let logs: ProxyLogs | undefined
  try {
    logs = openLogs(config)
    return await new Service(new Proxy(config, { logs, defaultThreads: 'auto' }), logs.logs, options).run()
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    throw new StartError(describeStartError(error, placeOf), error.exitCode)
  } finally {
    await logs?.logs.close()
  }
}

/** One proxy between its start and its end, told by signals. */
class Service {
  readonly #proxy: Proxy
  readonly #logs: Logs
  readonly #options: ServeOptions
  #endedByUs = false

  constructor(proxy: Proxy, logs: Logs, options: ServeOptions) {
    this.#proxy = proxy
    this.#logs = logs
    this.#options = options
  }

  async run(): Promise<0> {
    const flush = () => this.#logs.flushSync()
    // Also when a bug ends the process.
    process.on('exit', flush)
    const signalsOff = onSignals({
      drain: () => this.#drain(),
      stop: () => this.#stop(),
      reload: () => (this.#options.fromFile ? this.#cannotReload() : this.#drain()),
      reopenLogs: () => this.#logs.reopen(),
    })
    try {
      await this.#proxy.listen()
      if (this.#options.started === undefined) this.#sayWhere()
      else this.#options.started()
      await this.#proxy.ended
      this.#logs.process.info('stopped')
      return 0
    } catch (error) {
      // A signal before everything was bound: nothing was under way.
      if (this.#endedByUs && error instanceof StartError) return 0
      throw error
    } finally {
      signalsOff()
      process.off('exit', flush)
    }
  }

  #sayWhere(): void {
    const log = this.#logs.process
    const { config, adminAddress } = this.#proxy
    for (const listener of config.listeners) {
      for (const address of this.#proxy.boundAddresses(listener.name)) {
        const url = urlOf(listener, address)
        log.info({ listener: listener.name, address: formatAddress(address) }, `${listener.name} listens on ${url}`)
      }
    }
    if (adminAddress === undefined) return
    const address = formatAddress(adminAddress)
    log.info({ listener: 'admin', address }, `admin listens on ${'path' in adminAddress ? '' : 'http://'}${address}`)
  }

  #drain(): void {
    if (this.#endedByUs) return
    this.#endedByUs = true
    const proxy = this.#proxy
    const { drainTimeoutMs } = proxy.config
    const log = this.#logs.process
    log.info(`draining, ${formatDuration(drainTimeoutMs)} at most: ${stillOpen(proxy)}`)
    const timer = setInterval(() => log.info(`still draining: ${stillOpen(proxy)}`), stillOpenEveryMs)
    const deadline = setTimeout(() => {
      if (proxy.stats().exchanges > 0) log.warn(`the drain's deadline has passed; cut: ${stillOpen(proxy)}`)
    }, drainTimeoutMs)
    void proxy.drain().finally(() => {
      clearInterval(timer)
      clearTimeout(deadline)
    })
  }

  #stop(): void {
    this.#logs.process.warn(`stopped at once; cut: ${stillOpen(this.#proxy)}`)
    const exit = () => void this.#logs.close().finally(() => process.exit(1))
    setTimeout(exit, stopMs)
    void this.#proxy.close().then(exit)
  }

  #cannotReload(): void {
    this.#logs.process.warn('SIGHUP: reload is not built yet; the configuration stays as it is')
  }
}

function urlOf({ protocol, tls }: ListenerConfig, address: BindAddress): string {
  if ('path' in address) return formatAddress(address)
  const schemes = { http: ['http', 'https'], websocket: ['ws', 'wss'], tcp: ['tcp', 'tls'] } as const
  return `${schemes[protocol][tls === undefined ? 0 : 1]}://${formatAddress(address)}`
}

/** What is under way, in words. */
function stillOpen(proxy: Proxy): string {
  const { exchanges, listeners } = proxy.stats()
  const connections = listeners.filter((listener) => listener.connections > 0)
  if (exchanges === 0 && connections.length === 0) return 'nothing is open'
  const open = connections.map((listener) => `${listener.connections} on ${listener.name}`).join(', ')
  return `${exchanges} under way; connections open: ${open === '' ? 'none' : open}`
}
