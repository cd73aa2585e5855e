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
  type Listener,
  type ListenerConfig,
  MetricsBlock,
  parseConfigObject,
  Runtime,
} from '@sluice/core'
import { HttpListener, httpProbe, httpRoute } from '@sluice/http'
import { TcpListener, tcpProbe } from '@sluice/tcp'
import { webSocketUpgrade } from '@sluice/websocket'
import { acceptTls, connectTls } from './certificates.ts'
import { FaultLog } from './fault-log.ts'
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
  /** Reads every finished exchange, such as an access log. */
  readonly accountant?: Accountant
  /** Hears of bugs of ours, each place at most once a minute. Default: standard error. */
  readonly onFault?: (fault: unknown) => void
}

/** A configuration as TypeScript, checked by the compiler. Returns what it is given. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config
}

/**
 * Makes a proxy. Nothing is bound before `listen`. Rejects with a `StartError` that lists every mistake of the
 * configuration.
 */
export async function createProxy(input: ConfigInput, options: ProxyOptions = {}): Promise<Proxy> {
  const result = parseConfigObject(input, { baseDir: options.baseDir ?? process.cwd() })
  if (result.errors !== undefined) throw new StartError(formatConfigErrors(result.errors), 2)
  return new Proxy(result.config, options)
}

/** The listeners, gates and upstreams of one configuration, in the calling thread. */
export class Proxy {
  readonly config: Config
  readonly metrics = new MetricsBlock()
  readonly runtime: Runtime
  readonly generation: Generation
  readonly listeners: readonly Listener[]
  readonly #bound = new Map<string, BindAddress[]>()
  #state: ProxyState = 'made'

  /** From a checked configuration. Throws a `StartError` when a certificate cannot be used. */
  constructor(config: Config, options: ProxyOptions = {}) {
    this.config = config
    const faults = new FaultLog(options.onFault ?? ((fault) => console.error(fault)))
    const internalErrors = this.metrics.place(families.internalErrors)
    this.runtime = new Runtime({
      faulted: (fault) => {
        this.metrics.add(internalErrors, 1)
        faults.report(fault)
      },
    })
    this.runtime.accountTo(new ExchangeMetrics(this.metrics))
    if (options.accountant !== undefined) this.runtime.accountTo(options.accountant)
    this.generation = new Generation(config, this.runtime, {
      metrics: this.metrics,
      probes: { http: httpProbe, tcp: tcpProbe },
      tlsOf: connectTls,
    })
    const pseudonym = `sluice-${randomBytes(4).toString('hex')}`
    this.listeners = config.listeners.map((listener) =>
      this.#makeListener(listener, pseudonym, options.accountant !== undefined),
    )
  }

  get state(): ProxyState {
    return this.#state
  }

  /** Where each listener is bound: its first address, with the port that was chosen for port 0. */
  get addresses(): Readonly<Record<string, BindAddress>> {
    return Object.fromEntries([...this.#bound].map(([name, [first]]) => [name, first!]))
  }

  /** Binds every listener. When one cannot be bound, none stays bound, and the error says which and why. */
  async listen(): Promise<void> {
    if (this.#state !== 'made') throw new Error(`listen: the proxy is ${this.#state} already`)
    this.#state = 'listening'
    await this.generation.start()
    try {
      for (const [i, listener] of this.listeners.entries()) {
        const bound: BindAddress[] = []
        this.#bound.set(listener.name, bound)
        for (const bind of this.config.listeners[i]!.bind) bound.push(await bindOne(listener, bind))
      }
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /**
   * Stops accepting, serves what is under way, and closes. Resolves when everything has ended, at the configured
   * deadline at the latest.
   */
  async drain(): Promise<void> {
    if (this.#state !== 'listening') return this.close()
    this.#state = 'draining'
    for (const listener of this.listeners) listener.drain()
    this.generation.close('idle')
    await this.#ended(this.config.drainTimeoutMs)
    await this.close()
  }

  /** Ends everything at once; what is under way is told `draining`. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    for (const listener of this.listeners) listener.close()
    await this.#ended(closeTimeoutMs)
    this.generation.close('all')
    this.runtime.stop()
  }

  /** What `/state` shows. */
  stats(): ProxyStats {
    return readStats(this, this.#bound)
  }

  async #ended(timeoutMs: number): Promise<void> {
    const deadline = this.runtime.clock() + timeoutMs
    while (this.runtime.exchanges > 0 || this.listeners.some((listener) => listener.connections > 0)) {
      if (this.runtime.clock() >= deadline) return
      await new Promise((resolve) => setTimeout(resolve, drainPollMs))
    }
  }

  #makeListener(config: ListenerConfig, pseudonym: string, logged: boolean): Listener {
    const tls = acceptTls(config)
    const refusedPlace = this.metrics.place(families.connectionsRefused, { listener: config.name })
    const refused = () => this.metrics.add(refusedPlace, 1)
    if (config.protocol === 'tcp') {
      const [route] = config.routes
      const way = this.generation.way(config, route!)
      return new TcpListener(
        this.runtime,
        { config, route: { id: route!.id, listener: config.name, ...way }, tls },
        refused,
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
      refused,
    )
  }
}

async function bindOne(listener: Listener, bind: BindAddress): Promise<BindAddress> {
  try {
    return await listener.listen(bind)
  } catch (error) {
    throw new StartError(`listeners.${listener.name}.bind: ${formatAddress(bind)} ${bindFailure(error)}`, 1)
  }
}

function bindFailure(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  switch (code) {
    case 'EADDRINUSE':
      return 'is in use: another program listens there'
    case 'EACCES':
      return 'may not be bound: ports below 1024 and some paths need rights that this user lacks'
    case 'EADDRNOTAVAIL':
      return 'is no address of this machine'
    default:
      return `cannot be bound: ${message}`
  }
}
