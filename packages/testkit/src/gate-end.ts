import type {
  Config,
  Gate,
  Runtime,
  SharedControl,
  SharedMemory,
  SharedStore,
  Upstream,
  UpstreamPlan,
} from '@sluice/core'
import { parseConfigObject } from '@sluice/core'
import type { DispatcherModules } from './dispatcher-model.ts'
import { type Unit, unitMaker } from './gate-store.ts'
import { MortalMemory } from './mortal-memory.ts'
import type { LayoutWords } from './shared-truth.ts'

/** The classes that the ends of shared gates are made of: those of `@sluice/core`, or of a copy of it. */
export interface SharedModules extends DispatcherModules {
  readonly SharedControl: new (...options: ConstructorParameters<typeof SharedControl>) => SharedControl
  readonly SharedStore: new (...options: ConstructorParameters<typeof SharedStore>) => SharedStore
  readonly SharedMemory: Pick<typeof SharedMemory, 'from'>
  readonly layout: LayoutWords
}

/** The gates of `sharedConfig`: two plain ones, and one that stands before endpoints. */
export const sharedGateIds = ['a', 'b', 'upstream:u'] as const

/** A configuration with these gates, and with endpoints of these limits. */
export function sharedConfig(options: {
  readonly endpoints: readonly number[]
  readonly gates?: readonly { readonly limit: number; readonly queue: number }[]
  readonly abandoned?: 'reset' | 'wait'
  readonly responseTimeout?: string
}): Config {
  const { endpoints, gates = [], abandoned = 'reset', responseTimeout = '30s' } = options
  const gate = (i: number) => ({ ...(gates[i] ?? { limit: 3, queue: 5 }), abandoned })
  const result = parseConfigObject({
    listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'u', gate: 'a' } },
    gates: { a: gate(0), b: gate(1) },
    upstreams: {
      u: {
        gate: gate(2),
        timeouts: { response: responseTimeout },
        endpoints: endpoints.map((limit, i) => ({ address: `127.0.0.1:${3001 + i}`, limit })),
      },
    },
  })
  if (result.errors !== undefined) throw new Error(JSON.stringify(result.errors))
  return result.config
}

/** What one end is made from. */
export interface GateEndOptions {
  readonly control: SharedControl
  readonly config: Config
  readonly thread: number
  readonly clock: () => number
  /** It can be made to die between any two stores; slower. */
  readonly mortal: boolean
  /** Default: 0. */
  readonly units?: number
  readonly told?: (unit: Unit) => void
  /** Hears of what goes wrong while mail is read. Default: it is thrown. */
  readonly faulted?: (fault: unknown) => void
  /** Default: true. False: it has prepared the configuration, and does not work by it yet. */
  readonly adopts?: boolean
}

/**
 * What one thread has of the shared gates, without the thread: several of them stand over one memory in the thread of
 * the test, which says when each of them reads its mail.
 */
export class GateEnd {
  readonly thread: number
  readonly store: SharedStore
  readonly upstream: Upstream
  /** In the order of `sharedGateIds`. */
  readonly gates: readonly Gate[]
  readonly units: readonly Unit[]
  readonly mortal: MortalMemory | undefined
  dead = false
  readonly #runtime: Runtime
  readonly #control: SharedControl
  #plan: UpstreamPlan
  readonly #words: Int32Array
  readonly #mailPlace: number
  #read: (what: number) => void = () => {}

  constructor(modules: SharedModules, options: GateEndOptions) {
    const { control, config, thread, clock } = options
    this.thread = thread
    this.#control = control
    const memory = modules.SharedMemory.from(control.memory.handle)
    this.#words = control.memory.words
    this.#mailPlace = memory.threadPlace(thread, 'mail')
    if (options.mortal) {
      this.mortal = new MortalMemory(memory.words)
      Object.defineProperty(memory, 'words', { value: this.mortal.words })
    }
    this.store = new modules.SharedStore(memory, thread, {
      records: control.records,
      clock,
      ...(options.faulted === undefined ? {} : { faulted: options.faulted }),
    })
    const { mailbox } = this.store
    mailbox.open = (read) => void (this.#read = read)
    this.store.open()
    this.#runtime = new modules.Runtime({
      clock,
      store: this.store,
      faulted: (fault) => {
        throw fault
      },
    })
    const parts = { turn: this.#runtime.turn, clock }
    const plain = config.gates.map((gate) => this.store.gate(gate.id, gate, parts))
    this.upstream = new modules.Upstream(config.upstreams[0]!, this.#runtime)
    this.#plan = this.upstream.prepare(this.upstream.config, () => undefined)
    if (options.adopts ?? true) this.adopt()
    this.gates = [...plain, this.upstream.gate]
    const { Permit, Waiter } = modules
    const make = unitMaker({ make: () => Promise.reject(new Error('not here')), Permit, Waiter }, (unit) =>
      this.dead ? undefined : options.told?.(unit),
    )
    this.units = Array.from({ length: options.units ?? 0 }, (_, i) => make(`${thread}.${i}`))
  }

  /** Makes what a new configuration needs. */
  prepare(config: Config): void {
    this.store.assign(this.#control.records)
    this.#plan = this.upstream.prepare(config.upstreams[0]!, () => undefined)
  }

  /** Works by the configuration that was prepared from now on. */
  adopt(): void {
    this.#plan.commit()
  }

  /** What it is asked to look at and has not read yet. */
  get mail(): number {
    return Atomics.load(this.#words, this.#mailPlace)
  }

  /** Reads its mail; returns what it was. */
  readMail(): number {
    const what = Atomics.exchange(this.#words, this.#mailPlace, 0)
    if (what !== 0) this.#read(what)
    return what
  }

  /** Its thread has died: nobody is told anything any more. */
  die(): void {
    this.dead = true
    if (this.mortal !== undefined) this.mortal.dead = true
    this.#runtime.stop()
  }
}
