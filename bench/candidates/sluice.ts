import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { proxyCore } from '../cores.ts'
import { processTree } from '../measure.ts'
import { type Stage, Unavailable, freePort } from '../stage.ts'
import type { Candidate, Subject, Traffic } from './candidate.ts'

const thisCheckout = fileURLToPath(new URL('../..', import.meta.url))
const launcher = join('packages', 'sluice', 'bin', 'sluice.js')

// Everything on that a user would have on: a route, a gate that counts but does not bind, deadlines, metrics.
function configuration(
  traffic: Traffic,
  ports: { listen: number; upstream: number; admin: number },
  log: string,
  threads: number | undefined,
): string {
  const gate = 'gate: { limit: 4000, queue: 1000, timeout: 5s }'
  const route = `    routes:
      - name: all
        match: { path: /* }
        upstream: bench
        ${gate}`
  return `${threads === undefined ? '' : `threads: ${threads}\n`}admin: { bind: 127.0.0.1:${ports.admin} }
log: ${log}
listeners:
  bench:
    bind: 127.0.0.1:${ports.listen}
    protocol: ${traffic}
${traffic === 'tcp' ? `    upstream: bench\n    ${gate}` : route}
upstreams:
  bench:
    endpoints: ["127.0.0.1:${ports.upstream}"]
    pool: { maxIdle: 1024, maxConnections: 4096 }
    timeouts: { connect: 5s, ${traffic === 'http' ? 'response: 60s, ' : ''}idle: 300s }
`
}

interface Flavour {
  name: string
  /** The root of the checkout that is run. */
  checkout: string
  logs: boolean
  /** Data-plane threads, on whichever cores. Undefined: as many as it takes on the one core that it is pinned to. */
  threads?: number
}

async function start(
  stage: Stage,
  traffic: Traffic,
  upstreamPort: number,
  { name, checkout, logs, threads }: Flavour,
): Promise<Subject> {
  const script = join(checkout, launcher)
  if (!existsSync(script)) throw new Unavailable(`${script} does not exist`)
  const listen = await freePort()
  const admin = await freePort()
  const directory = stage.directoryFor(name)
  const log = logs
    ? `{ level: warn, access: json, file: ${join(directory, 'access.log')} }`
    : '{ level: warn, access: off }'
  const file = join(directory, 'sluice.yaml')
  writeFileSync(file, configuration(traffic, { listen, upstream: upstreamPort, admin }, log, threads))
  const args = [script, 'run', file]
  // The launcher decides about Node's options, as it does for users.
  const core = threads === undefined ? proxyCore : undefined
  const running = await stage.start({ name, command: process.execPath, args, core, port: listen })
  const subject = { port: listen, process: running, pids: processTree(running.pid) }
  return threads === undefined ? subject : { ...subject, remark: () => shares(admin) }
}

/** Which part of the requests each thread has served. */
async function shares(admin: number): Promise<string> {
  const state = (await (await fetch(`http://127.0.0.1:${admin}/state`)).json()) as { threads: { served: number }[] }
  const all = state.threads.reduce((sum, { served }) => sum + served, 0)
  const parts = state.threads.map(({ served }) => `${((served / all) * 100).toFixed(1)} %`)
  return `each thread has served ${parts.join(', ')}`
}

function candidate(flavour: Flavour): Candidate {
  return {
    name: flavour.name,
    family: 'sluice',
    carries: ['http', 'tcp', 'websocket', 'grpc'],
    ...(flavour.logs ? { logs: true } : {}),
    start: (stage, traffic, upstreamPort) => start(stage, traffic, upstreamPort, flavour),
  }
}

/** Sluice of this checkout. */
export const sluice = candidate({ name: 'sluice', checkout: thisCheckout, logs: false })

/** The same with its access log on, to a file. */
export const sluiceLogging = candidate({ name: 'sluice+log', checkout: thisCheckout, logs: true })

/** Sluice with so many data-plane threads, free to use all cores. */
export function sluiceWithThreads(threads: number): Candidate {
  const name = threads === 1 ? 'one thread' : `${threads} threads`
  return candidate({ name, checkout: thisCheckout, logs: false, threads })
}

/** Sluice of another checkout (`--against DIR`), for a change that is compared with what was before it. */
export function sluiceOf(directory: string): Candidate {
  return candidate({ name: 'sluice-before', checkout: resolve(directory), logs: false })
}
