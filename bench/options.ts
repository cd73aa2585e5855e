import { parseArgs } from 'node:util'
import type { Candidate } from './candidates/candidate.ts'
import { candidates, peerNames } from './candidates/index.ts'
import { sluiceOf } from './candidates/sluice.ts'
import type { Case } from './cases/case.ts'
import { cases, defaultCases, groups } from './cases/index.ts'

/** A mistake in the arguments, as one line for people. */
export class UsageError extends Error {}

/** What the user has asked for. */
export interface Options {
  help: boolean
  list: boolean
  cases: readonly Case[]
  candidates: readonly Candidate[]
  /** Overrides what a case says. */
  rounds?: number
  seconds: number
}

const defaultSeconds = 5

/** What `--help` prints. */
export const help = `npm run bench -- [CASE…] [options]

Measures CPU time per request of Sluice and of other proxies, side by side, each pinned to one core, load and backend
on another. Without a case: ${defaultCases.map(({ name }) => name).join(' ')}.

Cases
${cases.map(({ name, title }) => `  ${name.padEnd(16)}${title}`).join('\n')}
${Object.entries(groups)
  .map(([name, members]) => `  ${name.padEnd(16)}${members.map((member) => member.name).join(', ')}`)
  .join('\n')}

Options
  --peers LIST    whom to compare with, or "all", "none" (default: all that are installed):
                  ${peerNames.slice(0, 6).join(',')},
                  ${peerNames.slice(6).join(',')}
  --rounds N      measured rounds a candidate, after one warm-up (default: 5, latency 9)
  --seconds N     length of a round (default: ${defaultSeconds})
  --access-log    rows with the access log on as well, for Sluice and nginx
  --against DIR   a further row, "sluice-before": Sluice of another checkout, set up there
  --no-sluice     leave Sluice out
  --list          what there is, what is installed, and where the results lie
  --help          this

Results: bench/results/CASE.json and CASE.svg. How to read them: bench/README.md.`

/** Reads the command line. Throws {@link UsageError}. */
export function parseOptions(args: string[]): Options {
  refuseSwallowedOptions()
  const { values, positionals } = parse(args)
  const chosen = new Set(positionals.flatMap(casesNamed))
  const rounds = values.rounds === undefined ? undefined : positive('--rounds', values.rounds)
  return {
    help: values.help,
    list: values.list,
    cases: chosen.size === 0 ? defaultCases : [...chosen],
    candidates: choose(values),
    ...(rounds === undefined ? {} : { rounds }),
    seconds: values.seconds === undefined ? defaultSeconds : positive('--seconds', values.seconds),
  }
}

const npmsOwn = ['peers', 'rounds', 'seconds', 'access_log', 'against', 'list']

/** `npm run bench http1 --rounds 3` gives `--rounds` to npm, which drops it, and us a case named 3. */
function refuseSwallowedOptions(): void {
  const swallowed = npmsOwn.find((name) => process.env[`npm_config_${name}`] !== undefined)
  if (swallowed === undefined) return
  const option = `--${swallowed.replace('_', '-')}`
  throw new UsageError(
    `npm has kept ${option} for itself: write "--" before the options, as in npm run bench -- http1 ${option} …`,
  )
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        peers: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        'access-log': { type: 'boolean', default: false },
        against: { type: 'string' },
        'no-sluice': { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function casesNamed(word: string): readonly Case[] {
  const found = groups[word] ?? cases.filter(({ name }) => name === word)
  if (found.length > 0) return found
  const known = [...cases.map(({ name }) => name), ...Object.keys(groups)]
  throw new UsageError(`There is no case "${word}". There are: ${known.join(', ')}.`)
}

function choose(values: {
  peers?: string
  'access-log': boolean
  'no-sluice': boolean
  against?: string
}): Candidate[] {
  const peers = peersNamed(values.peers ?? 'all')
  const chosen = candidates.filter((candidate) => {
    if (candidate.logs !== undefined && !values['access-log']) return false
    if (candidate.family === 'direct') return true
    if (candidate.family === 'sluice') return !values['no-sluice']
    return peers.has(candidate.name.replace('+log', ''))
  })
  if (values.against === undefined) return chosen
  const at = chosen.findLastIndex(({ family }) => family === 'sluice' || family === 'direct')
  return chosen.toSpliced(at + 1, 0, sluiceOf(values.against))
}

function peersNamed(list: string): Set<string> {
  if (list === 'all') return new Set(peerNames)
  const names = list === 'none' ? [] : list.split(',').map((name) => name.trim().replace(/^@fastify\//, 'fastify-'))
  const unknown = names.find((name) => !peerNames.includes(name))
  if (unknown !== undefined)
    throw new UsageError(`There is no peer "${unknown}". There are: ${peerNames.join(', ')}, all, none.`)
  return new Set(names)
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new UsageError(`${option} ${text} must be a whole number of at least 1.`)
}
