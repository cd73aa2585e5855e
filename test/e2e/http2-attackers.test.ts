import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import {
  type Backend,
  type GrpcBackend,
  startGrpcBackend,
  startHttp2Backend,
  startHttpBackend,
} from '../../packages/backends/src/index.ts'
import { eventually, RawClient } from '../../packages/testkit/src/raw/index.ts'
import { scale, scaled } from '../../packages/testkit/src/scale.ts'
import { Attacker, Toll } from './http2-attackers/attacker.ts'
import { type Attack, attacks } from './http2-attackers/attacks.ts'
import { HonestClients } from './http2-attackers/honest.ts'
import type { Sample } from './http2-attackers/sluice-child.ts'
import { SluiceProcess } from './http2-attackers/sluice-process.ts'
import { targets } from './http2-attackers/targets.ts'
import { get } from './support/ask.ts'

const durationMs = scaled({ test: 700, ci: 1_000, soak: 30_000 })
/** For what Sluice does only after one of its time limits. */
const patienceMs = 20_000
/** On each of the listeners. */
const attackersEach = scaled({ test: 4, ci: 6, soak: 10 })
const sampleMs = 50
const kibibyte = 1_024
const mebibyte = 1_048_576

const mib = (bytes: number) => Math.round(bytes / mebibyte)

/** Takes samples until it is told to stop; keeps the highest figures. */
class Watch {
  peakBytes = 0
  connections = 0
  #watching = true
  readonly #over: Promise<void>

  constructor(sluice: SluiceProcess) {
    this.#over = this.#run(sluice)
  }

  async stop(): Promise<void> {
    this.#watching = false
    await this.#over
  }

  async #run(sluice: SluiceProcess): Promise<void> {
    while (this.#watching) {
      const { rssBytes, connections } = await sluice.sample()
      this.peakBytes = Math.max(this.peakBytes, rssBytes)
      this.connections = Math.max(this.connections, connections)
      await pause(sampleMs)
    }
  }
}

for (const threads of scaled({ test: [0], ci: [0], soak: [0, 2] })) {
  describe(`HTTP/2 attackers, threads ${threads}`, function () {
    this.timeout(600_000)
    let http: Backend
    let large: Backend
    let grpc: GrpcBackend
    let sluice: SluiceProcess
    /** Before the attack. */
    let start: Sample

    before(async () => {
      http = await startHttp2Backend()
      large = await startHttpBackend()
      grpc = await startGrpcBackend()
      const timeouts = { head: '2s', body: '2s', send: '1s' }
      const pool = { idleTimeout: '1s' }
      const wordy = { status: 200, headers: { 'x-words': 'word '.repeat(900).trim() } }
      sluice = await SluiceProcess.start({
        threads,
        drainTimeout: '5s',
        gates: { shut: { limit: 1, queue: 100_000, timeout: '300s' } },
        listeners: {
          web: {
            bind: '127.0.0.1:0',
            protocol: 'http',
            timeouts,
            routes: [
              { match: { path: '/held/*' }, stripPrefix: '/held', upstream: 'http', gate: 'shut' },
              // Node's HTTP/2 refuses streams of a connection on which 10 MB of answers wait.
              { match: { path: '/large/*' }, stripPrefix: '/large', upstream: 'large' },
              { match: { path: '/wordy' }, respond: wordy },
              // What is slow is judged while it holds a permit.
              { upstream: 'http', gate: { limit: 10_000, queue: 10_000, timeout: '300s' } },
            ],
          },
          rpc: {
            bind: '127.0.0.1:0',
            protocol: 'grpc',
            timeouts,
            routes: [{ match: { service: 'held.Service' }, upstream: 'grpc', gate: 'shut' }, { upstream: 'grpc' }],
          },
        },
        upstreams: {
          http: { endpoints: [`h2c://127.0.0.1:${http.address.port}`], pool },
          large: { endpoints: [`http://127.0.0.1:${large.address.port}`], pool },
          grpc: { endpoints: [`grpc://127.0.0.1:${grpc.address.port}`], pool },
        },
      })
      // Code that has not run yet has no part in what is measured.
      const honest = new HonestClients(ports())
      await pause(1_000)
      await honest.stop()
    })

    beforeEach(async () => {
      start = await sluice.sample()
    })

    after(async () => {
      const last = await sluice.close()
      await http.close()
      await large.close()
      await grpc.close()
      expect(last.residue).to.deep.equal([])
      expect(last.timers, 'timers').to.equal(0)
    })

    const ports = () => ({ web: sluice.port('web'), rpc: sluice.port('rpc') })

    const settled = () =>
      eventually(
        async () => {
          const { residue, faults } = await sluice.sample()
          expect(faults).to.deep.equal([])
          expect(residue).to.deep.equal([])
          return true
        },
        { timeoutMs: patienceMs, what: 'nothing left' },
      )

    /** Attacks for as long as it should be, and until it has been answered; gives what was seen meanwhile. */
    async function under(attack: Attack, toll: Toll): Promise<Watch> {
      const holder = await RawClient.connect(sluice.port('web'))
      await holder.write(get('/held/hang'))
      const watch = new Watch(sluice)
      const attackers = targets.flatMap((target) =>
        Array.from({ length: attackersEach }, () => new Attacker(attack, target, sluice.port(target.listener), toll)),
      )
      const answered = () =>
        (attack.ends[0] === undefined || toll.of(attack.ends[0]) > 0) &&
        (attack.sees === undefined || toll.of(attack.sees) > 0)
      await pause(durationMs)
      const until = performance.now() + patienceMs
      while (!answered() && performance.now() < until) await pause(sampleMs)
      await Promise.all(attackers.map((one) => one.stop()))
      await watch.stop()
      await holder.close()
      return watch
    }

    for (const attack of attacks) {
      it(attack.what, async () => {
        const toll = new Toll()
        const honest = new HonestClients(ports())
        const { peakBytes, connections } = await under(attack, toll)
        await honest.stop()
        const grownMib = mib(peakBytes - start.rssBytes)
        console.log(
          `      ${2 * attackersEach} attackers, ${toll.connections} connections, ${connections} at once: ${String(toll)}; ` +
            `${honest.calls} honest calls, ${Math.round(honest.longestMs)} ms at most; ${grownMib} MiB more`,
        )
        expect(honest.failures).to.deep.equal([])
        expect(honest.calls).to.be.greaterThan(3)
        if (attack.ends[0] !== undefined) expect(toll.of(attack.ends[0]), attack.ends[0]).to.be.greaterThan(0)
        if (attack.sees !== undefined) expect(toll.of(attack.sees), attack.sees).to.be.greaterThan(0)
        // Who goes on writing after GOAWAY may not get to read it.
        expect([...attack.ends, 'cut']).to.include.members(toll.ends)
        expect(peakBytes - start.rssBytes).to.be.below(64 * mebibyte + connections * 256 * kibibyte)
        await settled()
        if (scale() === 'soak') await calmAgain()
      })
    }

    /** Five seconds later the proxy rests, a minute later its memory is back. */
    async function calmAgain(): Promise<void> {
      await pause(5_000)
      const before = await sluice.sample()
      await pause(5_000)
      const after = await sluice.sample()
      const share = (after.cpuMs - before.cpuMs) / 5_000
      const bound = 1.15 * start.rssBytes + 32 * mebibyte
      const { rssBytes } = await eventually(
        async () => {
          const sample = await sluice.sample()
          return sample.rssBytes < bound ? sample : undefined
        },
        { timeoutMs: 50_000, what: `less than ${mib(bound)} MiB` },
      )
      console.log(
        `      afterwards: ${(share * 100).toFixed(1)} % of a core, ${mib(rssBytes)} MiB of ${mib(bound)} (at the start ${mib(start.rssBytes)})`,
      )
      expect(share).to.be.below(0.02)
    }
  })
}
