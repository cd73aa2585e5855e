import { resolve } from 'node:path'
import { type Config, type ConfigError, formatPath } from '@sluice/core'
import type { Logger } from 'pino'
import type { Proxy } from '../proxy.ts'
import type { Reloaded } from '../proxy-options.ts'
import { StartError } from '../start-error.ts'
import { type ConfigSource, describeStartError, type Loaded } from './load.ts'

/** Reloads a proxy from the file that its configuration came from, and logs what came of it. */
export class FileReload {
  /** Hears of every attempt before the file is read. */
  onLoading: () => void = () => {}
  /** The file was understood; it may name others now. */
  onLoaded: () => void = () => {}
  readonly #source: ConfigSource
  readonly #log: Logger
  readonly #started: Promise<Proxy>
  #newest: Config

  /** `started` resolves with the proxy once it listens. */
  constructor(source: ConfigSource, parts: { config: Config; log: Logger; started: Promise<Proxy> }) {
    this.#source = source
    this.#log = parts.log
    this.#started = parts.started
    this.#newest = parts.config
  }

  /** The file, and those that it named when it was last understood. */
  get files(): string[] {
    return [resolve(this.#source.file), ...filesOf(this.#newest)]
  }

  /** `cause` is what the log calls it. Rejects with a `StartError` that has every mistake by itself; then nothing has changed. */
  async reload(cause: string): Promise<Reloaded> {
    const proxy = await this.#started
    const before = performance.now()
    this.onLoading()
    try {
      const loaded = this.#source.load()
      this.#newest = loaded.config
      this.onLoaded()
      const reloaded = await this.#apply(proxy, loaded)
      this.#sayDone(reloaded, cause, performance.now() - before)
      return reloaded
    } catch (error) {
      const { generation } = proxy
      const { file } = this.#source
      const why = error instanceof StartError ? error.message : 'a bug of Sluice, please report it'
      const fields = error instanceof StartError ? { generation } : { generation, err: error }
      this.#log.error(fields, `${file} was not reloaded (${cause}), generation ${generation} stays:\n${why}`)
      throw error
    }
  }

  async #apply(proxy: Proxy, loaded: Loaded): Promise<Reloaded> {
    try {
      return await proxy.apply(loaded.config)
    } catch (error) {
      if (!(error instanceof StartError)) throw error
      const { exitCode, path } = error
      throw new StartError(describeStartError(error, loaded.placeOf), exitCode, path, [
        mistakeOf(error, loaded.source ?? this.#source),
      ])
    }
  }

  #sayDone({ generation, needRestart }: Reloaded, cause: string, ms: number): void {
    const tookMs = Math.round(ms)
    const done = `${this.#source.file} reloaded (${cause}) in ${tookMs} ms: generation ${generation}`
    const fields = { generation, ms: tookMs, needRestart }
    if (needRestart.length === 0) this.#log.info(fields, done)
    else this.#log.warn(fields, `${done}; only a restart changes ${needRestart.join(', ')}`)
  }
}

/** What was found out only when the configuration was brought to life, such as a port in use, as a mistake of the file. */
function mistakeOf({ message, path }: StartError, { file, locate }: ConfigSource): ConfigError {
  const position = path === undefined ? undefined : locate(path)
  const where = path === undefined ? '' : formatPath(path)
  return {
    file,
    line: position?.line,
    column: position?.column,
    path: where,
    message: message.startsWith(`${where}: `) ? message.slice(where.length + 2) : message,
    hint: undefined,
    sourceLine: undefined,
  }
}

function filesOf({ listeners, upstreams }: Config): string[] {
  const tls = listeners.flatMap((listener) =>
    listener.tls === undefined ? [] : [listener.tls.certFile, listener.tls.keyFile],
  )
  return [...tls, ...upstreams.flatMap((upstream) => upstream.tls?.caFile ?? [])]
}
