import type { Config } from '@sluice/core'
import type { ExchangeRecord } from './engine/exchange-record.ts'
import { LogCollector } from './log/log-collector.ts'
import { LogFile } from './log/log-file.ts'
import { Logs } from './log/logs.ts'
import type { DeathBounds } from './threads/threads.ts'

/** What a proxy tells whoever runs it. */
export interface ProxyOptions {
  /** Where relative paths of the configuration begin. Default: the working directory. */
  readonly baseDir?: string
  /** Is told of every exchange that has ended, beside the access log. */
  readonly onExchange?: (record: ExchangeRecord) => void
  /** Where it logs, as `log` says. Whoever gives it closes it. Default: nowhere. */
  readonly logs?: ProxyLogs
  /** What is to be done when everything has ended, before `close` and `drain` resolve. */
  readonly lastly?: () => Promise<void>
  /** Hears of bugs of ours, each place at most once a minute. Default: the log, without one standard error. */
  readonly onFault?: (fault: unknown) => void
  /** Data-plane threads where the configuration does not say. Default: 0, the calling thread. */
  readonly defaultThreads?: number | 'auto'
  /**
   * Reads the configuration anew from where it came from and applies it, as the admin listener is asked to. Rejects with
   * a `StartError`. Default: there is nothing to read.
   */
  readonly reloadFile?: () => Promise<Reloaded>
  /** For tests: how soon threads that die are replaced, and how many deaths are fatal. */
  readonly deaths?: DeathBounds
}

/** What came of a reload. */
export interface Reloaded {
  /** Number of the configuration that holds now. */
  readonly generation: number
  /** Keys that have changed and need a restart to hold. */
  readonly needRestart: readonly string[]
}

/** The log of the main thread, and the one writer for all threads behind it. */
export interface ProxyLogs {
  readonly logs: Logs
  readonly collector: LogCollector
}

/** Opens the log that a configuration asks for. Throws a `StartError` when the file cannot be opened. */
export function openLogs(config: Config): ProxyLogs {
  const collector = new LogCollector(new LogFile(config.log.file))
  return { collector, logs: new Logs(config.log, { sink: collector }) }
}
