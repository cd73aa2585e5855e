import type { Permit, Runtime, Upstream, Waiter } from '@sluice/core'
import { FakeClock } from './fake-clock.ts'
import { type Unit, unitMaker } from './gate-store.ts'
import { SeededRandom } from './seeded-random.ts'
import { upstreamConfig } from './upstream-config.ts'

/** The classes that a dispatcher is made of: those of `@sluice/core`, or of a copy of it. */
export interface DispatcherModules {
  readonly Runtime: new (...options: ConstructorParameters<typeof Runtime>) => Runtime
  readonly Upstream: new (...options: ConstructorParameters<typeof Upstream>) => Upstream
  readonly Permit: new () => Permit
  readonly Waiter: abstract new () => Waiter
}

/** What a run has seen. */
export interface DispatcherModelReport {
  readonly admitted: number
  readonly queued: number
  readonly moved: number
}

/**
 * Sends random units through an upstream of four endpoints whose health comes and goes, and rejects when an endpoint
 * or the gate runs more than it may, when somebody waits while there is room for him, or when room is lost.
 */
export async function runDispatcherModel(
  modules: DispatcherModules,
  options: { seed: number; steps: number },
): Promise<DispatcherModelReport> {
  const random = new SeededRandom(options.seed)
  const clock = new FakeClock()
  const runtime = new modules.Runtime({
    clock: clock.read,
    faulted: (fault) => {
      throw fault
    },
  })
  const upstream = new modules.Upstream(
    upstreamConfig({
      endpoints: [1, 2, 3, 4].map((limit) => ({ address: `127.0.0.1:${3000 + limit}`, limit })),
      gate: { limit: 7, queue: 20 },
    }),
    runtime,
  )
  upstream.prepare(upstream.config, () => undefined).commit()
  const { gate, endpoints } = upstream
  const usable = endpoints.map(() => true)
  const order: string[] = []
  const make = unitMaker(
    { make: () => Promise.reject(new Error('not here')), Permit: modules.Permit, Waiter: modules.Waiter },
    (unit) => order.push(unit.name),
  )
  const running: Unit[] = []
  let waiting: Unit[] = []
  const report = { admitted: 0, queued: 0, moved: 0 }
  let step = 0
  const fail = (what: string): never => {
    throw new Error(`step ${step} of seed ${options.seed}: ${what}`)
  }
  const take = (list: Unit[]): Unit | undefined => list.splice(random.below(list.length), 1)[0]

  const check = () => {
    if (gate.running > gate.limits.limit) fail(`${gate.running} run under a limit of ${gate.limits.limit}`)
    const held = new Map(endpoints.map((endpoint) => [endpoint, 0]))
    for (const { permit } of [...running, ...waiting]) {
      if (!permit.held) continue
      const endpoint = endpoints.find((known) => known === permit.room)
      if (endpoint === undefined) fail('a permit without an endpoint')
      else held.set(endpoint, held.get(endpoint)! + 1)
    }
    for (const [endpoint, count] of held) {
      if (endpoint.running !== count) fail(`${endpoint.name} counts ${endpoint.running}, ${count} are there`)
      if (count > endpoint.config.limit) fail(`${endpoint.name} runs ${count} under ${endpoint.config.limit}`)
    }
    const someUsable = usable.includes(true)
    const room = endpoints.some((endpoint, i) => (usable[i]! || !someUsable) && endpoint.hasRoom)
    if (gate.waiting > 0 && room && gate.running < gate.limits.limit) fail('somebody waits while there is room')
  }

  for (; step < options.steps; step++) {
    const what = random.next()
    // Rush and quiet take turns, so that both the queue and the room run out.
    if (what < (step % 400 < 200 ? 0.4 : 0.15)) {
      const unit = make(String(step))
      if (gate.tryAcquire(unit.permit)) {
        report.admitted++
        running.push(unit)
      } else if (gate.enqueue(unit)) {
        report.queued++
        waiting.push(unit)
      }
    } else if (what < 0.65) {
      take(running)?.permit.release()
    } else if (what < 0.72) {
      const unit = take(waiting)
      if (unit !== undefined) gate.leave(unit)
    } else if (what < 0.82) {
      const i = random.below(endpoints.length)
      usable[i] = random.chance(0.5)
      endpoints[i]!.health.probed(usable[i], 'the model says so')
    } else if (what < 0.9 && running.length > 0) {
      const { permit } = random.pick(running)
      const from = permit.room
      upstream.move(permit)
      if (permit.room !== from) report.moved++
    } else {
      await Promise.resolve()
      const granted = waiting.filter((unit) => unit.permit.held)
      const names = granted.map((unit) => unit.name)
      if (order.splice(0).join() !== names.join()) fail('waiters were not told in their order')
      waiting = waiting.filter((unit) => !unit.permit.held)
      running.push(...granted)
    }
    check()
  }
  for (const unit of waiting) gate.leave(unit)
  for (const unit of running) unit.permit.release()
  if (gate.running !== 0 || gate.waiting !== 0) fail(`at the end ${gate.running} run and ${gate.waiting} wait`)
  for (const endpoint of endpoints) if (endpoint.running !== 0) fail(`${endpoint.name} keeps ${endpoint.running}`)
  upstream.close('all')
  runtime.stop()
  return report
}
