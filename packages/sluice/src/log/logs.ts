import type { LogConfig } from '@sluice/core'
import { type Logger, pino, stdTimeFunctions } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { AccessLog } from './access-log.ts'
import { JsonLine } from './json-line.ts'
import { LogFile } from './log-file.ts'
import { PrettyLine } from './pretty-line.ts'

/** Everything that is logged, and where it goes. */
export class Logs {
  /** What befalls the process. */
  readonly process: Logger
  /** What befalls each exchange; undefined when `log.access` is `off`. */
  readonly access: AccessLog | undefined
  readonly #file: LogFile

  /** Throws a `StartError` when the file cannot be opened. */
  constructor(config: LogConfig) {
    this.#file = new LogFile(config.file)
    const terminal = config.file === undefined && process.stdout.isTTY === true
    const colour = terminal && (process.env['NO_COLOR'] ?? '') === ''
    if (config.access === 'json') this.access = new AccessLog(new JsonLine(config), this.#file)
    if (config.access === 'pretty') {
      this.access = new AccessLog(new PrettyLine({ query: config.query, colour }), this.#file)
    }
    const pretty = config.access === 'pretty' || (terminal && config.access === 'off')
    const write = (line: string) => {
      // What has been waiting to be written is older.
      this.access?.flush()
      this.#file.write(line)
    }
    this.process = processLog(config.level, write, pretty ? { colour } : undefined)
  }

  /** Hears how many access log lines were dropped because the writer could not keep up. */
  set onDropped(dropped: (lines: number) => void) {
    this.#file.onDropped = dropped
  }

  /** Opens the log file anew, after it has been moved away. */
  reopen(): void {
    this.access?.flush()
    this.#file.reopen()
  }

  /** Writes everything, now. */
  flushSync(): void {
    this.access?.flush()
    this.#file.flushSync()
  }

  /** Writes everything and closes. */
  async close(): Promise<void> {
    this.access?.flush()
    await this.#file.close()
  }
}

function processLog(
  level: string,
  write: (line: string) => void,
  pretty: { readonly colour: boolean } | undefined,
): Logger {
  const format =
    pretty === undefined
      ? undefined
      : prettyFactory({
          colorize: pretty.colour,
          translateTime: 'SYS:HH:MM:ss.l',
          ignore: 'pid,hostname,listener,address',
        })
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => write(format === undefined ? line : (format(line) ?? '')) },
  )
}
