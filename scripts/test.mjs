// npm test: type-check, lint, format check and the test suite. `--soak` runs the suite at full size,
// `--check` only the static checks, `--node N` the suite on another Node version, `--h2spec PATH` names h2spec for
// `npm run conformance`. Further words go to mocha.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pinnedNode, run, sourceCondition } from './node.mjs'
import { root, setup } from './setup.mjs'

const args = process.argv.slice(2)
const take = (flag) => {
  const at = args.indexOf(flag)
  if (at < 0) return false
  args.splice(at, 1)
  return true
}

function nodeOfVersion(version) {
  // The npm package `node` of another version, run through npx, tells where its binary is.
  const found = spawnSync('npx', ['--yes', '-p', `node@${version}`, 'node', '-p', 'process.execPath'], {
    encoding: 'utf8',
  })
  if (found.status !== 0) throw new Error(`Node ${version} could not be fetched: ${found.stderr}`)
  return found.stdout.trim()
}

setup()
const soak = take('--soak')
const onlyCheck = take('--check')
const conformance = take('--conformance')
let node = pinnedNode
if (take('--node')) node = nodeOfVersion(args.shift() ?? '22')
const h2specAt = args.indexOf('--h2spec')
const [, h2spec] = h2specAt < 0 ? [] : args.splice(h2specAt, 2)

const bin = (...path) => join(root, 'node_modules', ...path)
const steps = [
  ['type-check', [bin('typescript', 'bin', 'tsc'), '-p', '.']],
  ['lint', [bin('oxlint', 'bin', 'oxlint'), '--type-aware', '--deny-warnings', '--quiet']],
  ['format', [bin('@biomejs', 'biome', 'bin', 'biome'), 'format', '.']],
]
const testing = args.length > 0 || conformance || soak
if (!testing || onlyCheck) {
  for (const [name, command] of steps) {
    const started = Date.now()
    const code = await run(command, { env: { ...process.env, PATH: `${bin('.bin')}:${process.env.PATH}` } })
    if (code !== 0) {
      console.error(`${name}: failed`)
      process.exit(1)
    }
    console.error(`${name}: ok (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  }
}
if (onlyCheck) process.exit(0)

// Lent bytes are overwritten when their call returns, so that whoever reads them late fails at once.
const env = { SLUICE_POISON: '1', ...process.env }
if (soak) env.SLUICE_SCALE = 'soak'
if (h2spec !== undefined) env.SLUICE_H2SPEC = h2spec
const named = args.some((word) => existsSync(join(root, word)) || word.includes('*'))
const mocha = (files, options = {}) => {
  const script = bin('mocha', 'bin', 'mocha.js')
  const words = ['--throw-deprecation', '--expose-gc', sourceCondition, script, ...files, ...args]
  return run(words, { node, env, ...options })
}
if (named) process.exit(await mocha([]))
if (conformance) process.exit(await mocha(['test/conformance/**/*.test.ts']))

// Two halves: most tests wait for sockets, and a machine has two cores at least.
const inside = [
  'packages/*/test/**/*.test.ts',
  'test/*.test.ts',
  'test/{conformance,docs,integrity,mutations}/**/*.test.ts',
]
const through = ['test/{e2e,grpc}/**/*.test.ts']
if (soak) {
  // One after the other: the full sizes measure memory and time.
  const codes = [await mocha(inside), await mocha(through)]
  process.exit(Math.max(...codes))
}
const printed = []
const other = mocha(through, { output: (chunk) => printed.push(chunk) })
const code = await mocha(inside)
console.error('\nWhat crosses packages, run at the same time:')
const otherCode = await other
process.stdout.write(Buffer.concat(printed))
process.exit(Math.max(code, otherCode))
