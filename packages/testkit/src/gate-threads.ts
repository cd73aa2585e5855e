import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Config, SharedControl } from '@sluice/core'
import { sharedConfig, sharedGateIds, type SharedModules } from './gate-end.ts'
import type { GateThreadData, GateThreadReport } from './gate-thread.ts'
import { endpointPlace, GateWitness, phase } from './gate-witness.ts'
import { scaled } from './scale.ts'
import { SeededRandom } from './seeded-random.ts'
import { SharedTruth } from './shared-truth.ts'

/** How long a run is, and which one. */
export interface GateThreadsOptions {
  readonly threads: number
  /** Of all threads together, at least. */
  readonly steps: number
  /** Threads that are terminated, at least. */
  readonly kills: number
  readonly seed: number
  /** How long it may take, in milliseconds. Default: 60_000. */
  readonly withinMs?: number
}

/** What a run has seen. */
export interface GateThreadsReport {
  readonly steps: number
  readonly grants: number
  readonly kills: number
  /** Kills after which the lock of a gate was taken still. */
  readonly locksLeft: number
  readonly limitsChanged: number
  /** Microseconds from a release that somebody waited for to his being told, by the same thread and by another. */
  readonly idle: Readonly<
    Record<'same' | 'other', { readonly count: number; readonly p50: number; readonly p99: number }>
  >
}

/** Registers the suite of real threads, on 1 to 8 of them, that are killed: more than 500 in `.ci/run` and the soak. */
export function describeGateThreads(name: string, source: URL, modules: SharedModules): void {
  describe(`${name}, in threads that are killed`, function () {
    const size = scaled({
      test: { threads: [2, 4, 8], steps: 70_000, kills: 10, withinMs: 30_000 },
      ci: { threads: [1, 2, 3, 4, 5, 6, 7, 8], steps: 500_000, kills: 64, withinMs: 120_000 },
      soak: { threads: [1, 2, 3, 4, 5, 6, 7, 8], steps: 12_500_000, kills: 128, withinMs: 1_800_000 },
    })
    this.timeout(size.withinMs + 30_000)
    for (const threads of size.threads) {
      it(`is exact, fair and complete through ${size.steps} steps and ${size.kills} kills (threads ${threads})`, async () => {
        const report = await runGateThreads(source, modules, { ...size, threads, seed: threads })
        console.log(`      ${lineOf(threads, report)}`)
        if (report.grants < size.steps / 1_000) throw new Error(`the run was too tame: ${report.grants} grants`)
      })
    }
  })
}

function lineOf(threads: number, { steps, grants, kills, locksLeft, idle }: GateThreadsReport): string {
  const times = (which: 'same' | 'other') => `${idle[which].p50} and ${idle[which].p99} µs`
  return (
    `threads ${threads}: ${steps} steps, ${grants} grants, ${kills} kills, ${locksLeft} of them left a lock taken; ` +
    `permit idle after release, p50 and p99: same thread ${times('same')}, other thread ${times('other')}`
  )
}

/**
 * Runs threads over the same three gates as fast as they can, kills some at random moments and puts others in their
 * places, and changes limits throughout. Rejects as soon as anybody sees more permits held than may be, an older waiter
 * overtaken, or counts that disagree with the truth; when a waiter waits on while there is room; when it does not end in
 * time; and when not all permits are home at the end. `source`: where the sources of the core lie.
 */
export async function runGateThreads(
  source: URL,
  modules: SharedModules,
  options: GateThreadsOptions,
): Promise<GateThreadsReport> {
  const run = new ThreadsRun(source, modules, options)
  try {
    return await run.finish()
  } finally {
    await run.close()
  }
}

const startLimits = [3, 2, 5]
const endpointLimits = [1, 2, 3]
const homeWithinMs = 20_000
const patienceMs = 5_000
const tickMs = 2

let compileCacheFolder: string | undefined

/** Where threads keep what they have compiled: so one begins in a third of the time. */
function compileCache(): string {
  if (compileCacheFolder !== undefined) return compileCacheFolder
  const folder = mkdtempSync(join(tmpdir(), 'sluice-gate-threads-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  compileCacheFolder = folder
  return folder
}

class ThreadsRun {
  readonly #source: URL
  readonly #modules: SharedModules
  readonly #options: GateThreadsOptions
  readonly #random: SeededRandom
  readonly #control: SharedControl
  readonly #truth: SharedTruth
  readonly #witness: GateWitness
  readonly #config: Config
  /** The threads that live; `bornAt`: how many steps its number had done before. */
  readonly #living = new Map<number, { readonly worker: Worker; readonly bornAt: number; home: boolean }>()
  readonly #limits = [...startLimits]
  readonly #endpointLimits = [...endpointLimits]
  /** Gates and endpoints whose limits are being changed. */
  readonly #changing = new Set<number>()
  readonly #waitedInVainSince = new Map<number, number>()
  readonly #startedAt = performance.now()
  #failure: string | undefined
  #dying = 0
  #kills = 0
  #locksLeft = 0
  #limitsChanged = 0
  #born = 0
  #closed = false

  constructor(source: URL, modules: SharedModules, options: GateThreadsOptions) {
    this.#source = source
    this.#modules = modules
    this.#options = options
    this.#random = new SeededRandom(options.seed)
    const { threads } = options
    this.#control = new modules.SharedControl({ threads, gates: 4, endpoints: 4, listeners: 1, waiters: 64 * threads })
    const { memory } = this.#control
    this.#truth = new SharedTruth(memory, modules.layout)
    this.#witness = new GateWitness(GateWitness.create(threads), memory, modules.layout)
    const gates = startLimits.map((limit) => ({ limit, queue: 20 }))
    this.#config = sharedConfig({ endpoints: endpointLimits, gates })
    this.#control.prepare(this.#config)
    this.#control.publish(this.#config, 0)
    for (const [gate, limit] of startLimits.entries()) this.#witness.setCeiling(gate, limit)
    for (const [record, limit] of endpointLimits.entries()) this.#witness.setCeiling(endpointPlace(record), limit)
    for (let thread = 0; thread < threads; thread++) this.#begin(thread)
  }

  async finish(): Promise<GateThreadsReport> {
    const { steps, kills, withinMs = 60_000 } = this.#options
    while (this.#witness.steps < steps || this.#kills < kills || this.#changing.size > 0) {
      await this.#tick()
      if (performance.now() - this.#startedAt > withinMs) this.#fail('it does not come to its end')
      if (this.#witness.steps < steps || this.#kills < kills) this.#disturb()
    }
    await this.#goHome()
    const { grants } = this.#witness
    const idle = { same: this.#witness.idle('same'), other: this.#witness.idle('other') }
    return {
      steps: this.#witness.steps,
      grants,
      kills: this.#kills,
      locksLeft: this.#locksLeft,
      limitsChanged: this.#limitsChanged,
      idle,
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#living.values()].map(({ worker }) => worker.terminate()))
    this.#control.close()
  }

  #begin(thread: number): void {
    const data: GateThreadData = {
      source: this.#source.href,
      memory: this.#control.memory.handle,
      records: this.#control.records,
      config: this.#config,
      thread,
      witness: this.#witness.handle,
      seed: this.#options.seed * 1_000 + this.#born++,
    }
    const worker = new Worker(new URL('./gate-thread.ts', import.meta.url), {
      execArgv: ['--conditions=@sluice/source'],
      workerData: data,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache() },
    })
    worker.on('message', (report: GateThreadReport) => {
      if (report.kind === 'failed') this.#failure ??= report.what
      else this.#living.get(thread)!.home = true
    })
    worker.on('error', (error) => (this.#failure ??= `thread ${thread}: ${(error as Error).stack}`))
    worker.once('exit', () => {
      this.#living.delete(thread)
      if (!this.#closed) void this.#replace(thread)
    })
    this.#living.set(thread, { worker, bornAt: this.#witness.stepsOf(thread), home: false })
  }

  /** A thread has exited: it is cleared up after, and another one begins with its number. */
  async #replace(thread: number): Promise<void> {
    this.#dying++
    const { records } = this.#control
    if ([...records.gates.values()].some((record) => this.#truth.owner(record) === thread + 1)) this.#locksLeft++
    this.#witness.forget(thread)
    // Others die meanwhile.
    if (this.#random.chance(0.3)) await pause(this.#random.below(30))
    await this.#control.recover(thread)
    this.#dying--
    if (!this.#closed) this.#begin(thread)
  }

  async #tick(): Promise<void> {
    await pause(tickMs)
    if (this.#failure !== undefined) this.#fail(this.#failure)
    for (const i of this.#limits.keys()) this.#look(i)
  }

  #disturb(): void {
    if (this.#random.chance(0.2)) void this.#changeLimit(this.#random.below(this.#limits.length))
    if (this.#random.chance(0.1)) void this.#changeEndpoint(this.#random.below(this.#endpointLimits.length))
    const { threads, steps, kills } = this.#options
    // Kills keep step with steps, so that the threads do something between them.
    if (this.#kills >= kills || this.#kills * steps > this.#witness.steps * kills + steps) return
    const ready = [...this.#living].filter(([thread, { bornAt }]) => this.#witness.stepsOf(thread) > bornAt)
    const victims = Math.min(1 + this.#random.below(Math.min(threads, 4)), kills - this.#kills, ready.length)
    for (let i = 0; i < victims; i++) {
      const [[, { worker }]] = ready.splice(this.#random.below(ready.length), 1) as [(typeof ready)[number]]
      this.#kills++
      void worker.terminate()
    }
  }

  /** Looks at a gate from inside, unless somebody else is. */
  #inside<T>(gate: number, action: () => T): T | undefined {
    const { memory } = this.#control
    const at = memory.gatePlace(gate) + this.#modules.layout.gateWord.lock
    if (Atomics.compareExchange(memory.words, at, 0, this.#options.threads + 1) !== 0) return undefined
    try {
      return action()
    } finally {
      Atomics.store(memory.words, at, 0)
    }
  }

  #look(gate: number): void {
    const rooms = gate === 2
    this.#inside(gate, () => {
      const problem = this.#truth.problemOf(gate, rooms ? [...endpointLimits.keys()] : [])
      if (problem !== undefined) this.#failure ??= `gate ${gate}: ${problem}`
      const { running, waiting, limits } = this.#control.gateState(sharedGateIds[gate]!)!
      const room = !rooms || this.#endpoints.some(({ hasRoom }) => hasRoom)
      if (waiting === 0 || running >= limits.limit || !room) this.#waitedInVainSince.delete(gate)
      const since = this.#waitedInVainSince.get(gate)
      if (waiting > 0 && running < limits.limit && room && since === undefined) {
        this.#waitedInVainSince.set(gate, performance.now())
      }
      if (since !== undefined && performance.now() - since > patienceMs) {
        this.#failure ??= `${waiting} wait at gate ${gate} while there is room`
      }
    })
  }

  get #endpoints() {
    return this.#config.upstreams[0]!.endpoints.map(({ id }) => this.#control.endpointCells(id)!)
  }

  async #changeLimit(gate: number): Promise<void> {
    const limit = 1 + this.#random.below(6)
    const queue = 4 + this.#random.below(30)
    await this.#change(gate, this.#limits[gate]!, limit, {
      write: () => void this.#control.setLimits(sharedGateIds[gate]!, { limit, queue, timeoutMs: 1_000 }),
      running: () => this.#inside(gate, () => this.#control.gateState(sharedGateIds[gate]!)!.running),
    })
    this.#limits[gate] = limit
  }

  async #changeEndpoint(record: number): Promise<void> {
    const limit = 1 + this.#random.below(4)
    const cells = this.#endpoints[record]!
    await this.#change(endpointPlace(record), this.#endpointLimits[record]!, limit, {
      write: () => {
        cells.setLimits({ limit, maxConnections: Infinity })
        // Has the threads admit whom there is room for now, as `publish` does.
        const { limits } = this.#control.gateState(sharedGateIds[2])!
        this.#control.setLimits(sharedGateIds[2], limits)
      },
      running: () => this.#inside(2, () => cells.running),
    })
    this.#endpointLimits[record] = limit
  }

  /** Changes one limit. The witness follows: before a raised one, and as soon as a lowered one has been reached. */
  async #change(
    place: number,
    before: number,
    after: number,
    { write, running }: { write(): void; running(): number | undefined },
  ): Promise<void> {
    if (this.#changing.has(place)) return
    this.#changing.add(place)
    this.#limitsChanged++
    if (after > before) this.#witness.setCeiling(place, after)
    write()
    // Whoever was inside may have read the former limit; whoever comes in from here on reads the new one.
    for (let now = running(); after < before && !this.#closed && (now === undefined || now > after); now = running()) {
      await pause(1)
    }
    this.#witness.setCeiling(place, after)
    this.#changing.delete(place)
  }

  async #goHome(): Promise<void> {
    const { threads } = this.#options
    const startedAt = performance.now()
    this.#witness.phase = phase.home
    while (this.#living.size < threads || this.#dying > 0 || [...this.#living.values()].some(({ home }) => !home)) {
      await this.#tick()
      if (performance.now() - startedAt > homeWithinMs) this.#fail('not everybody comes home')
    }
    for (const [gate, id] of sharedGateIds.entries()) {
      const problem = this.#truth.problemOf(gate, gate === 2 ? [...endpointLimits.keys()] : [])
      if (problem !== undefined) this.#fail(`at the end, gate ${gate}: ${problem}`)
      const { running, waiting } = this.#control.gateState(id)!
      if (running + waiting > 0) this.#fail(`at the end ${running} run and ${waiting} wait at gate ${gate}`)
      if (this.#witness.holding(gate) > 0) this.#fail(`at the end gate ${gate} is held`)
    }
    for (const { record, running } of this.#endpoints) {
      if (running > 0) this.#fail(`at the end ${running} run at endpoint ${record}`)
    }
    const slots = this.#truth.slots().length
    if (slots > 0) this.#fail(`at the end ${slots} slots are not free`)
  }

  #fail(what: string): never {
    const gates = sharedGateIds.map((id, gate) => {
      const { running, waiting, limits } = this.#control.gateState(id)!
      return `${id} limit ${limits.limit}, ${running} run, ${waiting} wait, owner ${this.#truth.owner(gate)}`
    })
    const { threads, seed } = this.#options
    const state = `${this.#witness.steps} steps, ${this.#kills} kills; ${[...this.#living.keys()].join(' ')} live, ${this.#dying} die`
    throw new Error(`threads ${threads}, seed ${seed}: ${what} (${state}; ${gates.join('; ')})`)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
