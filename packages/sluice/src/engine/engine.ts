import {
  type BindAddress,
  type ClientTable,
  type Config,
  ExchangeMetrics,
  families,
  formatAddress,
  Generation,
  type HeldBytes,
  type ListenerConfig,
  type MetricsBlock,
  Runtime,
  type StateStore,
} from '@sluice/core'
import { grpcProbe } from '@sluice/grpc'
import { HttpListener, type HttpListenerOptions, httpProbe, httpRoute } from '@sluice/http'
import { TcpListener, type TcpListenerOptions, tcpProbe } from '@sluice/tcp'
import { webSocketUpgrade } from '@sluice/websocket'
import { Acceptor } from '@sluice/wire'
import { acceptTls, connectTls } from '../certificates.ts'
import { maxClientDescriptor } from '../descriptors.ts'
import type { Logs } from '../log/logs.ts'
import { removeStaleSocket } from '../stale-socket.ts'
import { StartError } from '../start-error.ts'
import { bindsOf } from './binds.ts'
import { handlersOf, ordinaryOf } from './handlers.ts'
import { bindError } from './bind-error.ts'
import type { DataPlane, NextConfig, PlaneFacts } from './data-plane.ts'
import { type ExchangeRecord, ExchangeRecorder } from './exchange-record.ts'

/** What an engine is made from. */
export interface EngineParts {
  /** Default: one of this thread alone. */
  readonly store?: StateStore
  readonly metrics: MetricsBlock
  readonly logs?: Logs | undefined
  /** Hears of bugs of ours; each has cost one unit. */
  readonly faulted: (fault: unknown) => void
  readonly onExchange?: ((record: ExchangeRecord) => void) | undefined
  /** Whether endpoints are probed from here. */
  readonly probing: boolean
  /** Whether other threads bind the same addresses. */
  readonly reusePort: boolean
  /** What `Via` calls this proxy. */
  readonly pseudonym: string
  /** Connections of all listeners of all threads. */
  readonly maxAllConnections: number
  /** Connections of each client, over all threads. */
  readonly clients: ClientTable
  /** What is held in memory, over all threads. */
  readonly held: HeldBytes
}

type ProtocolListener = HttpListener | TcpListener

/** Everything that one configuration is made of in this thread, until it holds. */
interface Prepared {
  readonly next: NextConfig
  readonly generation: Generation
  readonly listeners: readonly PreparedListener[]
  /** Bound or being bound for it, by key, until it has them. */
  readonly acceptors: Map<string, Acceptor>
  readonly bound: Map<string, BindAddress>
}

type PreparedListener = { readonly config: ListenerConfig } & (
  | { readonly tcp: TcpListenerOptions; readonly http?: never }
  | { readonly http: HttpListenerOptions; readonly tcp?: never }
)

/** The data plane of one thread: listeners with their exchanges, gates, upstreams and pools. */
export class Engine implements DataPlane {
  readonly runtime: Runtime
  readonly #parts: EngineParts
  readonly #maxDescriptor = maxClientDescriptor()
  readonly #acceptors = new Map<string, Acceptor>()
  readonly #bound = new Map<string, BindAddress>()
  readonly #listeners = new Map<string, ProtocolListener>()
  /** Those that the configuration has no more and that still serve somebody, with the last one that had them. */
  readonly #leaving = new Map<ProtocolListener, Prepared>()
  #prepared: Prepared | undefined
  #current: Prepared | undefined
  /** Addresses that are being given up. */
  readonly #closing = new Set<Promise<void>>()
  /** Theirs, as long as they may still bring somebody. */
  readonly #givenUp = new Set<Acceptor>()
  /** Counts what makes an attempt at a configuration the newest, or ends it. */
  #attempts = 0
  #ended = false
  /** Configurations that units still go by. */
  #older: Prepared[] = []

  constructor(parts: EngineParts) {
    this.#parts = parts
    const { metrics, logs, store } = parts
    const internalErrors = metrics.place(families.internalErrors)
    this.runtime = new Runtime({
      ...(store === undefined ? {} : { store }),
      faulted: (fault) => {
        metrics.add(internalErrors, 1)
        parts.faulted(fault)
      },
    })
    this.runtime.onPublished = () => this.#adopt()
    this.runtime.accountTo(new ExchangeMetrics(metrics))
    if (logs?.access !== undefined) this.runtime.accountTo(logs.access)
    if (parts.onExchange !== undefined) this.runtime.accountTo(new ExchangeRecorder(parts.onExchange))
  }

  /** The configuration that holds. */
  get generation(): Generation | undefined {
    return this.#current?.generation
  }

  async prepare(next: NextConfig): Promise<void> {
    this.#discard()
    const attempt = this.#attempts
    const generation = new Generation(
      next.config,
      this.runtime,
      {
        metrics: this.#parts.metrics,
        // Until the probe of grpc.health.v1 is built, an endpoint is well when it can be connected to.
        probes: this.#parts.probing ? { http: httpProbe, tcp: tcpProbe, grpc: grpcProbe } : undefined,
        tlsOf: connectTls,
      },
      this.#current?.generation,
    )
    try {
      const listeners = await Promise.all(
        next.config.listeners.map((config) => this.#prepareListener(config, generation)),
      )
      await generation.ready()
      if (attempt !== this.#attempts || this.#ended) throw noLongerWanted()
      this.#prepared = { next, generation, listeners, acceptors: new Map(), bound: new Map() }
    } catch (error) {
      generation.discard()
      throw error
    }
  }

  async adopt(): Promise<void> {
    this.#adopt()
  }

  async discard(): Promise<void> {
    this.#discard()
  }

  #discard(): void {
    this.#attempts++
    const prepared = this.#prepared
    if (prepared === undefined) return
    this.#prepared = undefined
    prepared.generation.discard()
    for (const acceptor of prepared.acceptors.values()) acceptor.destroy()
  }

  async bind(): Promise<ReadonlyMap<string, BindAddress>> {
    const prepared = this.#prepared
    if (prepared !== undefined) {
      const { late } = prepared.next
      return await this.#bindAll(prepared, (key) => !late.has(key))
    }
    // One of them may be in the way of a new one, such as that of all hosts.
    await Promise.all(this.#closing)
    const current = this.#current!
    const bound = await this.#bindAll(current, () => true)
    this.#takeBound(current)
    this.#retarget(current.next.config)
    return bound
  }

  async #bindAll(of: Prepared, now: (key: string) => boolean): Promise<ReadonlyMap<string, BindAddress>> {
    const { config, binds } = of.next
    try {
      for (const listener of config.listeners) {
        for (const { key } of bindsOf(listener)) {
          const address = binds.get(key)
          if (address === undefined || this.#bound.has(key) || !now(key)) continue
          await this.#bindOne(of, listener, key, address)
        }
      }
    } catch (error) {
      for (const acceptor of of.acceptors.values()) acceptor.destroy()
      of.acceptors.clear()
      of.bound.clear()
      throw error
    }
    return new Map(of.bound)
  }

  async #bindOne(of: Prepared, { name, backlog }: ListenerConfig, key: string, address: BindAddress): Promise<void> {
    const acceptor = new Acceptor()
    of.acceptors.set(key, acceptor)
    const wanted = () => !this.#ended && (of === this.#prepared || of === this.#current)
    try {
      await removeStaleSocket(address)
      if (!wanted()) throw noLongerWanted()
      const reusePort = this.#parts.reusePort && !('path' in address)
      of.bound.set(key, await acceptor.listen(address, { backlog, reusePort, maxDescriptor: this.#maxDescriptor }))
    } catch (error) {
      throw wanted() ? bindError(name, address, error) : noLongerWanted()
    }
    if (!wanted()) throw noLongerWanted()
  }

  #takeBound({ acceptors, bound }: Prepared): void {
    for (const [key, address] of bound) {
      this.#acceptors.set(key, acceptors.get(key)!)
      this.#bound.set(key, address)
      acceptors.delete(key)
    }
    bound.clear()
  }

  async stopAccepting(): Promise<void> {
    for (const acceptor of this.#acceptors.values()) this.#giveUp(acceptor)
    this.#acceptors.clear()
    this.#bound.clear()
    await Promise.all(this.#closing)
  }

  async drain(): Promise<void> {
    for (const listener of this.#listeners.values()) listener.drain()
    this.#current?.generation.close('idle')
  }

  async cut(): Promise<void> {
    this.#ended = true
    this.#discard()
    for (const acceptor of [...this.#acceptors.values(), ...this.#givenUp]) acceptor.destroy()
    for (const listener of [...this.#listeners.values(), ...this.#leaving.keys()]) listener.close()
  }

  async end(): Promise<void> {
    this.#ended = true
    this.#discard()
    for (const { generation } of [...this.#older, ...this.#inForce]) generation.close('all')
    this.runtime.stop()
  }

  get facts(): PlaneFacts {
    const endpoints = new Map(
      [...(this.generation?.upstreams.values() ?? [])].flatMap(({ endpoints }) =>
        endpoints.map(({ config, addresses, health }) => [
          config.id,
          { addresses: addresses.map((address) => formatAddress(address)), lastFailure: health.lastFailure },
        ]),
      ),
    )
    this.#forgetOlder()
    return { endpoints, generations: [...this.#older, ...this.#inForce].map(({ next }) => next.number) }
  }

  get #inForce(): Prepared[] {
    return this.#current === undefined ? [] : [this.#current]
  }

  #adopt(): void {
    const prepared = this.#prepared
    if (prepared === undefined || this.#ended) return
    this.#prepared = undefined
    this.#forgetOlder()
    const previous = this.#current
    if (previous !== undefined) this.#older.push(previous)
    this.#current = prepared
    this.runtime.generation = prepared.next.number
    this.#parts.held.maxBytes = prepared.next.config.maxBufferedBytes
    prepared.generation.adopt()
    const gone = new Set(this.#listeners.keys())
    for (const listener of prepared.listeners) {
      this.#configure(listener, previous)
      gone.delete(listener.config.name)
    }
    this.#takeBound(prepared)
    this.#retarget(prepared.next.config)
    for (const name of gone) this.#dismiss(name, previous!)
  }

  /** Gives a listener its new settings; one that is new, or speaks something else from now on, is made. */
  #configure(prepared: PreparedListener, previous: Prepared | undefined): void {
    const { name } = prepared.config
    const known = this.#listeners.get(name)
    if (prepared.tcp !== undefined && known instanceof TcpListener) known.configure(prepared.tcp)
    else if (prepared.http !== undefined && known instanceof HttpListener) known.configure(prepared.http)
    else {
      if (known !== undefined) this.#dismiss(name, previous!)
      this.#listeners.set(name, this.#makeListener(prepared))
    }
  }

  /** Bound addresses go to whichever listener has them now; those that nobody has are given up. */
  #retarget({ listeners }: Config): void {
    const gone = new Map(this.#acceptors)
    for (const { listener, key, bind } of listeners.flatMap(bindsOf)) {
      const acceptor = this.#acceptors.get(key)
      if (acceptor === undefined) continue
      acceptor.target = this.#listeners.get(listener)!.target(bind)
      gone.delete(key)
    }
    for (const [key, acceptor] of gone) {
      this.#acceptors.delete(key)
      this.#bound.delete(key)
      this.#giveUp(acceptor)
    }
  }

  #giveUp(acceptor: Acceptor): void {
    this.#givenUp.add(acceptor)
    const closing = acceptor.close().then(() => void this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  /** The configuration has it no more: what it serves, it serves to its end. */
  #dismiss(name: string, last: Prepared): void {
    const listener = this.#listeners.get(name)!
    this.#listeners.delete(name)
    this.#leaving.set(listener, last)
    listener.drain()
  }

  #forgetOlder(): void {
    for (const acceptor of this.#givenUp) if (acceptor.finished) this.#givenUp.delete(acceptor)
    for (const listener of this.#leaving.keys()) {
      if (listener.connections === 0 && this.#givenUp.size === 0) this.#leaving.delete(listener)
    }
    // Who is still connected to a listener that has gone may ask once more, and goes by what it went by last.
    const asked = new Set(this.#leaving.values())
    this.#older = this.#older.filter((older) => older.generation.exchanges > 0 || asked.has(older))
  }

  async #prepareListener(config: ListenerConfig, generation: Generation): Promise<PreparedListener> {
    const tls = acceptTls(config)
    const ways = config.routes.map((route) => generation.way(config, route))
    if (config.protocol === 'tcp') {
      const [route] = config.routes
      return { config, tcp: { config, route: { id: route!.id, listener: config.name, ...ways[0]! }, tls } }
    }
    return {
      config,
      http: {
        config,
        routes: config.routes.map((route, i) => httpRoute(config.name, route, ways[i]!)),
        tls,
        upgrades: [webSocketUpgrade],
        handlers: await handlersOf(config),
        ordinary: ordinaryOf(config),
        logged: this.#parts.logs?.access !== undefined || this.#parts.onExchange !== undefined,
        pseudonym: this.#parts.pseudonym,
      },
    }
  }

  #makeListener({ config, tcp, http }: PreparedListener): ProtocolListener {
    const { metrics, maxAllConnections, clients, held } = this.#parts
    const refusedPlace = metrics.place(families.connectionsRefused, { listener: config.name })
    const parts = { maxAllConnections, clients, held, refused: () => metrics.add(refusedPlace, 1) }
    return tcp === undefined ? new HttpListener(this.runtime, http, parts) : new TcpListener(this.runtime, tcp, parts)
  }
}

function noLongerWanted(): StartError {
  return new StartError('The configuration is no longer wanted: the proxy ends, or goes on to another.', 1)
}
