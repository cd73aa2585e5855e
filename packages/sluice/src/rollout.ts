import { isIP } from 'node:net'
import { type BindAddress, CapacityError, type Config, type EndpointConfig } from '@sluice/core'
import { gatesOf, type LimitsPatch, withEndpoints, withLimits } from './config-changes.ts'
import { allBinds, type ConfiguredBind, type TriedBind, tryBind } from './engine/binds.ts'
import type { DataPlane, NextConfig } from './engine/data-plane.ts'
import { NoAnswer, within } from './engine/no-answer.ts'
import type { Planes } from './planes.ts'
import { EndingError, StartError } from './start-error.ts'
import { type LeavingEndpoint, leavingBy } from './stats.ts'

/** How long a data plane may take for one step of a reload, in milliseconds: names of endpoints are looked up in it. */
const answerMs = 60_000

/** The configuration that holds in all data planes, and how another one takes its place. */
export class Rollout {
  /** With the limits that were set since. */
  config: Config
  /** Number of the configuration that holds. */
  generation = 0
  /** Where each address is bound, by its key. */
  readonly bound = new Map<string, BindAddress>()
  /** Endpoints that earlier configurations had. */
  leaving: readonly LeavingEndpoint[] = []
  readonly #planes: Planes
  /** Limits that were set since the last reload. */
  #patches: ReadonlyMap<string, LimitsPatch> = new Map()
  #ended = false
  /** Reloads and replacements of threads go one after the other. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(config: Config, planes: Planes) {
    this.config = config
    this.#planes = planes
  }

  /** `change`, and what was set before it holds no more, unless it fails. */
  async replacing<T>(change: () => Promise<T>): Promise<T> {
    const patches = this.#patches
    this.#patches = new Map()
    try {
      return await change()
    } catch (error) {
      this.#patches = new Map([...patches, ...this.#patches])
      throw error
    }
  }

  /** Sets limits of one gate; undefined when the configuration has no such gate. */
  setLimits(
    gate: string,
    patch: LimitsPatch,
  ): { before: Required<LimitsPatch>; after: Required<LimitsPatch> } | undefined {
    const { control } = this.#planes
    const before = gatesOf(this.config).get(gate)
    const known = control.gateState(gate)
    if (before === undefined || known === undefined) return undefined
    control.setLimits(gate, { ...known.limits, ...patch })
    this.#patches = new Map([...this.#patches, [gate, { ...this.#patches.get(gate), ...patch }]])
    this.config = withLimits(this.config, this.#patches)
    return { before, after: { ...before, ...patch } }
  }

  /** The configuration that holds, with other endpoints at one upstream. */
  withEndpoints(upstream: string, endpoints: readonly EndpointConfig[]): Config {
    return withEndpoints(this.config, upstream, endpoints)
  }

  /** Nothing more is brought to life: a change that is under way fails at its next step. */
  end(): void {
    this.#ended = true
  }

  #goOn(): void {
    if (this.#ended) throw new EndingError()
  }

  /** One after the other, whoever asks. */
  inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#changing.then(change)
    this.#changing = turn.catch(() => {})
    return turn
  }

  /** Brings a configuration to life in two steps: all planes prepare it, and only then any goes by it. */
  async apply(config: Config): Promise<void> {
    const { control } = this.#planes
    this.#goOn()
    control.sweep(this.#live)
    makeRoom(() => control.prepare(config))
    const late = new Set<string>()
    const binds = await this.#findBinds(config, late)
    this.#goOn()
    const number = this.generation + 1
    const planes = this.#planes.all
    await this.#ready(planes, number, (plane) => plane.prepare(this.#next(number, config, binds, plane, late)))
    const bound = await this.#ready(planes, number, (plane) => plane.bind())
    // From here on it holds: each thread looks at the number before it begins a unit. What was set meanwhile stays.
    this.generation = number
    this.leaving = leavingBy(this.config, config, this.leaving, control)
    this.config = withLimits(config, this.#patches)
    control.publish(this.config, number)
    for (const key of this.bound.keys()) if (!binds.has(key)) this.bound.delete(key)
    this.#nowBound(bound)
    await this.each((plane) => plane.adopt())
    this.#goOn()
    if (late.size > 0) await this.#bindLate()
  }

  /** A step that all planes must have done, or nothing changes. What those answer that live. */
  async #ready<T>(planes: readonly DataPlane[], number: number, step: (plane: DataPlane) => Promise<T>): Promise<T[]> {
    const ends = await Promise.allSettled(planes.map((plane) => within(answerMs, step(plane))))
    this.#goOn()
    const refused = ends.filter((end) => end.status === 'rejected').map((end) => end.reason as Error)
    const failed = refused.find((reason) => !this.#planes.hasDied(reason))
    // What dies at the start would die again; later it is replaced by one that is up to date.
    const enough = number === 1 ? refused.length === 0 : refused.length < planes.length
    if (failed === undefined && enough && planes.length > 0) return answersOf(ends)
    await this.each((plane) => plane.discard())
    if (failed !== undefined) throw failed
    // Nobody has looked whether it can be brought to life.
    throw new StartError(number === 1 ? (refused[0]?.message ?? nobodyLives) : nobodyLives, 1)
  }

  #next(
    number: number,
    config: Config,
    binds: ReadonlyMap<string, BindAddress>,
    plane: DataPlane,
    late: ReadonlySet<string> = new Set(),
  ): NextConfig {
    return { number, config, binds: this.#planes.bindsOf(plane, binds), late }
  }

  /** Where each address is to be bound. One that is new is tried first, so that all threads are told its port. */
  async #findBinds(config: Config, late: Set<string>): Promise<Map<string, BindAddress>> {
    const binds = new Map<string, BindAddress>()
    const tried: TriedBind[] = []
    try {
      for (const bind of allBinds(config)) {
        const known = this.bound.get(bind.key)
        // A plane alone says best itself why it cannot bind; several must be told the port first.
        const untried = known !== undefined || (this.generation === 0 && !this.#planes.sharePorts)
        const found = untried ? undefined : await this.#try(bind, config, late)
        if (found !== undefined) tried.push(found)
        binds.set(bind.key, found?.address ?? known ?? bind.bind)
      }
    } finally {
      await Promise.all(tried.map((one) => one.release()))
    }
    return binds
  }

  /** Undefined when it must be bound late. */
  async #try(bind: ConfiguredBind, config: Config, late: Set<string>): Promise<TriedBind | undefined> {
    try {
      return await tryBind(bind)
    } catch (error) {
      // In the way may be an address of our own that is given up by this very configuration.
      const kept = new Set(allBinds(config).map(({ key }) => key))
      const own = [...this.bound].some(([key, bound]) => !kept.has(key) && inTheWay(bound, bind.bind))
      if (!own) throw error
      late.add(bind.key)
      return undefined
    }
  }

  async #bindLate(): Promise<void> {
    const ends = await Promise.allSettled(this.#planes.all.map((plane) => within(answerMs, plane.bind())))
    this.#nowBound(answersOf(ends))
    const failed = ends.find((end) => end.status === 'rejected' && !this.#isAbsent(end.reason))
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
  }

  #nowBound(bound: readonly ReadonlyMap<string, BindAddress>[]): void {
    for (const [key, address] of bound.flatMap((one) => [...one])) this.bound.set(key, address)
  }

  /**
   * Asks all planes. One that has died meanwhile will be replaced by what is up to date; one that is stuck does it when
   * it comes to it.
   */
  async each(step: (plane: DataPlane) => Promise<unknown>, withinMs = answerMs): Promise<void> {
    const ends = await Promise.allSettled(this.#planes.all.map((plane) => within(withinMs, step(plane))))
    const failed = ends.find((end) => end.status === 'rejected' && !this.#isAbsent(end.reason))
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
  }

  #isAbsent(error: unknown): boolean {
    return error instanceof NoAnswer || this.#planes.hasDied(error)
  }

  /** Brings a thread that replaces another one up to what holds. */
  async bringUp(plane: DataPlane): Promise<void> {
    this.#goOn()
    await plane.prepare(this.#next(this.generation, this.config, this.bound, plane))
    this.#goOn()
    await plane.bind()
    this.#goOn()
    await plane.adopt()
  }

  /** Numbers of the configurations that may be in use: those that planes tell of, and what a late one has yet to adopt. */
  get #live(): Set<number> {
    const live = new Set<number>()
    for (const { facts } of this.#planes.all) {
      for (const number of facts.generations) live.add(number)
      for (let number = (facts.generations.at(-1) ?? 0) + 1; number <= this.generation; number++) {
        live.add(number)
      }
    }
    return live
  }
}

const nobodyLives = 'No data-plane thread lives at this moment that could take the configuration: try again in a while.'

/** Whether one of them may keep the other from being bound. A name may stand for any address. */
function inTheWay(a: BindAddress, b: BindAddress): boolean {
  if (!('port' in a && 'port' in b) || a.port !== b.port) return false
  const any = [a, b].some(({ host }) => isIP(host) === 0 || host === '0.0.0.0' || host === '::')
  return any || a.host === b.host
}

function answersOf<T>(ends: readonly PromiseSettledResult<T>[]): T[] {
  return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
}

/** That the shared state is too small for a configuration is no bug, but a mistake in the configuration. */
export function makeRoom(prepare: () => void): void {
  try {
    prepare()
  } catch (error) {
    if (error instanceof CapacityError) throw new StartError(error.message, 2)
    throw error
  }
}
