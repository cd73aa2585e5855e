// What a gate costs: uncontended, against another thread, and until an idle thread hears of its permit.
import { Worker } from 'node:worker_threads'
import type { Gate, StateStore } from '../../packages/core/src/index.ts'
import {
  LocalStore,
  parseConfigObject,
  Permit,
  Runtime,
  SharedControl,
  SharedStore,
  Upstream,
} from '../../packages/core/src/index.ts'
import type { GateThreadData } from './gate-thread.ts'

const rounds = Number(process.env.ROUNDS ?? 15)
const perRound = Number(process.env.PER_ROUND ?? 500_000)
const wakeUps = Number(process.env.WAKE_UPS ?? 3_000)

const clock = () => performance.now()
const limits = { limit: 100, queue: 100, timeoutMs: 1_000 }
const parsed = parseConfigObject({
  listeners: { web: { bind: '127.0.0.1:0', protocol: 'http', upstream: 'one' } },
  gates: { g: { limit: 100 } },
  upstreams: {
    one: { gate: { limit: 100 }, endpoints: ['127.0.0.1:3001'] },
    four: { gate: { limit: 100 }, endpoints: [1, 2, 3, 4].map((i) => `127.0.0.1:${3100 + i}`) },
  },
})
if (parsed.errors !== undefined) throw new Error(JSON.stringify(parsed.errors))
const { config } = parsed

/** Gates of one store: a plain one, and those of upstreams. */
function gatesOver(store: StateStore): { title: string; gate: Gate }[] {
  const runtime = new Runtime({
    clock,
    store,
    faulted: (fault) => {
      throw fault
    },
  })
  const plain = { title: 'gate', gate: store.gate('g', limits, { turn: runtime.turn, clock }) }
  const dispatchers = config.upstreams.map((upstream) => {
    const dispatcher = new Upstream(upstream, runtime)
    dispatcher.prepare(upstream, () => undefined).commit()
    return { title: `dispatcher, endpoints: ${upstream.endpoints.length}`, gate: dispatcher.gate }
  })
  return [plain, ...dispatchers]
}

/** Nanoseconds of one acquire and release, a round each. */
function measure(gate: Gate): number[] {
  const permit = new Permit()
  return Array.from({ length: rounds }, () => {
    const started = process.hrtime.bigint()
    for (let i = 0; i < perRound; i++) {
      if (!gate.tryAcquire(permit)) throw new Error('it was not let through')
      permit.release()
    }
    return Number(process.hrtime.bigint() - started) / perRound
  }).toSorted((a, b) => a - b)
}

function line(title: string, times: readonly number[], goal?: number): void {
  const [best, median] = [times[0]!, times[times.length >> 1]!]
  const ending = goal === undefined ? '' : `  goal ${goal} ns`
  console.log(`${title.padEnd(40)} median ${median.toFixed(0)} ns  best ${best.toFixed(0)} ns${ending}`)
}

const capacity = { threads: 2, gates: 16, endpoints: 16, listeners: 4, waiters: 1_024 }
const control = new SharedControl(capacity, clock)
control.prepare(config)
control.publish(config, 0)
const shared = new SharedStore(control.memory, 0, { records: control.records, clock })
const stores = [
  { name: 'local', goal: 50, gates: gatesOver(new LocalStore(clock)) },
  { name: 'shared', goal: 100, gates: gatesOver(shared) },
]

/** Runs another thread at the same gate; resolves with what it says when it has ended. */
async function besides<T>(what: GateThreadData['what'], during: (words: Int32Array) => Promise<T>): Promise<T> {
  // Whether it is ready, whether it is to end, when it was told.
  const words = new Int32Array(new SharedArrayBuffer(16))
  const data: GateThreadData = { memory: control.memory.handle, records: control.records, words, what }
  const worker = new Worker(new URL('./gate-thread.ts', import.meta.url), { workerData: data })
  const exited = new Promise((resolve, reject) => {
    worker.once('exit', resolve)
    worker.once('error', reject)
  })
  while (Atomics.load(words, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const result = await during(words)
  Atomics.store(words, 1, 1)
  await worker.terminate()
  await exited
  await control.recover(1)
  return result
}

const now = () => Number(process.hrtime.bigint() % 1_000_000_000_000n)

/** Microseconds from a release to the waiter's being told, in a thread that sleeps. */
async function wakeUpTimes(words: Int32Array): Promise<number[]> {
  const { gate } = stores[1]!.gates[0]!
  const told = new BigInt64Array(words.buffer, 8, 1)
  const permits = Array.from({ length: limits.limit }, () => new Permit())
  for (const permit of permits) gate.tryAcquire(permit)
  const times: number[] = []
  for (let i = 0; i < wakeUps; i++) {
    while (gate.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    Atomics.store(told, 0, 0n)
    const released = now()
    permits[0]!.release()
    while (Atomics.load(told, 0) === 0n) await new Promise(setImmediate)
    times.push((Number(Atomics.load(told, 0)) - released) / 1_000)
    while (!gate.tryAcquire(permits[0]!)) await new Promise(setImmediate)
  }
  for (const permit of permits) permit.release()
  return times.toSorted((a, b) => a - b)
}

for (let pass = 0; pass < 2; pass++) {
  for (const { name, goal, gates } of stores) {
    for (const { title, gate } of gates) line(`${name} ${title}`, measure(gate), title === 'gate' ? goal : undefined)
  }
}
const contended = await besides('acquire', async () => measure(stores[1]!.gates[0]!.gate))
line('shared gate, two threads at once', contended)
const wake = await besides('wait', wakeUpTimes)
const at = (share: number) => wake[Math.floor(share * wake.length)]!.toFixed(0)
console.log(`${'wake-up of a sleeping thread'.padEnd(40)} p50 ${at(0.5)} µs  p99 ${at(0.99)} µs`)
control.close()
