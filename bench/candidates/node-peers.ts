import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { proxyCore } from '../cores.ts'
import { type Stage, Unavailable, freePort } from '../stage.ts'
import type { Candidate, Traffic } from './candidate.ts'

const directory = fileURLToPath(new URL('../peers', import.meta.url))

/** The peers' packages with their pinned versions. */
export function peerVersions(): Record<string, string> {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  return manifest.dependencies
}

let complaint: string | undefined

/** Installs the peers by their lock file unless that is what stands there already. Throws `Unavailable`. */
function install(): void {
  if (complaint !== undefined) throw new Unavailable(complaint)
  const lock = readFileSync(join(directory, 'package-lock.json'), 'utf8')
  const stamp = join(directory, 'node_modules', '.sluice-bench')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.error('Installing the Node peers into bench/peers (once) …')
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const result = spawnSync('npm', args, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
  if (result.status !== 0) {
    complaint = `npm ci in bench/peers failed: ${(result.stderr ?? result.error?.message ?? '').trim().split('\n')[0]}`
    throw new Unavailable(complaint)
  }
  writeFileSync(stamp, lock)
}

interface Peer {
  name: string
  carries: readonly Traffic[]
  script?: string
  args?: string[]
  /** It needs no package. */
  bare?: true
}

function candidate({ name, carries, script = name, args = [], bare }: Peer): Candidate {
  return {
    name,
    family: 'node',
    carries,
    async start(stage: Stage, _traffic: Traffic, upstreamPort: number) {
      if (bare === undefined) install()
      const port = await freePort()
      const running = await stage.start({
        name,
        command: process.execPath,
        args: [join(directory, `${script}.mjs`), String(port), String(upstreamPort), ...args],
        core: proxyCore,
        port,
      })
      return { port, process: running, pids: [running.pid] }
    },
  }
}

/** The proxies that Node users have today, each with the settings that its README advises for speed. */
export const nodePeers: readonly Candidate[] = [
  candidate({ name: 'http-proxy', carries: ['http', 'websocket'] }),
  candidate({ name: 'http-proxy-3', carries: ['http', 'websocket'] }),
  candidate({ name: 'httpxy', carries: ['http', 'websocket'] }),
  candidate({ name: 'fastify-http-proxy', carries: ['http', 'websocket'] }),
  candidate({ name: 'fast-proxy', carries: ['http'] }),
  candidate({ name: 'fast-proxy-agent', carries: ['http'], script: 'fast-proxy', args: ['agent'] }),
  candidate({ name: 'http2-proxy', carries: ['http', 'websocket'] }),
  candidate({ name: 'node-http2-pipe', carries: ['grpc'], script: 'http2-pipe', bare: true }),
  candidate({ name: 'node-pipe', carries: ['tcp'], script: 'pipe', bare: true }),
]
