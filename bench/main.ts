import { mkdirSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { peerNames } from './candidates/index.ts'
import { peerVersions } from './candidates/node-peers.ts'
import type { Case } from './cases/case.ts'
import { cases } from './cases/index.ts'
import { chart } from './chart.ts'
import { loadCore, proxyCore } from './cores.ts'
import { machineWarnings } from './machine.ts'
import { type Options, UsageError, help, parseOptions } from './options.ts'
import { duration } from './progress.ts'
import { report } from './report.ts'
import { runCase } from './run.ts'
import { Unavailable } from './stage.ts'
import { missingTool, toolVersion } from './tools.ts'

const resultsDirectory = fileURLToPath(new URL('results', import.meta.url))

/** Measures the cases in turn; resolves with the exit code: 1 when a case or a row of Sluice is missing. */
async function measure(options: Options, signal: AbortSignal): Promise<number> {
  for (const line of machineWarnings()) console.error(`warning: ${line}`)
  let code = 0
  for (const bench of options.cases) {
    const rounds = options.rounds ?? bench.rounds
    const withLog = options.accessLog ?? bench.accessLog ?? false
    const asked = options.candidates.filter(({ logs }) => withLog || logs === undefined)
    const candidates = bench.candidates ?? asked
    const turns = candidates.filter(({ carries }) => carries.includes(bench.traffic)).length
    console.error(`${bench.name}: about ${duration(turns * (rounds + 1) * (options.seconds + 0.3) * 1000)}`)
    try {
      const result = await runCase(bench, candidates, { rounds, seconds: options.seconds, signal })
      console.log(`\n${report(result, bench.goals)}`)
      mkdirSync(resultsDirectory, { recursive: true })
      const path = `${resultsDirectory}/${bench.name}`
      writeFileSync(`${path}.json`, `${JSON.stringify(result, undefined, 2)}\n`)
      writeFileSync(`${path}.svg`, chart(result))
      console.log(`${relative(process.cwd(), path)}.json, .svg\n`)
      if (result.rows.some(({ family, problem }) => family === 'sluice' && problem !== undefined)) code = 1
    } catch (error) {
      // Ctrl-C reaches what the bench has started too: its end is no reason of its own.
      signal.throwIfAborted()
      if (!(error instanceof Unavailable)) throw error
      console.error(`${bench.name} skipped: ${error.message}`)
      code = 1
    }
  }
  return code
}

function list(): string {
  const state = (name: 'nginx' | 'nginx-stream' | 'haproxy' | 'wrk' | 'h2load' | 'taskset') =>
    missingTool(name) ?? `${name} ${toolVersion(name)}`
  return [
    'Cases',
    ...cases.map((bench: Case) => `  ${bench.name.padEnd(16)}${bench.title}`),
    'Peers',
    `  ${peerNames.join(', ')}`,
    'Programs',
    ...(['nginx', 'nginx-stream', 'haproxy', 'wrk', 'h2load', 'taskset'] as const).map((name) => `  ${state(name)}`),
    `  node ${process.versions.node}`,
    'Node peers (installed into bench/peers on first use)',
    ...Object.entries(peerVersions()).map(([name, version]) => `  ${name} ${version}`),
    `Cores: proxies on ${proxyCore}, load and backend on ${loadCore}`,
    `Results: ${resultsDirectory}`,
  ].join('\n')
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (options.help || options.list) {
    console.log(options.help ? help : list())
    return 0
  }
  if (process.platform !== 'linux') {
    console.error('The bench reads CPU time from /proc and pins processes with taskset: it runs on Linux only.')
    return 1
  }
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // The second one does not wait for the processes to end by themselves.
      if (stop.signal.aborted) process.exit(130)
      stop.abort()
    })
  }
  try {
    for (const { run } of options.micros) await run()
    return options.cases.length === 0 ? 0 : await measure(options, stop.signal)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    console.error('\nStopped; all processes that the bench started have been ended.')
    return 130
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message} See npm run bench -- --help.`)
  process.exitCode = 2
}
