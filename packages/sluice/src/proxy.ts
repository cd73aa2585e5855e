import { randomBytes } from 'node:crypto'
import {
  type BindAddress,
  type Config,
  type ConfigInput,
  type EndpointConfig,
  families,
  formatConfigErrors,
  MetricsBlock,
  type MetricsSource,
  MetricsSum,
  parseConfigObject,
  type StateControl,
} from '@sluice/core'
import type { Logger } from 'pino'
import type { AdminServer } from './admin/admin-server.ts'
import { changedLimits, type LimitsPatch, restartsFor } from './config-changes.ts'
import { bindsOf } from './engine/binds.ts'
import type { EndpointFacts } from './engine/data-plane.ts'
import type { Engine } from './engine/engine.ts'
import { NoAnswer, within } from './engine/no-answer.ts'
import { FaultLog } from './fault-log.ts'
import { DrainLog } from './log/drain-log.ts'
import { HealthLog } from './log/health-log.ts'
import { type Planes, planesFor } from './planes.ts'
import { openLogs, type ProxyOptions, type Reloaded } from './proxy-options.ts'
import { makeRoom, Rollout } from './rollout.ts'
import { StartError } from './start-error.ts'
import { threadCount } from './threads/thread-count.ts'
import { type ProxyState, type ProxyStats, readStats } from './stats.ts'

/** How often a drain looks whether everything has ended, in milliseconds. */
const drainPollMs = 10

/** How long clients get to read their last answer when everything is closed at once, in milliseconds. */
const closeTimeoutMs = 2_500

/** A configuration as TypeScript, checked by the compiler. Returns what it is given. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config
}

/**
 * Makes a proxy. Nothing is bound before `listen`. Rejects with a `StartError` that lists every mistake of the
 * configuration.
 *
 * It logs when the configuration has `log`, and nothing but bugs of ours otherwise: standard output is the caller's.
 */
export async function createProxy(input: ConfigInput, options: ProxyOptions = {}): Promise<Proxy> {
  const config = checked(input, options)
  if (input.log === undefined || options.logs !== undefined) return new Proxy(config, options)
  const logs = openLogs(config)
  return new Proxy(config, { ...options, logs, lastly: () => logs.logs.close() })
}

function checked(input: ConfigInput, { baseDir = process.cwd() }: ProxyOptions): Config {
  const result = parseConfigObject(input, { baseDir })
  if (result.errors !== undefined) throw new StartError(formatConfigErrors(result.errors), 2, undefined, result.errors)
  return result.config
}

/**
 * A running configuration: its data planes, one in the calling thread or several in threads of their own, and what
 * steers them.
 */
export class Proxy {
  /** The figures of all threads. */
  readonly metrics: MetricsSource
  /** Resolves when everything has ended, whoever ended it. */
  readonly ended: Promise<void>
  readonly #options: ProxyOptions
  readonly #own = new MetricsBlock()
  readonly #planes: Planes
  readonly #faults: FaultLog
  readonly #health: HealthLog | undefined
  readonly #rollout: Rollout
  #admin: AdminServer | undefined
  #adminAddress: BindAddress | undefined
  #closing: Promise<void> | undefined
  #draining: Promise<void> | undefined
  #hasEnded!: () => void
  #state: ProxyState = 'made'
  #failure: string | undefined

  /** From a checked configuration. */
  constructor(config: Config, options: ProxyOptions = {}) {
    this.#options = options
    this.ended = new Promise((resolve) => {
      this.#hasEnded = resolve
    })
    const logs = options.logs?.logs
    const onFault =
      logs === undefined ? console.error : (fault: unknown) => logs.process.error({ err: fault }, 'internal')
    this.#faults = new FaultLog(options.onFault ?? onFault)
    if (logs !== undefined) this.#health = new HealthLog(logs.process, () => this.stats().upstreams)
    const sum = new MetricsSum()
    sum.add(this.#own)
    this.metrics = sum
    const logDropped = this.#own.place(families.logDropped)
    if (logs !== undefined) logs.onDropped = (lines) => this.#own.add(logDropped, lines)
    const threads = threadCount(config.threads ?? options.defaultThreads ?? 0)
    const restarts = threads === 0 ? undefined : this.#own.place(families.threadRestarts)
    this.#planes = planesFor(threads, {
      config,
      metrics: sum,
      own: this.#own,
      logs: options.logs,
      pseudonym: `sluice-${randomBytes(4).toString('hex')}`,
      onExchange: options.onExchange,
      deaths: options.deaths,
      observer: {
        fault: (fault) => this.#faults.report(fault),
        died: (thread, why, replacedInMs) =>
          logs?.process.error(
            { thread },
            `data-plane thread ${thread} has died, another one in ${replacedInMs} ms: ${why}`,
          ),
        replaced: (thread) => {
          if (restarts !== undefined) this.#own.add(restarts, 1)
          logs?.process.info({ thread }, `data-plane thread ${thread} works again`)
        },
        silent: (thread, forMs) => this.#sayStuck(thread, forMs),
        bringUp: (plane) => this.#rollout.inTurn(() => this.#rollout.bringUp(plane)),
        hopeless: (why) => this.#giveUp(why),
      },
    })
    this.#rollout = new Rollout(config, this.#planes)
  }

  /** The configuration that holds. */
  get config(): Config {
    return this.#rollout.config
  }

  get state(): ProxyState {
    return this.#state
  }

  /** Number of the configuration that holds; the first one is 1. */
  get generation(): number {
    return this.#rollout.generation
  }

  /** Where relative paths of the configuration begin. */
  get baseDir(): string {
    return this.#options.baseDir ?? process.cwd()
  }

  /** Reads the configuration anew from where it came from and applies it; undefined where there is nothing to read. */
  get reloadFile(): (() => Promise<Reloaded>) | undefined {
    return this.#options.reloadFile
  }

  /** Why it ended without being asked to; undefined as long as it has not. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Where each listener is bound: its first address, with the port that was chosen for port 0. */
  get addresses(): Readonly<Record<string, BindAddress>> {
    const first = this.#rollout.config.listeners.map(({ name }) => [name, this.boundAddresses(name)[0]] as const)
    return Object.fromEntries(first.filter((one): one is [string, BindAddress] => one[1] !== undefined))
  }

  /** Every address that a listener is bound to, as it was bound. */
  boundAddresses(listener: string): readonly BindAddress[] {
    const config = this.#rollout.config.listeners.find(({ name }) => name === listener)
    if (config === undefined) return []
    return bindsOf(config).flatMap(({ key }) => this.#rollout.bound.get(key) ?? [])
  }

  /** Where the admin listener is bound; undefined without one. */
  get adminAddress(): BindAddress | undefined {
    return this.#adminAddress
  }

  /** Binds every listener. When one cannot be bound, none stays bound, and the error says which and why. */
  async listen(): Promise<void> {
    if (this.#state !== 'made') throw new Error(`listen: the proxy is ${this.#state} already`)
    this.#state = 'starting'
    try {
      await this.#listenForAdmin()
      // Threads that are started from here on nobody would end.
      if (this.#closing !== undefined) throw closedWhileStarting()
      makeRoom(() => this.#planes.start(this.#rollout.config))
      await this.#rollout.inTurn(() => this.#rollout.apply(this.#rollout.config))
      if (this.#closing !== undefined) throw closedWhileStarting()
      this.#state = 'listening'
      this.#health?.start()
    } catch (error) {
      const early = this.#closing !== undefined
      await this.close()
      // Somebody may have closed it before it was made.
      await this.#admin?.close()
      throw early ? closedWhileStarting() : error
    }
  }

  /**
   * Puts another configuration in the place of the present one, in all threads at once. What runs goes on by the old one;
   * permits and waiters stay where the identity of their gate stays. Rejects with a `StartError`, and nothing has
   * changed, when the new configuration cannot be brought to life.
   */
  async reload(input: ConfigInput): Promise<void> {
    await this.apply(checked(input, this.#options))
  }

  /** `reload` with a checked configuration. Resolves with what needs a restart to hold. */
  async apply(config: Config): Promise<Reloaded> {
    return this.#rollout.inTurn(() => this.#rollout.replacing(() => this.#reload(config)))
  }

  /**
   * Gives an upstream other endpoints until the next reload; those that it has no more serve what they have begun.
   * Rejects with a `StartError` when they cannot be used.
   */
  setEndpoints(upstream: string, endpoints: readonly EndpointConfig[]): Promise<Reloaded> {
    return this.#rollout.inTurn(() => this.#reload(this.#rollout.withEndpoints(upstream, endpoints)))
  }

  /** Changes limits of one gate until the next reload. False: the configuration has no such gate. */
  setLimits(gate: string, patch: LimitsPatch): boolean {
    const changed = this.#rollout.setLimits(gate, patch)
    if (changed === undefined) return false
    const { before, after } = changed
    this.#log?.info({ gate }, `the gate ${gate} has new limits: ${changedLimits(before, after)}`)
    return true
  }

  /** Opens the log file anew, after it has been moved away. False: no file is logged to. */
  reopenLogs(): boolean {
    this.#options.logs?.logs.reopen()
    return this.#options.logs !== undefined && this.#rollout.config.log.file !== undefined
  }

  /**
   * Stops accepting, serves what is under way, and closes. Resolves when everything has ended, at the configured
   * deadline at the latest.
   */
  drain(): Promise<void> {
    return (this.#draining ??= this.#drain())
  }

  /** Ends everything at once; what is under way is told `draining`. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** What `/state` shows. */
  stats(): ProxyStats {
    return readStats({
      state: this.#state,
      config: this.#rollout.config,
      generation: this.#rollout.generation,
      control: this.control,
      threads: this.#planes.threads,
      timers: this.#planes.timers,
      bufferedBytes: this.#planes.bufferedBytes,
      leaving: this.#rollout.leaving,
      boundAddresses: (listener) => this.boundAddresses(listener),
      endpointFacts: (id) => this.#endpointFacts(id),
    })
  }

  /** For tests: ends a data-plane thread at once, wherever it is, as a crash would. False: there is none. */
  killThread(thread: number): Promise<boolean> {
    return this.#planes.kill(thread)
  }

  /** The data plane of the calling thread; undefined where there are threads. */
  get engine(): Engine | undefined {
    return this.#planes.engine
  }

  get control(): StateControl {
    return this.#planes.control
  }

  get #log(): Logger | undefined {
    return this.#options.logs?.logs.process
  }

  async #reload(config: Config): Promise<Reloaded> {
    if (this.#state !== 'listening') throw new StartError(`The proxy is ${this.#state} and takes no configuration.`, 1)
    try {
      const needRestart = restartsFor(this.#rollout.config, config)
      const { threads, maxWaiting, admin, log } = this.#rollout.config
      await this.#rollout.apply({ ...config, threads, maxWaiting, admin, log })
      this.#countReload('ok')
      return { generation: this.#rollout.generation, needRestart }
    } catch (error) {
      this.#countReload('failed')
      throw error
    }
  }

  /** Admin comes first and goes last. It is loaded only where it is wanted. */
  async #listenForAdmin(): Promise<void> {
    const { admin } = this.#rollout.config
    if (admin === undefined) return
    const { AdminServer } = await import('./admin/admin-server.ts')
    this.#admin = new AdminServer(this, admin.bind)
    this.#adminAddress = await this.#admin.listen(admin.bind)
  }

  async #drain(): Promise<void> {
    if (this.#state !== 'listening') return this.close()
    this.#state = 'draining'
    this.#planes.stopReplacing()
    const { drainDelayMs, drainTimeoutMs } = this.#rollout.config
    const log = new DrainLog(this.#log, () => this.stats())
    log.begin(this.#rollout.config)
    await this.#pause(drainDelayMs)
    if (drainDelayMs > 0) log.stopAccepting()
    // A thread that is stuck must not hold up the end beyond its time.
    const deadline = performance.now() + drainTimeoutMs
    const left = () => Math.max(0, deadline - performance.now())
    const stopped = this.#rollout.inTurn(() => this.#rollout.each((plane) => plane.stopAccepting(), left()))
    const drained = stopped.then(() => this.#rollout.each((plane) => plane.drain(), left()))
    await within(left(), drained).catch((error: unknown) => {
      if (!(error instanceof NoAnswer)) this.#faults.report(error)
    })
    if (!(await this.#quiet(left()))) log.cut()
    log.end()
    await this.close()
  }

  async #close(): Promise<void> {
    const started = this.#state !== 'made'
    this.#health?.stop()
    this.#state = 'closed'
    this.#rollout.end()
    if (started) {
      await this.#rollout
        .each((plane) => plane.cut(), closeTimeoutMs)
        .catch((fault: unknown) => this.#faults.report(fault))
      await this.#quiet(closeTimeoutMs)
    }
    await this.#planes.end(closeTimeoutMs)
    await this.#admin?.close()
    await this.#options.lastly?.()
    this.#hasEnded()
  }

  /** Waits, but no longer than until everything is closed. */
  async #pause(ms: number): Promise<void> {
    const until = performance.now() + ms
    while (this.#closing === undefined && performance.now() < until) await sleep(drainPollMs)
  }

  /** Waits until nothing is under way any more; false when that takes too long. */
  async #quiet(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs
    while (this.#planes.threads.some(({ exchanges, connections }) => exchanges + connections > 0)) {
      if (performance.now() >= deadline) return false
      await sleep(drainPollMs)
    }
    return true
  }

  #countReload(result: 'ok' | 'failed'): void {
    this.#own.add(this.#own.place(families.reloads, { result }), 1)
  }

  #endpointFacts(id: string): EndpointFacts | undefined {
    const known = this.#planes.all.map(({ facts }) => facts.endpoints.get(id)).filter((one) => one !== undefined)
    return known.find(({ lastFailure }) => lastFailure !== undefined) ?? known[0]
  }

  #sayStuck(thread: number, forMs: number): void {
    const stats = this.#planes.threads.find((one) => one.thread === thread)
    const what = stats === undefined ? '' : `, with ${stats.exchanges} under way on ${stats.connections} connections`
    this.#options.logs?.logs.process.error(
      { thread },
      `data-plane thread ${thread} has said nothing for ${Math.round(forMs / 1_000)} s${what}`,
    )
  }

  #giveUp(why: string): void {
    this.#failure = why
    this.#options.logs?.logs.process.fatal(why)
    void this.close()
  }
}

function closedWhileStarting(): StartError {
  return new StartError('The proxy was closed while it started.', 1)
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
