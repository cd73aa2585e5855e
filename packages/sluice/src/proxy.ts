import { randomBytes } from 'node:crypto'
import {
  type Accountant,
  type BindAddress,
  type Config,
  type ConfigInput,
  ExchangeMetrics,
  families,
  formatAddress,
  formatConfigErrors,
  Generation,
  type ListenerConfig,
  MetricsBlock,
  parseConfigObject,
  Runtime,
} from '@sluice/core'
import { HttpListener, httpProbe, httpRoute } from '@sluice/http'
import { TcpListener, tcpProbe } from '@sluice/tcp'
import { webSocketUpgrade } from '@sluice/websocket'
import { Acceptor } from '@sluice/wire'
import type { AdminServer } from './admin/admin-server.ts'
import { bindFailure } from './bind-failure.ts'
import { acceptTls, connectTls } from './certificates.ts'
import { FaultLog } from './fault-log.ts'
import { Logs } from './log/logs.ts'
import { removeStaleSocket } from './stale-socket.ts'
import { StartError } from './start-error.ts'
import { type ProxyState, type ProxyStats, readStats } from './stats.ts'

/** How often a drain looks whether everything has ended, in milliseconds. */
const drainPollMs = 10

/** How long clients get to read their last answer when everything is closed at once, in milliseconds. */
const closeTimeoutMs = 2_500

/** What a proxy tells whoever runs it. */
export interface ProxyOptions {
  /** Where relative paths of the configuration begin. Default: the working directory. */
  readonly baseDir?: string
  /** Reads every finished exchange, beside the access log. */
  readonly accountant?: Accountant
  /** Where it logs, as `log` says. Whoever gives it closes it. Default: nowhere. */
  readonly logs?: Logs
  /** What is to be done when everything has ended, before `close` and `drain` resolve. */
  readonly lastly?: () => Promise<void>
  /** Hears of bugs of ours, each place at most once a minute. Default: the log, without one standard error. */
  readonly onFault?: (fault: unknown) => void
}

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
  const result = parseConfigObject(input, { baseDir: options.baseDir ?? process.cwd() })
  if (result.errors !== undefined) throw new StartError(formatConfigErrors(result.errors), 2)
  if (input.log === undefined || options.logs !== undefined) return new Proxy(result.config, options)
  const logs = new Logs(result.config.log)
  return new Proxy(result.config, { ...options, logs, lastly: () => logs.close() })
}

/** The listeners, gates and upstreams of one configuration, in the calling thread. */
export class Proxy {
  readonly config: Config
  readonly metrics = new MetricsBlock()
  readonly runtime: Runtime
  readonly generation: Generation
  readonly listeners: ReadonlyArray<HttpListener | TcpListener>
  /** Resolves when everything has ended, whoever ended it. */
  readonly ended: Promise<void>
  readonly #acceptors: Acceptor[] = []
  readonly #bound = new Map<string, BindAddress[]>()
  #admin: AdminServer | undefined
  #adminAddress: BindAddress | undefined
  #closing: Promise<void> | undefined
  #draining: Promise<void> | undefined
  #hasEnded!: () => void
  readonly #lastly: (() => Promise<void>) | undefined
  #state: ProxyState = 'made'

  /** From a checked configuration. Throws a `StartError` when a certificate cannot be used. */
  constructor(config: Config, options: ProxyOptions = {}) {
    this.config = config
    this.ended = new Promise((resolve) => {
      this.#hasEnded = resolve
    })
    const { logs } = options
    this.#lastly = options.lastly
    const onFault =
      logs === undefined ? console.error : (fault: unknown) => logs.process.error({ err: fault }, 'internal')
    const faults = new FaultLog(options.onFault ?? onFault)
    const internalErrors = this.metrics.place(families.internalErrors)
    this.runtime = new Runtime({
      faulted: (fault) => {
        this.metrics.add(internalErrors, 1)
        faults.report(fault)
      },
    })
    this.runtime.accountTo(new ExchangeMetrics(this.metrics))
    const accountants = [logs?.access, options.accountant].filter((one) => one !== undefined)
    for (const accountant of accountants) this.runtime.accountTo(accountant)
    const logDropped = this.metrics.place(families.logDropped)
    if (logs !== undefined) logs.onDropped = (lines) => this.metrics.add(logDropped, lines)
    this.generation = new Generation(config, this.runtime, {
      metrics: this.metrics,
      probes: { http: httpProbe, tcp: tcpProbe },
      tlsOf: connectTls,
    })
    const pseudonym = `sluice-${randomBytes(4).toString('hex')}`
    this.listeners = config.listeners.map((listener) => this.#makeListener(listener, pseudonym, accountants.length > 0))
  }

  get state(): ProxyState {
    return this.#state
  }

  /** Where each listener is bound: its first address, with the port that was chosen for port 0. */
  get addresses(): Readonly<Record<string, BindAddress>> {
    return Object.fromEntries([...this.#bound].map(([name, [first]]) => [name, first!]))
  }

  /** Every address that a listener is bound to, as it was bound. */
  boundAddresses(listener: string): readonly BindAddress[] {
    return this.#bound.get(listener) ?? []
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
      await this.generation.start()
      for (const [i, listener] of this.listeners.entries()) {
        const bound: BindAddress[] = []
        this.#bound.set(listener.name, bound)
        for (const bind of this.config.listeners[i]!.bind) {
          // Looked at anew each time: somebody may have closed the proxy in the meantime.
          if (this.#closing !== undefined) throw new StartError('The proxy was closed while it started.', 1)
          const acceptor = new Acceptor(listener.target(bind))
          this.#acceptors.push(acceptor)
          bound.push(await bindOne(acceptor, listener.name, bind))
        }
      }
      if (this.#closing !== undefined) throw new StartError('The proxy was closed while it started.', 1)
      this.#state = 'listening'
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Admin comes first and goes last. It is loaded only where it is wanted. */
  async #listenForAdmin(): Promise<void> {
    const { admin } = this.config
    if (admin === undefined) return
    const { AdminServer } = await import('./admin/admin-server.ts')
    this.#admin = new AdminServer(this, admin.bind)
    this.#adminAddress = await this.#admin.listen(admin.bind)
  }

  /**
   * Stops accepting, serves what is under way, and closes. Resolves when everything has ended, at the configured
   * deadline at the latest.
   */
  drain(): Promise<void> {
    return (this.#draining ??= this.#drain())
  }

  async #drain(): Promise<void> {
    if (this.#state !== 'listening') return this.close()
    this.#state = 'draining'
    await Promise.all(this.#acceptors.map((acceptor) => acceptor.close()))
    for (const listener of this.listeners) listener.drain()
    this.generation.close('idle')
    await this.#quiet(this.config.drainTimeoutMs)
    await this.close()
  }

  /** Ends everything at once; what is under way is told `draining`. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#state = 'closed'
    for (const acceptor of this.#acceptors) acceptor.destroy()
    for (const listener of this.listeners) listener.close()
    await this.#quiet(closeTimeoutMs)
    this.generation.close('all')
    this.runtime.stop()
    await this.#admin?.close()
    await this.#lastly?.()
    this.#hasEnded()
  }

  /** What `/state` shows. */
  stats(): ProxyStats {
    return readStats(this, this.#bound)
  }

  async #quiet(timeoutMs: number): Promise<void> {
    const deadline = this.runtime.clock() + timeoutMs
    while (this.runtime.exchanges > 0 || this.listeners.some((listener) => listener.connections > 0)) {
      if (this.runtime.clock() >= deadline) return
      await new Promise((resolve) => setTimeout(resolve, drainPollMs))
    }
  }

  #makeListener(config: ListenerConfig, pseudonym: string, logged: boolean): HttpListener | TcpListener {
    const tls = acceptTls(config)
    const refusedPlace = this.metrics.place(families.connectionsRefused, { listener: config.name })
    const parts = { refused: () => this.metrics.add(refusedPlace, 1) }
    if (config.protocol === 'tcp') {
      const [route] = config.routes
      const way = this.generation.way(config, route!)
      return new TcpListener(
        this.runtime,
        { config, route: { id: route!.id, listener: config.name, ...way }, tls },
        parts,
      )
    }
    return new HttpListener(
      this.runtime,
      {
        config,
        routes: config.routes.map((route) => httpRoute(config.name, route, this.generation.way(config, route))),
        tls,
        upgrades: [webSocketUpgrade],
        upgradesOnly: config.protocol === 'websocket',
        logged,
        pseudonym,
      },
      parts,
    )
  }
}

async function bindOne(acceptor: Acceptor, listener: string, bind: BindAddress): Promise<BindAddress> {
  try {
    await removeStaleSocket(bind)
    return await acceptor.listen(bind)
  } catch (error) {
    const path = ['listeners', listener, 'bind']
    throw new StartError(`${path.join('.')}: ${formatAddress(bind)} ${bindFailure(error)}`, 1, path)
  }
}
