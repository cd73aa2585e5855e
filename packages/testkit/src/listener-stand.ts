import {
  type BindAddress,
  ClientTable,
  type ConfigInput,
  type ErrorCode,
  Generation,
  HeldBytes,
  type Listener,
  type ListenerConfig,
  type ListenerParts,
  MetricsBlock,
  parseConfigObject,
  type Probe,
  Runtime,
} from '@sluice/core'
import { Acceptor, type AcceptTarget } from '@sluice/wire'
import { expect } from 'chai'
import { eventually } from './raw/eventually.ts'
import { RawClient } from './raw/raw-client.ts'

/** A listener as every protocol makes it: it takes what an acceptor gives it. */
export interface AcceptingListener extends Listener {
  target(bind: BindAddress): AcceptTarget
}

/** What a listener is made from. */
export interface ListenerMakings {
  readonly runtime: Runtime
  readonly generation: Generation
  readonly config: ListenerConfig
  readonly parts: ListenerParts
}

/** A protocol's listener and its words, as far as the contract needs them. */
export interface ListenerSubject {
  readonly protocol: 'http' | 'tcp' | 'websocket'
  make(makings: ListenerMakings): AcceptingListener
  /** Gives the listener other options. */
  configure(listener: Listener, makings: ListenerMakings): void
  /** What a client sends to begin a unit. */
  readonly opening: string
  /** What an upstream says to a unit that it takes; the unit runs on after it. */
  readonly agreement: string
  /** What the client sees of the agreement. */
  readonly agreed: RegExp
  /** Asserts that the client is told the refusal, and that its connection ends as it must. */
  refused(client: RawClient, code: ErrorCode): Promise<void>
  /** Whether a peer that has ended its half may still be served by the other one. */
  readonly halfCloses: boolean
  /** A unit that no route takes; undefined where everything has a route. */
  readonly unrouted: string | undefined
  /** How the client sees that a unit which is under way is cut by `close`. */
  readonly cutBy: 'fin' | 'rst'
}

const gateId = 'listener:in'
const bind = { host: '127.0.0.1', port: 0 }
const probe: Probe = () => () => {}

/** One listener of the subject before one upstream. */
export class ListenerStand {
  readonly runtime: Runtime
  readonly generation: Generation
  readonly listener: AcceptingListener
  readonly acceptor: Acceptor
  readonly faults: unknown[] = []
  readonly reasons: string[] = []
  readonly held: HeldBytes
  /** Connections turned away. */
  refused = 0
  readonly #subject: ListenerSubject
  readonly #config: ListenerConfig
  readonly #parts: ListenerParts
  readonly #clients: RawClient[] = []
  #port = 0

  private constructor(subject: ListenerSubject, input: ConfigInput, changes: Partial<ListenerConfig>) {
    const parsed = parseConfigObject(input)
    if (parsed.errors !== undefined) throw new Error(parsed.errors.map(({ message }) => message).join('\n'))
    this.runtime = new Runtime({ faulted: (fault) => void this.faults.push(fault) })
    this.runtime.accountTo({ account: ({ reason }) => void this.reasons.push(reason) })
    this.generation = new Generation(parsed.config, this.runtime, {
      metrics: new MetricsBlock(),
      probes: { http: probe, tcp: probe, grpc: probe },
      tlsOf: () => () => undefined,
    })
    const { runtime, generation } = this
    this.#subject = subject
    this.#config = { ...parsed.config.listeners[0]!, ...changes }
    this.held = new HeldBytes(runtime.store.bufferedKiB, 1_048_576)
    const clients = new ClientTable(ClientTable.create(1, 64), 0)
    this.#parts = { refused: () => void this.refused++, clients, held: this.held }
    this.listener = subject.make({ runtime, generation, config: this.#config, parts: this.#parts })
    this.acceptor = new Acceptor(this.listener.target(bind))
  }

  static async start(
    subject: ListenerSubject,
    endpoint: string,
    changes: Partial<ListenerConfig> = {},
  ): Promise<ListenerStand> {
    const input: ConfigInput = {
      listeners: {
        in: {
          bind: '127.0.0.1:0',
          protocol: subject.protocol,
          gate: { limit: 1, queue: 1, timeout: '150ms' },
          ...(subject.unrouted === undefined
            ? { upstream: 'up' }
            : { routes: [{ match: { path: '/unit' }, upstream: 'up' }] }),
        },
      },
      upstreams: { up: { endpoints: [endpoint], retries: { max: 0 } } },
    }
    const stand = new ListenerStand(subject, input, changes)
    await stand.generation.start()
    const bound = await stand.acceptor.listen(bind)
    stand.#port = 'port' in bound ? bound.port : 0
    return stand
  }

  /** Reloads with other options of the listener. */
  configure(changes: Partial<ListenerConfig>): void {
    const { runtime, generation } = this
    const config = { ...this.#config, ...changes }
    this.#subject.configure(this.listener, { runtime, generation, config, parts: this.#parts })
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.connect({ port: this.#port, timeoutMs: 5_000 })
    this.#clients.push(client)
    return client
  }

  async atGate(running: number, waiting: number): Promise<void> {
    const gate = this.generation.gates.get(gateId)!
    await eventually(() => gate.running === running && gate.waiting === waiting, {
      what: `${running} running and ${waiting} waiting`,
    })
  }

  /** Everything comes back to nothing once the clients are gone. */
  async end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
    await eventually(() => this.runtime.exchanges === 0 && this.listener.connections === 0, { what: 'nothing left' })
    await this.atGate(0, 0)
    this.acceptor.destroy()
    this.listener.close()
    this.generation.close('all')
    const [endpoint] = this.generation.upstreams.get('up')!.endpoints
    await eventually(() => endpoint!.running === 0 && endpoint!.connections === 0, { what: 'no upstream connection' })
    const { fine, coarse } = this.runtime
    await eventually(() => fine.count + coarse.count === 0, { what: 'no timer' })
    this.runtime.stop()
    const { bufferedKiB, allConnections } = this.runtime.store
    expect([bufferedKiB.total, allConnections.total], 'held bytes and connections').to.deep.equal([0, 0])
    expect(this.faults).to.deep.equal([])
  }
}
