// Installs the workspace with a pinned pnpm, on any Node from 20 on. Quick when nothing changed.
// `packageManager` is not used: pnpm 12 would then ask the registry for platform packages of its own.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const pnpmVersion = '12.21.0'
export const root = fileURLToPath(new URL('..', import.meta.url))
const stampFile = join(root, 'node_modules', '.sluice-setup')

function fingerprint() {
  const hash = createHash('sha256').update(process.platform + process.arch + pnpmVersion)
  for (const file of ['package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml'])
    hash.update(readFileSync(join(root, file)))
  for (const name of readdirSync(join(root, 'packages')).sort()) {
    const file = join(root, 'packages', name, 'package.json')
    if (existsSync(file)) hash.update(readFileSync(file))
  }
  return hash.digest('hex')
}

/** Installs what the lock file names, unless that is what stands there already. */
export function setup() {
  const before = fingerprint()
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === before) return
  console.error(`Setting up (pnpm ${pnpmVersion}; once, and after a change of dependencies) …`)
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx'
  const result = spawnSync(
    npx,
    ['--yes', `pnpm@${pnpmVersion}`, 'install', '--frozen-lockfile', '--reporter=append-only', '--loglevel=warn'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    },
  )
  if (result.error !== undefined || result.status !== 0) {
    console.error('The set-up failed: `pnpm install` did not finish. Its own message stands above.')
    process.exit(1)
  }
  writeFileSync(stampFile, before)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) setup()
