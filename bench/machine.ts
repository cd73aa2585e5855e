import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { peerVersions } from './candidates/node-peers.ts'
import { coreWarning, loadCore, proxyCore } from './cores.ts'
import { toolVersion } from './tools.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What the figures were measured on. */
export interface Machine {
  cpu: string
  cores: number
  proxyCore: number
  loadCore: number
  kernel: string
  memoryGiB: number
}

/** This machine. */
export function machine(): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    proxyCore,
    loadCore,
    kernel: release(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  }
}

/** Versions of everything that takes part. */
export function versions(): Record<string, string> {
  const known: Record<string, string> = {
    sluice: versionIn('../packages/sluice/package.json'),
    node: process.versions.node,
    // Client and server of the grpc-js case.
    '@grpc/grpc-js': versionIn('../node_modules/@grpc/grpc-js/package.json'),
  }
  for (const name of ['nginx', 'haproxy', 'wrk', 'h2load'] as const) known[name] = toolVersion(name) ?? 'not installed'
  return { ...known, ...peerVersions() }
}

function versionIn(manifest: string): string {
  const { version } = JSON.parse(readFileSync(new URL(manifest, import.meta.url), 'utf8')) as { version: string }
  return version
}

/** The commit that is checked out, with `+changes` when the work tree differs from it. */
export function commit(): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  const head = git('rev-parse', '--short=12', 'HEAD')
  if (head.status !== 0) return 'none'
  const changes = git('status', '--porcelain', '--', 'packages', 'pnpm-lock.yaml').stdout
  return head.stdout.trim() + (changes === '' ? '' : '+changes')
}

/** What about the machine makes figures doubtful, before anything runs. */
export function machineWarnings(): string[] {
  const warnings: string[] = []
  const core = coreWarning()
  if (core !== undefined) warnings.push(core)
  const load = loadavg()[0]!
  if (load > 0.5)
    warnings.push(`the machine is busy (load average ${load.toFixed(2)}): others disturb caches and clock.`)
  return warnings
}
