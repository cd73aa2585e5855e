import { parseArgs } from 'node:util'
import type { Candidate } from './candidates/candidate.ts'
import { candidates, peerNames } from './candidates/index.ts'
import { sluiceOf } from './candidates/sluice.ts'
import type { Case } from './cases/case.ts'
import { cases, defaultCases, groups } from './cases/index.ts'
import { type Micro, micros } from './micro/index.ts'

/** A mistake in the arguments, as one line for people. */
export class UsageError extends Error {}

/** What the user has asked for. */
export interface Options {
  help: boolean
  list: boolean
  cases: readonly Case[]
  micros: readonly Micro[]
  candidates: readonly Candidate[]
  /** Overrides what a case says. */
  rounds?: number
  /** Rows with the access log on: in every case or in none. Undefined: in those cases that have them. */
  accessLog?: boolean
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
Parts, in nanoseconds
${micros.map(({ name, title }) => `  ${name.padEnd(16)}${title}`).join('\n')}

Options
  --peers LIST    whom to compare with, or "all", "none" (default: all that are installed):
                  ${peerNames.slice(0, 6).join(',')},
                  ${peerNames.slice(6).join(',')}
  --rounds N      measured rounds a candidate, after one warm-up (default: 5, latency 9)
  --seconds N     length of a round (default: ${defaultSeconds})
  --access-log    rows with the access log on, for Sluice and nginx, in every case (default: in http1);
                  --no-access-log: in none
  --against DIR   a further row, "sluice-before": Sluice of another checkout, set up there
  --no-sluice     leave Sluice out
  --list          what there is, what is installed, and where the results lie
  --help          this

Results: bench/results/CASE.json and CASE.svg. How to read them: bench/README.md.`

/** Reads the command line. Throws {@link UsageError}. */
export function parseOptions(args: string[]): Options {
  const { values, positionals } = parse(withOptionsOfNpm(args, process.env))
  const accessLog = values['access-log']
  const parts = new Set(positionals.flatMap((word) => micros.filter(({ name }) => name === word)))
  const chosen = new Set(positionals.filter((word) => !isMicro(word)).flatMap(casesNamed))
  const rounds = values.rounds === undefined ? undefined : positive('--rounds', values.rounds)
  return {
    help: values.help,
    list: values.list,
    cases: chosen.size === 0 && parts.size === 0 ? defaultCases : [...chosen],
    micros: [...parts],
    candidates: choose(values),
    ...(rounds === undefined ? {} : { rounds }),
    ...(accessLog === undefined ? {} : { accessLog }),
    seconds: values.seconds === undefined ? defaultSeconds : positive('--seconds', values.seconds),
  }
}

const flags = ['access-log', 'sluice', 'list'] as const
const valued = ['peers', 'rounds', 'seconds', 'against'] as const

/**
 * The arguments with the options that npm has kept for itself, because they did not stand after `--`.
 *
 * `--peers=nginx` is in the environment as it was written. Of `--peers nginx` npm says only that it was there and hands
 * the value on as a word: it is the word that is no case, and reads as a value of that option.
 */
export function withOptionsOfNpm(args: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const kept = (option: string) => env[`npm_config_${option.replace('-', '_')}`]
  const all = [...args]
  for (const flag of flags) {
    if (kept(flag) !== undefined) all.push(kept(flag) === '' ? `--no-${flag}` : `--${flag}`)
  }
  for (const option of valued) {
    const value = kept(option)
    if (value === undefined) continue
    if (value !== 'true') {
      all.push(`--${option}=${value}`)
      continue
    }
    const at = all.findIndex((word) => !isCase(word) && reads(option, word))
    // Which of two numbers is meant nobody can tell.
    const unclear = option !== 'peers' && valued.filter((one) => one !== 'peers' && kept(one) === 'true').length > 1
    if (at < 0 || unclear) {
      throw new UsageError(
        `npm has kept --${option} for itself: write "--" before the options, as in npm run bench -- http1 --${option} …`,
      )
    }
    all.splice(at, 1, `--${option}=${all[at]}`)
  }
  return all
}

function isMicro(word: string): boolean {
  return micros.some(({ name }) => name === word)
}

function isCase(word: string): boolean {
  return isMicro(word) || groups[word] !== undefined || cases.some(({ name }) => name === word)
}

function reads(option: (typeof valued)[number], word: string): boolean {
  if (word.startsWith('-')) return false
  if (option === 'peers') return word === 'none' || word.split(',').every((name) => peerNames.includes(peerName(name)))
  return option === 'against' || /^\d+$/.test(word)
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      allowNegative: true,
      options: {
        peers: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        'access-log': { type: 'boolean' },
        against: { type: 'string' },
        sluice: { type: 'boolean', default: true },
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
  const known = [...cases, ...micros].map(({ name }) => name).concat(Object.keys(groups))
  throw new UsageError(`There is no case "${word}". There are: ${known.join(', ')}.`)
}

function choose(values: { peers?: string; sluice: boolean; against?: string }): Candidate[] {
  const peers = peersNamed(values.peers ?? 'all')
  const chosen = candidates.filter((candidate) => {
    if (candidate.family === 'direct') return true
    if (candidate.family === 'sluice') return values.sluice
    return peers.has(candidate.name.replace('+log', ''))
  })
  if (values.against === undefined) return chosen
  const at = chosen.findLastIndex(({ family }) => family === 'sluice' || family === 'direct')
  return chosen.toSpliced(at + 1, 0, sluiceOf(values.against))
}

function peersNamed(list: string): Set<string> {
  if (list === 'all') return new Set(peerNames)
  const names = list === 'none' ? [] : list.split(',').map(peerName)
  const unknown = names.find((name) => !peerNames.includes(name))
  if (unknown !== undefined)
    throw new UsageError(`There is no peer "${unknown}". There are: ${peerNames.join(', ')}, all, none.`)
  return new Set(names)
}

function peerName(word: string): string {
  return word.trim().replace(/^@fastify\//, 'fastify-')
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1) return value
  throw new UsageError(`${option} ${text} must be a whole number of at least 1.`)
}
