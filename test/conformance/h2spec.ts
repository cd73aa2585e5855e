import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'

/** What a run of h2spec or h2specd has shown. */
export interface Verdict {
  readonly passed: number
  /** Section and title of each. */
  readonly failed: readonly string[]
  readonly skipped: readonly string[]
}

/** How many cases h2specd 2.6 has, each on a port of its own. */
export const h2specdCases = 57

const named = process.env['SLUICE_H2SPEC']

/**
 * Where h2spec or h2specd lies: the one that `npm run conformance -- --h2spec PATH` or SLUICE_H2SPEC names (h2specd
 * beside it), else on the PATH; `undefined` where there is none.
 */
export function h2specProgram(name: 'h2spec' | 'h2specd'): string | undefined {
  if (named !== undefined) {
    const path = name === 'h2spec' ? resolve(named) : join(dirname(resolve(named)), name)
    return executable(path) ? path : undefined
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find(executable)
}

/** Skips the present test and says why. */
export function skipWithoutH2spec(test: Mocha.Context, name: 'h2spec' | 'h2specd'): never {
  const where =
    named === undefined ? 'on the PATH (or name it with --h2spec PATH)' : `where SLUICE_H2SPEC says: ${named}`
  console.log(`      skipped: there is no ${name} ${where}`)
  return test.skip()
}

/** Runs h2spec with its strict cases against a server on 127.0.0.1. */
export async function runH2spec(program: string, port: number): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-h2spec-'))
  const report = join(folder, 'report.xml')
  try {
    const output = await run(program, ['-S', '-h', '127.0.0.1', '-p', String(port), '-j', report])
    if (!output.includes('Finished in')) throw new Error(`h2spec did not finish:\n${output}`)
    return verdictOfReport(readFileSync(report, 'utf8'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Runs h2specd, which listens on {@link h2specdCases} ports from `fromPort` on and starts `command` for every case with
 * the case's URL as a further argument. It splits the command at blanks.
 */
export async function runH2specd(program: string, fromPort: number, command: readonly string[]): Promise<Verdict> {
  const args = ['-h', '127.0.0.1', '-f', String(fromPort), '-o', '1', '-e', command.join(' ')]
  return verdictOfOutput(await run(program, args))
}

/** Reads the JUnit report of h2spec. */
export function verdictOfReport(xml: string): Verdict {
  const failed: string[] = []
  const skipped: string[] = []
  let passed = 0
  for (const [, head = '', body = ''] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)) {
    const title = `${attribute(head, 'package')} ${attribute(head, 'classname')}`
    if (/<(failure|error)\b/.test(body)) failed.push(title)
    else if (/<skipped\b/.test(body)) skipped.push(title)
    else passed++
  }
  return { passed, failed, skipped }
}

/** Reads what h2specd prints; it writes no report. Throws when it broke off, as it does at a case without an answer. */
export function verdictOfOutput(output: string): Verdict {
  const count = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(output)
  if (count === null) throw new Error(`h2specd did not finish:\n${output.slice(-2_000)}`)
  // The failures are listed a second time at the end.
  const cases = output.slice(0, count.index).split(/^Failures:/m)[0]!
  const failed: string[] = []
  let section = ''
  for (const line of cases.split(/[\r\n]+/)) {
    section = /^ *(\d[\d.]*)\. /.exec(line)?.[1] ?? section
    const title = /^ *× (\d+: .*)$/.exec(line)?.[1]
    if (title !== undefined) failed.push(`${section} ${title}`)
  }
  const [passed, skips, failures] = count.slice(2).map(Number) as [number, number, number]
  if (failed.length !== failures) throw new Error(`${failures} cases failed, ${failed.length} were read:\n${output}`)
  return { passed, failed, skipped: Array.from({ length: skips }, () => 'not named by h2specd') }
}

/** The first of `count` neighbouring ports on 127.0.0.1 that are free now, below those that the kernel gives away. */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const from = 10_000 + Math.floor(Math.random() * (22_000 - count))
    const free = await Promise.all(Array.from({ length: count }, (_, at) => isFree(from + at)))
    if (free.every(Boolean)) return from
  }
  throw new Error(`no ${count} neighbouring ports are free`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const server = createServer()
    server.once('error', () => settle(false))
    server.listen(port, '127.0.0.1', () => server.close(() => settle(true)))
  })
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', '#34': '"', '#39': "'" }

function attribute(head: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(head)?.[1] ?? ''
  return value.replaceAll(/&([^;]+);/g, (whole, entity: string) => entities[entity] ?? whole)
}

/** Runs a program to its end, whatever its exit code: what has failed stands in its report. */
function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((settle, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        // h2specd reports every closed listener, over and over, until it is gone.
        if (output.length < 1_000_000) output += text
      })
    }
    child.once('error', reject)
    child.once('close', () => settle(output))
  })
}
