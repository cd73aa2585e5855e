import { isatty } from 'node:tty'
import type { LogConfig } from '@sluice/core'
import { type Logger, pino, stdTimeFunctions } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { AccessLog } from './access-log.ts'
import { JsonLine } from './json-line.ts'
import { LogFile } from './log-file.ts'
import type { LogSink } from './log-sink.ts'
import { PrettyLine } from './pretty-line.ts'

/** Which thread logs, and where to. */
export interface LogsOptions {
  /** Is closed with the logs. Default: a `LogFile` of its own. */
  readonly sink?: LogSink
  /** Stands in the lines of the process log. Default: none, for there is but one thread. */
  readonly thread?: number
}

/** Everything that is logged, and where it goes. */
export class Logs {
  /** What befalls the process. */
  readonly process: Logger
  /** What befalls each exchange; undefined when `log.access` is `off`. */
  readonly access: AccessLog | undefined
  readonly #sink: LogSink

  /** Throws a `StartError` when the file cannot be opened. */
  constructor(config: LogConfig, { sink = new LogFile(config.file), thread }: LogsOptions = {}) {
    this.#sink = sink
    // Not `process.stdout.isTTY`, which a worker thread does not know.
    const terminal = config.file === undefined && isatty(1)
    const colour = terminal && (process.env['NO_COLOR'] ?? '') === ''
    if (config.access === 'json') this.access = new AccessLog(new JsonLine(config), this.#sink)
    if (config.access === 'pretty') {
      this.access = new AccessLog(new PrettyLine({ query: config.query, colour }), this.#sink)
    }
    const pretty = config.access === 'pretty' || (terminal && config.access === 'off')
    const write = (line: string) => {
      // What has been waiting to be written is older.
      this.access?.flush()
      this.#sink.write(line)
    }
    this.process = processLog(config.level, write, pretty ? { colour } : undefined, thread)
  }

  /** Hears how many lines were dropped because the writer could not keep up. */
  set onDropped(dropped: (lines: number) => void) {
    this.#sink.onDropped = dropped
  }

  /** Opens the log file anew, after it has been moved away. */
  reopen(): void {
    this.access?.flush()
    this.#sink.reopen()
  }

  /** Writes everything, now. */
  flushSync(): void {
    this.access?.flush()
    this.#sink.flushSync()
  }

  /** Writes everything and closes. */
  async close(): Promise<void> {
    this.access?.flush()
    await this.#sink.close()
  }
}

function processLog(
  level: string,
  write: (line: string) => void,
  pretty: { readonly colour: boolean } | undefined,
  thread: number | undefined,
): Logger {
  const format =
    pretty === undefined
      ? undefined
      : prettyFactory({
          colorize: pretty.colour,
          translateTime: 'SYS:HH:MM:ss.l',
          ignore: 'pid,hostname,listener,address,thread,gate,upstream,endpoint,generation,ms,needRestart',
          messageFormat: withThread,
        })
  return pino(
    {
      level,
      base: thread === undefined ? null : { thread },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line) => write(format === undefined ? line : (format(line) ?? '')) },
  )
}

/** On the line itself: a field of its own would have a line of its own. */
function withThread({ msg, thread }: Record<string, unknown>): string {
  const message = typeof msg === 'string' ? msg : ''
  return typeof thread === 'number' ? `${message} (thread ${thread})` : message
}
