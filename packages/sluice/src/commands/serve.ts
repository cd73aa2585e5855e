import { isatty } from 'node:tty'
import { type BindAddress, type ListenerConfig, formatAddress } from '@sluice/core'
import { stillOpen } from '../log/drain-log.ts'
import type { Logs } from '../log/logs.ts'
import { Proxy } from '../proxy.ts'
import { openLogs, type ProxyLogs } from '../proxy-options.ts'
import { onSignals } from '../signals.ts'
import { StartError } from '../start-error.ts'
import { FileReload } from './file-reload.ts'
import { FileWatch } from './file-watch.ts'
import { describeStartError, type Loaded } from './load.ts'
import { thisMachine, warnAtStart } from './start-warnings.ts'

/** How long clients get to read their last answer after the second signal, in milliseconds. */
const stopMs = 500

/** How a proxy is served. */
export interface ServeOptions {
  /** Whether the file is reloaded when it changes. */
  readonly watch?: boolean
  /** Everything is bound: says what listens where. Default: a line a listener in the log. */
  readonly started?: () => void
}

/**
 * Runs a proxy until a signal, the admin listener or its failure ends it. Resolves with the exit code; a second signal
 * exits with 1 itself. Throws a `StartError`, with the place of the key that it is about, when it cannot start.
 */
export async function serve(loaded: Loaded, options: ServeOptions = {}): Promise<0 | 1> {
  let logs: ProxyLogs | undefined
  try {
    logs = openLogs(loaded.config)
    return await new Service(loaded, logs, options).run()
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    throw new StartError(describeStartError(error, loaded.placeOf), error.exitCode)
  } finally {
    await logs?.logs.close()
  }
}

/** One proxy between its start and its end, told by signals. */
class Service {
  readonly #proxy: Proxy
  readonly #logs: Logs
  readonly #options: ServeOptions
  readonly #started = Promise.withResolvers<Proxy>()
  /** Undefined: there is no file. */
  readonly #files: FileReload | undefined
  readonly #watch: FileWatch | undefined
  #endedByUs = false

  constructor({ config, source }: Loaded, logs: ProxyLogs, options: ServeOptions) {
    this.#logs = logs.logs
    this.#options = options
    // Who waits for a proxy that does not start is told by its end.
    this.#started.promise.catch(() => {})
    if (source !== undefined) {
      this.#files = new FileReload(source, { config, log: this.#logs.process, started: this.#started.promise })
    }
    const files = this.#files
    // From here on, not from when it listens: what changes in between must not be missed.
    if (files !== undefined && options.watch === true) {
      const watch = new FileWatch(
        () => files.files,
        // Whoever ends has no use for what comes next, and needs no line about it.
        () => this.#proxy.state === 'draining' || this.#reload('it has changed'),
      )
      files.onLoading = () => watch.known()
      files.onLoaded = () => watch.meet()
      this.#watch = watch
    }
    this.#proxy = new Proxy(config, {
      logs,
      defaultThreads: 'auto',
      ...(source === undefined ? {} : { baseDir: source.baseDir }),
      ...(files === undefined ? {} : { reloadFile: () => files.reload('POST /reload') }),
    })
  }

  async run(): Promise<0 | 1> {
    const flush = () => this.#logs.flushSync()
    // Also when a bug ends the process.
    process.on('exit', flush)
    const signalsOff = onSignals({
      drain: () => this.#drain(),
      stop: () => this.#stop(),
      // Without a file SIGHUP means that the terminal has gone.
      reload: () => (this.#files === undefined ? this.#drain() : this.#reload('SIGHUP')),
      reopenLogs: () => this.#logs.reopen(),
    })
    try {
      await this.#proxy.listen()
      this.#started.resolve(this.#proxy)
      this.#sayStarted()
      await this.#proxy.ended
      if (this.#proxy.failure !== undefined) return 1
      this.#logs.process.info('stopped')
      return 0
    } catch (error) {
      this.#started.reject(error)
      // A signal before everything was bound: nothing was under way.
      if (this.#endedByUs && error instanceof StartError) return 0
      throw error
    } finally {
      this.#watch?.close()
      signalsOff()
      process.off('exit', flush)
    }
  }

  #sayStarted(): void {
    if (this.#options.started !== undefined) {
      this.#options.started()
      return
    }
    this.#sayWhere()
    const log = this.#logs.process
    // Whoever tries a line in a terminal has no use for advice about the machine.
    if (this.#files !== undefined || !isatty(1)) {
      warnAtStart(log, this.#proxy.config, this.#proxy.stats().threads.length, thisMachine())
    }
  }

  #reload(cause: string): void {
    // What comes of it is in the log.
    this.#files?.reload(cause).catch(() => {})
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
    void this.#proxy.drain()
  }

  #stop(): void {
    this.#logs.process.warn(`stopped at once; cut: ${stillOpen(this.#proxy.stats())}`)
    const exit = () => void this.#logs.close().finally(() => process.exit(1))
    setTimeout(exit, stopMs)
    void this.#proxy.close().then(exit)
  }
}

function urlOf({ protocol, tls }: ListenerConfig, address: BindAddress): string {
  if ('path' in address) return formatAddress(address)
  const schemes = {
    http: ['http', 'https'],
    websocket: ['ws', 'wss'],
    grpc: ['grpc', 'grpcs'],
    tcp: ['tcp', 'tls'],
  } as const
  return `${schemes[protocol][tls === undefined ? 0 : 1]}://${formatAddress(address)}`
}
