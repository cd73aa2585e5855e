// npm run build: what is published, as JavaScript and declarations in packages/*/dist, and packages/sluice/schema.json.
// Nothing here needs it: in the clone everything runs from its sources.
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pinnedNode, run } from './node.mjs'
import { root, setup } from './setup.mjs'

/** The packages to publish, each after those that it needs: their declarations are read from their `dist`. */
function published() {
  const manifests = readdirSync(join(root, 'packages'))
    .sort()
    .map((folder) => ({
      folder: join(root, 'packages', folder),
      ...JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8')),
    }))
    .filter((manifest) => manifest.private !== true)
  const ordered = new Set()
  const visit = (manifest) => {
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const needed = manifests.find((other) => other.name === name)
      if (needed !== undefined) visit(needed)
    }
    ordered.add(manifest)
  }
  manifests.forEach(visit)
  return [...ordered]
}

setup()
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const packages = published()
for (const { folder } of packages) rmSync(join(folder, 'dist'), { recursive: true, force: true })
for (const { name, folder } of packages) {
  const code = await run([tsc, '-p', join(folder, 'tsconfig.build.json')])
  if (code !== 0) {
    console.error(`${name}: failed`)
    process.exit(1)
  }
  console.error(`${name}: built`)
}

const sluice = join(root, 'packages', 'sluice')
const schema = spawnSync(pinnedNode, [join(sluice, 'dist', 'main.js'), 'schema'], { encoding: 'utf8' })
if (schema.status !== 0) {
  console.error(`The schema could not be written:\n${schema.stderr}`)
  process.exit(1)
}
writeFileSync(join(sluice, 'schema.json'), schema.stdout)
console.error('packages/sluice/schema.json: written')
